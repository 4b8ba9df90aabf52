"""Whether every slot holds what it should, and not the bytes of another slot, a slice of another
recording, or a clock that steps out and back.

Decided by the scans before anything is placed.  Times are ticks of 90 kHz unless they say seconds.
"""

from collections.abc import Sequence
from itertools import pairwise
from operator import itemgetter

from msgspec.structs import replace

from pipeline.media.clock import HZ, Ticks
from pipeline.media.slots.foreign import OUT, in_line
from pipeline.media.slots.neighbours import (
    apart,
    between,
    emptied,
    lasting,
    length,
    neighbours,
    paired,
    streams_of,
)
from pipeline.media.slots.rejoin import held_again
from pipeline.media.slots.segments import Slot, has_media
from pipeline.media.slots.shifts import APART, together
from pipeline.model import Finding, Severity


def identified(slots: Sequence[Slot]) -> tuple[list[Slot], list[Finding]]:
    """The slots, in the order given, with what is really theirs, and what was wrong.  What is not
    theirs is put aside, and the slot stays empty; stamps that are shifted together are set back.
    """
    order = _order(slots)
    kept = [slots[n] for n in order]
    again = _listed_again(kept)
    for number in again:
        kept[number] = replace(emptied(kept[number]), needed=False)
    findings = [*_held_before(kept), *_without_copies(kept)]
    there = [n for n, slot in enumerate(kept) if has_media(slot)]
    for number in (*there[1:-1], *there[:1], *there[1:][-1:]):  # both neighbours tell more than one
        found = neighbours(kept, number)
        slot, said = together(kept, found)
        if not said:
            slot, said = in_line(kept, found)
        kept[number] = slot
        findings += said
    for number, first in again.items():
        listed, judged = slots[order[number]], kept[first]
        kept[number] = replace(listed, scan=judged.scan, aside=judged.aside)
    return [slot for _, slot in sorted(zip(order, kept, strict=True), key=itemgetter(0))], findings


def _listed_again(slots: Sequence[Slot]) -> dict[int, int]:
    """Slots with the name of an earlier one, and where that is: one is no witness of itself, and
    both are what the first is found to be.
    """
    first: dict[str, int] = {}
    there = [(n, slot.name) for n, slot in enumerate(slots) if has_media(slot)]
    return {n: first[name] for n, name in there if first.setdefault(name, n) != n}


def _order(slots: Sequence[Slot]) -> list[int]:
    """Numbers of the slots in the order of the playlist, or of the times in their names where more
    slots continue the one before like that: neighbours serve as witnesses.
    """
    listed = [*range(len(slots))]
    if any(slot.utc is None for slot in slots):
        return listed
    parts = [*dict.fromkeys(slot.part for slot in slots)]
    named = sorted(listed, key=lambda n: (parts.index(slots[n].part), slots[n].utc or 0.0))
    if named == listed or _breaks(slots, named) >= _breaks(slots, listed):
        return listed
    return named


def _breaks(slots: Sequence[Slot], order: Sequence[int]) -> int:
    """How many slots do not continue the one before; one whose clock steps out and back counts
    once.
    """
    there = [n for n in order if has_media(slots[n])]
    gaps = [between(slots, a, b) for a, b in pairwise(there) if slots[a].part == slots[b].part]
    steps = [gap is None or abs(gap) > APART for gap in gaps]
    back = [
        one is not None and other is not None and abs(one + other) <= APART
        for one, other in pairwise(gaps)
    ]
    returns = sum(out and home for out, home in zip(steps, back, strict=False))
    return sum(steps) - returns


def _without_copies(slots: list[Slot]) -> list[Finding]:
    """Of slots with the same bytes under several names, or what damage left of them, keep the one
    whose neighbours fit best; where they are of no use, as on another clock, one of its length.
    """
    findings = []
    for numbers in _alike(slots):
        if len(numbers) < 2:
            continue
        misfits = {n: _misfit(slots, n, numbers) for n in numbers}
        fits = {n: (min(off, OUT), not _lasts_as_told(slots[n]), off) for n, off in misfits.items()}
        stays = min(numbers, key=lambda n: (fits[n], n))
        for number in (n for n in numbers if n != stays):
            slots[number], said = _copy(slots, number, stays, numbers)
            findings.append(said)
    return findings


def _alike(slots: Sequence[Slot]) -> list[list[int]]:
    """Numbers of the slots that hold the same."""
    same: dict[object, list[int]] = {}
    groups: list[list[int]] = []
    for number, slot in enumerate(slots):
        if not has_media(slot):
            continue
        prints = _fingerprints(slot)
        known = next(
            (same[p] for p in prints if p in same and _holds(slots, same[p], number)), None
        )
        if known is None:
            groups.append(known := [])
        known.append(number)
        for each in prints:
            same.setdefault(each, known)
    return groups


def _fingerprints(slot: Slot) -> list[object]:
    """What makes a segment unique: the first packets of all its streams, or the last, without their
    PIDs.
    """
    streams = [stream for _, stream in sorted(streams_of(slot).items())]
    return [(slot.part, end, *(s.prints[end] for s in streams)) for end in (0, 1)]


def _holds(slots: Sequence[Slot], group: Sequence[int], number: int) -> bool:
    """Whether one of two slots has no stamps but those of the other."""
    one, other = streams_of(slots[group[0]]), streams_of(slots[number])
    pairs = [(one[p].dts, other[q].dts) for p, q in paired(one, other)]
    return any(
        all(_within(mine, others) and not apart(mine, others) for mine, others in both)
        for both in (pairs, [pair[::-1] for pair in pairs])
    )


def _within(mine: Ticks, others: Ticks) -> bool:
    if len(mine) and not (others == mine[0]).any():  # mostly
        return False
    return {*mine.tolist()} <= {*others.tolist()}  # to sort them, numpy would load a library


def _misfit(slots: Sequence[Slot], number: int, same: Sequence[int]) -> int:
    """Ticks by which a slot is off its neighbours, without those that hold the same."""
    others = [s if n == number or n not in same else emptied(s) for n, s in enumerate(slots)]
    found = neighbours(others, number)
    off = [min(map(abs, side.values())) for side in (found.since, found.until) if side]
    return sum(off) if off else OUT


def _lasts_as_told(slot: Slot) -> bool:
    """Whether a slot has an EXTINF and holds as much."""
    return bool(slot.duration) and abs(lasting(slot) - length(slot)) <= APART


def _copy(
    slots: Sequence[Slot], number: int, stays: int, same: Sequence[int]
) -> tuple[Slot, Finding]:
    """The slot without the bytes that belong elsewhere.  Its own promise stays open, unless its
    neighbours follow each other without room for it.
    """
    slot, other = slots[number], slots[stays].name
    found = neighbours(
        [s if n in (number, stays) or n not in same else emptied(s) for n, s in enumerate(slots)],
        number,
    )
    if found.before is not None and found.behind is not None:
        room = between(slots, found.before, found.behind)
        if room is not None and abs(room) < HZ * (slot.duration or 2.0) / 2:
            detail = f"holds the same as {other}, and nothing is missing where it is listed"
            said = Finding("SEG_DUP", Severity.WARNING, slot.name, detail=detail, repair="dropped")
            return replace(emptied(slot), needed=False), said
    detail = f"holds the bytes of {other}: what it should hold is missing"
    return emptied(slot), Finding("SEG_DUP", Severity.ERROR, slot.name, detail=detail)


def _held_before(slots: list[Slot]) -> list[Finding]:
    """Empty slots of which the slice before holds everything too: the same stamps, to the last."""
    findings = []
    there = [n for n, slot in enumerate(slots) if has_media(slot)]
    for a, b in pairwise(there):
        one, other = streams_of(slots[a]), streams_of(slots[b])
        shared = one.keys() & other.keys()
        if (
            any(one[p].prints[1] == other[p].prints[1] for p in shared)
            and all(_within(other[p].dts, one[p].dts) for p in shared)
            and held_again(slots[a], slots[b])
        ):
            detail = f"all it holds stands in {slots[a].name} as well"
            findings.append(
                Finding("SEG_DUP", Severity.WARNING, slots[b].name, None, 1, detail, "dropped")
            )
            both = (slots[a].duration or 0.0) + (slots[b].duration or 0.0)
            slots[a] = replace(slots[a], duration=both or None)
            slots[b] = replace(emptied(slots[b]), needed=False)
    return findings
