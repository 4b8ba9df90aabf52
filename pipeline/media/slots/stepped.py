"""A slot whose clock steps out and back, set by the neighbours that it fits.

Times are ticks of 90 kHz unless they say seconds.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from pipeline.media.clock import HZ
from pipeline.media.slots.neighbours import Neighbours, gaps, kind_of, streams_of
from pipeline.media.slots.segments import Slot
from pipeline.media.slots.shifts import APART, as_promised, is_filled, leeway, shifted
from pipeline.media.ts.continuity import continues
from pipeline.media.ts.scan import Stream
from pipeline.model import Finding, Severity

ENOUGH = 3  # edges that show how a writer counts


def set_by_neighbours(
    slots: Sequence[Slot], found: Neighbours
) -> tuple[Slot, list[Finding]] | None:
    """The slot between two neighbours with its stamps set by them, where the counters go on or each
    stream fits to a fraction of a unit; None where it does not fit.
    """
    slot = slots[found.here]
    counts = counted(slots, found)
    one_side = _off_one_that_counts(slots, found)
    one = step(slot, found.since) if one_side is None else one_side
    steps = _each_by_itself(slot, found) or dict.fromkeys(streams_of(slot), one)
    if counts or one_side is not None or (counts is None and _seamless(slot, found, steps)):
        return _set_back(slot, _exactly(slots, found, steps))
    return None


def set_by_only_neighbour(
    slots: Sequence[Slot], found: Neighbours
) -> tuple[Slot, list[Finding]] | None:
    """The first or last slot with each stream set by its only neighbour, where no one clock
    explains by how much they are off, and every counter goes on; None elsewhere.
    """
    slot = slots[found.here]
    steps = dict(found.since or {pid: -off for pid, off in found.until.items()})
    beside = found.before if found.since else found.behind
    if beside is None or steps.keys() != streams_of(slot).keys() or _are_alike(steps):
        return None
    edge = min(found.here, beside), max(found.here, beside)
    if edge[1] - edge[0] > 1 or not all(continues(a, b) for a, b in _pairs(slots, [edge])):
        return None
    if not all(is_filled(slot, pid) and abs(off) > APART for pid, off in steps.items()):
        return None
    if not _is_in_line(slots, beside, 2 * beside - found.here):
        return None
    return _set_back(slot, _exactly(slots, found, steps))


def _exactly(slots: Sequence[Slot], found: Neighbours, steps: Mapping[int, int]) -> dict[int, int]:
    """The steps to the tick, also of pictures that do not share the clock of some sound."""
    heard = any(kind_of(s) == "audio" for s in streams_of(slots[found.here]).values())
    if heard and _are_alike(steps):
        return dict(steps)
    return {pid: as_promised(slots, found, pid, off) for pid, off in steps.items()}


def _set_back(slot: Slot, steps: Mapping[int, int]) -> tuple[Slot, list[Finding]]:
    """The slot with streams moved that are off so many ticks, and what is said of them: once where
    all are off by the same, else of each.
    """
    alike = len({*steps.values()}) == 1
    said = [
        Finding(
            "DTS_BACK",
            Severity.WARNING,
            slot.name,
            None if alike else pid,
            1,
            f"its clock is {ticks / HZ:+.3f} s off that of its neighbours, which it fits",
            "set by its neighbours",
        )
        for pid, ticks in (list(steps.items())[:1] if alike else steps.items())
    ]
    return shifted(slot, {pid: -ticks for pid, ticks in steps.items()}), said


def _each_by_itself(slot: Slot, found: Neighbours) -> Mapping[int, int]:
    """Ticks by which each stream is off, where no one clock explains them: every one of several is
    off by as much at both its ends, and not all by the same.
    """
    if not found.since.keys() == found.until.keys() == streams_of(slot).keys():
        return {}
    off = found.since
    as_much = all(abs(off[pid] + found.until[pid]) <= leeway(off[pid]) for pid in off)
    return off if as_much and not _are_alike(off) else {}


def _is_in_line(slots: Sequence[Slot], number: int, other: int) -> bool:
    """Whether one slot goes on with another that stands beside it, by all its streams."""
    if not 0 <= other < len(slots):
        return False
    off = gaps(slots, min(number, other), max(number, other)).values()
    return len(off) == len(streams_of(slots[number])) and all(abs(x) <= APART for x in off)


def _are_alike(steps: Mapping[int, int]) -> bool:
    return len(steps) < 2 or max(steps.values()) - min(steps.values()) <= APART


def counted(slots: Sequence[Slot], found: Neighbours) -> bool | None:
    """Whether every counter goes on over both edges of the slot; None where that says nothing, as
    only some do, or those of other slots do not go on either.
    """
    assert found.before is not None
    assert found.behind is not None
    own = [(found.before, found.here), (found.here, found.behind)]
    here = _pairs(slots, (edge for edge in own if edge[1] == edge[0] + 1))  # a hole breaks them all
    go_on = [continues(a, b) for a, b in here]
    others = _pairs(slots, (e for e in pairwise(range(len(slots))) if found.here not in e))
    if others and all(a.counters[0] == b.counters[0] and not continues(a, b) for a, b in others):
        return None  # they restart in every slot
    if here and all(go_on):
        return True
    counts = sum(continues(a, b) for a, b in others) * 2 > len(others) >= ENOUGH
    return False if counts and len(here) > 1 and not any(go_on) else None


def _off_one_that_counts(slots: Sequence[Slot], found: Neighbours) -> int | None:
    """Ticks by which the slot is off the neighbour with which the counters of all its streams go
    on, if it has more than one stream; else None.
    """
    assert found.before is not None
    assert found.behind is not None
    sides = (
        (found.before, found.here, found.since, 1),
        (found.here, found.behind, found.until, -1),
    )
    for a, b, off, way in sides:
        pairs = _pairs(slots, [(a, b)] if b == a + 1 else [])
        if len(pairs) > 1 and all(continues(one, other) for one, other in pairs):
            return way * step(slots[found.here], off)
    return None


def _pairs(slots: Sequence[Slot], edges: Iterable[tuple[int, int]]) -> list[tuple[Stream, Stream]]:
    """The two sides of these edges, for each stream that both hold."""
    sides = [(streams_of(slots[a]), streams_of(slots[b])) for a, b in edges]
    return [(a[pid], b[pid]) for a, b in sides for pid in a.keys() & b.keys()]


def step(slot: Slot, off: Mapping[int, int]) -> int:
    """Ticks by which the slot is off a neighbour: sound is exact, pictures may come at any time."""
    streams = streams_of(slot)
    sound = [ticks for pid, ticks in off.items() if kind_of(streams[pid]) == "audio"]
    return (sound or [*off.values()])[0]


def _seamless(slot: Slot, found: Neighbours, steps: Mapping[int, int]) -> bool:
    """Whether sound and pictures step by ``steps``, at least on one side where one of them begins
    or ends here, and the slot is as long as the room for it.
    """
    if max(len(found.since), len(found.until)) < 2 or not found.since.keys() & found.until.keys():
        return False
    since = [off - steps[pid] for pid, off in found.since.items()]
    until = [off + steps[pid] for pid, off in found.until.items()]
    near = min(s.unit for s in streams_of(slot).values()) / 4
    if max(map(abs, since)) > near or min(until) < -near:
        return False
    # more may be missing behind it: what follows keeps its distances as well
    return max(until) <= near or (len(until) > 1 and max(until) - min(until) <= near)
