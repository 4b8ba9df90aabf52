"""Bits that were flipped, or that say what is not so."""

import numpy as np

from tests.trial import transport
from tests.trial.faults.choose import Unfit, a_head, a_track, any_of, digests, needs, some_rows
from tests.trial.recordings import ALTERED, NUMBERS, SUSPECT, TRACKS, Recording, Slice, Slot
from tests.trial.transport import Ints


def _flip(made: Recording, file: Slice, row: int, column: int, bits: tuple[int, ...]) -> str:
    bit = made.chance.choice(bits)
    file.data[row, column] ^= 1 << bit
    return f"bit {bit} of byte {column} of packet {row}"


def _flip_stamp(made: Recording, dts: bool) -> str:
    slot, file = any_of(made)
    track, row, start = a_head(made, file)
    if file.data[row, start + 7] & (0x40 if dts else 0x80) == 0:
        raise Unfit("has no such stamp")
    column = start + (14 if dts else 9) + made.chance.randrange(5)
    offset = column - start - (14 if dts else 9)
    free = {0: (1, 2, 3), 1: range(8), 2: range(1, 8), 3: range(8), 4: range(1, 8)}[offset]
    done = _flip(made, file, row, column, tuple(free))
    if not made.stream.steady and track == "video":
        made.loose |= digests(made, file, row, track)
    return f"slot {slot.number}: {'DTS' if dts else 'PTS'} of {track}, {done}"


def flipped_pts(made: Recording) -> str:
    """One bit of a PTS."""
    return _flip_stamp(made, dts=False)


def flipped_dts(made: Recording) -> str:
    """One bit of a DTS."""
    return _flip_stamp(made, dts=True)


def flipped_pes_header(made: Recording) -> str:
    """One bit of what follows a start code of a PES: identifier, length, flags."""
    slot, file = any_of(made)
    track, row, start = a_head(made, file)
    done = _flip(made, file, row, start + made.chance.choice((3, 4, 5, 6, 7, 8)), tuple(range(8)))
    return _suspect(made, slot, file, row, track, done)


def flipped_start_code(made: Recording) -> str:
    """One bit of the start code of a PES."""
    slot, file = any_of(made)
    track, row, start = a_head(made, file)
    done = _flip(made, file, row, start + made.chance.randrange(3), tuple(range(8)))
    return _suspect(made, slot, file, row, track, done)


def flipped_transport_header(made: Recording) -> str:
    """One bit of the header of a packet: sync byte, PID, counter, flags."""
    slot, file = any_of(made)
    track = a_track(made)
    row = made.chance.choice(some_rows(made, file, track, 10).tolist())
    done = _flip(made, file, row, made.chance.randrange(4), tuple(range(8)))
    return _suspect(made, slot, file, row, track, done)


def flipped_adaptation(made: Recording) -> str:
    """One bit of the length or the flags of an adaptation field."""
    slot, file = any_of(made)
    rows = np.flatnonzero((file.data[:, 3] & 0x20 > 0) & (file.origin >= 0))
    if not len(rows):
        raise Unfit("no adaptation field")
    row = made.chance.choice(rows.tolist())
    track = TRACKS[int(file.origin[row]) // NUMBERS]
    columns = (4, 4, 5) if file.data[row, 4] else (4,)  # an empty field has no flags
    before = int(file.data[row, 4])
    done = _flip(made, file, row, made.chance.choice(columns), tuple(range(8)))
    told = _suspect(made, slot, file, row, track, done)
    if file.data[row, 4] < before:  # some stuffing has become media, and who can tell?
        file.state[row] = ALTERED
    return told


def _suspect(made: Recording, slot: Slot, file: Slice, row: int, track: str, done: str) -> str:
    """All units of the PES may have to go; the bytes are there."""
    found = _pes_around(file, row, track)
    file.state[found] = SUSPECT
    made.doubts.append("a header with a flipped bit")
    return f"slot {slot.number}: {track}, {done}"


def _pes_around(file: Slice, row: int, track: str) -> Ints:
    own = file.of(track)
    begins = file.data[own, 1] & 0x40 > 0
    group = np.cumsum(begins)
    return own[group == group[np.searchsorted(own, row)]]


def flipped_payload(made: Recording) -> str:
    """One bit inside the media, which nobody can see."""
    slot, file = any_of(made)
    track = a_track(made)
    rows = some_rows(made, file, track, 10)
    inside = rows[file.data[rows, 1] & 0x40 == 0]
    if not len(inside):
        raise Unfit("every packet begins a PES")
    row = made.chance.choice(inside.tolist())
    done = _flip(made, file, row, made.chance.randint(120, 187), tuple(range(8)))
    file.state[row] = ALTERED
    made.doubts.append("a flipped bit of media")
    return f"slot {slot.number}: {track}, {done}"


def _marked(made: Recording, column: int, bit: int, doubt: str) -> str:
    slot, file = any_of(made)
    track = a_track(made)
    rows = some_rows(made, file, track, 20)
    start = made.chance.randrange(len(rows) - 8)
    chosen = rows[start : start + made.chance.randint(1, 8)]
    file.data[chosen, column] |= bit
    file.state[chosen] = SUSPECT
    made.doubts.append(doubt)
    return f"slot {slot.number}: {doubt}, {len(chosen)} of {track}"


def transport_error(made: Recording) -> str:
    """The indicator of an error is set in some packets (TEI)."""
    return _marked(made, 1, 0x80, "packets are marked as damaged")


def scrambled_bits(made: Recording) -> str:
    """Some packets say that they are scrambled."""
    return _marked(made, 3, 0x80, "packets say they are scrambled")


def wrong_pes_length(made: Recording) -> str:
    """The length of a PES is wrong, while all of it is there."""
    slot, file = any_of(made)
    track, row, start = a_head(made, file)
    was = int(file.data[row, start + 4]) << 8 | int(file.data[row, start + 5])
    if was == 0:
        raise Unfit("gives no length")
    now = max(1, was + made.chance.choice((-200, -7, 7, 200, 3000)))
    file.data[row, start + 4 : start + 6] = now >> 8, now & 255
    return f"slot {slot.number}: a {track} PES says {now} bytes and has {was}"


def adts_bits(made: Recording) -> str:
    """Bits of ADTS headers that mean nothing to a decoder: private, original, home, copyright."""
    needs(made, "audio")
    slot, file = any_of(made)
    changed = 0
    for rows in transport.pes(file.data, made.pid("audio")):
        changed += _adts_bits(made, file, rows)
    return f"slot {slot.number}: {changed} ADTS headers with other bits"


def _adts_bits(made: Recording, file: Slice, rows: Ints) -> int:
    starts = transport.payload(file.data)
    content, at = transport.bytes_of(file.data, rows, starts)
    header = 9 + content[8]
    column, bits = made.chance.choice(((2, 0x02), (3, 0x20), (3, 0x10), (1, 0x08)))
    changed = 0
    for first, _ in transport.frames(content[header:]):
        place = header + first + column
        within = int(np.searchsorted(at, place, "right")) - 1
        file.data[rows[within], starts[rows[within]] + place - at[within]] ^= bits
        changed += 1
    return changed
