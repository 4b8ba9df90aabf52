"""Whether every slot holds what it should: the bytes of another slot, another recording's slice, a
clock that steps out and back.

Asked of the scans before anything is placed.  Times are ticks of 90 kHz unless they say seconds.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from pipeline.media.absence import continues
from pipeline.media.formats import needs
from pipeline.media.lane import HZ
from pipeline.media.mpegts import Stream
from pipeline.media.neighbours import (
    Neighbours,
    between,
    emptied,
    length,
    neighbours,
    promised,
    streams_of,
    unit,
)
from pipeline.media.placed import Slot, has_media
from pipeline.media.shifts import APART, shifted, together
from pipeline.model import Finding, Severity

OUT = HZ  # a slot whose clock is further off than this from both its neighbours is out of line
ENOUGH = 3  # edges that tell how a writer counts


def identified(slots: Sequence[Slot]) -> tuple[list[Slot], list[Finding]]:
    """The slots with what is really theirs.  What is not is taken out, and its slot stays empty;
    stamps that are shifted as one are set back.
    """
    kept, findings = _without_copies(list(slots))
    findings += _held_before(kept)
    there = [n for n, slot in enumerate(kept) if has_media(slot)]
    for number in (*there[1:-1], *there[:1], *there[1:][-1:]):  # both neighbours tell more than one
        found = neighbours(kept, number)
        slot, said = _in_line(kept, found)
        if not said:
            slot, said = together(kept, found)
        kept[number] = slot
        findings += said
    return kept, findings


def _without_copies(slots: list[Slot]) -> tuple[list[Slot], list[Finding]]:
    """Of the same bytes under several names the one stays whose neighbours fit best."""
    same: dict[object, list[int]] = {}
    for number, slot in enumerate(slots):
        if has_media(slot):
            same.setdefault(_fingerprint(slot), []).append(number)
    findings = []
    for numbers in same.values():
        if len({slots[n].name for n in numbers}) < 2:
            continue  # listed again: it promises nothing else
        misfits = {n: _misfit(slots, n, numbers) for n in numbers}
        stays = min(numbers, key=lambda n: (misfits[n], n))
        for number in numbers:
            if slots[number].name == slots[stays].name:
                continue
            slots[number], said = _copy(slots, number, stays, numbers)
            findings.append(said)
    return slots, findings


def _fingerprint(slot: Slot) -> object:
    """Stamps and edges make a segment unique."""
    assert slot.scan is not None
    streams = (stream for _, stream in sorted(slot.scan.streams.items()))
    return (
        slot.part,
        slot.scan.size,
        *((s.pids, s.packets, s.edges, s.dts.tobytes()) for s in streams),
    )


def _misfit(slots: Sequence[Slot], number: int, same: Sequence[int]) -> int:
    """Ticks by which a slot is off its neighbours, those that hold the same left aside."""
    others = [s if n == number or n not in same else emptied(s) for n, s in enumerate(slots)]
    found = neighbours(others, number)
    off = [min(map(abs, side.values())) for side in (found.since, found.until) if side]
    return sum(off) if off else OUT


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
    """A slice that also contains the next one: the same stamps, to the last of them."""
    findings = []
    there = [n for n, slot in enumerate(slots) if has_media(slot)]
    for a, b in pairwise(there):
        one, other = streams_of(slots[a]), streams_of(slots[b])
        twice = one.keys() == other.keys() and all(
            0 < len(other[p].dts) < len(one[p].dts)
            and np.array_equal(one[p].dts[-len(other[p].dts) :], other[p].dts)
            for p in other
        )
        if twice and slots[a].part == slots[b].part:
            detail = f"all it holds stands in {slots[a].name} as well"
            findings.append(
                Finding("SEG_DUP", Severity.WARNING, slots[b].name, None, 1, detail, "dropped")
            )
            both = (slots[a].duration or 0.0) + (slots[b].duration or 0.0)
            slots[a] = replace(slots[a], duration=both or None)
            slots[b] = replace(emptied(slots[b]), needed=False)
    return findings


def _in_line(slots: Sequence[Slot], found: Neighbours) -> tuple[Slot, list[Finding]]:
    """A clock that steps out and back again: a slice of another recording, unless every counter
    goes on through it, or each of its streams fits to a part of a unit.
    """
    slot = slots[found.here]
    if found.before is None or found.behind is None or not found.since or not found.until:
        return _of_other_format(slots, found)
    if slot.discontinuity or slots[found.behind].discontinuity:
        return slot, []
    if min(*found.since.values(), *found.until.values()) >= 0:
        return slot, []  # between its neighbours, however sparse
    no_room = _has_no_room(slots, found)
    room = _room(slots, found)
    off = [min(map(abs, side.values())) for side in (found.since, found.until)]
    over = -min(max(side.values()) for side in (found.since, found.until))
    near = min(off) <= OUT
    if not no_room:
        if _fills(slots, found) or room is None or abs(room - length(slot)) > OUT:
            return slot, []
        if near and (over <= 2 * APART or abs(room - length(slot)) > APART):
            return slot, []
    if _goes_on(slots, found):  # asks every other slot: only where something is wrong
        return slot, []
    if no_room:
        detail = "its neighbours follow each other by the clock, and it has another format"
        return emptied(slot), [_foreign(slot, detail)]
    if near:
        detail = f"its neighbours follow each other by the clock, and it reaches {over / HZ:.3f} s"
        return emptied(slot), [_foreign(slot, f"{detail} into one of them")]
    step = _step(slot, found)
    counted = _counted(slots, found)
    if counted or (counted is None and _seamless(slot, found, step)):
        detail = f"its clock is {step / HZ:+.3f} s off that of its neighbours, which it fits"
        said = Finding(
            "DTS_BACK", Severity.WARNING, slot.name, None, 1, detail, "set by its neighbours"
        )
        return shifted(slot, dict.fromkeys(found.since, -step)), [said]
    detail = f"its clock is {step / HZ:+.3f} s off that of both its neighbours"
    return emptied(slot), [_foreign(slot, detail)]


def _has_no_room(slots: Sequence[Slot], found: Neighbours) -> bool:
    """By its clock it lies over both its neighbours, which leave none between them, and it has
    another format than they.
    """
    assert found.before is not None
    assert found.behind is not None
    gap = between(slots, found.before, found.behind)
    over = max(*found.since.values(), *found.until.values()) < -APART
    mine, one, other = (_formats(slots[n]) for n in (found.here, found.before, found.behind))
    return gap is not None and abs(gap) <= APART and over and mine != one == other


def _room(slots: Sequence[Slot], found: Neighbours) -> int | None:
    """Ticks between its neighbours, without what EXTINF says of other slots that are empty."""
    assert found.before is not None
    assert found.behind is not None
    whole = between(slots, found.before, found.behind)
    empty = [n for n in range(found.before + 1, found.behind) if n != found.here]
    return whole and whole - promised(slots[n] for n in empty)


def _fills(slots: Sequence[Slot], found: Neighbours) -> bool:
    """It goes on from one of its neighbours into the other, and holds what is missing between."""
    assert found.before is not None
    assert found.behind is not None
    sides = between(slots, found.before, found.here), between(slots, found.here, found.behind)
    return all(side is not None and abs(side) <= APART for side in sides)


def _goes_on(slots: Sequence[Slot], found: Neighbours) -> bool:
    """Its clock goes on from another slot, or into one: it stands in the wrong place."""
    others = [n for n, s in enumerate(slots) if has_media(s) and n != found.here]
    gaps = [between(slots, n, found.here) for n in others if n != found.before]
    gaps += [between(slots, found.here, n) for n in others if n != found.behind]
    return any(gap is not None and abs(gap) <= APART for gap in gaps)


def _of_other_format(slots: Sequence[Slot], found: Neighbours) -> tuple[Slot, list[Finding]]:
    """At an end of the recording another format and another clock together tell."""
    slot = slots[found.here]
    beside = found.before if found.before is not None else found.behind
    off = found.since or found.until
    if beside is None or not off or min(map(abs, off.values())) <= OUT:
        return slot, []
    one, other = sorted((found.here, beside))
    few = sum(map(has_media, slots)) < 3  # which of two is another one?
    if few or slots[other].discontinuity:
        return slot, []
    if _names_agree(slots[one], slots[other], min(off.values(), key=abs)):
        return slot, []
    mine, usual = _formats(slot), _usual_formats(slots)
    if mine == usual or mine.keys() != usual.keys() or _formats(slots[beside]) != usual:
        return slot, []
    detail = "neither its clock nor its format go on from the others"
    return emptied(slot), [_foreign(slot, detail)]


def _names_agree(a: Slot, b: Slot, gap: int) -> bool:
    """The names tell of as long a gap between two slots as the clock does."""
    if a.utc is None or b.utc is None:
        return False
    return abs((b.utc - a.utc - (a.duration or 0.0)) * HZ - gap) <= OUT


def _usual_formats(slots: Sequence[Slot]) -> dict[str, Hashable]:
    """Those of most slots."""
    every = [_formats(slot) for slot in slots if has_media(slot)]
    return max(every, key=every.count)


def _foreign(slot: Slot, why: str) -> Finding:
    detail = f"{why}: it belongs to another recording"
    return Finding("SEG_FOREIGN", Severity.ERROR, slot.name, detail=detail)


def _counted(slots: Sequence[Slot], found: Neighbours) -> bool | None:
    """Whether every counter goes on over both its edges; None where that tells nothing, because
    only some do, or those of its neighbours do not go on either.
    """
    assert found.before is not None
    assert found.behind is not None
    own = [(found.before, found.here), (found.here, found.behind)]
    here = _pairs(slots, (edge for edge in own if edge[1] == edge[0] + 1))  # a hole breaks them all
    go_on = [continues(a, b) for a, b in here]
    if here and all(go_on):
        return True
    others = _pairs(slots, (e for e in pairwise(range(len(slots))) if found.here not in e))
    counts = sum(continues(a, b) for a, b in others) * 2 > len(others) >= ENOUGH
    anew = all(a.counters[0] == b.counters[0] for a, b in others)
    return False if counts and not anew and len(here) > 1 and not any(go_on) else None


def _pairs(slots: Sequence[Slot], edges: Iterable[tuple[int, int]]) -> list[tuple[Stream, Stream]]:
    """What stands on both sides of these edges, of each stream that both hold."""
    sides = [(streams_of(slots[a]), streams_of(slots[b])) for a, b in edges]
    return [(a[pid], b[pid]) for a, b in sides for pid in a.keys() & b.keys()]


def _step(slot: Slot, found: Neighbours) -> int:
    """By how much it is off: sound tells exactly, pictures may come at any time."""
    streams = streams_of(slot)
    sound = [ticks for pid, ticks in found.since.items() if _kind(streams[pid]) == "audio"]
    return (sound or [*found.since.values()])[0]


def _kind(stream: Stream) -> str:
    return stream.codec.kind if stream.codec else ""


def _seamless(slot: Slot, found: Neighbours, step: int) -> bool:
    """Sound and pictures both step by as much, and what lies between is as long as their place."""
    if len(found.since) < 2 or found.since.keys() != found.until.keys():
        return False
    off = [abs(since - step) for since in found.since.values()]
    off += [abs(until + step) for until in found.until.values()]
    return max(off) <= min(map(unit, streams_of(slot).values())) / 4


def _formats(slot: Slot) -> dict[str, Hashable]:
    found = {}
    for stream in streams_of(slot).values():
        if stream.codec and stream.config:
            found[stream.codec.kind] = needs(stream.codec, stream.config)
    return found
