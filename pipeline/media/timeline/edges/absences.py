"""Where a stream of one user alone was not sent, between two of its segments: no loss.

In individual mode a stream that is not sent for 15 s goes on in a new segment behind a START
(EXT-X-AGORA-TRACK-EVENT); a shorter pause stands between two segments, or inside one, without a
word.  Times are ticks of 90 kHz unless they say seconds.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from pipeline.media.clock import HZ
from pipeline.media.slots.segments import (
    EXACT,
    Placed,
    Slot,
    as_long_as_slots,
    shortfall,
    slots_between,
)
from pipeline.media.timeline.edges.part import Edge, PartEdges
from pipeline.media.timeline.expected.slice_names import begins_whole
from pipeline.media.track import Lane
from pipeline.media.ts.continuity import continues, moved

UNTOLD = 15 * HZ  # ticks: a pause that is as long as that is announced
NEARLY = 0.9  # of a slot
Span = tuple[int, int]


def absent(part: PartEdges, edge: Edge, lane: Lane) -> bool:
    """Note when the stream was not sent in front of a segment; True if nothing else is missing."""
    gap = edge.gaps.get(lane.pid)
    if gap is None or lane.pid not in edge.before.stamps or gap <= part.paces[lane.pid].gap(lane):
        return False
    here = part.of(edge.segment)
    spans = tuple(_spans(part, edge, lane))
    if not spans:
        return False
    here.silent[lane.pid] = spans
    left = gap - sum(end - begin for begin, end in spans)
    if left > max(lane.unit / 2, EXACT):
        here.torn.add(lane.pid)
        return False
    return not (here.missing.get(lane.pid) or lane.pid in here.torn)


def _spans(part: PartEdges, edge: Edge, lane: Lane) -> Iterator[Span]:
    """From where each slot should have ended to where the next one began that tells of a pause."""
    before, segment, pid = edge.before, edge.segment, lane.pid
    begin = segment.first(pid) - edge.gaps[pid] + _beyond(shortfall(before, part.lanes))
    for slot in (*slots_between(part.slots, before, segment), segment.slot):
        at = _place(before, slot, pid)
        if slot is segment.slot:
            at = _begins(part, segment, pid)
        elif at is None:
            return
        until = min([at, *_started(before, slot, lane)])
        if until - begin > lane.unit / 2 and _tells(
            part, edge, lane, slot=slot, pause=until - begin
        ):
            yield round(begin), round(until)
        begin = max(begin, at + (slot.duration or 0.0) * HZ)


def _beyond(ticks: float) -> float:
    return ticks if ticks > EXACT else 0.0


def _begins(part: PartEdges, segment: Placed, pid: int) -> float:
    """Where a segment begins, or began before it was hurt there."""
    hurt = segment.damaged_in_front or segment.stream(pid).head or not begins_whole(segment)
    lost = _beyond(shortfall(segment, part.lanes)) if hurt else 0.0
    return segment.first(pid) - lost


def _place(before: Placed, slot: Slot, pid: int) -> float | None:
    """Where a slot begins by its name."""
    if slot.utc is None or before.slot.utc is None:
        return None
    return before.first(pid) + (slot.utc - before.slot.utc) * HZ


def _started(before: Placed, slot: Slot, lane: Lane) -> Iterator[float]:
    """When the stream came back by the playlist, where that is before the segment behind it."""
    for event in slot.events:
        if event.kind == lane.codec.kind and event.time is not None and slot.utc is not None:
            place = _place(before, slot, lane.pid)
            early = (slot.utc - event.time) * HZ
            if place is not None and early > EXACT:
                yield place - early


def _tells(part: PartEdges, edge: Edge, lane: Lane, *, slot: Slot, pause: float) -> bool:
    """The playlist says that the stream began again, or a pause may stand there without a word."""
    if any(event.kind == lane.codec.kind for event in slot.events):
        return True
    if pause >= UNTOLD or slot.discontinuity:
        return False
    if not slots_between(part.slots, edge.before, edge.segment):
        a, b = edge.sides(lane.pid)
        goes_on = continues(a, b) and not moved(a, b)
        if part.counters_go_on:
            return goes_on
        if goes_on and a.counters[0] != b.counters[0]:  # else it begins again each time
            return True
    whole = _whole(part.slots, edge.segment.slot.part)
    return pause < NEARLY * min(whole) or not as_long_as_slots(pause / HZ, _lasting(whole))


def _whole(slots: Sequence[Slot], part: str) -> list[float]:
    """Ticks that slots last which ended because they were long enough: the next goes on at once."""
    own = [slot for slot in slots if slot.part == part]
    found = []
    for slot, following in pairwise(own):
        if slot.duration and slot.utc is not None and following.utc is not None:
            wait = following.utc - slot.utc - slot.duration
            if not following.events and wait * HZ <= EXACT:
                found.append(slot.duration * HZ)
    return found or [float(UNTOLD)]


def _lasting(whole: Sequence[float]) -> list[Slot]:
    """Slots as :func:`as_long_as_slots` asks for them; of the last it asks nothing."""
    return [*(Slot("", None, ticks / HZ) for ticks in whole), Slot("", None)]
