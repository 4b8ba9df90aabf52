"""What is missing between the segments of a part, each in its place: counters, ends and gaps.

Knows nothing of how the places were found.  Times are ticks of 90 kHz unless they say seconds.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from itertools import pairwise

from pipeline.media.clock import HZ
from pipeline.media.slots.segments import (
    GAP,
    Placed,
    Slot,
    as_long_as_slots,
    complete,
    falls_short,
    opening,
    promise_is_kept,
    slots_between,
)
from pipeline.media.timeline.decoding import first_wait
from pipeline.media.timeline.edges import stream_gaps as absence
from pipeline.media.timeline.edges.pace import Pace, decoded_end, pace
from pipeline.media.timeline.edges.stream_gaps import came_back, never_sent
from pipeline.media.track import Lane
from pipeline.media.ts.continuity import continues, moved
from pipeline.media.ts.scan import Stream
from pipeline.model import Finding, Severity

TOLERANCE = 1.0  # seconds the slice clock may differ from the media
ENOUGH = 3  # edges that tell how a writer counts


@dataclass(slots=True, eq=False)
class _Marks:
    """What is found of the ends of one segment until all edges are seen, as ``Placed`` has it."""

    torn: set[int] = field(default_factory=set)
    joined: set[int] = field(default_factory=set)
    cut: set[int] = field(default_factory=set)
    whole: set[int] = field(default_factory=set)
    missing: dict[int, int] = field(default_factory=dict)
    silent: dict[int, tuple[tuple[int, int], ...]] = field(default_factory=dict)

    def on(self, segment: Placed) -> Placed:
        """The segment with these marks."""
        return replace(
            segment,
            torn=frozenset(self.torn),
            joined=frozenset(self.joined),
            cut=frozenset(self.cut),
            whole=frozenset(self.whole),
            missing=self.missing,
            silent=self.silent,
        )


@dataclass(slots=True, eq=False)
class _Part:
    """One part on its way along its edges."""

    lanes: Sequence[Lane]
    slots: Sequence[Slot]
    counters_go_on: bool
    paces: Mapping[int, Pace]
    findings: list[Finding] = field(default_factory=list)
    ends: dict[int, float] = field(default_factory=dict)  # by PID: where it ended last
    chains: dict[int, list[Placed]] = field(default_factory=dict)  # who held it last, and since
    marks: defaultdict[int, _Marks] = field(default_factory=lambda: defaultdict(_Marks))

    def of(self, segment: Placed) -> _Marks:
        return self.marks[segment.number]

    def say(
        self, id: str, severity: Severity, segment: Placed, detail: str, *, pid: int | None = None
    ) -> None:
        self.findings.append(Finding(id, severity, segment.slot.name, pid, 1, detail))


@dataclass(frozen=True, slots=True, eq=False)
class _Edge:
    """Two segments that follow each other, and the ticks between them in each stream, by PID."""

    before: Placed
    segment: Placed
    gaps: Mapping[int, float]

    def beside(self, lane: Lane) -> list[float]:
        """The gaps of the other streams."""
        return [gap for pid, gap in self.gaps.items() if pid != lane.pid]

    def sides(self, pid: int) -> tuple[Stream, Stream]:
        """A stream in front of the edge and behind it."""
        return self.before.stream(pid), self.segment.stream(pid)

    @property
    def shared(self) -> Set[int]:
        """The PIDs of both."""
        return self.before.stamps.keys() & self.segment.stamps.keys()


def examine(
    segments: Sequence[Placed], lanes: Sequence[Lane], slots: Sequence[Slot], *, counters: bool
) -> tuple[list[Placed], list[Finding]]:
    """The segments with what is torn, joined, cut or silent at every edge.

    ``counters`` go on from segment to segment with this writer.
    """
    paces = {lane.pid: pace(segments, lane) for lane in lanes if _held(lane, segments)}
    part = _Part(lanes, slots, counters, paces)
    before: Placed | None = None
    for segment in segments:
        if before is not None:
            _edge(part, before, segment)
        for pid in segment.stamps.keys() - part.ends.keys():
            _torn_head(part, segment, pid)
        for lane in lanes:
            if lane.pid in segment.stamps:
                part.ends[lane.pid] = decoded_end(segment, lane)
            _absent(part, segment, lane)
        before = segment
    if before is not None:
        _end_here(part, before, before.stamps.keys())  # nothing follows it
    return [part.of(segment).on(segment) for segment in segments], part.findings


def _held(lane: Lane, segments: Sequence[Placed]) -> bool:
    return any(lane.pid in segment.stamps for segment in segments)


def _edge(part: _Part, before: Placed, segment: Placed) -> None:
    """Decide for every lane whether media is missing between two segments."""
    edge = _Edge(before, segment, _gaps(part, before, segment))
    here, shared = part.of(segment), edge.shared
    adjacent = not slots_between(part.slots, before, segment)
    if not adjacent or _cut(before):
        counted = _counted(part, edge) if adjacent else set[int]()
        here.torn |= edge.gaps.keys() - counted
    here.torn |= {pid for pid in edge.gaps if pid not in before.stamps}
    if adjacent:
        for pid in shared:
            _examine_counters(part, edge, pid)
    for lane in part.lanes:
        if lane.pid in edge.gaps.keys() - here.torn - part.of(before).joined:
            _examine_gap(part, edge, lane)
    _end_torn(part, before, here.torn, adjacent=adjacent)
    if adjacent:
        _end_here(part, before, before.stamps.keys() - shared)


def _gaps(part: _Part, before: Placed, segment: Placed) -> dict[int, float]:
    """Ticks from where each stream ended last to where it begins again."""
    ends = {pid: end + segment.pushed for pid, end in part.ends.items()}
    gaps = {pid: segment.first(pid) - ends[pid] for pid in segment.stamps if pid in ends}
    for lane in part.lanes:
        if lane.pid in gaps and lane.pid in before.stamps:
            gaps[lane.pid] = min(gaps[lane.pid], _shown_apart(before, segment, lane))
    return gaps


def _shown_apart(before: Placed, segment: Placed, lane: Lane) -> float:
    """Ticks between pictures as they are shown, where those behind wait otherwise than those in
    front: decoding times say nothing there.  Else without end.
    """
    if lane.codec.kind != "video":
        return math.inf
    waits = (first_wait(s, lane.pid) for s in (before, segment))
    if abs(next(waits) - next(waits)) <= lane.unit / 2:
        return math.inf
    return segment.presented(lane.pid)[0] - before.end(lane)


def _counted(part: _Part, edge: _Edge) -> set[int]:
    """Streams whose counters go on over an edge with a writer that counts."""
    pairs = {pid: edge.sides(pid) for pid in (edge.shared if part.counters_go_on else ())}
    return {pid for pid, (a, b) in pairs.items() if continues(a, b) and not moved(a, b)}


def _torn_head(part: _Part, segment: Placed, pid: int) -> None:
    if head := segment.stream(pid).head:
        detail = f"{head} bytes stand before the first PES: the stream begins inside a unit"
        part.say("PES_START", Severity.ERROR, segment, detail, pid=pid)
        part.of(segment).torn.add(pid)


def _absent(part: _Part, segment: Placed, lane: Lane) -> None:
    """Whether a stream that comes again was lost meanwhile."""
    chain = part.chains.setdefault(lane.pid, [])
    if lane.pid not in segment.stamps:
        chain += [segment] if chain else []
        return
    if len(chain) > 1:
        chain.append(segment)
        sent = not (part.counters_go_on and never_sent(chain, lane, part.slots))
        part.findings += absence.said(chain, lane, sent=sent)
        if not sent:
            here, torn = part.of(segment), [part.of(each).torn for each in chain]
            here.silent[lane.pid] = absence.silences(chain, torn, lane, part.lanes)
            if len(here.silent[lane.pid]) == 1:
                here.torn.discard(lane.pid)
    part.chains[lane.pid] = [segment]


def _end_torn(part: _Part, before: Placed, torn: Set[int], *, adjacent: bool) -> None:
    """Where nothing follows, a stream must end whole; what does not lost its end."""
    marks = part.of(before)
    for pid in before.stamps:
        if pid in torn:
            marks.whole.add(pid)
            if adjacent and not complete(before.stream(pid)):
                marks.cut.add(pid)


def _end_here(part: _Part, last: Placed, pids: Set[int]) -> None:
    """Streams that the next segment does not hold must end whole as well."""
    part.of(last).whole |= pids
    short = [pid for pid in pids if last.stream(pid).short]
    for pid in short:
        part.say("PES_SIZE", Severity.ERROR, last, _lacks(last.stream(pid)), pid=pid)
    if short or _cut(last):
        _end_torn(part, last, pids, adjacent=True)


def _examine_counters(part: _Part, edge: _Edge, pid: int) -> None:
    before, segment, (a, b) = edge.before, edge.segment, edge.sides(pid)
    here = part.of(segment)
    if continues(a, b) or b.free_start:
        fits = a.short == b.head or not (a.short or a.whole or complete(a))
        if b.head and fits and -1 not in b.damaged:
            part.of(before).joined.add(pid)
        elif a.short or b.head:
            here.torn.add(pid)
            here.missing[pid] = 16
            part.say("PES_SIZE", Severity.ERROR, before, _lacks(a), pid=pid)
        return
    broken = part.counters_go_on and not segment.slot.discontinuity and not moved(a, b)
    if pid not in here.torn and not (before.damaged or segment.damaged):
        if a.short:
            part.say("PES_SIZE", Severity.ERROR, before, _lacks(a), pid=pid)
        elif b.head or broken:
            detail = f"counter {b.counters[0]} after {a.counters[1]}: packets are missing"
            blamed = before if falls_short(before, part.lanes) else segment
            part.say("CC_EDGE", Severity.ERROR, blamed, detail, pid=pid)
    if a.short or b.head or broken:
        here.torn.add(pid)
        here.missing[pid] = (b.counters[0] - a.counters[1] - 1) & 15 if broken else 1


def _examine_gap(part: _Part, edge: _Edge, lane: Lane) -> None:
    """A gap that nothing explains yet: the writer's own, a step of the clock, or a loss."""
    before, segment = edge.before, edge.segment
    gap, usual = edge.gaps[lane.pid], part.paces[lane.pid]
    here = part.of(segment)
    hurt = before.damaged or segment.damaged_in_front
    hurt = hurt and (lane.pid not in _counted(part, edge) or gap > usual.gap(lane))
    if hurt and gap > lane.unit / 2:
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


def _judge_gap(part: _Part, edge: _Edge, lane: Lane) -> None:
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


def _harmless(part: _Part, segment: Placed, lane: Lane, gap: float) -> None:
    detail = f"{gap / HZ:.3f} s without {lane.codec.kind} between two segments"
    part.say("DTS_GAP", Severity.INFO, segment, detail, pid=lane.pid)


def _nothing_is_missing(part: _Part, edge: _Edge, lane: Lane) -> bool:
    """Two witnesses say so: the counter goes on, and no number of packets that it cannot count is
    missing; another stream goes on meanwhile; what EXTINF promised is there.
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


def _others_break(edge: _Edge) -> bool:
    """The counter of a stream tells that packets are missing: of what was lost whole, all streams
    lack some.
    """
    pairs = map(edge.sides, edge.shared)
    return any(not (continues(a, b) or moved(a, b)) for a, b in pairs)


def _is_promised(part: _Part, edge: _Edge, gap: float) -> bool:
    """By EXTINF the segment in front of a gap lasts until the next one begins."""
    lasts = opening(edge.segment, part.lanes) - opening(edge.before, part.lanes)
    return abs(lasts - (edge.before.slot.duration or 0.0) * HZ) < gap / 2


def _interrupted(part: _Part, edge: _Edge, lane: Lane) -> bool:
    """The playlist says that a stream came back here (EVENT=START), and nothing contradicts it: its
    counter goes on, so does another stream meanwhile, and both segments are as long as promised.
    """
    a, b = edge.sides(lane.pid)
    if not (part.counters_go_on and continues(a, b)) or moved(a, b):
        return False
    if falls_short(edge.before, part.lanes) or falls_short(edge.segment, part.lanes):
        return False
    beside = min(edge.beside(lane), default=GAP + 1)
    return beside <= GAP and came_back(edge.segment, lane)


def _lacks_its_key(segment: Placed, lane: Lane, gap: float, usual: Pace) -> bool:
    """Pictures never were so far apart, and in front of these there is no key picture."""
    if segment.stream(lane.pid).key_start is not False:
        return False
    return gap > lane.unit / 2 and gap + lane.unit > 1.5 * usual.longest


def _gap_by_names(part: _Part, edge: _Edge) -> float | None:
    """Seconds without media between two segments according to the UTC in their names."""
    before, utc = edge.before, edge.segment.slot.utc
    if before.slot.utc is None or utc is None:
        return None
    begin = min(before.first(pid) for pid in before.stamps)
    end = max(part.ends[pid] for pid in before.stamps)
    return utc - before.slot.utc - (end - begin) / HZ


def _cut(segment: Placed) -> bool:
    return segment.slot.scan is not None and segment.slot.scan.cut


def _lacks(stream: Stream) -> str:
    return f"its last PES lacks {stream.short} bytes"


def counters_go_on(
    segments: Sequence[Placed], lanes: Sequence[Lane], parts: Sequence[Sequence[Placed]] = ()
) -> bool:
    """Whether this writer's continuity counters go on from segment to segment: half of them do.

    By chance one in 16 does; a writer that begins anew begins with the same counter every time.
    Where a part is too short to tell, the others are asked as well.
    """
    pairs = _edges(segments, lanes)
    if len(pairs) < ENOUGH and not _anew(pairs):
        others = [_edges(part, lanes) for part in parts if part is not segments]
        pairs += [pair for edges in others if not _anew(edges) for pair in edges]
    enough = len(pairs) >= ENOUGH and not _anew(pairs)
    return enough and sum(continues(a, b) for a, b in pairs) * 2 >= len(pairs)


def _edges(segments: Sequence[Placed], lanes: Sequence[Lane]) -> list[tuple[Stream, Stream]]:
    """What stands on both sides of each edge between neighbours of a playlist."""
    pairs = [
        (a.stream(lane.pid), b.stream(lane.pid))
        for lane in lanes
        for a, b in pairwise(segments)
        if b.position == a.position + 1 and lane.pid in a.stamps and lane.pid in b.stamps
    ]
    return [(a, b) for a, b in pairs if not moved(a, b)]


def _anew(pairs: Sequence[tuple[Stream, Stream]]) -> bool:
    return all(a.counters[0] == b.counters[0] for a, b in pairs)
