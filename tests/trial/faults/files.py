"""Files that are gone, empty, foreign, or cut."""

from itertools import pairwise

import numpy as np

from tests.trial.faults.choose import Unfit, amount, any_of, usable, without
from tests.trial.recordings import NOWHERE, NUMBERS, Recording, Slice, Slot

FEW = 3  # frames


def slice_gone(made: Recording) -> str:
    """A slice is listed, and there is no such file."""
    slot, _ = any_of(made)
    slot.slice = None
    return f"slot {slot.number} has no file"


def slice_empty(made: Recording) -> str:
    """An upload of nothing."""
    slot, file = any_of(made)
    without(file, np.arange(len(file.data)))
    return f"slot {slot.number} is empty"


def slice_html(made: Recording) -> str:
    """An error page was stored instead."""
    slot, file = any_of(made)
    without(file, np.arange(len(file.data)))
    file.before = b"<!DOCTYPE html><html><body><h1>503 Service Unavailable</h1></body></html>\n" * 9
    return f"slot {slot.number} is an error page"


def zero_block(made: Recording) -> str:
    """A block that was never written."""
    slot, file = any_of(made)
    size = made.chance.choice((4096, 16384, 65536))
    size = min(size, file.data.size // 2)
    start = made.chance.randrange(0, file.data.size - size)
    file.data.reshape(-1)[start : start + size] = 0
    file.origin[start // 188 : (start + size - 1) // 188 + 1] = NOWHERE
    return f"slot {slot.number}: {size} zero bytes at {start}"


def cut_end(made: Recording) -> str:
    """A slice ends too early, between two packets."""
    slot, file = any_of(made)
    lost = amount(made.chance, len(file.data))
    file.keep(np.arange(len(file.data) - lost))
    if made.counters == "anew" or slot is made.slots[-1]:
        made.blind |= _less_than_a_frame(made, slot, file)
    return f"slot {slot.number} lacks its last {lost} packets"


def cut_head(made: Recording) -> str:
    """A slice begins too late, between two packets."""
    slot, file = any_of(made)
    lost = amount(made.chance, len(file.data))
    file.keep(np.arange(lost, len(file.data)))
    if made.counters == "anew" or slot is made.slots[0]:
        made.blind |= _less_than_a_frame(made, slot, file)
    if slot is made.slots[0]:
        made.blind |= _late(made, slot, file)
    return f"slot {slot.number} lacks its first {lost} packets"


def _late(made: Recording, slot: Slot, file: Slice) -> set[int]:
    """The first frames of all, as few as no EXTINF tells, where a whole PES follows: the sound may
    have begun so late.
    """
    left = set((file.origin[file.of("audio")] % NUMBERS).tolist())
    own = [u for u in made.units if u.track == "audio" and u.slot == slot.number]
    gone = [u for u in own if not left.issuperset(range(u.first, u.last + 1))]
    part = any(not left.isdisjoint(range(u.head, u.last + 1)) for u in gone)
    return set() if part or len(gone) > FEW else {u.digest for u in gone}


def _less_than_a_frame(made: Recording, slot: Slot, file: Slice) -> set[int]:
    """The units that a cut took, if it left no trace: no counter goes on from here, at most one
    unit of each track is gone, and of none that gives its length a part is left.
    """
    found: set[int] = set()
    for track in made.tracks:
        left = set((file.origin[file.of(track)] % NUMBERS).tolist())
        own = [u for u in made.units if u.track == track and u.slot == slot.number]
        gone = [u for u in own if not left.issuperset(range(u.first, u.last + 1))]
        trace = track == "audio" or made.cut.picture_length or any(u.head not in left for u in gone)
        part = any(not left.isdisjoint(range(u.head, u.last + 1)) for u in gone)
        if len(gone) > 1 or (trace and part):
            return set()
        found |= {u.digest for u in gone}
    return found


def cut_inside(made: Recording) -> str:
    """A slice ends inside a packet."""
    slot, file = any_of(made)
    lost = amount(made.chance, len(file.data))
    keep = len(file.data) - lost
    file.behind = file.data[keep, : made.chance.randint(1, 187)].tobytes()
    file.keep(np.arange(keep))
    return f"slot {slot.number} lacks its last {lost} packets but {len(file.behind)} bytes"


def two_cut(made: Recording) -> str:
    """The end of one slice and the beginning of the next are missing."""
    pairs = [(a, b) for a, b in pairwise(made.slots) if a in usable(made) and b in usable(made)]
    if not pairs:
        raise Unfit("no two slices in a row")
    one, two = made.chance.choice(pairs)
    one.slice, two.slice = one.slice.copy(), two.slice.copy()  # type: ignore[union-attr]
    a, b = (amount(made.chance, len(s.data)) for s in (one.slice, two.slice))
    one.slice.keep(np.arange(len(one.slice.data) - a))
    two.slice.keep(np.arange(b, len(two.slice.data)))
    if made.counters == "anew":
        for slot, file in ((one, one.slice), (two, two.slice)):
            made.blind |= _less_than_a_frame(made, slot, file)
    return f"slot {one.number} lacks its last {a} packets, slot {two.number} its first {b}"


def garbage_behind(made: Recording) -> str:
    """Bytes that belong to nothing follow."""
    slot, file = any_of(made)
    file.behind += made.chance.randbytes(made.chance.choice((7, 188, 400, 5000)))
    if made.counters == "anew" or slot is made.slots[-1]:
        made.doubts.append("what follows a slice may have been media")
    return f"slot {slot.number}: {len(file.behind)} bytes of garbage behind"


def garbage_before(made: Recording) -> str:
    """Bytes that belong to nothing stand in front."""
    slot, file = any_of(made)
    file.before = made.chance.randbytes(made.chance.choice((7, 188, 400))) + file.before
    if made.counters == "anew" or slot is made.slots[0]:
        made.doubts.append("what stands before a slice may have been media")
    return f"slot {slot.number}: {len(file.before)} bytes of garbage in front"


def zeros_behind(made: Recording) -> str:
    """Room that was reserved and not needed."""
    slot, file = any_of(made)
    file.behind += bytes(made.chance.choice((100, 188, 1880, 4096)))
    return f"slot {slot.number}: {len(file.behind)} zero bytes behind"
