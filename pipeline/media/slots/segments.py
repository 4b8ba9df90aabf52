"""Segments and their place in time.  Times are ticks of 90 kHz unless they say seconds."""

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct, field
from msgspec.structs import replace

from pipeline.media.clock import HZ, Ticks, median, signed
from pipeline.media.track import NOTHING, Edges, Lane
from pipeline.media.ts.pes import stuffed
from pipeline.media.ts.scan import Scan, Stream
from pipeline.model import Severity, TrackEvent

GAP = HZ // 2  # a longer silence of a stream is looked into
ALIKE = 0.15  # seconds by which the lengths of slots differ
EXACT = HZ / 10  # ticks that EXTINF may be off


class Slot(Struct, frozen=True, eq=False):
    """One segment of the playlist and what was found under its name; ``scan`` is None where nothing
    was.
    """

    name: str
    scan: Scan | None
    duration: float | None = None  # EXTINF, seconds
    discontinuity: bool = False
    utc: float | None = None  # start by its name, seconds since the epoch
    part: str = "main"  # the playlist it is listed in: "main", or "bak0" to "bak2"
    listed: bool = True  # False: the playlist lacks it, its name fits a hole
    rounded: bool = False  # EXTINF is given in whole seconds
    needed: bool = True  # False: what it holds stands in another slot
    aside: Scan | None = None  # what was found under its name and does not belong there
    unusable: bool = False  # what stands aside does belong there, and cannot be placed
    events: tuple[TrackEvent, ...] = ()  # streams that begin or come back with it


class StreamEnds(Struct, frozen=True, eq=False):
    """When a stream of a segment begins and ends."""

    stamps: tuple[Ticks, Ticks]  # PTS and DTS, of which this is
    decoded: tuple[int, int]  # the first and the last DTS
    shown: tuple[int, int]  # the earliest and the latest PTS
    wait: int  # ticks from the decoding of the first unit to its showing

    @classmethod
    def of(cls, stamps: tuple[Ticks, Ticks]) -> "StreamEnds":
        """These of a stream of which any unit has stamps."""
        pts, dts = stamps
        told = dts >= 0
        at, to = int(told.argmax()), len(told) - 1 - int(told[::-1].argmax())
        first = int(dts[at])
        shown = pts if pts.min() >= 0 else pts[pts >= 0]
        spans = (first, int(dts[to])), (int(shown.min()), int(shown.max()))
        return cls(stamps, *spans, int(pts[at]) - first)

    def later(self, stamps: tuple[Ticks, Ticks], ticks: int) -> "StreamEnds":
        """These of the same stream so much later."""
        (first, last), (earliest, latest) = self.decoded, self.shown
        spans = (first + ticks, last + ticks), (earliest + ticks, latest + ticks)
        return StreamEnds(stamps, *spans, self.wait)


class Placed(Struct, frozen=True, eq=False):
    """One segment and its place.  ``stamps`` are PTS and DTS of every PES by PID, -1 for none.

    Each step of the plan makes new ones of those of the step before.
    """

    slot: Slot
    number: int  # which segment of the playlist it is
    stamps: Mapping[int, tuple[Ticks, Ticks]]
    position: int = 0  # its place in the playlist once that is in order
    torn: frozenset[int] = NOTHING  # these four as in ``Edges``
    joined: frozenset[int] = NOTHING
    cut: frozenset[int] = NOTHING
    whole: frozenset[int] = NOTHING
    missing: Mapping[int, int] = field(default_factory=dict)  # packets in front of it, at least
    pushed: int = 0  # ticks it stands behind its clock, for a stream overlapped the segment before
    until: Mapping[int, int] = field(default_factory=dict)  # where another part goes on, by PID
    # spans in front of it in which a stream was not sent, by PID
    silent: Mapping[int, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    _known: dict[int, StreamEnds] = field(default_factory=dict)  # asked for before

    def stream(self, pid: int) -> Stream:
        """The scan of one of its streams."""
        assert self.slot.scan is not None
        return self.slot.scan.streams[pid]

    def ends(self, pid: int) -> StreamEnds:
        """When one of its streams begins and ends: looked up once for the same stamps."""
        stamps, found = self.stamps[pid], self._known.get(pid)
        if found is None or found.stamps is not stamps:
            found = self._known[pid] = StreamEnds.of(stamps)
        return found

    def first(self, pid: int) -> int:
        """The first decoding time of a stream."""
        return self.ends(pid).decoded[0]

    def last(self, pid: int) -> int:
        """The last decoding time of a stream."""
        return self.ends(pid).decoded[1]

    def presented(self, pid: int) -> tuple[int, int]:
        """The earliest and the latest presentation time of a stream."""
        return self.ends(pid).shown

    def end(self, lane: Lane) -> float:
        """Where the last unit of a lane ends."""
        if lane.codec.kind == "video":
            shown = max(1, self.stream(lane.pid).tail)  # of which the last stamp tells the first
            return self.presented(lane.pid)[1] + shown * lane.unit
        return self.last(lane.pid) + self.stream(lane.pid).tail * lane.unit

    def gone(self, pid: int) -> tuple[int, int] | None:
        """From when to when a stream held units that were cut off, if that is known."""
        assert self.slot.scan is not None
        known = self.slot.scan.gone.get(pid)
        if known is None:
            return None
        other = next(iter(self.stamps))
        pts = self.stream(other).pts
        at = int(np.argmax(pts >= 0))
        moved = int(self.stamps[other][0][at]) - known[0] - int(signed(pts[at] - known[0]))
        return known[0] + moved, known[1] + moved

    def moved(self, ticks: int) -> "Placed":
        """The same, so much later on the time line."""
        stamps = {
            p: (later(pts, ticks), later(dts, ticks)) for p, (pts, dts) in self.stamps.items()
        }
        return replace(
            self,
            stamps=stamps,
            until={pid: at + ticks for pid, at in self.until.items()},
            silent={
                pid: tuple((a + ticks, b + ticks) for a, b in spans)
                for pid, spans in self.silent.items()
            },
            _known={pid: self.ends(pid).later(stamps[pid], ticks) for pid in stamps},
        )

    def decoded_earlier(self, pid: int, ticks: int) -> "Placed":
        """The same, with one stream decoded so much earlier."""
        pts, dts = self.stamps[pid]
        stamps = {**self.stamps, pid: (pts, later(dts, -ticks))}
        until = {p: at - ticks if p == pid else at for p, at in self.until.items()}
        return replace(self, stamps=stamps, until=until)

    @property
    def damaged(self) -> bool:
        """The segment itself lost something."""
        scan = self.slot.scan
        return scan is None or any(f.severity == Severity.ERROR for f in scan.findings)

    @property
    def damaged_in_front(self) -> bool:
        """It lost something, and not only behind its last packet."""
        scan = self.slot.scan
        if scan is None:
            return True
        errors = [f.id for f in scan.findings if f.severity == Severity.ERROR]
        behind = {"SEG_PARTIAL", "SEG_SIZE", *(["SYNC_BYTE"] if scan.faults is None else [])}
        return not behind.issuperset(errors)

    @property
    def pids(self) -> dict[int, tuple[int, ...]]:
        """The PIDs of each stream in the segment."""
        return {pid: self.stream(pid).pids for pid in self.stamps}

    @property
    def edges(self) -> Edges:
        """Its ends, for the stitcher."""
        return Edges(self.torn, self.joined, self.cut, self.whole, self.until)


def later(clock: Ticks, ticks: int) -> Ticks:
    """These stamps so much later, for reading only; -1 stays none."""
    moved: Ticks = np.where(clock >= 0, clock + ticks, -1)
    moved.flags.writeable = False
    return moved


def has_media(slot: Slot) -> bool:
    """Something of it can be placed."""
    streams = slot.scan.streams.values() if slot.scan else ()
    return any(len(stream.pts) and not stream.blank for stream in streams)


def is_gone(slot: Slot) -> bool:
    """It should hold media and does not: a slice of tables alone promises no time (EXTINF 0)."""
    there = slot.scan is not None and slot.scan.packets > 0
    return not has_media(slot) and (not there or bool(slot.duration))


def slots_between(slots: Sequence[Slot], before: Placed, segment: Placed) -> list[Slot]:
    """Slots without media between two segments."""
    return [s for s in slots[before.position + 1 : segment.position] if not has_media(s)]


def as_long_as_slots(seconds: float, slots: Sequence[Slot]) -> bool:
    """So much is one slot by EXTINF, or a few times as much."""
    told = [slot.duration for slot in slots[:-1] if slot.duration]
    usual = median(told) if told else 0.0
    if not usual or seconds < usual / 2:
        return False
    times = round(seconds / usual)
    return abs(seconds - times * usual) <= ALIKE * times


def opening(segment: Placed, lanes: Sequence[Lane]) -> int:
    """Where a segment begins: EXTINF counts from the first picture, unless sound is there long
    before it.
    """
    begins = [segment.presented(lane.pid)[0] for lane in lanes if lane.pid in segment.stamps]
    earliest = min(begins)
    return earliest if begins[0] - earliest > GAP else begins[0]


def falls_short(segment: Placed, lanes: Sequence[Lane]) -> bool:
    """A segment ends earlier than its EXTINF says."""
    return shortfall(segment, lanes) > EXACT


def shortfall(segment: Placed, lanes: Sequence[Lane]) -> float:
    """Ticks by which a segment is shorter than its EXTINF, 0 where it has none."""
    if not segment.slot.duration:
        return 0.0
    end = max(segment.end(lane) for lane in lanes if lane.pid in segment.stamps)
    return max(0.0, segment.slot.duration * HZ - (end - opening(segment, lanes)))


def promise_is_kept(segment: Placed, lanes: Sequence[Lane]) -> bool:
    """A segment has an EXTINF and is as long as that."""
    return bool(segment.slot.duration) and not falls_short(segment, lanes)


def complete(stream: Stream) -> bool:
    """The last packet is stuffed, as only the last packet of a PES is."""
    return stuffed(stream.edges[1])
