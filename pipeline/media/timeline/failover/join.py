"""Failover parts of one recording, each on a time line of its own, become one (docs/adr/0006).

An overlap is cut once, from the older part, where a segment of the newer one begins.  Times are
ticks of 90 kHz unless they say seconds.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from pipeline.media.clock import HZ, MODULO
from pipeline.media.slots.segments import Placed, Slot, has_media, opening
from pipeline.media.timeline.expected import slice_names as walls
from pipeline.media.timeline.expected.slice_names import Shift
from pipeline.media.timeline.failover.covered import Joined
from pipeline.media.timeline.failover.overlap import Start, kept_end, starts_of, without_overlap
from pipeline.media.timeline.failover.seam import Seam, half, sew
from pipeline.media.track import Lane
from pipeline.model import Finding, Severity


def by_part(segments: Iterable[Placed]) -> list[list[Placed]]:
    """The segments of each part, in the order of the parts."""
    parts: dict[str, list[Placed]] = {}
    for segment in segments:
        parts.setdefault(segment.slot.part, []).append(segment)
    return list(parts.values())


def join(parts: Sequence[list[Placed]], lanes: Sequence[Lane], slots: Sequence[Slot]) -> Joined:
    """Put each part behind those before it, or over their end.  ``parts`` are placed each on a time
    line of its own; the first one gives that of the result.
    """
    room = MODULO if len(parts) > 1 else 0  # in front, for what a later part holds of earlier times
    first = [segment.moved(room) for segment in parts[0]] if room else list(parts[0])
    joined = Joined(first, lanes, slots)
    for part in parts[1:]:
        shift = walls.shift(joined.segments, part, lanes)
        newer = [segment.moved(shift.ticks) for segment in part]
        if _reach(newer, lanes) <= _reach(joined.segments, lanes) + half(lanes):
            _leave_out(joined, newer)
        else:
            _append(joined, newer, shift)
    return joined


def _reach(segments: Sequence[Placed], lanes: Sequence[Lane]) -> float:
    """Ticks at which the last lane ends."""
    return max(kept_end(s, lane) for s in segments[-3:] for lane in lanes if lane.pid in s.stamps)


def _leave_out(joined: Joined, newer: Sequence[Placed]) -> None:
    """The older part reaches as far; what the newer one lacks beyond that is lost all the same."""
    older, lanes = joined.segments, joined.lanes
    old, new = older[-1].slot.part, newer[0].slot.part
    span = opening(older[0], lanes), _reach(older, lanes)
    names = walls.wall(newer, lanes)
    held = {s.slot.name for s in newer if _lies_before(s, lanes, span[1])}
    absent = [s for s in joined.slots if s.part == new and not has_media(s)]
    held |= {s.name for s in absent if names and names.holds(s, *span)}
    joined.covered.whole.update(dict.fromkeys(held, old))
    joined.findings.append(_left_out(newer[0], new, old))


def _lies_before(segment: Placed, lanes: Sequence[Lane], end: float) -> bool:
    """Whether all of a segment, also what it should have held, lies before ``end``."""
    should = opening(segment, lanes) + (segment.slot.duration or 0.0) * HZ
    return not segment.damaged or should <= end + walls.DOUBT


def _left_out(segment: Placed, part: str, other: str) -> Finding:
    detail = f"{part} holds nothing that {other} does not hold as well"
    return Finding(
        "PL_PARTS", Severity.WARNING, segment.slot.name, detail=detail, repair="left out"
    )


def _append(joined: Joined, newer: list[Placed], shift: Shift) -> None:
    """Go on with the newer part where it begins, and leave out what the older one holds then."""
    older, lanes = joined.segments, joined.lanes
    old, new = older[-1].slot.part, newer[0].slot.part
    before = newer[: _start(joined, newer, shift.doubt or 0.0)]
    newer = newer[len(before) :]
    overlap = _overlap(older, starts_of(newer, lanes), lanes)
    if shift.doubt and 0 < abs(overlap) <= shift.doubt:  # the names may be wrong by as much
        newer = [segment.moved(round(overlap)) for segment in newer]
        overlap = 0.0
    starts = starts_of(newer, lanes)
    names = walls.wall(older[::-1], lanes), walls.wall(newer, lanes)
    later = min(start.pts for start in starts.values()), _reach(newer, lanes)
    earlier = opening(older[0], lanes), min(later[0] + half(lanes), _reach(older, lanes))
    held = {s.number for s in older if _lies_before(s, lanes, later[1])}
    older, touched = without_overlap(older, starts, lanes)
    covered = joined.covered
    spared = [s for s in older if s.number in held & touched]
    covered.whole.update({s.slot.name: new for s in spared if not s.stamps})
    covered.whole.update({s.slot.name: old for s in before})
    covered.tail.update({s.slot.name: new for s in spared if s.stamps and _harmless(s)})
    absent = [(n, s) for n, s in enumerate(joined.slots) if not has_media(s)]
    late = [s for _, s in absent if s.part == old and names[0] and names[0].holds(s, *later)]
    in_front = [s for n, s in absent if s.part == new and n < newer[0].position]
    early = [s for s in in_front if names[1] and names[1].holds(s, *earlier)]
    covered.whole.update({s.name: new for s in late} | {s.name: old for s in early})
    older = [s for s in older if s.stamps]
    joined.segments = older + newer
    if older:
        sew(joined, Seam(older, starts, overlap if touched else 0.0, shift))
    else:
        joined.findings.append(_left_out(newer[0], old, new))


def _overlap(older: Sequence[Placed], starts: Mapping[int, Start], lanes: Sequence[Lane]) -> float:
    """Ticks by which the newer part begins before the older one ends, in the lane with the most."""
    ends = {x.pid: s.end(x) for s in older for x in lanes if x.pid in s.stamps}
    both = ends.keys() & starts.keys()
    return max((ends[pid] - starts[pid].pts for pid in both), default=0.0)


def _start(joined: Joined, newer: Sequence[Placed], doubt: float) -> int:
    """Which segment of the newer part to go on with: the first, unless that costs media which a
    later start, still inside the overlap, does not.
    """
    older, lanes, slots = joined.segments, joined.lanes, joined.slots
    reach = _reach(older, lanes) + max(half(lanes), doubt)
    first = opening(newer[0], lanes)
    inside = [k for k, s in enumerate(newer) if opening(s, lanes) <= reach]

    def cost(k: int) -> int:
        begin = opening(newer[k], lanes)
        used = sum(newer[i].damaged or (i > k and bool(newer[i].torn)) for i in inside if i >= k)
        used += _absent(newer[k:][: len(inside) - k + 1], slots)
        late = [s for s in older if _reach([s], lanes) > first and opening(s, lanes) < begin]
        hurt = sum(s.damaged or bool(s.torn) for s in late)
        return used + hurt + _absent(late, slots) + (not walls.begins_whole(newer[k]))

    return min(inside, key=lambda k: (cost(k), k), default=0)


def _absent(segments: Sequence[Placed], slots: Sequence[Slot]) -> int:
    """How many slots without media lie between these segments."""
    if not segments:
        return 0
    between = slots[segments[0].position : segments[-1].position]
    return sum(slot.part == segments[0].slot.part and not has_media(slot) for slot in between)


def _harmless(segment: Placed) -> bool:
    """Whether all that is wrong with a segment lies behind the cut."""
    scan = segment.slot.scan
    if scan is None or scan.faults is not None or segment.torn:
        return False
    for pid, at in segment.until.items():
        dts = segment.stamps[pid][1]
        kept = int(np.argmax(dts >= at)) if (dts >= at).any() else len(dts) - 1
        if any(ordinal < kept for ordinal in segment.stream(pid).damaged):
            return False
    return set(segment.until) >= set(segment.stamps)
