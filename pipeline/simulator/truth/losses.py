"""What a recording really lost, counted in the units it was made of.

No fault declares its loss.  Every packet knows the units it carries; a unit is lost unless all of
its packets are in a file that can be read.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from statistics import median_low

from msgspec import Struct

from pipeline.simulator.recorder.values import HZ, STREAMS, RecordedPart, Segment, Unit

JOIN = HZ // 20  # ticks: losses so close together are one


class Loss(Struct, frozen=True):
    """A span of one stream that no tool can bring back.  Seconds."""

    stream: str
    start: float  # from the beginning of the recording
    seconds: float
    segment: str | None  # None: nothing was recorded


class Truth(Struct, frozen=True):
    """What a perfect tool makes of a recording with holes kept at their length."""

    losses: tuple[Loss, ...]
    duration: float  # seconds
    samples: dict[str, int | None]  # of each stream; None: it has to be re-encoded
    flashes: tuple[float, ...]  # seconds of the result
    beeps: tuple[float, ...]  # seconds of the result

    @property
    def lost_seconds(self) -> dict[str, float]:
        """The sum of all losses of each stream, in seconds."""
        return {
            stream: round(sum(x.seconds for x in self.losses if x.stream == stream), 3)
            for stream in STREAMS
        }


def tell(parts: Sequence[RecordedPart]) -> Truth:
    """The truth about all parts of a recording."""
    held = [(s, u) for part in parts for s in part.segments for u in s.units]
    alive = {id(u) for part in parts for u in survivors(part)}
    there: dict[tuple[str, int], Unit] = {}
    for _, unit in held:
        if id(unit) in alive:
            there.setdefault((unit.stream, unit.time), unit)
    lost: dict[tuple[str, int], tuple[Segment, Unit]] = {}
    for segment, unit in held:
        if (unit.stream, unit.time) not in there:
            lost.setdefault((unit.stream, unit.time), (segment, unit))
    first = min((unit.time for unit in there.values()), default=0)
    lengths = [unit.length for unit in there.values() if unit.stream == "video"]
    usual = {"video": median_low(lengths)} if lengths else {}  # of the last one nothing tells
    ends = (unit.time + usual.get(unit.stream, unit.length) for unit in there.values())
    end = max(ends, default=0)
    streams = {unit.stream for _, unit in held}
    encoded = {stream for part in parts for stream in part.encoded}
    return Truth(
        (*_spans(list(lost.values())), *_pauses(parts, [unit for _, unit in held], streams)),
        round((end - first) / HZ, 3),
        {
            s: None if s in encoded else sum(stream == s for stream, _ in there)
            for s in STREAMS
            if s in streams
        },
        _marks("video", there.values(), first),
        _marks("audio", there.values(), first),
    )


def survivors(part: RecordedPart) -> Iterator[Unit]:
    """The units that are complete in readable files; not all can be decoded, as a key picture may
    be gone.
    """
    for segment in part.segments:
        for number in sorted(_intact(segment)):
            yield segment.units[number]


def _intact(segment: Segment) -> set[int]:
    """Numbers of the units whose bytes are all there and whose time is known."""
    if not segment.stored or not segment.readable:
        return set()
    if not segment.needs:  # a file of another kind, or nobody touched its packets
        return set(range(len(segment.units)))
    found: dict[int, set[int]] = {}
    for packet in segment.packets:
        if packet.intact:
            for number in packet.units:
                found.setdefault(number, set()).add(packet.serial)
    whole = {n for n, need in enumerate(segment.needs) if need and len(found.get(n, ())) == need}
    frames = [n for n, unit in enumerate(segment.units) if unit.stream == "audio"]
    return (whole - set(frames)) | _dated(frames, whole, segment.layout.frames)


def _dated(frames: list[int], whole: set[int], each: int) -> set[int]:
    """Frames that a time stamp reaches over whole frames; the first of each PES has one."""
    reached: set[int] = set()
    for there, run in groupby(enumerate(frames), lambda x: x[1] in whole):
        group = list(run)
        if there and any(position % each == 0 for position, _ in group):
            reached |= {number for _, number in group}
    return reached


def _spans(lost: list[tuple[Segment, Unit]]) -> Iterator[Loss]:
    """Units lost in a row as one."""
    for stream in STREAMS:
        open_at, total, end, name = 0, 0, 0, ""
        for segment, unit in sorted(lost, key=lambda x: x[1].time):
            if unit.stream != stream:
                continue
            if total and (unit.time - end > JOIN or segment.name != name):
                yield Loss(stream, round(open_at / HZ, 3), round(total / HZ, 6), name)
                total = 0
            if not total:
                open_at, name = unit.time, segment.name
            total, end = total + unit.length, unit.time + unit.length
        if total:
            yield Loss(stream, round(open_at / HZ, 3), round(total / HZ, 6), name)


def _pauses(
    parts: Sequence[RecordedPart], held: Sequence[Unit], streams: set[str]
) -> Iterator[Loss]:
    """Time that no part recorded, of streams that are there on both sides of it; what became of
    units is told elsewhere.
    """
    spans = [(begin, begin + length) for part in parts for begin, length in part.pauses]
    for stream in sorted(streams, reverse=True):
        taken = sorted((u.time, u.time + u.length) for u in held if u.stream == stream)
        for begin, end in spans:
            if not goes_on(parts, stream, begin):
                continue
            for one, other in _apart(begin, end, taken):
                yield Loss(stream, round(one / HZ, 3), round((other - one) / HZ, 6), None)


def _apart(begin: int, end: int, taken: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """What is left of a span; a unit may reach into it from either side."""
    for one, other in taken:
        if other > begin + JOIN and one < end - JOIN:
            if one > begin + JOIN:
                yield begin, one
            begin = max(begin, other)
    if end > begin + JOIN:
        yield begin, end


def goes_on(parts: Sequence[RecordedPart], stream: str, begin: int) -> bool:
    """Whether a stream has units before a time (ticks), and behind it."""
    before = [
        u.time < begin for p in parts for s in p.segments for u in s.units if u.stream == stream
    ]
    return any(before) and not all(before)


def _marks(stream: str, units: Iterable[Unit], first: int) -> tuple[float, ...]:
    times = [u.time + u.mark - first for u in units if u.stream == stream and u.mark is not None]
    return tuple(round(time / HZ, 3) for time in sorted(times))
