"""The plan of a recording without a fault, foreseen from its first segments.

With one clock for all of it and nothing missing at any edge, the plan is known before the other
segments are.  Whether that is right is checked against the real plan once there is one.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.media.slots.segments import Placed, Slot
from pipeline.media.slots.stamps import Stamps
from pipeline.media.timeline.plan import Plan
from pipeline.media.ts.scan import Stream
from pipeline.model import Severity


class Foreseen:
    """Gives segments, one after the other, the places they have if nothing is wrong."""

    def __init__(self, first: Plan, count: int) -> None:
        """``first`` is the plan of the first segments alone, ``count`` how many there will be."""
        self._first = first
        self._count = count
        self._placed: list[Placed] = []
        self._clock: dict[int, tuple[int, int]] = {}  # by PID: a decoding time, raw and placed

    def place(self, slot: Slot) -> Placed | None:
        """The next segment in its place; None if something is wrong with it, or with its clock."""
        streams = _without_fault(slot, [lane.pid for lane in self._first.lanes])
        if streams is None or not (self._placed or self._begins_with(slot)):
            return None
        number = len(self._placed)
        stamps = {pid: self._moved(pid, stream) for pid, stream in streams.items()}
        if any(self._goes_back(pid, own, stamps[pid]) for pid, own in streams.items()):
            return None
        last = number + 1 == self._count
        placed = Placed(slot, number, stamps, number, whole=frozenset(stamps if last else ()))
        self._placed.append(placed)
        for pid, stream in streams.items():
            self._clock[pid] = int(stream.dts[stream.dts >= 0][-1]), placed.last(pid)
        return placed

    def _begins_with(self, slot: Slot) -> bool:
        """Whether the plan begins with this segment, and found a place for all its streams."""
        first = self._first.placed[0]
        held = all(lane.pid in first.stamps for lane in self._first.lanes)
        return held and first.slot.name == slot.name

    def _goes_back(self, pid: int, stream: Stream, stamps: Stamps) -> bool:
        """Whether anything is decoded or shown at or before the last DTS that was placed."""
        if not self._placed:
            return False
        told = stamps.told[0][stream.pts >= 0], stamps.told[1][stream.dts >= 0]
        return int(np.concatenate(told).min()) + stamps.ticks <= self._clock[pid][1]

    def _moved(self, pid: int, stream: Stream) -> Stamps:
        if not self._placed:
            return self._first.placed[0].stamps[pid]
        return Stamps.of(stream.pts, stream.dts).around(*self._clock[pid])

    @property
    def end(self) -> float:
        """Ticks at which the last unit of any lane ends in the segment placed last."""
        last = self._placed[-1]
        return max(last.end(lane) for lane in self._first.lanes)

    def is_what_came(self, plan: Plan) -> bool:
        """Whether the real plan is the one that was foreseen, to the tick."""
        return plan.lanes == self._first.lanes and _alike(plan.placed, self._placed)


def _without_fault(slot: Slot, pids: Sequence[int]) -> Mapping[int, Stream] | None:
    """All these streams of a segment, None if something is wrong with it or one is absent."""
    scan = slot.scan
    if scan is None or any(f.severity in (Severity.ERROR, Severity.FATAL) for f in scan.findings):
        return None
    there = {pid: s for pid in pids if (s := scan.streams.get(pid)) and (s.dts >= 0).any()}
    return there if len(there) == len(pids) else None


def holds(plan: Plan, slots: Sequence[Slot]) -> bool:
    """Whether a plan of some segments is what would be foreseen from them."""
    if plan.rejected:
        return False
    foreseen = Foreseen(plan, len(slots))
    return all(map(foreseen.place, slots)) and foreseen.is_what_came(plan)


def _alike(ones: Sequence[Placed], others: Sequence[Placed]) -> bool:
    return len(ones) == len(others) and all(
        (a.slot.name, a.number, a.pids) == (b.slot.name, b.number, b.pids)
        and a.edges == b.edges
        and _same(a.stamps, b.stamps)
        for a, b in zip(ones, others, strict=True)
    )


def _same(ones: Mapping[int, Stamps], others: Mapping[int, Stamps]) -> bool:
    return ones.keys() == others.keys() and all(ones[pid].same(others[pid]) for pid in ones)
