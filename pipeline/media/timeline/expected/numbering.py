"""Numbers that the names of slices leave out."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from pipeline.media.slots.segments import Slot

STEPS = 1  # steps by one at least, to show that a writer counts
MOST = 3  # numbers left out at once, at most: more are another count
_NUMBERED = re.compile(r"(.*?)([0-9]{1,9})(\.[^./]*)?$", re.DOTALL)


def left_out(slots: Sequence[Slot]) -> dict[int, int]:
    """How many numbers are missing in front of a slot, by its position; empty unless all other
    slots are numbered one by one.
    """
    steps = dict(_steps(slots))
    wide = {position: step - 1 for position, step in steps.items() if step != 1}
    counted = len(steps) - len(wide) >= STEPS and len(wide) == 1
    return {n: gap for n, gap in wide.items() if counted and 0 < gap <= MOST}


def _steps(slots: Sequence[Slot]) -> Iterator[tuple[int, int]]:
    """The step from one number to the next, by the position of the latter."""
    found = [_NUMBERED.match(slot.name) for slot in slots]
    for position, (before, here) in enumerate(pairwise(found), 1):
        if before and here and before[1] == here[1]:
            yield position, int(here[2]) - int(before[2])
