"""What is missing between the segments of a part that have their places.

Knows nothing of how the places were found.  Times are ticks of 90 kHz unless they say seconds.
"""

import math
from collections.abc import Sequence, Set

from pipeline.media.slots.segments import (
    Placed,
    Slot,
    complete,
    falls_short,
    is_cut,
    slots_between,
)
from pipeline.media.timeline.decoding import first_wait
from pipeline.media.timeline.edges import stream_gaps as absence
from pipeline.media.timeline.edges.absences import absent
from pipeline.media.timeline.edges.counters import begin_anew
from pipeline.media.timeline.edges.gaps import examine_gap
from pipeline.media.timeline.edges.pace import decoded_end, pace
from pipeline.media.timeline.edges.part import Edge, PartEdges
from pipeline.media.timeline.edges.stream_gaps import never_sent
from pipeline.media.track import Lane
from pipeline.media.ts.continuity import continues, moved
from pipeline.media.ts.scan import Stream
from pipeline.model import Finding, Severity


def examine(
    segments: Sequence[Placed], lanes: Sequence[Lane], slots: Sequence[Slot], *, counters: bool
) -> tuple[list[Placed], list[Finding]]:
    """The segments of a part with what is torn, joined, cut or silent at every edge, and findings.

    ``counters``: this writer's continuity counters go on from segment to segment.
    """
    paces = {lane.pid: pace(segments, lane) for lane in lanes if _held(lane, segments)}
    part = PartEdges(lanes, slots, counters, begin_anew(segments, lanes), paces)
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
        if before is not None:
            part.forget(before)
        before = segment
    if before is not None:
        _end_here(part, before, before.stamps.keys())  # nothing follows it
    return [part.marked(segment) for segment in segments], part.findings


def _held(lane: Lane, segments: Sequence[Placed]) -> bool:
    return any(lane.pid in segment.stamps for segment in segments)


def _edge(part: PartEdges, before: Placed, segment: Placed) -> None:
    """Decide for every lane whether media is missing between two segments."""
    edge = Edge(before, segment, _gaps(part, before, segment))
    here, shared = part.of(segment), edge.shared
    adjacent = not slots_between(part.slots, before, segment)
    if not adjacent or is_cut(before):
        counted = part.counted(edge) if adjacent else set[int]()
        here.torn |= edge.gaps.keys() - counted
    here.torn |= {pid for pid in edge.gaps if pid not in before.stamps}
    if adjacent:
        for pid in shared:
            _examine_counters(part, edge, pid)
    away = {lane.pid for lane in part.lanes if lane.pauses and absent(part, edge, lane)}
    for lane in part.lanes:
        if lane.pid in edge.gaps.keys() - here.torn - away - part.of(before).joined:
            examine_gap(part, edge, lane)
    part.of(before).whole.update(away & before.stamps.keys())
    _end_torn(part, before, here.torn, adjacent=adjacent)
    if adjacent:
        _end_here(part, before, before.stamps.keys() - shared)


def _gaps(part: PartEdges, before: Placed, segment: Placed) -> dict[int, float]:
    """Ticks from where each stream ended last to where it begins again, by PID."""
    ends = {pid: end + segment.pushed for pid, end in part.ends.items()}
    gaps = {pid: segment.first(pid) - ends[pid] for pid in segment.stamps if pid in ends}
    for lane in part.lanes:
        if lane.pid in gaps and lane.pid in before.stamps:
            gaps[lane.pid] = min(gaps[lane.pid], _shown_apart(before, segment, lane))
    return gaps


def _shown_apart(before: Placed, segment: Placed, lane: Lane) -> float:
    """Ticks between pictures as they are shown, where the wait from decoding to presentation
    changes and DTS say nothing; else infinite.
    """
    if lane.codec.kind != "video":
        return math.inf
    waits = (first_wait(s, lane.pid) for s in (before, segment))
    if abs(next(waits) - next(waits)) <= lane.unit / 2:
        return math.inf
    return segment.presented(lane.pid)[0] - before.end(lane)


def _torn_head(part: PartEdges, segment: Placed, pid: int) -> None:
    if head := segment.stream(pid).head:
        detail = f"{head} bytes stand before the first PES: the stream begins inside a unit"
        part.say("PES_START", Severity.ERROR, segment, detail, pid=pid)
        part.of(segment).torn.add(pid)


def _absent(part: PartEdges, segment: Placed, lane: Lane) -> None:
    """Decide whether a stream that comes again was lost meanwhile."""
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


def _end_torn(part: PartEdges, before: Placed, torn: Set[int], *, adjacent: bool) -> None:
    """Where nothing follows, a stream must end with a whole unit; else it lost its end."""
    marks = part.of(before)
    for pid in before.stamps:
        if pid in torn:
            marks.whole.add(pid)
            if adjacent and not complete(before.stream(pid)):
                marks.cut.add(pid)


def _end_here(part: PartEdges, last: Placed, pids: Set[int]) -> None:
    """Streams that the next segment does not hold must end whole as well."""
    part.of(last).whole |= pids
    short = [pid for pid in pids if last.stream(pid).short]
    for pid in short:
        part.say("PES_SIZE", Severity.ERROR, last, _lacks(last.stream(pid)), pid=pid)
    if short or is_cut(last):
        _end_torn(part, last, pids, adjacent=True)


def _examine_counters(part: PartEdges, edge: Edge, pid: int) -> None:
    before, segment, (a, b) = edge.before, edge.segment, edge.sides(pid)
    here, chance = part.of(segment), _by_chance(part, edge, pid)
    if (continues(a, b) and not chance) or b.free_start:
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
            detail += ", and no other segment goes on like that" if chance else ""
            blamed = before if falls_short(before, part.lanes) else segment
            part.say("CC_EDGE", Severity.ERROR, blamed, detail, pid=pid)
    if a.short or b.head or broken:
        here.torn.add(pid)
        here.missing[pid] = (b.counters[0] - a.counters[1] - 1) & 15 if broken else 1


def _by_chance(part: PartEdges, edge: Edge, pid: int) -> bool:
    """Whether a counter that goes on says nothing: it begins anew at most edges, stamps show a gap
    at this one, and the last PES does not say that it goes on.
    """
    a, b = edge.sides(pid)
    if not part.counters_begin_anew or not continues(a, b) or a.short:
        return False
    lane = next(lane for lane in part.lanes if lane.pid == pid)
    return edge.gaps[pid] > part.paces[pid].gap(lane)


def _lacks(stream: Stream) -> str:
    return f"its last PES lacks {stream.short} bytes"
