"""The playlist: lines, lengths, and which file stands under which name."""

from itertools import pairwise

import numpy as np

from tests.trial.faults.choose import Unfit, any_of, maybe, usable
from tests.trial.recordings import Recording, Slot


def listed_twice(made: Recording) -> str:
    """One line stands there twice."""
    slot, _ = any_of(made)
    again = Slot(-1, slot.name, slot.seconds, slot.slice)
    made.slots.insert(made.slots.index(slot) + made.chance.choice((1, 1, 2)), again)
    return f"slot {slot.number} is listed twice"


def copied_over(made: Recording) -> str:
    """The bytes of one slice stand under the name of another one."""
    slot, file = any_of(made)
    others = [s for s in usable(made) if s is not slot]
    if not others:
        raise Unfit("no other slice")
    place = made.slots.index(slot)
    near = [s for s in others if abs(made.slots.index(s) - place) == 1]
    other = made.chance.choice(near if near and made.chance.random() < 0.7 else others)
    other.slice = file.copy()
    return f"slot {other.number} holds the bytes of slot {slot.number}"


def swapped(made: Recording) -> str:
    """Two lines stand in the wrong order."""
    at = made.chance.randrange(len(made.slots) - 1)
    _swap(made, at)
    return f"slots {made.slots[at].number} and {made.slots[at + 1].number} are swapped"


def _swap(made: Recording, at: int) -> None:
    made.slots[at], made.slots[at + 1] = made.slots[at + 1], made.slots[at]


def swapped_beside_gone(made: Recording) -> str:
    """The same, next to a slice that is not there."""
    if len(made.slots) < 5:
        raise Unfit("too few slots")
    at = made.chance.randrange(1, len(made.slots) - 3)
    _swap(made, at)
    gone = made.slots[made.chance.choice((at - 1, at + 2))]
    gone.slice = None
    return f"slots {at} and {at + 1} are swapped, slot {gone.number} has no file"


def holds_the_next(made: Recording) -> str:
    """A slice that contains the next one as well, which is there too."""
    pairs = [(a, b) for a, b in pairwise(made.slots) if a in usable(made) and b in usable(made)]
    if not pairs:
        raise Unfit("no two slices in a row")
    one, two = made.chance.choice(pairs)
    assert one.slice is not None
    assert two.slice is not None
    first, second = one.slice.copy(), two.slice
    first.data = np.concatenate([first.data, second.data])
    first.origin = np.concatenate([first.origin, second.origin])
    first.state = np.concatenate([first.state, second.state])
    one.slice = first
    return f"slot {one.number} also holds slot {two.number}"


def line_removed(made: Recording) -> str:
    """A slice lies there and is not listed."""
    slot, _ = any_of(made)
    slot.listed = False
    return f"slot {slot.number} is not listed"


def line_and_file_removed(made: Recording) -> str:
    """A slice is neither listed nor there."""
    slot, _ = any_of(made)
    slot.listed, slot.slice = False, None
    return f"slot {slot.number} is neither listed nor there"


def playlist_cut(made: Recording) -> str:
    """The playlist ends inside a line."""
    made.cut_text = made.chance.uniform(0.5, 0.99)
    return f"the playlist ends after {made.cut_text:.0%}, inside a line"


def no_endlist(made: Recording) -> str:
    """The playlist was never closed."""
    made.ended = False
    return "no EXT-X-ENDLIST"


def wrong_extinf(made: Recording) -> str:
    """One line gives another length than the slice has."""
    slot, _ = any_of(made)
    was = slot.seconds
    slot.seconds = made.chance.choice((was * 3, was / 3, was + 10, 0.04))
    if slot is made.slots[-1] or (slot is made.slots[0] and not made.clock):
        made.doubts.append("nothing but EXTINF says how long the first or last slice was")
        for track in made.tracks:
            maybe(made, track, max(0.0, slot.seconds - was))
    return f"slot {slot.number}: EXTINF {slot.seconds:.3f} instead of {was:.3f}"


def rounded_extinf(made: Recording) -> str:
    """All lengths in whole seconds."""
    made.rounded = True
    return "EXTINF in whole seconds"
