"""Segments and their place in time.

Times are ticks of 90 kHz unless they say seconds, on the clock of the scan (33 bits) in a slot, on
the time line of the recording (never wrapped) in what is placed.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct, field
from msgspec.structs import replace

from pipeline.media.clock import HZ, Ticks, median, signed
from pipeline.media.slots.stamps import Stamps
from pipeline.media.track import NO_PIDS, NOTHING, Edges, Lane
from pipeline.media.ts.scan import Scan, Stream
from pipeline.model import Severity, TrackEvent, Turn

GAP = HZ // 2  # ticks: a longer silence of a stream is looked into
ALIKE = 0.15  # seconds by which the lengths of slots differ
EXACT = HZ / 10  # ticks that EXTINF may be off


class Slot(Struct, frozen=True, eq=False):
    """One segment of the playlist and what was found under its name; ``scan`` is None where nothing
    was found.
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
    turns: tuple[Turn, ...] = ()  # of its pictures, the first from its beginning; empty: upright

    @property
    def turned(self) -> int | None:
        """By how many degrees anticlockwise all of its pictures are turned; None: it changes."""
        if len(self.turns) > 1:
            return None
        return self.turns[0].degrees if self.turns else 0


class Placed(Struct, frozen=True, eq=False):
    """One segment and its place in time.

    Each step of the plan makes new ones of those of the step before.
    """

    slot: Slot
    number: int  # of the segment in the playlist, from 0
    stamps: Mapping[int, Stamps]  # by PID
    position: int = 0  # its place in the playlist once that is in order
    torn: frozenset[int] = NOTHING  # these four as in ``Edges``
    joined: frozenset[int] = NOTHING
    cut: frozenset[int] = NOTHING
    whole: frozenset[int] = NOTHING
    # by PID: packets in front of it, at least
    missing: Mapping[int, int] = field(default_factory=lambda: NO_PIDS)
    pushed: int = 0  # ticks it is later than its clock, as a stream overlapped the segment before
    # ticks by PID: another part takes over
    until: Mapping[int, int] = field(default_factory=lambda: NO_PIDS)
    # by PID: spans in front of it, in ticks, in which a stream was not sent
    silent: Mapping[int, tuple[tuple[int, int], ...]] = field(default_factory=lambda: NO_PIDS)

    def stream(self, pid: int) -> Stream:
        """The scan of one of its streams."""
        assert self.slot.scan is not None
        return self.slot.scan.streams[pid]

    def first(self, pid: int) -> int:
        """The first DTS of a stream, ticks."""
        stamps = self.stamps[pid]
        return stamps.decoded[0] + stamps.ticks

    def last(self, pid: int) -> int:
        """The last DTS of a stream, ticks."""
        stamps = self.stamps[pid]
        return stamps.decoded[1] + stamps.ticks

    def presented(self, pid: int) -> tuple[int, int]:
        """The earliest and the latest PTS of a stream, ticks."""
        stamps = self.stamps[pid]
        return stamps.shown[0] + stamps.ticks, stamps.shown[1] + stamps.ticks

    def end(self, lane: Lane) -> float:
        """Ticks at which the last unit of a lane ends: of video in presentation, of audio in
        decoding order.
        """
        if lane.codec.kind == "video":
            shown = max(1, self.stream(lane.pid).tail)  # of which the last stamp tells the first
            return self.presented(lane.pid)[1] + shown * lane.unit
        return self.last(lane.pid) + self.stream(lane.pid).tail * lane.unit

    def gone(self, pid: int) -> tuple[int, int] | None:
        """From when to when, in ticks on the time line, a stream held units that were cut off; None
        where nothing says so.
        """
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
        """The same segment ``ticks`` later on the time line."""
        spans = {
            pid: tuple((a + ticks, b + ticks) for a, b in spans)
            for pid, spans in self.silent.items()
        }
        return replace(
            self,
            stamps={pid: stamps.later(ticks) for pid, stamps in self.stamps.items()},
            until={pid: at + ticks for pid, at in self.until.items()} or NO_PIDS,
            silent=spans or NO_PIDS,
        )

    def decoded_earlier(self, pid: int, ticks: int) -> "Placed":
        """The same segment with one stream decoded ``ticks`` earlier; PTS stay."""
        stamps = {**self.stamps, pid: self.stamps[pid].decoded_earlier(ticks)}
        until = {p: at - ticks if p == pid else at for p, at in self.until.items()}
        return replace(self, stamps=stamps, until=until)

    @property
    def times(self) -> dict[int, tuple[Ticks, Ticks]]:
        """PTS and DTS of each of its streams on the time line, by PID."""
        return {pid: stamps.pair for pid, stamps in self.stamps.items()}

    @property
    def damaged(self) -> bool:
        """Whether the segment itself lost something; also without a scan."""
        scan = self.slot.scan
        return scan is None or any(f.severity == Severity.ERROR for f in scan.findings)

    @property
    def damaged_in_front(self) -> bool:
        """Whether the segment lost something, and not only behind its last packet."""
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


def has_media(slot: Slot) -> bool:
    """Whether something of a slot can be placed: a stream with more than a part of one unit."""
    streams = slot.scan.streams.values() if slot.scan else ()
    return any(len(stream.pts) and not stream.blank for stream in streams)


def is_gone(slot: Slot) -> bool:
    """Whether a slot lacks media it should hold; a slice of tables alone (EXTINF 0) has none."""
    there = slot.scan is not None and slot.scan.packets > 0
    return not has_media(slot) and (not there or bool(slot.duration))


def slots_between(slots: Sequence[Slot], before: Placed, segment: Placed) -> list[Slot]:
    """The slots without media between two segments, by their positions."""
    return [s for s in slots[before.position + 1 : segment.position] if not has_media(s)]


def as_long_as_slots(seconds: float, slots: Sequence[Slot]) -> bool:
    """Whether a length is that of one slot by the median EXTINF, or a multiple, to ``ALIKE``."""
    told = [slot.duration for slot in slots[:-1] if slot.duration]
    usual = median(told) if told else 0.0
    if not usual or seconds < usual / 2:
        return False
    times = round(seconds / usual)
    return abs(seconds - times * usual) <= ALIKE * times


def opening(segment: Placed, lanes: Sequence[Lane]) -> int:
    """Ticks at which a segment begins: as EXTINF counts, at the first picture, unless sound is
    there long before it.
    """
    begins = [segment.presented(lane.pid)[0] for lane in lanes if lane.pid in segment.stamps]
    earliest = min(begins)
    return earliest if begins[0] - earliest > GAP else begins[0]


def falls_short(segment: Placed, lanes: Sequence[Lane]) -> bool:
    """Whether a segment ends earlier than its EXTINF says, by more than ``EXACT``."""
    return shortfall(segment, lanes) > EXACT


def shortfall(segment: Placed, lanes: Sequence[Lane]) -> float:
    """Ticks by which a segment is shorter than its EXTINF, 0 where it has none."""
    if not segment.slot.duration:
        return 0.0
    end = max(segment.end(lane) for lane in lanes if lane.pid in segment.stamps)
    return max(0.0, segment.slot.duration * HZ - (end - opening(segment, lanes)))


def promise_is_kept(segment: Placed, lanes: Sequence[Lane]) -> bool:
    """Whether a segment has an EXTINF and is as long as that."""
    return bool(segment.slot.duration) and not falls_short(segment, lanes)


def is_cut(segment: Placed) -> bool:
    """Whether bytes are missing at the end of a segment."""
    return segment.slot.scan is not None and segment.slot.scan.cut


def complete(stream: Stream) -> bool:
    """Whether the last packet of a stream is stuffed, as only the last packet of a PES is (ISO/IEC
    13818-1 clause 2.4.3.5).
    """
    return stream.filled
