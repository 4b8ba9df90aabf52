"""Whether a gap between two segments is the writer's own, a step of the clock, or a loss.

Times are ticks of 90 kHz unless they say seconds.
"""

from pipeline.media.clock import HZ
from pipeline.media.slots.segments import (
    GAP,
    Placed,
    as_long_as_slots,
    falls_short,
    is_cut,
    opening,
    promise_is_kept,
)
from pipeline.media.timeline.edges.pace import Pace
from pipeline.media.timeline.edges.part import Edge, PartEdges
from pipeline.media.timeline.edges.stream_gaps import came_back
from pipeline.media.track import Lane
from pipeline.media.ts.continuity import continues, moved
from pipeline.model import Severity

TOLERANCE = 1.0  # seconds by which the slice names may differ from the media


def examine_gap(part: PartEdges, edge: Edge, lane: Lane) -> None:
    """Judge a gap that nothing explains yet: the writer's own, a step of the clock, or a loss.
    Marks the segment behind it and adds findings to ``part``.
    """
    segment, gap, usual = edge.segment, edge.gaps[lane.pid], part.paces[lane.pid]
    here = part.of(segment)
    if _is_hurt(part, edge, lane) and gap > lane.unit / 2:
        here.torn.add(lane.pid)
    elif gap > usual.gap(lane) and _interrupted(part, edge, lane):
        began = segment.first(lane.pid)
        here.silent[lane.pid] = ((round(began - gap), began),)
        detail = f"{gap / HZ:.3f} s without {lane.codec.kind}: it was interrupted, as the playlist"
        detail += " says (START), and no packet of it is missing"
        part.say("ES_START", Severity.INFO, segment, detail, pid=lane.pid)
    elif _lacks_its_key(segment, lane, gap, usual):
        here.torn.add(lane.pid)
        detail = f"{gap / HZ:.3f} s without video where the key picture should be"
        part.say("DTS_GAP", Severity.ERROR, segment, detail, pid=lane.pid)
    elif gap > usual.gap(lane):
        _judge_gap(part, edge, lane)
    elif gap > GAP:
        _harmless(part, segment, lane, gap)


def _is_hurt(part: PartEdges, edge: Edge, lane: Lane) -> bool:
    """Whether damage on one of both sides may have left the gap.  Garbage behind the last packet
    stands for the end of every stream, or of none.
    """
    before, segment, gap = edge.before, edge.segment, edge.gaps[lane.pid]
    inside = before.damaged_in_front or segment.damaged_in_front or is_cut(before)
    if not (inside or before.damaged):
        return False
    if lane.pid in part.counted(edge) and gap <= part.paces[lane.pid].gap(lane):
        return False
    return inside or not _nothing_is_missing(part, edge, lane)


def _judge_gap(part: PartEdges, edge: Edge, lane: Lane) -> None:
    before, segment, gap = edge.before, edge.segment, edge.gaps[lane.pid]
    by_names = _gap_by_names(part, edge)
    if _nothing_is_missing(part, edge, lane):
        if gap > GAP:
            _harmless(part, segment, lane, gap)
    elif (
        gap > GAP
        and by_names is not None
        and by_names < min(TOLERANCE, gap / HZ / 2)
        and min(edge.beside(lane), default=gap) >= gap / 2  # names tell of all streams together
        and not falls_short(segment, part.lanes)
    ):
        detail = f"{gap / HZ:.3f} s by the clock, {by_names:.3f} s by the slice names"
        part.say("DTS_GAP", Severity.WARNING, segment, detail, pid=lane.pid)
    else:
        part.of(segment).torn.add(lane.pid)
        blamed = before if falls_short(before, part.lanes) else segment
        where = "at the end of" if blamed is before else "in front of"
        detail = f"{gap / HZ:.3f} s without {lane.codec.kind} {where} this segment"
        detail += ", interrupted as the playlist says" if came_back(segment, lane) else ""
        part.say("DTS_GAP", Severity.ERROR, blamed, detail, pid=lane.pid)


def _harmless(part: PartEdges, segment: Placed, lane: Lane, gap: float) -> None:
    detail = f"{gap / HZ:.3f} s without {lane.codec.kind} between two segments"
    part.say("DTS_GAP", Severity.INFO, segment, detail, pid=lane.pid)


def _nothing_is_missing(part: PartEdges, edge: Edge, lane: Lane) -> bool:
    """Whether two witnesses say that nothing is missing: the counter goes on, and the gap is not
    one that could hide 16 packets; another stream goes on meanwhile; what EXTINF promised is there.
    """
    gap, others, (a, b) = edge.gaps[lane.pid], edge.beside(lane), edge.sides(lane.pid)
    counted = part.counters_go_on and continues(a, b) and not moved(a, b)
    # one counter alone goes on by chance, one time in sixteen
    sure = others or not as_long_as_slots(gap / HZ, part.slots)
    told = (counted and sure and not _others_break(edge)) or gap <= GAP
    if told and min(others, default=gap) >= gap / 2:
        by_names = _gap_by_names(part, edge) or 0.0
        kept = all(promise_is_kept(s, part.lanes) for s in (edge.before, edge.segment))
        kept &= not _is_promised(part, edge, gap)
        if kept and by_names < max(gap / HZ / 2, 0.1):
            return True
    alone = gap <= GAP or bool(others and min(others) <= GAP)
    return counted and alone and not part.paces[lane.pid].hides(lane, gap)


def _others_break(edge: Edge) -> bool:
    """Whether the counter of any stream shows that packets are missing: where everything was lost,
    all streams lack some.
    """
    pairs = map(edge.sides, edge.shared)
    return any(not (continues(a, b) or moved(a, b)) for a, b in pairs)


def _is_promised(part: PartEdges, edge: Edge, gap: float) -> bool:
    """Whether the segment in front of a gap lasts by EXTINF until the next one begins."""
    lasts = opening(edge.segment, part.lanes) - opening(edge.before, part.lanes)
    return abs(lasts - (edge.before.slot.duration or 0.0) * HZ) < gap / 2


def _interrupted(part: PartEdges, edge: Edge, lane: Lane) -> bool:
    """Whether the playlist says that a stream came back here (EVENT=START), and nothing contradicts
    it: its counter goes on, another stream goes on meanwhile, both segments are as long as
    promised.
    """
    a, b = edge.sides(lane.pid)
    if not (part.counters_go_on and continues(a, b)) or moved(a, b):
        return False
    if falls_short(edge.before, part.lanes) or falls_short(edge.segment, part.lanes):
        return False
    beside = min(edge.beside(lane), default=GAP + 1)
    return beside <= GAP and came_back(edge.segment, lane)


def _lacks_its_key(segment: Placed, lane: Lane, gap: float, usual: Pace) -> bool:
    """Whether pictures were never so far apart, and these do not begin with a key picture."""
    if segment.stream(lane.pid).key_start is not False:
        return False
    return gap > lane.unit / 2 and gap + lane.unit > 1.5 * usual.longest


def _gap_by_names(part: PartEdges, edge: Edge) -> float | None:
    """Seconds without media between two segments according to the UTC in their names."""
    before, utc = edge.before, edge.segment.slot.utc
    if before.slot.utc is None or utc is None:
        return None
    begin = min(before.first(pid) for pid in before.stamps)
    end = max(part.ends[pid] for pid in before.stamps)
    return utc - before.slot.utc - (end - begin) / HZ
