"""One stream of one member as the recorder stores it: slices under its names, a playlist.

A slice ends when it is long enough (at a key picture), where the size changes, and where nothing
comes for 15 s; then the next one begins behind DISCONTINUITY and START.  A shorter pause stays
inside a slice, or between two of them that are listed without a word.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from pipeline.agora import names
from pipeline.errors import UsageError
from pipeline.muxing.locate import Ffmpeg
from pipeline.simulator.recorder.material import FRAME, Look, Material, encode, webm_stream
from pipeline.simulator.recorder.recorder import header
from pipeline.simulator.recorder.values import (
    HZ,
    START,
    Layout,
    ListedSegment,
    Playlist,
    RecordedPart,
    Segment,
    Unit,
)
from pipeline.simulator.session.cast import Member
from pipeline.simulator.session.presence import Interval, View

INTERRUPTION = 15 * HZ  # ticks without anything, and the stream begins again
PAUSE = HZ // 20  # ticks: more than units are apart that follow each other


# a WebM file of a stream, between two times (ticks)
Webm: TypeAlias = Callable[[Look, tuple[int, int], str], bytes]


class Dialect(Struct, frozen=True):
    """How recorders differ that all do as Agora documents it."""

    milliseconds: bool = False  # TIME in milliseconds since 1970, not in 17 digits
    rotate_first: bool = False  # ROTATE in front of DISCONTINUITY
    restarts: bool = False  # the clock restarts behind an interruption


def no_browser(look: Look, span: tuple[int, int], stream: str) -> bytes:
    """Nobody comes by one: raises UsageError."""
    raise UsageError("nothing here makes WebM of what a browser sends")


class Studio(Struct, frozen=True):
    """Where what is sent is made."""

    encode: Callable[[Look], Material]
    webm: Webm

    @classmethod
    def of(cls, ffmpeg: Ffmpeg, seconds: int) -> "Studio":
        """With so many seconds of material, repeated as often as needed."""
        return cls(
            lambda look: encode(look, seconds, ffmpeg),
            lambda look, span, stream: webm_stream(look, span, stream, ffmpeg),
        )


class Room(Struct, frozen=True):
    """What all streams of a session have in common."""

    sid: str
    cname: str
    epoch: float  # seconds since 1970 at which the recording begins
    slice: int  # seconds
    dialect: Dialect
    studio: Studio


class Source(Struct, frozen=True):
    """One stream of one member, about to be recorded."""

    room: Room
    member: Member
    stream: str
    bak: int | None = None  # the failover

    @property
    def cname(self) -> str:
        """What stands for the channel in its names."""
        return names.stream_cname(self.room.cname, self.member.uid, self.stream)

    @property
    def playlist(self) -> str:
        """The name of its playlist."""
        return names.playlist_name(self.room.sid, self.cname, bak=self.bak)

    def material(self, look: Look) -> Material:
        """What is sent with this look."""
        return replace(self.room.studio.encode(look), phase=self.member.phase)


class Turn(Struct, frozen=True):
    """The pictures have this size and rotation from a picture on; ticks."""

    time: int
    look: Look


class Track(Struct, frozen=True):
    """A stream, recorded; ``turns`` in the order of time, the first with the first picture."""

    source: Source
    part: RecordedPart
    turns: tuple[Turn, ...]


def record(
    source: Source, sent: Sequence[Interval], views: Sequence[View], before: Track | None = None
) -> Track | None:
    """The stream, or what of it follows a part that is stored already; None if there is nothing of
    it.  All turns are told, those ``before`` as well.
    """
    if before is not None:
        last = before.part.segments[-1]
        sent = [replace(s, begin=max(s.begin, last.begin + last.length)) for s in sent]
    units, turns = _sent(source, [s for s in sent if s.begin < s.end], views, before)
    if not units:
        return None
    slices = _slices(source, units, turns, before)
    segments = tuple(_segments(source, slices, before))
    entries = tuple(_entry(source, *pair, turns) for pair in zip(segments, slices, strict=True))
    listing = Playlist(source.playlist, header(segments), entries)
    stem = names.stem(source.room.sid, source.cname, bak=source.bak)
    part = RecordedPart(stem, source.room.epoch, listing, segments)
    encoded = frozenset({source.stream} if source.member.web else ())
    return Track(source, replace(part, encoded=encoded), tuple(turns))


def _sent(
    source: Source, sent: Sequence[Interval], views: Sequence[View], before: Track | None
) -> tuple[list[Unit], list[Turn]]:
    """All units, and from which picture on they look otherwise."""
    units: list[Unit] = []
    turns: list[Turn] = list(before.turns) if before else []
    stream, member = source.stream, source.member
    early = FRAME * HZ // member.look.rate if stream == "audio" else 0  # sound begins so much early
    for span in sent:
        for view, end in _views_in(span, views, stream, member.phase):
            begin, until = (time + early for time in (view.begin, end))
            held = source.material(view.look).units(stream, begin, until)
            if held and (not turns or turns[-1].look != view.look):
                turns.append(Turn(held[0].time, view.look))
            units += held
    return units, turns


def _views_in(
    span: Interval, views: Sequence[View], stream: str, phase: int
) -> Iterator[tuple[View, int]]:
    """Each view with its beginning and end inside a span; pictures begin with a key picture."""
    if stream == "audio":
        yield replace(views[0], begin=span.begin), span.end
        return
    first = _key(span.begin, phase)
    begins = [_key(view.begin, phase) for view in views]
    for view, begin, end in zip(views, begins, [*begins[1:], span.end], strict=True):
        begin, end = max(begin, first), min(end, span.end)
        if begin < end:
            yield replace(view, begin=begin), end


def _key(time: int, phase: int) -> int:
    """The first key picture from then on; there is one at each full second of the member."""
    return -(-(time + phase) // HZ) * HZ - phase


class _Slice(Struct):
    units: list[Unit]
    starts: bool  # the stream begins, or goes on after an interruption
    resized: bool
    look: Look

    @property
    def begin(self) -> int:
        return self.units[0].time

    @property
    def end(self) -> int:
        return self.units[-1].time + self.units[-1].length


def _slices(
    source: Source, units: Sequence[Unit], turns: Sequence[Turn], before: Track | None
) -> list[_Slice]:
    looks = {turn.time: turn.look for turn in turns}
    made: list[_Slice] = []
    look = before.turns[-1].look if before else turns[0].look
    end = before.part.segments[-1].begin + before.part.segments[-1].length if before else None
    for unit in units:
        last, turned = look, looks.get(unit.time, look) != look
        look = looks.get(unit.time, look)
        starts = end is None or unit.time - end >= INTERRUPTION
        resized = end is not None and last.size != look.size
        if not made or starts or resized or _full(source, made[-1], unit, turned=turned):
            made.append(_Slice([unit], starts, resized, look))
        else:
            made[-1].units.append(unit)
            made[-1].look = look
        end = made[-1].end
    return made


def _full(source: Source, last: _Slice, unit: Unit, *, turned: bool) -> bool:
    """A slice ends before this unit."""
    if source.member.web and (turned or unit.time - last.end > PAUSE):
        return True  # one encoder makes a file
    return unit.time - last.begin >= source.room.slice * HZ and (unit.key or unit.stream == "audio")


def _segments(source: Source, slices: Sequence[_Slice], before: Track | None) -> Iterator[Segment]:
    room, kind = source.room, "webm" if source.member.web else "ts"
    clock = before.part.segments[-1].clock if before else START - slices[0].begin
    for one in slices:
        if one.starts and room.dialect.restarts:
            clock = START - one.begin
        start = room.epoch + one.begin / HZ
        made = Segment(
            names.slice_name(room.sid, source.cname, start, bak=source.bak, extension=kind),
            one.begin,
            one.end - one.begin,
            tuple(one.units),
            Layout(streams=(source.stream,)),
            clock=clock,
        )
        yield replace(made, content=_webm(source, one)) if source.member.web else made


def _webm(source: Source, one: _Slice) -> bytes:
    member = source.member
    look = replace(one.look, codec=member.web or "")
    begin, end = one.begin + member.phase, one.end + member.phase
    return source.room.studio.webm(look, (begin, end), source.stream)


def _entry(source: Source, segment: Segment, one: _Slice, turns: Sequence[Turn]) -> ListedSegment:
    """What stands in the playlist of a slice, with the tags in front of it."""
    room, stream = source.room, source.stream
    begins = ["#EXT-X-DISCONTINUITY"] if one.starts or one.resized else []
    event = f"#EXT-X-AGORA-TRACK-EVENT:EVENT=START,TRACK_TYPE={stream.upper()},TIME="
    starts = [event + _time(room, one.begin)] if one.starts else []
    turned = [turn for turn in turns if one.begin <= turn.time < one.end]
    if one.starts and (not turned or turned[0].time > one.begin):
        in_force = [turn for turn in turns if turn.time <= one.begin]
        turned.insert(0, Turn(one.begin, in_force[-1].look))
    rotates = [_rotate(room, turn) for turn in turned] if stream == "video" else []
    order = (rotates, begins, starts) if room.dialect.rotate_first else (begins, rotates, starts)
    tags = tuple(tag for tags in order for tag in tags)
    return ListedSegment(segment.name, segment.length / HZ, tags)


def _rotate(room: Room, turn: Turn) -> str:
    width, height = turn.look.size
    shape = f"WIDTH={width},HEIGHT={height},ROTATE={turn.look.turned}"
    return f"#EXT-X-AGORA-ROTATE:{shape},TIME={_time(room, turn.time)}"


def _time(room: Room, time: int) -> str:
    utc = room.epoch + time / HZ
    return str(round(utc * 1000)) if room.dialect.milliseconds else names.stamp(utc)
