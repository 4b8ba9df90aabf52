"""Sound and pictures keep their distance: slots whose tracks lie apart as they do nowhere near.

Judged by what came out, without knowing how places were found.  Times are seconds.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np
from msgspec import Struct

from pipeline.media.clock import HZ, median
from pipeline.media.es.access_units import Units
from pipeline.media.loss.holes import Stretch
from pipeline.media.slots.segments import Placed
from pipeline.media.track import Lane
from pipeline.model import AccountEntry, Finding, Severity

USUAL = 0.4  # the distance of two tracks may differ by this much from slot to slot
NEAR = 4  # slots on each side that show what is usual
FEW = 2  # slots: of so few it is not known which one is right


class _Distance(Struct, frozen=True):
    """How much later one track begins than another in a slot."""

    segment: Placed
    seconds: float
    loose: float  # how much more or less it may be: what both lack of their EXTINF


def asunder(
    placed: Sequence[Placed],
    held: Mapping[Lane, Sequence[Stretch]],
    entries: Sequence[AccountEntry],
) -> Iterator[Finding]:
    """An AV_SHIFT, an error, for every slot in which the distance of two tracks differs by over
    ``USUAL`` from that in the slots on both sides, more than pauses at its ends can explain.
    ``held`` are the units of each track in each placed segment.
    """
    loose = {
        (e.slot, e.pid): abs(e.promised - e.delivered) for e in entries if e.promised and e.units
    }
    begins = {lane.pid: [_begin(lane, x.units) for x in own] for lane, own in held.items()}
    for one, other in combinations(begins, 2):
        pairs = zip(placed, begins[one], begins[other], strict=True)
        found = [*_distances(pairs, (one, other), loose)]
        for number, here in enumerate(found):
            usual = _usual(found, number)
            if usual is None or abs(here.seconds - usual.seconds) <= here.loose + usual.loose:
                continue
            yield _finding(here, usual, other)


def _begin(lane: Lane, units: Units) -> float | None:
    """When the first unit is decoded, by the first that has a stamp; None without one."""
    known = int(np.argmax(units.dts >= 0)) if len(units.dts) else 0
    if not len(units.dts) or units.dts[known] < 0:
        return None
    return (int(units.dts[known]) - known * lane.unit) / HZ


def _distances(
    pairs: Iterable[tuple[Placed, float | None, float | None]],
    pids: tuple[int, int],
    loose: Mapping[tuple[str, int], float],
) -> Iterator[_Distance]:
    for segment, one, other in pairs:
        keys = [(segment.slot.name, pid) for pid in pids]
        if one is not None and other is not None and all(key in loose for key in keys):
            yield _Distance(segment, other - one, sum(loose[key] for key in keys))


def _usual(found: Sequence[_Distance], number: int) -> _Distance | None:
    """The distance on both sides; None where they contradict each other, or the only side is too
    short, varies too much, or ends at a declared discontinuity.
    """
    sides = [found[max(0, number - NEAR) : number], found[number + 1 :][:NEAR]]
    there = [_middle(side) for side in sides if side]
    if len(there) == 2:
        return there[0] if abs(there[0].seconds - there[1].seconds) <= USUAL else None
    if len(found) <= FEW or _ranges(sides[0] or sides[1]) > USUAL:
        return None
    edge = found[max(number, 1)]  # to its only neighbour
    return None if edge.segment.slot.discontinuity else there[0]


def _ranges(side: Sequence[_Distance]) -> float:
    seconds = [one.seconds for one in side]
    return max(seconds) - min(seconds)


def _middle(side: Sequence[_Distance]) -> _Distance:
    seconds, loose = (median([getattr(one, x) for one in side]) for x in ("seconds", "loose"))
    return _Distance(side[0].segment, seconds, USUAL + loose)


def _finding(here: _Distance, usual: _Distance, pid: int) -> Finding:
    detail = (
        f"it begins {here.seconds:+.3f} s beside the other track, {usual.seconds:+.3f} s in the"
        " slots near it: one of the two is in the wrong place"
    )
    return Finding("AV_SHIFT", Severity.ERROR, here.segment.slot.name, pid, detail=detail)
