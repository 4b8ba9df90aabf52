"""Which segments have another format than the rest, and what they have to become.

The format that lasts longest stays; MP4 has one decoder configuration for a track, so the others
have to be re-encoded.  What MP4 cannot carry at all has to be, wherever it is.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from msgspec import Struct, field
from msgspec.structs import replace

from pipeline.media.clock import HZ, signed
from pipeline.media.es.codecs import ENCODED, Carriage, Codec
from pipeline.media.es.descriptions import Picture
from pipeline.media.es.formats import StreamFormat
from pipeline.media.slots.segments import Slot
from pipeline.media.slots.turns import is_headless
from pipeline.media.ts.scan import Scan, Stream

GAP = HZ // 2  # ticks: a longer step of the clock begins another run


class Asked(Struct, frozen=True):
    """What all pictures are to become because it is asked for; None where they stay."""

    size: tuple[int, int] | None = None  # pixels
    bitrate: int | None = None  # kbit/s
    rate: int | None = None  # pictures a second, at most


class TargetFormat(Struct, frozen=True):
    """The format that all streams of a kind have to get."""

    kind: str  # "video" or "audio"
    pid: int
    like: StreamFormat | None  # of the streams that stay as they are; None: none can
    picture: Picture | None = None  # what its SPS says; None for audio
    delay: int = 0  # ticks from the decoding of the first picture to its presentation
    numbers: frozenset[int] = frozenset()  # ids of the parameter sets of what stays
    turned: int = 0  # degrees by which the pictures are turned anticlockwise
    rotated: bool = False  # the formats differ in their rotation alone
    asked: Asked | None = None  # why none stays


class Change(Struct, frozen=True):
    """One stream of one segment that has to be re-encoded."""

    number: int  # of the slot
    kind: str  # "video" or "audio"
    pid: int
    was: StreamFormat


class Survey(Struct, frozen=True):
    """What has to be re-encoded for one format of each kind; empty where nothing changes."""

    wanted: Mapping[str, TargetFormat] = field(default_factory=dict)  # by kind
    changes: tuple[Change, ...] = ()

    def runs(self, slots: Sequence[Slot]) -> Iterator[tuple[Change, ...]]:
        """Changes that are encoded together: neighbouring slots of one format on one clock."""
        for kind in self.wanted:
            run: list[Change] = []
            for change in (c for c in self.changes if c.kind == kind):
                if run and not _goes_on(run[-1], change, slots):
                    yield tuple(run)
                    run = []
                run.append(change)
            if run:
                yield tuple(run)


def restarted(slots: Sequence[Slot]) -> list[Slot]:
    """The slots, with counters free to start again where the encoder restarted: where parameter
    sets differ from the segment before, even if pictures look the same.
    """
    found = [
        (number, opening)
        for number, (pid, _) in _streams(slots, "video").items()
        if (scan := slots[number].scan) and (opening := _opening(scan.streams[pid]))
    ]
    changed = {n for (_, before), (n, here) in pairwise(found) if here != before}
    return [
        replace(s, scan=begun_again(s.scan)) if n in changed else s for n, s in enumerate(slots)
    ]


def _opening(stream: Stream) -> dict[int, bytes]:
    """The first parameter set of each kind."""
    assert stream.codec is not None
    syntax = stream.codec.nal
    return {syntax.kind(one): one for one in reversed(stream.sets)} if syntax else {}


def begun_again(found: Scan | None) -> Scan | None:
    """The scan with every stream marked as if it began with a discontinuity_indicator: no counter
    has to continue the segment before.
    """
    streams = {p: replace(s, free_start=True) for p, s in found.streams.items()} if found else {}
    return found and replace(found, streams=streams)


def survey(slots: Sequence[Slot], *, mp4: bool = True, asked: Asked | None = None) -> Survey:
    """Compare the formats of all segments; a kind with several streams in a segment is skipped.

    Only ``mp4`` can carry what a transport stream cannot, and not beside a codec that the muxer can
    get in a transport stream alone: see ``media/stitch/fmp4_writer``.  No picture stays as it is
    where others are ``asked`` for.
    """
    pictures = [f.codec for _, f in _streams(slots, "video").values()]
    if pictures and asked:
        pictures = [ENCODED["video"]]
    copied = [codec for codec in pictures if codec.copied]
    mp4 = mp4 and all(codec.mp4_config for codec in copied)
    wanted: dict[str, TargetFormat] = {}
    changes: list[Change] = []
    for kind in ("video", "audio"):
        found = _streams(slots, kind)
        formats = {number: format for number, (_, format) in found.items()}
        other = asked if kind == "video" else None
        if found and (
            other
            or any(f != formats[next(iter(found))] or not _stays(f, mp4) for f in formats.values())
        ):
            one = _wanted(slots, kind, found, other)
            wanted[kind] = one
            changes += _changes(slots, one, found)
    return Survey(wanted, tuple(changes))


def _changes(
    slots: Sequence[Slot], wanted: TargetFormat, found: Mapping[int, tuple[int, StreamFormat]]
) -> Iterator[Change]:
    """Streams of another format, and pictures that are decoded from those of such a stream."""
    before: Change | None = None
    for number, (pid, format) in found.items():
        change = Change(number, wanted.kind, pid, format)
        needing = (
            before is not None
            and before.number == number - 1
            and is_headless(slots[number])
            and before.was.same_pictures(format)
        )
        before = change if format != wanted.like or needing else None
        if before:
            yield before


def _stays(format: StreamFormat, mp4: bool) -> bool:
    """Whether a stream can be copied; of other containers only with a decoder configuration."""
    if format.codec.carriage is not Carriage.UNIT:
        return format.codec.copied
    return mp4 and format.codec.copied and format.config is not None


def _streams(slots: Sequence[Slot], kind: str) -> dict[int, tuple[int, StreamFormat]]:
    """PID and format of the only stream of a kind in each segment that has one.

    A segment without a configuration has that of the one before it.
    """
    found: dict[int, tuple[int, StreamFormat]] = {}
    told: dict[str, bytes] = {}
    for number, slot in enumerate(slots):
        mine = list(_of_kind(slot.scan, kind)) if slot.scan else []
        if len(mine) > 1:
            return {}
        turned = slot.turned if kind == "video" else 0
        for pid, stream, codec in mine:
            if stream.config is not None:
                told[codec.name] = stream.config
            found[number] = pid, StreamFormat(codec, told.get(codec.name), turned)
    first: dict[str, bytes | None] = {}
    for _, format in found.values():
        if format.config is not None:
            first.setdefault(format.codec.name, format.config)
    return {
        number: (pid, StreamFormat(f.codec, f.config or first.get(f.codec.name), f.turned))
        for number, (pid, f) in found.items()
    }


def several(slots: Sequence[Slot], kind: str) -> bool:
    """Whether a segment holds several streams of a kind."""
    return any(len(list(_of_kind(slot.scan, kind))) > 1 for slot in slots if slot.scan)


def _of_kind(scan: Scan, kind: str) -> Iterator[tuple[int, Stream, Codec]]:
    for pid, stream in scan.streams.items():
        codec = stream.codec
        listed = not scan.program.streams or pid in scan.program.streams
        if codec is not None and codec.kind == kind and listed and (stream.dts >= 0).any():
            yield pid, stream, codec


def _wanted(
    slots: Sequence[Slot],
    kind: str,
    found: Mapping[int, tuple[int, StreamFormat]],
    asked: Asked | None = None,
) -> TargetFormat:
    lasts: Counter[StreamFormat] = Counter()
    pids: dict[StreamFormat, int] = {}
    for number, (pid, format) in found.items():
        slot = slots[number]
        assert slot.scan is not None
        lasts[format] += round(HZ * (slot.duration or 0)) or _span(slot.scan.streams[pid])
        pids.setdefault(format, pid)
    steady = [format for format, _ in lasts.most_common() if format.turned is not None]
    longest = steady[0] if steady else lasts.most_common(1)[0][0]
    like = longest if asked is None and _can_be_made(longest) else None
    there = [(slots[n].scan, pid) for n, (pid, f) in found.items() if f == like]
    stays = [scan.streams[pid] for scan, pid in there if scan is not None]
    shown = longest.codec.picture(longest.config) if kind == "video" and longest.config else None
    if shown and like is None and _lies(longest, slots, found):
        shown = replace(shown, width=shown.height, height=shown.width)
    if asked and asked.size:
        shown = Picture(*asked.size, profile=0, level=0, number=0)
    return TargetFormat(
        kind,
        pids[longest],
        like,
        shown,
        _delay(stays) if kind == "video" else 0,
        _numbers(longest.codec, stays),
        (like.turned or 0) if like else 0,
        all(format.same_pictures(longest) for format in lasts),
        asked,
    )


def _lies(
    format: StreamFormat, slots: Sequence[Slot], found: Mapping[int, tuple[int, StreamFormat]]
) -> bool:
    """Whether pictures of a format are upright only when width and height change places."""
    turned = format.turned
    if turned is None:
        turned = next(slots[n].turns[0].degrees for n, (_, f) in found.items() if f == format)
    return turned % 180 != 0


def _can_be_made(format: StreamFormat) -> bool:
    """Whether our encoder can make this format, so that one decoder can follow both."""
    if format.codec is not ENCODED[format.codec.kind] or format.config is None:
        return False
    if format.turned is None:
        return False
    if format.codec.kind == "audio":
        return True
    shown = format.codec.picture(format.config)
    return shown is not None and shown.chroma == 1 and shown.depths == (8, 8)


def _numbers(codec: Codec, streams: Sequence[Stream]) -> frozenset[int]:
    """The ids of their parameter sets."""
    named = (codec.set_identity(one) for stream in streams for one in stream.sets)
    return frozenset(name[1] for name in named if name is not None)


def _delay(streams: Sequence[Stream]) -> int:
    """Ticks from the DTS of the first picture of a stream to its PTS, as most streams have it."""
    found = Counter(int(signed((s.pts - s.dts)[s.dts >= 0][:1])[0]) for s in streams)
    return found.most_common(1)[0][0] if found else 0


def _span(stream: Stream) -> int:
    known = stream.dts[stream.dts >= 0]
    return int(signed(known - known[0])[-1]) + 1


def _goes_on(before: Change, change: Change, slots: Sequence[Slot]) -> bool:
    a, b = slots[before.number].scan, slots[change.number].scan
    if change.was.codec.carriage is Carriage.UNIT or change.was.turned is None:
        return False  # each file restarts; each turns at its own time
    if change.number != before.number + 1 or change.was != before.was or change.pid != before.pid:
        return False
    assert a is not None
    assert b is not None
    last, first = a.streams[before.pid].dts, b.streams[change.pid].dts
    step = int(signed(first[first >= 0][:1] - last[last >= 0][-1:])[0])
    return 0 < step < GAP


def by_segment(changes: Sequence[Change]) -> dict[int, list[Change]]:
    """The changes by number of their slot."""
    found: dict[int, list[Change]] = defaultdict(list)
    for change in changes:
        found[change.number].append(change)
    return found
