"""A plan becomes a media file: segments go through the stitcher into ffmpeg."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from pipeline.choices import Format
from pipeline.errors import StorageError
from pipeline.media.clock import BASE, HZ
from pipeline.media.es.access_units import NO_UNITS, Units
from pipeline.media.es.codecs import PRIVATE
from pipeline.media.loss.chapters import Marks
from pipeline.media.loss.fills import Fill, Made, blocks
from pipeline.media.loss.holes import Stretch
from pipeline.media.slots.segments import Placed
from pipeline.media.stitch.index_size import index_size
from pipeline.media.stitch.priming import INTRODUCED, TIMES, introduction
from pipeline.media.stitch.silence import quiets
from pipeline.media.stitch.stitcher import Changed, Stitched, Stitcher
from pipeline.media.timeline.plan import Plan
from pipeline.media.timeline.wall_clock import iso, wall_clock
from pipeline.media.track import Lane
from pipeline.model import Finding
from pipeline.muxing import commands
from pipeline.muxing.languages import tell_languages
from pipeline.muxing.locate import Ffmpeg
from pipeline.muxing.run import Muxer
from pipeline.stages.segments import Buffer, LocalSegment, read

if TYPE_CHECKING:  # at run time only for what a transport stream cannot carry
    from pipeline.media.stitch.fmp4_writer import Feed

Progress = Callable[[str, int], None]
NO_MARKS = Marks()
NOTHING_MORE = Stitched((), {}, ())


@dataclass(frozen=True, slots=True, eq=False)
class Converted:
    """What was fed to ffmpeg, unit by unit and lane by lane, and what it said."""

    lanes: tuple[Lane, ...]
    expected: tuple[tuple[Stretch, ...], ...]  # by lane
    findings: tuple[Finding, ...] = ()
    command: tuple[str, ...] = ()
    messages: str = ""
    lengths: tuple[int, ...] = ()  # bytes of each segment in a stream, without the tables
    marks: Marks = NO_MARKS  # what the file was told of its holes
    fills: tuple[Fill, ...] = ()  # where units were made

    @property
    def held(self) -> tuple[tuple[Stretch, ...], ...]:
        """What of it the segments held."""
        return tuple(tuple(s.own for s in stretches if not s.made) for stretches in self.expected)

    def filled(self, lane: Lane) -> dict[str, int]:
        """How many units were put in, by the segment they stand in or in front of."""
        found: dict[str, int] = {}
        for stretch in self.expected[self.lanes.index(lane)]:
            if stretch.filled:
                found[stretch.segment] = found.get(stretch.segment, 0) + stretch.filled
        return found


def lanes_of(plan: Plan, format: Format) -> tuple[Lane, ...]:
    """The lanes a format can hold: sound only, the first alone where there is room for one."""
    audio = tuple(lane for lane in plan.lanes if lane.codec.kind == "audio")
    if format in (Format.MP4, Format.TS):
        return plan.lanes
    return audio if format is Format.M4A else audio[:1]


def measure(
    plan: Plan,
    segments: Sequence[LocalSegment],
    progress: Progress,
    format: Format = Format.MP4,
    *,
    sparse_sound: bool = False,
) -> Converted:
    """Read every unit without making anything: what ``check`` does."""
    lanes = lanes_of(plan, format)
    expected: list[list[Stretch]] = [[] for _ in lanes]
    findings: list[Finding] = []
    for placed, stitched in _stitch(plan, lanes, segments, progress, sparse_sound=sparse_sound):
        _collect(lanes, placed, stitched, expected, findings)
    return Converted(lanes, _frozen(expected), tuple(findings))


def convert(
    plan: Plan,
    segments: Sequence[LocalSegment],
    ffmpeg: Ffmpeg,
    output: Path,
    *,
    format: Format,
    progress: Progress,
    in_one_pass: bool = True,
    marks: Marks = NO_MARKS,
    fills: Sequence[Fill] = (),
    made: Mapping[int, Made] = MappingProxyType({}),
    sparse_sound: bool = False,
) -> Converted:
    """Make the file.  ``segments`` are those that were planned.

    ``in_one_pass`` reserves room for the index in front; it fails when the estimate is wrong.
    ``marks`` is what the file is to say of its holes; ``fills`` and ``made`` (by PID) what goes
    into them.  Sound that pauses is filled with silence, unless it is to be left ``sparse_sound``.
    """
    lanes = lanes_of(plan, format)
    if format is Format.TS:
        return _write_stream(plan, lanes, segments, output, progress, sparse_sound)
    feed = _feed(lanes)
    late = _late(plan, lanes)
    room = index_size(plan, lanes, fills) if in_one_pass else None
    created = iso(wall_clock(plan.placed).at(0.0))
    told = lanes, format, marks, made, created
    argv = _command(ffmpeg, output, *told, room=room, fed=bool(feed), late=late)
    expected: list[list[Stretch]] = [[] for _ in lanes]
    findings: list[Finding] = []
    with Muxer(argv, env=ffmpeg.env) as muxer, ThreadPoolExecutor(1) as writer:
        first = _opening(plan, lanes, late, feed, segments)
        pending: Future[None] = writer.submit(muxer.write, first)
        for placed, stitched in _stitch(
            plan, lanes, segments, progress, (fills, made), sparse_sound=sparse_sound
        ):
            pending.result()
            chunks = feed.add(stitched.units) if feed else stitched.chunks
            pending = writer.submit(muxer.write, chunks)
            _collect(lanes, placed, stitched, expected, findings)
        pending.result()
        messages = muxer.finish()
    if marks.chapters:
        tell_languages(output)
    known = lanes, _frozen(expected), tuple(findings), tuple(argv), messages
    return Converted(*known, marks=marks, fills=tuple(fills))


def _command(
    ffmpeg: Ffmpeg,
    output: Path,
    lanes: Sequence[Lane],
    format: Format,
    marks: Marks,
    made: Mapping[int, Made],
    created: str | None,
    *,
    room: int | None,
    fed: bool,
    late: Sequence[Lane],
) -> list[str]:
    """How ffmpeg is called; ``room`` bytes are kept for the index, besides what marks need."""
    metadata = marks.metadata if marks != NO_MARKS else ""
    inside = (x.inside or (x.pid in made and made[x.pid].own) for x in lanes)
    return commands.mux(
        ffmpeg.ffmpeg,
        output,
        [*range(len(lanes))] if fed else [lane.pid for lane in lanes],
        format=format,
        adts=not fed and any(lane.codec.name == "aac" for lane in lanes),
        hevc=any(lane.codec.name == "hevc" for lane in lanes),
        picture_ticks=_lasting(lanes, "video", HZ),
        sound_ticks=_lasting(lanes, "audio", commands.SOUND_HZ) if fed else None,
        base=BASE / HZ,
        drop_before=INTRODUCED if late else None,
        moov_size=room + 4 * len(metadata) if room is not None else None,
        metadata=metadata or None,
        parameters_inside=any(inside),
        fragments=fed,
        languages=[lane.language for lane in lanes],
        created=created,
    )


def _feed(lanes: tuple[Lane, ...]) -> "Feed | None":
    """Matroska for ffmpeg, where a transport stream has no room for a codec."""
    if all(lane.codec.stream_type < PRIVATE for lane in lanes):
        return None
    from pipeline.media.stitch.fmp4_writer import Feed

    return Feed(lanes)


def _opening(
    plan: Plan,
    lanes: tuple[Lane, ...],
    late: Sequence[Lane],
    feed: "Feed | None",
    segments: Sequence[LocalSegment],
) -> list[bytes]:
    """What the muxer is told of the streams before the first segment."""
    if feed is None:
        shown = [_introduction(plan, x, segments) for x in late]
        return [Stitcher(lanes).tables(), *shown]
    units = {x.pid: _first(plan, lanes, x, segments) for x in lanes}
    return [feed.head(units), *(feed.introduction(x.pid, units[x.pid]) for x in late)]


def _lasting(lanes: Sequence[Lane], kind: str, clock: int) -> int | None:
    """How long a unit lasts, in ticks of a clock."""
    unit = next((lane.unit for lane in lanes if lane.codec.kind == kind), 0.0)
    return round(unit * clock / HZ) or None


def _late(plan: Plan, lanes: Sequence[Lane]) -> list[Lane]:
    """Lanes of which the muxer would not find enough within a second of the others: of a screen
    that stands still as little as of what is not there yet.
    """
    if len(lanes) == 1:  # nothing stands in between
        return []
    times = {lane.pid: _times(plan, lane) for lane in lanes}
    begin = min(known[0] for known in times.values())
    return [x for x in lanes if len(times[x.pid]) < TIMES or times[x.pid][-1] - begin > HZ]


def _times(plan: Plan, lane: Lane) -> list[int]:
    """When its first units are decoded, as many as introduce it."""
    stamps = (p.stamps[lane.pid][1] for p in plan.placed if lane.pid in p.stamps)
    return list(islice(chain.from_iterable(dts[dts >= 0].tolist() for dts in stamps), TIMES))


def _introduction(plan: Plan, lane: Lane, segments: Sequence[LocalSegment]) -> bytes:
    """The first units of a lane that begins late: ffmpeg looks at the beginning only."""
    placed = next(
        p for p in plan.placed if lane.pid in p.stamps and p.stream(lane.pid).config is not None
    )
    data = read(segments[placed.number])
    return introduction(data, lane, placed.stream(lane.pid).pids)


def _first(
    plan: Plan,
    lanes: tuple[Lane, ...],
    lane: Lane,
    segments: Sequence[LocalSegment],
) -> Units:
    """The units of the first segment that has some of a lane: the muxer has to know them."""
    for placed in plan.placed:
        if lane.pid in placed.stamps:
            data = read(segments[placed.number])
            stitcher = Stitcher(lanes)
            held = stitcher.add("", data, placed.stamps, placed.edges, placed.pids).units[lane.pid]
            if len(held.sizes):
                return held
    return NO_UNITS


def _write_stream(
    plan: Plan,
    lanes: tuple[Lane, ...],
    segments: Sequence[LocalSegment],
    output: Path,
    progress: Progress,
    sparse_sound: bool,
) -> Converted:
    """The stitched stream itself, with its tables in front of every segment."""
    expected: list[list[Stretch]] = [[] for _ in lanes]
    findings: list[Finding] = []
    lengths: list[int] = []
    stitcher = Stitcher(lanes)
    with output.open("wb") as file:
        for turn, (placed, stitched) in enumerate(
            _stitch(plan, lanes, segments, progress, sparse_sound=sparse_sound)
        ):
            file.write(stitcher.tables(turn))
            lengths.append(sum(file.write(chunk) for chunk in stitched.chunks))
            _collect(lanes, placed, stitched, expected, findings)
    return Converted(lanes, _frozen(expected), tuple(findings), lengths=tuple(lengths))


def _collect(
    lanes: Sequence[Lane],
    placed: Placed,
    stitched: Stitched,
    expected: Sequence[list[Stretch]],
    findings: list[Finding],
) -> None:
    findings += stitched.findings
    for lane, stretches in zip(lanes, expected, strict=True):
        if not stitched.made or lane.pid in stitched.units:
            held = replace(stitched.units.get(lane.pid, NO_UNITS), data=b"")
            stretches.append(Stretch(placed.slot.name, held, stitched.made))


def _frozen(expected: Sequence[list[Stretch]]) -> tuple[tuple[Stretch, ...], ...]:
    return tuple(map(tuple, expected))


def _stitch(
    plan: Plan,
    lanes: tuple[Lane, ...],
    segments: Sequence[LocalSegment],
    progress: Progress,
    filling: tuple[Sequence[Fill], Mapping[int, Made]] = ((), {}),
    *,
    sparse_sound: bool,
) -> Iterator[tuple[Placed, Stitched]]:
    """Segments in their order, each behind what fills the hole in front of it.

    What one yields stays as it is until two more were asked for.
    """
    stitcher = Stitcher(lanes, {} if sparse_sound else quiets(lanes, plan.end))
    following = _following(plan)
    buffers = [Buffer() for _ in range(3)]  # one being written, one waiting, one being filled
    fills, made = filling
    for turn, placed in enumerate(plan.placed):
        for block in blocks([fill for fill in fills if fill.before == turn], made):
            at = max(int(one.dts[-1]) for one in block.values()) if block else 0
            yield placed, stitcher.fill(block).before(stitcher.hush(following(turn, at)))
        segment = segments[placed.number]
        data = read(segment, buffers[turn % 3])
        try:
            stitched = stitcher.add(
                placed.slot.name, data, placed.stamps, placed.edges, placed.pids
            )
        except Changed as error:
            raise StorageError(
                f"{segment.path}: changed while it was converted; run again"
            ) from error
        at = max(placed.last(pid) for pid in placed.stamps)
        quiet = stitcher.hush(following(turn + 1, at))
        last = stitcher.rest() if turn + 1 == len(plan.placed) else NOTHING_MORE
        yield placed, stitched.before(quiet).before(last)
        progress("convert", len(data))


def _following(plan: Plan) -> Callable[[int, int], dict[int, float]]:
    """When each lane goes on from a segment on, or a tick if it does not before."""
    turns = {
        lane.pid: [n for n, placed in enumerate(plan.placed) if lane.pid in placed.stamps]
        for lane in plan.lanes
    }

    def following(turn: int, tick: int) -> dict[int, float]:
        found = {}
        for pid, own in turns.items():
            later = own[bisect_left(own, turn) :][:1]
            found[pid] = float(min([tick, *(plan.placed[n].first(pid) for n in later)]))
        return found

    return following
