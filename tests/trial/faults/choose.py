"""What a fault may happen to."""

import random

import numpy as np

from tests.trial import transport
from tests.trial.recordings import NUMBERS, Recording, Slice, Slot
from tests.trial.transport import Ints


class Unfit(Exception):
    """The recording has nothing that this could happen to."""


def usable(made: Recording) -> list[Slot]:
    """Slots of this recording that still hold packets."""
    return [
        s for s in made.slots if s.slice is not None and len(s.slice.data) > 60 and s.number >= 0
    ]


def any_of(made: Recording) -> tuple[Slot, Slice]:
    """One of them."""
    return _taken(made, usable(made))


def inner(made: Recording, edge: int = 1) -> tuple[Slot, Slice]:
    """One that is neither the first nor the last."""
    ends = {s.number for s in (*made.slots[:edge], *made.slots[-edge:])}
    return _taken(made, [s for s in usable(made) if s.number not in ends])


def _taken(made: Recording, slots: list[Slot]) -> tuple[Slot, Slice]:
    if not slots:
        raise Unfit("no slice is left for it")
    slot = made.chance.choice(slots)
    assert slot.slice is not None
    slot.slice = slot.slice.copy()
    return slot, slot.slice


def a_track(made: Recording) -> str:
    """Sound or pictures."""
    return made.chance.choice(made.tracks)


def needs(made: Recording, *tracks: str) -> None:
    """Leave if the recording has no such track."""
    if not set(tracks) <= set(made.tracks):
        raise Unfit(f"has no {' and '.join(tracks)}")


def some_rows(made: Recording, file: Slice, track: str, least: int = 1) -> Ints:
    """The packets of a track in a file."""
    rows = file.of(track)
    if len(rows) < least:
        raise Unfit(f"too little {track}")
    return rows


def without(file: Slice, rows: Ints) -> None:
    """Packets that are gone."""
    file.keep(np.setdiff1d(np.arange(len(file.data)), rows))


def amount(chance: random.Random, total: int) -> int:
    """A few, or a good part of it."""
    return min(chance.choice((1, 2, 5, 20, total // 10, total // 2, total * 9 // 10)), total - 8)


def digests(made: Recording, file: Slice, row: int, track: str) -> set[int]:
    """The units of the PES that begins in a packet."""
    number = int(file.origin[row]) % NUMBERS
    return {u.digest for u in made.units if u.track == track and u.head == number}


def maybe(made: Recording, track: str, seconds: float) -> None:
    made.maybe[track] = made.maybe.get(track, 0.0) + seconds


def one_clock(made: Recording, which: str) -> None:
    """Where the names and the media both tell the wrong time, nobody knows the right one."""
    if made.clocks - {which}:
        raise Unfit("another clock is wrong already")
    made.clocks.add(which)


def a_head(made: Recording, file: Slice) -> tuple[str, int, int]:
    track = a_track(made)
    rows = np.intersect1d(
        some_rows(made, file, track, 10), transport.heads(file.data, made.pid(track))
    )
    if not len(rows):
        raise Unfit("no PES begins here")
    row = made.chance.choice(rows.tolist())
    return track, row, int(transport.payload(file.data)[row])
