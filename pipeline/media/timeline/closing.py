"""Holes that all tracks have, closed with ``--on-loss close``.  Times are ticks of 90 kHz."""

from collections.abc import Sequence

from pipeline.media.slots.segments import Placed
from pipeline.media.timeline.failover.overlap import kept_end
from pipeline.media.track import Lane

Hole = tuple[int, int, float]  # the number of the segment behind it, PID, ticks


def closed(segments: Sequence[Placed], lanes: Sequence[Lane]) -> tuple[list[Placed], list[Hole]]:
    """The segments with every hole closed that all lanes have, and what each stream lost by it."""
    moved: list[Placed] = []
    taken: list[Hole] = []
    ends: dict[int, float] = {}
    back = 0
    for each in segments:
        segment = each.moved(-back)
        gaps = [segment.presented(pid)[0] - ends[pid] for pid in segment.stamps if pid in ends]
        torn = segment.torn.issuperset(pid for pid in segment.stamps if pid in ends)
        if gaps and torn and min(gaps) > 0:
            gap = int(min(gaps))
            segment = segment.moved(-gap)
            back += gap
            taken += [(segment.number, pid, float(gap)) for pid in segment.stamps]
        ends |= {x.pid: kept_end(segment, x) for x in lanes if x.pid in segment.stamps}
        moved.append(segment)
    return moved, taken
