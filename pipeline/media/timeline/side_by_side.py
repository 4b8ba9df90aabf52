"""The streams of one user, planned one by one, on one clock and in one file.

Each keeps the plan it has; here they are moved to where they belong beside each other, and read as
tracks of one plan.  Times are ticks of 90 kHz unless they say seconds.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from typing import TypeVar

from msgspec.structs import replace

from pipeline.media.clock import BASE, HZ
from pipeline.media.slots.segments import Placed, Slot
from pipeline.media.timeline.expected.span import Promise
from pipeline.media.timeline.plan import Plan
from pipeline.media.timeline.split_plan import LONGEST
from pipeline.media.timeline.wall_clock import wall_clock
from pipeline.media.track import Lane
from pipeline.model import Finding, Severity

V = TypeVar("V")
Span = tuple[int, int]
FIRST_PID = 0x100  # what streams get whose PID another one has


def begun(plan: Plan) -> float | None:
    """When a stream began, in seconds since 1970: by the names of its segments, else by START."""
    told = wall_clock(plan.placed).at(0.0)
    if told is not None or not plan.placed:
        return told
    kinds = {lane.codec.kind for lane in plan.lanes}
    times = (event.time for event in plan.placed[0].slot.events if event.kind in kinds)
    return next((time for time in times if time is not None), None)


def on_one_clock(plans: Sequence[Plan], since: float | None = None) -> list[Plan]:
    """The plans moved to where they belong; they begin with the first, or at ``since``, seconds
    since 1970.  One of which nothing tells when it began begins with the others.
    """
    begins = [begun(plan) for plan in plans]
    known = [time for time in begins if time is not None]
    first = min(known if since is None else [since, *known], default=0.0)
    waits = [round(((time if time is not None else first) - first) * HZ) for time in begins]
    return [later(plan, wait) for plan, wait in zip(plans, waits, strict=True)]


def later(plan: Plan, ticks: int) -> Plan:
    """The same so much later."""
    return moved(plan, lambda _: ticks)


def moved(plan: Plan, wait: Callable[[float], int]) -> Plan:
    """The same, each moment so much later as ``wait`` says of it."""
    promised = {pid: _moved(promise, wait) for pid, promise in plan.promised.items()}
    joins = (
        replace(join, time=round(join.time + wait(join.time * HZ + BASE) / HZ, 6))
        for join in plan.joins
    )
    placed = (s.moved(wait(min(s.first(pid) for pid in s.stamps))) for s in plan.placed)
    return replace(plan, placed=tuple(placed), promised=promised, joins=tuple(joins))


def _moved(promise: Promise, wait: Callable[[float], int]) -> Promise:
    return replace(
        promise,
        begin=promise.begin + wait(promise.begin),
        end=promise.end + wait(promise.end),
        closed=tuple(replace(hole, at=hole.at + wait(hole.at)) for hole in promise.closed),
        silent=tuple((a + wait(a), b + wait(b)) for a, b in promise.silent),
    )


def all_absent(plans: Sequence[Plan]) -> list[Span]:
    """When no stream was sent at all, between its segments and between the ends of all."""
    first = min(_ends(plan)[0] for plan in plans)
    last = max(_ends(plan)[1] for plan in plans)
    spans = [(first + 1, last - 1)]
    for plan in plans:
        both = ((max(a, c), min(b, d)) for a, b in spans for c, d in _absent(plan))
        spans = [(begin, end) for begin, end in both if end > begin]
    return spans


def _absent(plan: Plan) -> list[Span]:
    """When the stream was not sent, also before its beginning and behind its end."""
    first, last = _ends(plan)
    silent = sorted(span for promise in plan.promised.values() for span in promise.silent)
    return [(0, first), *silent, (last, round(2 * LONGEST * HZ))]


def _ends(plan: Plan) -> Span:
    return min(s.first(pid) for s in plan.placed for pid in s.stamps), round(plan.end)


def without(plan: Plan, spans: Sequence[Span]) -> Plan:
    """The plan without the time of these spans, in which it holds nothing."""
    return moved(plan, lambda at: -sum(max(0, round(min(at, end)) - begin) for begin, end in spans))


def renumbered(plans: Sequence[Plan]) -> list[dict[int, int]]:
    """The PID of each stream of each plan among all of them: its own, or one that is free."""
    every = {lane.pid for plan in plans for lane in plan.lanes}
    free = (pid for pid in count(FIRST_PID) if pid not in every)
    taken: set[int] = set()
    found = []
    for plan in plans:
        own = {x.pid: next(free) if x.pid in taken else x.pid for x in plan.lanes}
        taken |= {*own.values()}
        found.append(own)
    return found


def side_by_side(plans: Sequence[Plan], segments: Sequence[int]) -> Plan:
    """All of them as one, for the muxer, in the order of time; ``segments`` are how many each plan
    was made of, which stand one behind the other.
    """
    lanes: list[Lane] = []
    placed: list[Placed] = []
    promised: dict[int, Promise] = {}
    slots: list[Slot] = []
    for n, (plan, pids) in enumerate(zip(plans, renumbered(plans), strict=True)):
        lanes += [replace(lane, pid=pids[lane.pid]) for lane in plan.lanes]
        placed += [_renumbered(s, pids, sum(segments[:n]), len(slots)) for s in plan.placed]
        promised |= _under(plan.promised, pids)
        slots += plan.slots
    placed.sort(key=_first)
    findings = tuple(_too_long(placed))
    return Plan(tuple(lanes), tuple(placed), findings, promised, slots=tuple(slots))


def _first(segment: Placed) -> int:
    return min(segment.first(pid) for pid in segment.stamps)


def _too_long(placed: Sequence[Placed]) -> Iterator[Finding]:
    span = max((s.last(pid) for s in placed for pid in s.stamps), default=BASE) - BASE
    if span > LONGEST * HZ:
        detail = f"{span / HZ / 3600:.1f} hours from the first stream to the end of the last, one"
        detail += f" MP4 is made of at most {LONGEST / 3600:.1f}"
        yield Finding("PL_LIMIT", Severity.FATAL, detail=detail)


def _renumbered(segment: Placed, pids: Mapping[int, int], number: int, position: int) -> Placed:
    """A segment among those of all plans, its streams under the PIDs that are theirs there."""
    assert segment.slot.scan is not None
    scan = segment.slot.scan
    return Placed(
        replace(segment.slot, scan=replace(scan, streams=_under(scan.streams, pids))),
        segment.number + number,
        _under(segment.stamps, pids),
        segment.position + position,
        torn=_these(segment.torn, pids),
        joined=_these(segment.joined, pids),
        cut=_these(segment.cut, pids),
        whole=_these(segment.whole, pids),
        missing=_under(segment.missing, pids),
        pushed=segment.pushed,
        until=_under(segment.until, pids),
        silent=_under(segment.silent, pids),
    )


def _these(marked: frozenset[int], pids: Mapping[int, int]) -> frozenset[int]:
    return frozenset(pids[pid] for pid in marked if pid in pids)


def _under(values: Mapping[int, V], pids: Mapping[int, int]) -> dict[int, V]:
    return {pids[pid]: value for pid, value in values.items() if pid in pids}
