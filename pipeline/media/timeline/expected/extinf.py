"""How far the EXTINF of a playlist may be believed: compared with the clock of its segments (RFC
8216 section 4.3.2.1).
"""

from collections.abc import Sequence
from itertools import pairwise

from pipeline.media.clock import HZ, median, quantile
from pipeline.media.slots.segments import GAP, Placed, opening
from pipeline.media.track import Lane

EDGES = 3  # between segments at least, to show that EXTINF is exact


def tolerance(segments: Sequence[Placed], lanes: Sequence[Lane]) -> float:
    """Seconds by which this playlist's EXTINF is usually off, at least 0.1."""
    off = [abs(o) for _, o in extinf_errors(segments, lanes)]
    if not off:
        return 0.5
    durations = [s.slot.duration or 0.0 for s in segments]
    whole = all(duration == int(duration) for duration in durations)
    rounded = whole and (len(off) < 3 or max(off) > 0.05)
    rounded |= all(s.slot.rounded for s in segments)
    usual = max(2 * median(off), quantile(off, 0.95) if len(off) > 7 else 0.0)
    return max(0.1 if len(off) > 1 else 0.2, usual, 0.6 if rounded else 0.0)


def extinf_errors(segments: Sequence[Placed], lanes: Sequence[Lane]) -> list[tuple[Placed, float]]:
    """The first of every two neighbours on one clock, and the seconds by which their distance is
    longer than its EXTINF.
    """
    begins = [opening(segment, lanes) for segment in segments]
    pauses = any(lane.pauses for lane in lanes)  # what is not sent in between counts for nothing
    return [
        (a, (following - begin) / HZ - a.slot.duration)
        for (a, begin), (b, following) in pairwise(zip(segments, begins, strict=True))
        if a.slot.duration is not None and adjacent(a, b) and not b.torn
        if not (pauses and b.silent)
    ]


def exact(segments: Sequence[Placed], lanes: Sequence[Lane]) -> bool:
    """Whether this playlist's EXTINF is right to the millisecond wherever a neighbour shows it."""
    off = [abs(o) for _, o in extinf_errors(segments, lanes)]
    rounded = any(segment.slot.rounded for segment in segments)
    return len(off) >= EDGES and max(off) <= 0.001 and not rounded


def exact_by_clock(segments: Sequence[Placed], lanes: Sequence[Lane]) -> bool:
    """The same of segments that have no place yet: a step of more than ``GAP`` is one of the clock,
    or of what is missing.
    """
    off = [abs(o) for a, o in extinf_errors(segments, lanes) if not a.slot.rounded]
    near = [seconds for seconds in off if seconds <= GAP / HZ]
    return len(near) >= EDGES and max(near) <= 0.001


def allowance(last: Placed, lanes: Sequence[Lane]) -> float:
    """Ticks by which the last segment may end before an exact EXTINF: sound is cut at any time and
    ends with the last whole frame before.
    """
    sound = [x.unit for x in lanes if x.pid in last.stamps and x.codec.kind == "audio"]
    return min(sound) if sound else lanes[0].unit / 2


def adjacent(a: Placed, b: Placed) -> bool:
    """Whether ``b`` follows ``a`` in one playlist."""
    return b.position == a.position + 1 and b.slot.part == a.slot.part
