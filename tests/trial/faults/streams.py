"""Whole streams: missing, garbage, elsewhere."""

import numpy as np

from tests.trial import transport
from tests.trial.faults.choose import Unfit, any_of, inner, needs, some_rows, without
from tests.trial.recordings import NOWHERE, Recording


def _track_missing(made: Recording, track: str) -> str:
    needs(made, "audio", "video")
    slot, file = any_of(made)
    rows = some_rows(made, file, track)
    edge = slot in (made.slots[0], made.slots[-1])
    if edge or made.counters == "anew" or len(rows) % 16 == 0:
        made.mute.add((slot.number, track))
    without(file, rows)
    return f"slot {slot.number} lacks its {track}"


def sound_missing(made: Recording) -> str:
    """One slice has no sound."""
    return _track_missing(made, "audio")


def pictures_missing(made: Recording) -> str:
    """One slice has no pictures."""
    return _track_missing(made, "video")


def sound_garbage(made: Recording) -> str:
    """From its middle on, the sound of a slice is no sound."""
    needs(made, "audio")
    slot, file = any_of(made)
    rows = some_rows(made, file, "audio", 20)
    start = made.chance.randrange(5, len(rows) - 10)
    end = made.chance.choice((len(rows), made.chance.randrange(start + 1, len(rows))))
    starts = transport.payload(file.data)
    for row in rows[start:end]:
        first = int(starts[row])
        if file.data[row, 1] & 0x40:
            first = min(188, first + 9 + int(file.data[row, first + 8]))
        file.data[row, first:] = np.frombuffer(made.chance.randbytes(188 - first), np.uint8)
    file.origin[rows[start:end]] = NOWHERE
    return f"slot {slot.number}: {end - start} packets of sound are garbage"


def pids_change(made: Recording) -> str:
    """From one slice on, streams have other PIDs."""
    if made.unsent:
        raise Unfit("nobody could know what was not sent")
    slot, _ = inner(made)
    step = made.chance.choice((2, 0x10, 0x100))
    for each in made.slots:
        if each.slice is not None and each.number >= slot.number:
            each.slice = each.slice.copy()
            _move_pids(made, each.slice.data, step)
    return f"from slot {slot.number} on, PIDs are {step:#x} higher"


def _move_pids(made: Recording, data: np.ndarray, step: int) -> None:
    for track in reversed(made.tracks):
        old = made.pid(track)
        transport.renamed(data, old, old + step)
        for row in np.flatnonzero(transport.pids(data) == made.cut.pmt):
            transport.edit_table(data, int(row), old, old + step)
