"""Failover parts of one recording, each on a time line of its own, become one (docs/adr/0006).

An overlap is cut once, from the older part, where a segment of the newer one begins.  Times are
ticks of 90 kHz unless they say seconds.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from pipeline.media.clock import HZ, MODULO
from pipeline.media.finding_ids import AT_THE_HEAD, AT_THE_TAIL
from pipeline.media.slots.segments import Placed, Slot, has_media, opening
from pipeline.media.timeline import slice_names as walls
from pipeline.media.timeline.slice_names import Shift
from pipeline.media.track import NOTHING, Lane
from pipeline.model import Finding, Severity


@dataclass(frozen=True, slots=True)
class Join:
    """Where a recording goes on with another part."""

    time: float  # seconds from the beginning of the MP4
    part: str
    reason: str  # for people

    @classmethod
    def at(cls, segment: Placed, reason: str, base: int) -> "Join":
        """In front of a segment that has its final place; the recording begins at ``base``."""
        begin = min(segment.presented(pid)[0] for pid in segment.stamps)
        return cls(round((begin - base) / HZ, 6), segment.slot.part, reason)


@dataclass(frozen=True, slots=True)
class Covered:
    """Segments whose time another part holds, by name: which part that is."""

    whole: dict[str, str] = field(default_factory=dict)
    head: dict[str, str] = field(default_factory=dict)  # what lies in front of it
    tail: dict[str, str] = field(default_factory=dict)  # its end

    def without_loss(self, findings: Iterable[Finding]) -> list[Finding]:
        """Faults in what is not needed lose nothing."""
        return [self._judged(f) if f.severity == Severity.ERROR else f for f in findings]

    def _judged(self, finding: Finding) -> Finding:
        name = finding.segment or ""
        holder = self.whole.get(name)
        holder = holder or (self.head.get(name) if finding.id in AT_THE_HEAD else None)
        holder = holder or (self.tail.get(name) if finding.id in AT_THE_TAIL else None)
        if holder is None:
            return finding
        repair = f"not needed: {holder} holds this time"
        return replace(finding, severity=Severity.WARNING, repair=repair)


@dataclass(slots=True, eq=False)
class Joined:
    """What was joined so far."""

    segments: list[Placed]
    findings: list[Finding] = field(default_factory=list)
    covered: Covered = field(default_factory=lambda: Covered())
    joins: list[tuple[int, str]] = field(default_factory=list)  # number of the first, reason


@dataclass(frozen=True, slots=True)
class _Start:
    """Where one lane of the newer part begins."""

    pts: int
    segment: Placed


def by_part(segments: Iterable[Placed]) -> list[list[Placed]]:
    """The segments of each part, in the order of the parts."""
    parts: dict[str, list[Placed]] = {}
    for segment in segments:
        parts.setdefault(segment.slot.part, []).append(segment)
    return list(parts.values())


def join(parts: Sequence[list[Placed]], lanes: Sequence[Lane], slots: Sequence[Slot]) -> Joined:
    """Put each part behind those before it, or over their end."""
    room = MODULO if len(parts) > 1 else 0  # in front, for what a later part holds of earlier times
    joined = Joined([segment.moved(room) for segment in parts[0]] if room else list(parts[0]))
    for part in parts[1:]:
        shift = walls.shift(joined.segments, part, lanes)
        newer = [segment.moved(shift.ticks) for segment in part]
        if _reach(newer, lanes) <= _reach(joined.segments, lanes) + _half(lanes):
            _leave_out(joined, newer, lanes, slots)
        else:
            _append(joined, newer, lanes, slots, shift)
    return joined


def _reach(segments: Sequence[Placed], lanes: Sequence[Lane]) -> float:
    """Where the last lane ends."""
    return max(kept_end(s, lane) for s in segments[-3:] for lane in lanes if lane.pid in s.stamps)


def _half(lanes: Sequence[Lane]) -> float:
    """Half of the longest unit: what is nearer than that is the same moment."""
    return max(lane.unit for lane in lanes) / 2


def _leave_out(
    joined: Joined, newer: Sequence[Placed], lanes: Sequence[Lane], slots: Sequence[Slot]
) -> None:
    """The older part reaches as far; what the newer one lacks beyond that is lost all the same."""
    older = joined.segments
    old, new = older[-1].slot.part, newer[0].slot.part
    span = opening(older[0], lanes), _reach(older, lanes)
    names = walls.wall(newer, lanes)
    held = {s.slot.name for s in newer if _lies_before(s, lanes, span[1])}
    absent = [s for s in slots if s.part == new and not has_media(s)]
    held |= {s.name for s in absent if names and names.holds(s, *span)}
    joined.covered.whole.update(dict.fromkeys(held, old))
    joined.findings.append(_left_out(newer[0], new, old))


def _lies_before(segment: Placed, lanes: Sequence[Lane], end: float) -> bool:
    """All of a segment, also what it should have held."""
    should = opening(segment, lanes) + (segment.slot.duration or 0.0) * HZ
    return not segment.damaged or should <= end + walls.DOUBT


def _left_out(segment: Placed, part: str, other: str) -> Finding:
    detail = f"{part} holds nothing that {other} does not hold as well"
    return Finding(
        "PL_PARTS", Severity.WARNING, segment.slot.name, detail=detail, repair="left out"
    )


def _append(
    joined: Joined,
    newer: list[Placed],
    lanes: Sequence[Lane],
    slots: Sequence[Slot],
    shift: Shift,
) -> None:
    older = joined.segments
    old, new = older[-1].slot.part, newer[0].slot.part
    before = newer[: _start(older, newer, lanes, slots, shift.doubt or 0.0)]
    newer = newer[len(before) :]
    overlap = _overlap(older, _starts(newer, lanes), lanes)
    if shift.doubt and 0 < abs(overlap) <= shift.doubt:  # the names may be wrong by as much
        newer = [segment.moved(round(overlap)) for segment in newer]
        overlap = 0.0
    starts = _starts(newer, lanes)
    names = walls.wall(older[::-1], lanes), walls.wall(newer, lanes)
    later = min(start.pts for start in starts.values()), _reach(newer, lanes)
    earlier = opening(older[0], lanes), min(later[0] + _half(lanes), _reach(older, lanes))
    held = {s.number for s in older if _lies_before(s, lanes, later[1])}
    older, touched = _cut(older, starts, lanes)
    covered = joined.covered
    spared = [s for s in older if s.number in held & touched]
    covered.whole.update({s.slot.name: new for s in spared if not s.stamps})
    covered.whole.update({s.slot.name: old for s in before})
    covered.tail.update({s.slot.name: new for s in spared if s.stamps and _harmless(s)})
    absent = [(n, s) for n, s in enumerate(slots) if not has_media(s)]
    late = [s for _, s in absent if s.part == old and names[0] and names[0].holds(s, *later)]
    in_front = [s for n, s in absent if s.part == new and n < newer[0].position]
    early = [s for s in in_front if names[1] and names[1].holds(s, *earlier)]
    covered.whole.update({s.name: new for s in late} | {s.name: old for s in early})
    older = [s for s in older if s.stamps]
    joined.segments = older + newer
    if older:
        _seam(joined, older, starts, overlap if touched else 0.0, shift, lanes)
    else:
        joined.findings.append(_left_out(newer[0], old, new))


def _overlap(older: Sequence[Placed], starts: Mapping[int, _Start], lanes: Sequence[Lane]) -> float:
    """By how much the newer part begins before the older one ends, in the lane where it is most."""
    ends = {x.pid: s.end(x) for s in older for x in lanes if x.pid in s.stamps}
    both = ends.keys() & starts.keys()
    return max((ends[pid] - starts[pid].pts for pid in both), default=0.0)


def _start(
    older: Sequence[Placed],
    newer: Sequence[Placed],
    lanes: Sequence[Lane],
    slots: Sequence[Slot],
    doubt: float,
) -> int:
    """Which segment of the newer part to go on with: the first, unless that costs media which a
    later start, still inside the overlap, does not.
    """
    reach = _reach(older, lanes) + max(_half(lanes), doubt)
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
    """Slots without media between these segments."""
    if not segments:
        return 0
    between = slots[segments[0].position : segments[-1].position]
    return sum(slot.part == segments[0].slot.part and not has_media(slot) for slot in between)


def _starts(newer: Sequence[Placed], lanes: Sequence[Lane]) -> dict[int, _Start]:
    """Where each lane of a part begins, by PID."""
    found = {}
    for lane in lanes:
        first = next((s for s in newer if lane.pid in s.stamps), None)
        if first is not None:
            found[lane.pid] = _Start(first.presented(lane.pid)[0], first)
    return found


def _cut(
    older: Sequence[Placed], starts: Mapping[int, _Start], lanes: Sequence[Lane]
) -> tuple[list[Placed], set[int]]:
    """The older part without what begins when the newer has begun, and the numbers of the segments
    of which that takes any.
    """
    kept, touched = list(older), set[int]()
    for lane, start in ((lane, starts[lane.pid]) for lane in lanes if lane.pid in starts):
        having = [n for n, segment in enumerate(kept) if lane.pid in segment.stamps]
        cuts = [_first_beyond(kept[n], lane, start) for n in having]
        place = next((k for k, at in enumerate(cuts) if at is not None), len(cuts))
        beyond = having[place:]
        touched |= {kept[n].number for n in beyond}
        if beyond and (at := cuts[place] or 0) > kept[beyond[0]].first(lane.pid):
            kept[beyond[0]] = _until(kept[beyond[0]], lane, at, sets_the_end=lane is lanes[0])
            beyond = beyond[1:]
        elif beyond and place:
            last = having[place - 1]
            kept[last] = _ending(kept[last], kept[beyond[0]], lane.pid)
        for n in beyond:
            left = {pid: s for pid, s in kept[n].stamps.items() if pid != lane.pid}
            kept[n] = replace(kept[n], stamps=left)
    return kept, touched


def _until(segment: Placed, lane: Lane, at: int, *, sets_the_end: bool) -> Placed:
    """A segment without what is decoded from then on; what lost its beginning keeps its EXTINF,
    which counts back from where it ended.
    """
    slot = segment.slot
    if sets_the_end and slot.duration and walls.begins_whole(segment):
        slot = replace(slot, duration=(at - opening(segment, [lane])) / HZ)
    until, whole = {**segment.until, lane.pid: at}, segment.whole | {lane.pid}
    return replace(segment, slot=slot, until=until, whole=whole)


def _ending(segment: Placed, left_out: Placed, pid: int) -> Placed:
    """The last segment of a stream; what it has begun in the one left out has lost its end."""
    cut = segment.cut | {pid} if left_out.stream(pid).head else segment.cut
    return replace(segment, whole=segment.whole | {pid}, cut=cut)


def _first_beyond(segment: Placed, lane: Lane, start: _Start) -> int | None:
    """The decoding time from which on nothing of a lane is kept; None if all of it is."""
    pts, dts = segment.stamps[lane.pid]
    limit = start.pts - lane.unit / 2
    if lane.codec.kind == "audio":
        last = segment.end(lane) - lane.unit  # where its last frame begins
        return max(round(limit), segment.first(lane.pid)) if last >= limit else None
    beyond = (dts >= 0) & (pts >= limit)
    return int(dts[np.argmax(beyond)]) if beyond.any() else None


def _harmless(segment: Placed) -> bool:
    """Whatever is wrong with a segment lies behind the cut."""
    scan = segment.slot.scan
    if scan is None or scan.faults is not None or segment.torn:
        return False
    for pid, at in segment.until.items():
        dts = segment.stamps[pid][1]
        kept = int(np.argmax(dts >= at)) if (dts >= at).any() else len(dts) - 1
        if any(ordinal < kept for ordinal in segment.stream(pid).damaged):
            return False
    return set(segment.until) >= set(segment.stamps)


def kept_end(segment: Placed, lane: Lane) -> float:
    """Where the last unit of a lane ends that is kept."""
    until = segment.until.get(lane.pid)
    if until is None:
        return segment.end(lane)
    pts, dts = segment.stamps[lane.pid]
    kept = (dts >= 0) & (dts < until)
    if lane.codec.kind == "video":
        return float(pts[kept].max()) + lane.unit
    last = int(dts[kept].max())
    return min(segment.end(lane), last + float(np.ceil((until - last) / lane.unit)) * lane.unit)


def _seam(
    joined: Joined,
    older: Sequence[Placed],
    starts: Mapping[int, _Start],
    overlap: float,
    shift: Shift,
    lanes: Sequence[Lane],
) -> None:
    """Say what became of the seam, and where media is missing at it."""
    first = min(starts.values(), key=lambda start: start.segment.position).segment
    old, new = older[-1].slot.part, first.slot.part
    gaps = {}
    torn: dict[int, frozenset[int]] = {}  # by number
    beside = [*older[-walls.NEAREST :], *joined.segments[len(older) :][: walls.NEAREST]]
    for lane in lanes:
        before = next((s for s in reversed(older) if lane.pid in s.stamps), None)
        start = starts.get(lane.pid)
        if before is None or start is None:
            continue
        gap = start.pts - kept_end(before, lane)
        if shift.doubt is None or gap > max(_half(lanes), shift.doubt, _pause(beside, lane)):
            gaps[lane.codec.kind] = gap / HZ
        elif not (start.segment.stream(lane.pid).head or _hurt(before, joined)):
            continue  # the others are torn: only a gap between the units counts as lost
        number = start.segment.number
        torn[number] = torn.get(number, NOTHING) | {lane.pid}
    if not gaps:
        joined.covered.head[first.slot.name] = old
    what = _what(gaps, overlap, shift, (old, new))
    repair = None if gaps else f"joined, the overlap cut from {old}" if overlap > 0 else "joined"
    severity = Severity.ERROR if gaps else Severity.WARNING
    detail = f"{what}; {new} is placed {shift.how}"
    joined.findings.append(Finding("PL_PARTS", severity, first.slot.name, None, 1, detail, repair))
    joined.joins.append((first.number, what))
    segments = [replace(s, torn=NOTHING, missing={}) if s is first else s for s in joined.segments]
    joined.segments = [
        replace(s, torn=s.torn | torn[s.number]) if s.number in torn else s for s in segments
    ]


def _pause(beside: Sequence[Placed], lane: Lane) -> float:
    """How long a stream stays away without a loss: sound less than a frame, for each part has its
    own grid, and pictures that come at irregular times half as long again as they ever did.
    """
    if lane.codec.kind == "audio":
        return lane.unit - 1.0
    near = [s for s in beside if lane.pid in s.stamps and not s.damaged]
    shown = [np.sort(pts[pts >= 0]) for pts in (s.stamps[lane.pid][0] for s in near)]
    longest = max((int(np.diff(pts).max()) for pts in shown if len(pts) > 1), default=0)
    irregular = longest > 1.5 * lane.unit
    return 1.5 * longest if irregular else longest - lane.unit / 2


def _hurt(segment: Placed, joined: Joined) -> bool:
    """What is wrong with it lies in front of the seam."""
    return segment.damaged and segment.slot.name not in joined.covered.tail


def _what(gaps: Mapping[str, float], overlap: float, shift: Shift, parts: tuple[str, str]) -> str:
    old, new = parts
    if shift.doubt is None:
        return f"{new} goes on after {old}: nothing tells how much is missing between them"
    if gaps:
        return f"{max(gaps.values()):.3f} s without {' and '.join(gaps)} between {old} and {new}"
    if overlap > 0:
        return f"{new} begins {overlap / HZ:.3f} s before {old} ends"
    return f"{new} begins where {old} ends"


Hole = tuple[int, int, float]  # the number of the segment behind it, PID, ticks


def closed(segments: Sequence[Placed], lanes: Sequence[Lane]) -> tuple[list[Placed], list[Hole]]:
    """Close every hole that all lanes have; returns also what was taken away of each stream."""
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
