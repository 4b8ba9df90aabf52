"""Whether a slot belongs to this recording: by its clock, format, length and counters.

Times are ticks of 90 kHz unless they say seconds.
"""

from collections.abc import Hashable, Sequence

from pipeline.media.clock import HZ
from pipeline.media.es.formats import needs
from pipeline.media.slots.neighbours import (
    Neighbours,
    between,
    emptied,
    lasting,
    length,
    promised,
    streams_of,
)
from pipeline.media.slots.segments import Slot, has_media
from pipeline.media.slots.shifts import APART
from pipeline.media.slots.stepped import (
    counted,
    set_by_neighbours,
    set_by_only_neighbour,
    step,
)
from pipeline.model import Finding, Severity

OUT = HZ  # a slot whose clock is further off than this from both its neighbours is out of line
MORE = HZ // 5  # ticks by which a slot is longer than EXTINF, where no other slot is
UNITS = 1.5  # access units by which no writer goes back where it changes the format
ENOUGH = 3  # other slots that show how exact EXTINF is
MISSING = (
    5  # times as long as a slot: if its neighbours are further apart, their clocks say nothing
)


def in_line(slots: Sequence[Slot], found: Neighbours) -> tuple[Slot, list[Finding]]:
    """The slot ``found.here`` and what is wrong with it.  A clock that steps out and back again
    marks a slice of another recording, and the slot is emptied; unless every counter goes on
    through it, or each stream fits to a fraction of a unit: then its stamps are set by its
    neighbours.
    """
    slot = slots[found.here]
    if found.before is None or found.behind is None or not found.since or not found.until:
        return set_by_only_neighbour(slots, found) or _of_other_format(slots, found)
    if min(*found.since.values(), *found.until.values()) >= 0:
        return slot, []  # between its neighbours, however sparse
    off = [min(map(abs, side.values())) for side in (found.since, found.until)]
    if why := _belongs_nowhere(slots, found, astray=min(off) > OUT):
        return emptied(slot), [_foreign(slot, why)]
    over = -min(max(side.values()) for side in (found.since, found.until))
    no_room = _has_no_room(slots, found)
    if not no_room and _has_its_place(slots, found, over):
        return slot, []
    if _is_announced(slots, found) or _goes_on(slots, found):
        return slot, []
    if no_room:
        detail = "its neighbours follow each other by the clock, and it has another format"
        return emptied(slot), [_foreign(slot, detail)]
    if min(off) <= OUT:
        detail = f"its neighbours follow each other by the clock, and it reaches {over / HZ:.3f} s"
        return emptied(slot), [_foreign(slot, f"{detail} into one of them")]
    back = set_by_neighbours(slots, found)
    if back is not None:
        return back
    detail = f"its clock is {step(slot, found.since) / HZ:+.3f} s off that of both its neighbours"
    return emptied(slot), [_foreign(slot, detail)]


def _is_announced(slots: Sequence[Slot], found: Neighbours) -> bool:
    """Whether the clock may restart in front of the slot or behind it (EXT-X-DISCONTINUITY)."""
    assert found.behind is not None
    return slots[found.here].discontinuity or slots[found.behind].discontinuity


def _has_its_place(slots: Sequence[Slot], found: Neighbours, over: int) -> bool:
    """Whether the slot fills what is missing between its neighbours, or the room there says
    nothing; ``over`` is how many ticks it reaches into one of them.
    """
    slot = slots[found.here]
    room = _room(slots, found)
    if _fills(slots, found) or room is None:
        return True
    if min(min(map(abs, side.values())) for side in (found.since, found.until)) > OUT:
        return not length(slot) - OUT <= room <= MISSING * length(slot) + OUT
    return over <= 2 * APART or abs(room - length(slot)) > APART


def _belongs_nowhere(slots: Sequence[Slot], found: Neighbours, *, astray: bool) -> str:
    """Why a slot is of another recording, whatever EXT-X-DISCONTINUITY announces, if its clock is
    ``astray``, off both its neighbours, or its format differs; empty where nothing else says so.
    """
    differs = _differs_in_all(slots, found)
    if not (astray or differs) or counted(slots, found) or _goes_on(slots, found):
        return ""
    slot = slots[found.here]
    lasts = lasting(slot)
    named = _named(slots, found.here)
    told = round(HZ * (slot.duration or 0.0))
    exact = differs and _as_long_as_told(slots, found)
    agree = exact or (named is not None and abs(named - told) <= OUT / 2)
    if agree and lasts - told > (MORE if exact else APART if differs else OUT):
        return f"it holds {lasts / HZ:.3f} s, EXTINF and the slice names say {told / HZ:.3f} s"
    over = [max(side.values()) for side in (found.since, found.until)]
    if differs and max(over) < -UNITS * max(s.unit for s in streams_of(slot).values()):
        return "it has another format than its neighbours, and lies over both by its clock"
    if astray and differs and len(_formats(slot)) > 1 and not _is_announced(slots, found):
        return "sound and picture have another format and another clock than on both sides"
    return ""


def _as_long_as_told(slots: Sequence[Slot], found: Neighbours) -> bool:
    """Whether all other slots are as long as their EXTINF, to a tenth of a second; the last one may
    lack its end.
    """
    others = [(n, s) for n, s in enumerate(slots) if n != found.here and has_media(s)]
    off = {n: abs(lasting(s) - length(s)) for n, s in others if s.duration and not s.rounded}
    exact = [n for n, ticks in off.items() if ticks <= HZ / 10]
    return len(exact) >= ENOUGH and {n for n, _ in others} <= {*exact, len(slots) - 1}


def _named(slots: Sequence[Slot], number: int) -> int | None:
    """Ticks from one slot to the next by their names."""
    here, then = slots[number], slots[number + 1] if number + 1 < len(slots) else None
    if then is None or here.utc is None or then.utc is None or here.part != then.part:
        return None
    return round(HZ * (then.utc - here.utc))


def _differs_in_all(slots: Sequence[Slot], found: Neighbours) -> bool:
    """Whether each stream of the slot has another format than on both sides, or on the one that has
    such a stream.
    """
    assert found.before is not None
    assert found.behind is not None
    mine, one, other = (_formats(slots[n]) for n in (found.here, found.before, found.behind))
    both = one.keys() & other.keys()
    if not mine or not both or any(one[kind] != other[kind] for kind in both):
        return False
    return all(mine[kind] != {**one, **other}.get(kind) for kind in mine)


def _has_no_room(slots: Sequence[Slot], found: Neighbours) -> bool:
    """Whether the slot overlaps both its neighbours by the clock, which leave no room between them,
    and has another format than they.
    """
    assert found.before is not None
    assert found.behind is not None
    gap = between(slots, found.before, found.behind)
    over = max(*found.since.values(), *found.until.values()) < -APART
    mine, one, other = (_formats(slots[n]) for n in (found.here, found.before, found.behind))
    return gap is not None and abs(gap) <= APART and over and mine != one == other


def _room(slots: Sequence[Slot], found: Neighbours) -> int | None:
    """Ticks between the neighbours of the slot, less the EXTINF of other empty slots there."""
    assert found.before is not None
    assert found.behind is not None
    whole = between(slots, found.before, found.behind)
    empty = [n for n in range(found.before + 1, found.behind) if n != found.here]
    return whole and whole - promised(slots[n] for n in empty)


def _fills(slots: Sequence[Slot], found: Neighbours) -> bool:
    """Whether the slot continues one neighbour and leads into the other by the clock."""
    assert found.before is not None
    assert found.behind is not None
    sides = between(slots, found.before, found.here), between(slots, found.here, found.behind)
    return all(side is not None and abs(side) <= APART for side in sides)


def _goes_on(slots: Sequence[Slot], found: Neighbours) -> bool:
    """Whether the slot continues another slot of its format, or leads into one, by the clock: then
    it is only in the wrong place.
    """
    others = [n for n, s in enumerate(slots) if has_media(s) and n != found.here]
    before, behind = (n if n is None else slots[n].name for n in (found.before, found.behind))
    gaps = [(n, between(slots, n, found.here)) for n in others if slots[n].name != before]
    gaps += [(n, between(slots, found.here, n)) for n in others if slots[n].name != behind]
    near = [n for n, gap in gaps if gap is not None and abs(gap) <= APART]
    return any(_formats(slots[n]) == _formats(slots[found.here]) for n in near)


def _of_other_format(slots: Sequence[Slot], found: Neighbours) -> tuple[Slot, list[Finding]]:
    """At an end of the recording another format and another clock together mark a foreign slot."""
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
    """Whether the names have as long a gap between two slots as the clock, to ``OUT``."""
    if a.utc is None or b.utc is None:
        return False
    return abs((b.utc - a.utc - (a.duration or 0.0)) * HZ - gap) <= OUT


def _usual_formats(slots: Sequence[Slot]) -> dict[str, Hashable]:
    """The formats that most slots have, by kind."""
    every = [_formats(slot) for slot in slots if has_media(slot)]
    return max(every, key=every.count)


def _foreign(slot: Slot, why: str) -> Finding:
    detail = f"{why}: it belongs to another recording"
    return Finding("SEG_FOREIGN", Severity.ERROR, slot.name, detail=detail)


def _formats(slot: Slot) -> dict[str, Hashable]:
    found = {}
    for stream in streams_of(slot).values():
        if stream.codec and stream.config:
            found[stream.codec.kind] = needs(stream.codec, stream.config)
    return found
