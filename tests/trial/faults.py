"""What can go wrong with a recording: one function for each kind, which says what it did.

A fault changes packets, slots and text, and never says what the product should find: the truth is
worked out afterwards from what is left.  A fault that does not fit raises :class:`Unfit`.
"""

import random
from collections.abc import Callable
from itertools import pairwise

import numpy as np

from tests.trial import material, transport
from tests.trial.recordings import (
    ALTERED,
    NOWHERE,
    NUMBERS,
    SUSPECT,
    TRACKS,
    Recording,
    Slice,
    Slot,
    sliced,
    wind,
)
from tests.trial.transport import HZ, WRAP, Ints

Kind = Callable[[Recording], str]


class Unfit(Exception):
    """The recording has nothing that this could happen to."""


# What to choose from.


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


# Files.


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


def _amount(chance: random.Random, total: int) -> int:
    """A few, or a good part of it."""
    return min(chance.choice((1, 2, 5, 20, total // 10, total // 2, total * 9 // 10)), total - 8)


def cut_end(made: Recording) -> str:
    """A slice ends too early, between two packets."""
    slot, file = any_of(made)
    lost = _amount(made.chance, len(file.data))
    file.keep(np.arange(len(file.data) - lost))
    if made.counters == "anew" or slot is made.slots[-1]:
        made.blind |= _less_than_a_frame(made, slot, file)
    return f"slot {slot.number} lacks its last {lost} packets"


def cut_head(made: Recording) -> str:
    """A slice begins too late, between two packets."""
    slot, file = any_of(made)
    lost = _amount(made.chance, len(file.data))
    file.keep(np.arange(lost, len(file.data)))
    if made.counters == "anew" or slot is made.slots[0]:
        made.blind |= _less_than_a_frame(made, slot, file)
    return f"slot {slot.number} lacks its first {lost} packets"


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
    lost = _amount(made.chance, len(file.data))
    keep = len(file.data) - lost
    file.behind = file.data[keep, : made.chance.randint(1, 187)].tobytes()
    file.keep(np.arange(keep))
    return f"slot {slot.number} lacks its last {lost} packets but {len(file.behind)} bytes"


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


# Packets.


def lost_of_one(made: Recording) -> str:
    """Some packets of one track are gone."""
    slot, file = any_of(made)
    track = a_track(made)
    rows = some_rows(made, file, track, 40)
    count = made.chance.choice((1, 1, 2, 3, 7, 15, 17))
    start = made.chance.randrange(1, len(rows) - count)
    without(file, rows[start : start + count])
    return f"slot {slot.number}: {count} {track} packets lost"


def lost_range(made: Recording) -> str:
    """Everything in a range is gone."""
    slot, file = any_of(made)
    count = made.chance.choice((1, 3, 10, 40, len(file.data) // 4))
    start = made.chance.randrange(1, len(file.data) - count)
    without(file, np.arange(start, start + count))
    return f"slot {slot.number}: packets {start} to {start + count - 1} lost"


def lost_sixteen(made: Recording) -> str:
    """A multiple of 16 packets of one track, which the counter cannot show."""
    slot, file = any_of(made)
    track = a_track(made)
    rows = some_rows(made, file, track, 60)
    count = 16 * made.chance.choice((1, 1, 2, 3))
    if len(rows) < count + 2:
        raise Unfit("too few packets")
    start = made.chance.randrange(1, len(rows) - count)
    low, high = (int(n) % NUMBERS for n in file.origin[rows[[start, start + count - 1]]])
    if track == "video" and not made.cut.picture_length:
        made.blind |= _blind(made, low, high)
    without(file, rows[start : start + count])
    return f"slot {slot.number}: {count} {track} packets lost"


def _blind(made: Recording, low: int, high: int) -> set[int]:
    """Pictures that lose these packets, if no reader of packets could know: all inside one
    picture, or where no distance of pictures is wrong because none is right.
    """
    hit = [u for u in made.units if u.track == "video" and u.first <= high and low <= u.last]
    torn_inside = len(hit) == 1 and hit[0].first < low
    return {u.digest for u in hit} if torn_inside or not made.stream.steady else set()


def lost_sound_pes(made: Recording) -> str:
    """A whole PES of sound of sixteen packets is gone."""
    needs(made, "audio")
    slot, file = any_of(made)
    found = [r for r in transport.pes(file.data, made.pid("audio")) if len(r) == 16]
    if not found:
        raise Unfit("no PES of sixteen packets")
    without(file, made.chance.choice(found))
    return f"slot {slot.number}: a sound PES of 16 packets lost"


def sent_again(made: Recording) -> str:
    """Sixteen packets of a picture were sent once more, which the counter cannot show."""
    needs(made, "video")
    slot, file = any_of(made)
    found = [r for r in transport.pes(file.data, made.pid("video")) if len(r) > 17]
    if not found:
        raise Unfit("no picture of more than sixteen packets")
    rows = made.chance.choice(found)
    start = made.chance.randrange(0, len(rows) - 16)
    again = rows[start : start + 16]
    order = np.insert(np.arange(len(file.data)), again[-1] + 1, again)
    file.keep(order)
    return f"slot {slot.number}: 16 packets of a picture again"


def _repeated(made: Recording, times: int) -> str:
    slot, file = any_of(made)
    track = a_track(made)
    rows = some_rows(made, file, track, 20)
    chosen = made.chance.sample(rows.tolist(), made.chance.randint(1, 9))
    order = np.repeat(
        np.arange(len(file.data)), np.isin(np.arange(len(file.data)), chosen) * (times - 1) + 1
    )
    file.keep(order)
    return f"slot {slot.number}: {len(chosen)} {track} packets {times} times"


def duplicates(made: Recording) -> str:
    """Packets that are sent twice, as 2.4.3.3 permits."""
    return _repeated(made, 2)


def triples(made: Recording) -> str:
    """Packets that are sent three times, as it does not."""
    return _repeated(made, 3)


def _flip(made: Recording, file: Slice, row: int, column: int, bits: tuple[int, ...]) -> str:
    bit = made.chance.choice(bits)
    file.data[row, column] ^= 1 << bit
    return f"bit {bit} of byte {column} of packet {row}"


def _a_head(made: Recording, file: Slice) -> tuple[str, int, int]:
    track = a_track(made)
    rows = np.intersect1d(
        some_rows(made, file, track, 10), transport.heads(file.data, made.pid(track))
    )
    if not len(rows):
        raise Unfit("no PES begins here")
    row = made.chance.choice(rows.tolist())
    return track, row, int(transport.payload(file.data)[row])


def _flip_stamp(made: Recording, dts: bool) -> str:
    slot, file = any_of(made)
    track, row, start = _a_head(made, file)
    if file.data[row, start + 7] & (0x40 if dts else 0x80) == 0:
        raise Unfit("has no such stamp")
    column = start + (14 if dts else 9) + made.chance.randrange(5)
    offset = column - start - (14 if dts else 9)
    free = {0: (1, 2, 3), 1: range(8), 2: range(1, 8), 3: range(8), 4: range(1, 8)}[offset]
    done = _flip(made, file, row, column, tuple(free))
    if not made.stream.steady and track == "video":
        made.loose |= _digests(made, file, row, track)
    return f"slot {slot.number}: {'DTS' if dts else 'PTS'} of {track}, {done}"


def _digests(made: Recording, file: Slice, row: int, track: str) -> set[int]:
    """The units of the PES that begins in a packet."""
    number = int(file.origin[row]) % NUMBERS
    return {u.digest for u in made.units if u.track == track and u.head == number}


def flipped_pts(made: Recording) -> str:
    """One bit of a PTS."""
    return _flip_stamp(made, dts=False)


def flipped_dts(made: Recording) -> str:
    """One bit of a DTS."""
    return _flip_stamp(made, dts=True)


def flipped_pes_header(made: Recording) -> str:
    """One bit of what follows a start code of a PES: identifier, length, flags."""
    slot, file = any_of(made)
    track, row, start = _a_head(made, file)
    done = _flip(made, file, row, start + made.chance.choice((3, 4, 5, 6, 7, 8)), tuple(range(8)))
    return _suspect(made, slot, file, row, track, done)


def flipped_start_code(made: Recording) -> str:
    """One bit of the start code of a PES."""
    slot, file = any_of(made)
    track, row, start = _a_head(made, file)
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
    done = _flip(made, file, row, made.chance.choice((4, 4, 5)), tuple(range(8)))
    return _suspect(made, slot, file, row, track, done)


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


def transport_error(made: Recording) -> str:
    """The indicator of an error is set in some packets (TEI)."""
    slot, file = any_of(made)
    track = a_track(made)
    rows = some_rows(made, file, track, 20)
    start = made.chance.randrange(len(rows) - 8)
    chosen = rows[start : start + made.chance.randint(1, 8)]
    file.data[chosen, 1] |= 0x80
    file.state[chosen] = SUSPECT
    made.doubts.append("the sender marked packets as damaged")
    return f"slot {slot.number}: TEI in {len(chosen)} {track} packets"


def scrambled_bits(made: Recording) -> str:
    """Some packets say that they are scrambled."""
    slot, file = any_of(made)
    track = a_track(made)
    rows = some_rows(made, file, track, 20)
    start = made.chance.randrange(len(rows) - 8)
    chosen = rows[start : start + made.chance.randint(1, 8)]
    file.data[chosen, 3] |= 0x80
    file.state[chosen] = SUSPECT
    made.doubts.append("packets say they are scrambled")
    return f"slot {slot.number}: scrambled bits in {len(chosen)} {track} packets"


def null_packets(made: Recording) -> str:
    """Padding of a constant bit rate."""
    slot, file = any_of(made)
    for _ in range(made.chance.randint(1, 20)):
        at = made.chance.randrange(len(file.data))
        file.insert(at, transport.null_packets(made.chance.randint(1, 9)))
    return f"slot {slot.number}: null packets"


def filled_adaptation(made: Recording) -> str:
    """Packets whose adaptation field fills them."""
    slot, file = any_of(made)
    track = a_track(made)
    for _ in range(made.chance.randint(1, 9)):
        row = made.chance.choice(some_rows(made, file, track, 10).tolist())
        pid = int(transport.pids(file.data)[row])
        file.insert(row + 1, transport.waiting(pid, int(file.data[row, 3]) & 15))
    return f"slot {slot.number}: packets without payload on the PID of {track}"


def wrong_pes_length(made: Recording) -> str:
    """The length of a PES is wrong, while all of it is there."""
    slot, file = any_of(made)
    track, row, start = _a_head(made, file)
    was = int(file.data[row, start + 4]) << 8 | int(file.data[row, start + 5])
    if was == 0:
        raise Unfit("gives no length")
    now = max(1, was + made.chance.choice((-200, -7, 7, 200, 3000)))
    file.data[row, start + 4 : start + 6] = now >> 8, now & 255
    return f"slot {slot.number}: a {track} PES says {now} bytes and has {was}"


def tables_missing(made: Recording) -> str:
    """A slice has no PAT, no PMT, or neither."""
    slot, file = any_of(made)
    tables = made.chance.choice(((0,), (made.cut.pmt,), (0, made.cut.pmt)))
    without(file, np.flatnonzero(np.isin(transport.pids(file.data), tables)))
    return f"slot {slot.number} lacks the tables of PIDs {tables}"


def tables_only(made: Recording) -> str:
    """A slice in which nothing but tables stands."""
    slot, file = inner(made)
    at = made.slots.index(slot)
    begin = sum(s.seconds for s in made.slots[:at])
    rows = np.flatnonzero(np.isin(transport.pids(file.data), (0, made.cut.pmt)))[:2]
    empty = sliced(file.data[rows].tobytes())
    name = made.name_at(begin - 0.002, 90_000 + slot.number)
    made.slots.insert(at, Slot(-1, name, 0.0, empty))
    return f"a slice of tables in front of slot {slot.number}"


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


def clock_jumps_declared(made: Recording) -> str:
    """From one slice on, the clock is further ahead, with the tag that says so."""
    _one_clock(made, "media")
    slot, _ = inner(made)
    seconds = made.chance.choice((7, 60, 4000))
    wind(made, seconds * HZ, slot.number)
    slot.tags = ["#EXT-X-DISCONTINUITY", *slot.tags]
    return f"the clock is {seconds} s ahead from slot {slot.number} on, which is declared"


# The playlist.


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
            _maybe(made, track, max(0.0, slot.seconds - was))
    return f"slot {slot.number}: EXTINF {slot.seconds:.3f} instead of {was:.3f}"


def rounded_extinf(made: Recording) -> str:
    """All lengths in whole seconds."""
    made.rounded = True
    return "EXTINF in whole seconds"


# Time.


def _shift_track(made: Recording, track: str) -> str:
    needs(made, "audio", "video")
    slot, file = any_of(made)
    seconds = round(made.chance.uniform(0.5, 30) * made.chance.choice((-1, 1)), 3)
    transport.move(file.data, made.pid(track), round(seconds * HZ))
    made.astray.add((slot.number, track))
    return f"slot {slot.number}: {track} {seconds:+.3f} s"


def sound_shifted(made: Recording) -> str:
    """The stamps of the sound of one slice are wrong."""
    return _shift_track(made, "audio")


def pictures_shifted(made: Recording) -> str:
    """The stamps of the pictures of one slice are wrong."""
    return _shift_track(made, "video")


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


def _one_clock(made: Recording, which: str) -> None:
    """Where the names and the media both tell the wrong time, nobody knows the right one."""
    if made.clocks - {which}:
        raise Unfit("another clock is wrong already")
    made.clocks.add(which)


def clock_steps_once(made: Recording) -> str:
    """The clock of one slice is hours away."""
    _one_clock(made, "media")
    slot, _ = inner(made)
    seconds = made.chance.choice((-7200, -3600, 3600, 7200, 36_000))
    wind(made, seconds * HZ, slot.number, slot.number + 1)
    return f"slot {slot.number}: its clock is {seconds} s off"


def _restart(made: Recording, declared: bool) -> str:
    _one_clock(made, "media")
    slot, file = inner(made)
    first = min(
        int(transport.read(file.data, s.rows[:1], s.at[:1])[0])
        for s in (transport.stamps(file.data, made.pid(t)) for t in made.tracks)
        if len(s.rows)
    )
    wind(made, made.chance.randint(0, 3) * HZ - first, slot.number)
    if declared:
        slot.tags = ["#EXT-X-DISCONTINUITY", *slot.tags]
    return f"the clock begins again at slot {slot.number}"


def clock_restarts(made: Recording) -> str:
    """From one slice on, the clock begins again."""
    return _restart(made, declared=False)


def clock_restarts_declared(made: Recording) -> str:
    """The same, with the tag that says so."""
    return _restart(made, declared=True)


def names_step_beside_gone(made: Recording) -> str:
    """The clock of the names steps where a slice is missing."""
    if not made.clock:
        raise Unfit("names without a clock")
    _one_clock(made, "names")
    slot, _ = inner(made)
    slot.slice = None
    step = made.chance.choice((-1800, 60, 3600))
    since = made.slots.index(slot) + 1
    begin = [sum(s.seconds for s in made.slots[:i]) for i in range(len(made.slots))]
    for i in range(since, len(made.slots)):
        made.slots[i].name = made.name_at(begin[i] + step, made.slots[i].number)
    return f"slot {slot.number} has no file, names step by {step} s behind it"


def two_cut(made: Recording) -> str:
    """The end of one slice and the beginning of the next are missing."""
    pairs = [(a, b) for a, b in pairwise(made.slots) if a in usable(made) and b in usable(made)]
    if not pairs:
        raise Unfit("no two slices in a row")
    one, two = made.chance.choice(pairs)
    one.slice, two.slice = one.slice.copy(), two.slice.copy()  # type: ignore[union-attr]
    a, b = (_amount(made.chance, len(s.data)) for s in (one.slice, two.slice))
    one.slice.keep(np.arange(len(one.slice.data) - a))
    two.slice.keep(np.arange(b, len(two.slice.data)))
    return f"slot {one.number} lacks its last {a} packets, slot {two.number} its first {b}"


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


def first_stamps_zero(made: Recording) -> str:
    """The first PES of a slice has stamps of zero."""
    slot, file = any_of(made)
    for track in made.tracks:
        for dts in (False, True):
            found = transport.stamps(file.data, made.pid(track), dts=dts)
            own = np.isin(found.rows, transport.heads(file.data, made.pid(track))[:1])
            rows, at = found.rows[own], found.at[own]
            transport.write(file.data, rows, at, np.zeros(len(rows), np.int64))
            if len(rows) and not made.stream.steady:
                made.loose |= _digests(made, file, int(rows[0]), track)
    return f"slot {slot.number} begins with stamps of zero"


def _decoding_times(made: Recording, back: float) -> str:
    needs(made, "video")
    slot, file = any_of(made)
    found = transport.stamps(file.data, made.pid("video"), dts=True)
    if len(found.rows) < 5:
        raise Unfit("has no decoding times")
    ticks = transport.read(file.data, found.rows, found.at)
    for i in made.chance.sample(range(1, len(ticks)), 3):
        frame = (ticks[i] - ticks[i - 1]) % WRAP
        ticks[i] = (ticks[i - 1] - round(back * int(frame))) % WRAP
    transport.write(file.data, found.rows, found.at, ticks)
    return f"slot {slot.number}: three decoding times run {back:g} frames back"


def dts_repeats(made: Recording) -> str:
    """Decoding times that are those of the picture before."""
    return _decoding_times(made, 0)


def dts_back(made: Recording) -> str:
    """Decoding times that run back by a frame."""
    return _decoding_times(made, 1)


# What a recorder does without anything being wrong; done before all else.


def _unsent(made: Recording, track: str, slots: set[int], pictures: int = 0) -> None:
    """A track that was not sent, but for its first units: counters go on over it."""
    keep = [u for u in made.units if not (u.track == track and u.slot in slots)]
    for number in slots:
        own = sorted(
            (u for u in made.units if u.track == track and u.slot == number), key=lambda u: u.first
        )
        keep += own[:pictures]
        last = max((u.last for u in own[:pictures]), default=-1)
        file = made.slots[number].slice
        assert file is not None
        rows = file.of(track)
        without(file, rows[file.origin[rows] % NUMBERS > last])
    ended = made.end()
    made.units = keep
    made.slots[-1].seconds -= (ended - made.end()) / HZ
    made.unsent |= {(number, track) for number in slots}
    made.recount()


def _maybe(made: Recording, track: str, seconds: float) -> None:
    made.maybe[track] = made.maybe.get(track, 0.0) + seconds


def late_sound(made: Recording) -> str:
    """Sound begins later."""
    needs(made, "audio", "video")
    count = made.chance.randint(1, len(made.slots) - 1)
    _unsent(made, "audio", set(range(count)))
    return f"no sound in the first {count} slots"


def late_pictures(made: Recording) -> str:
    """Pictures begin later."""
    needs(made, "audio", "video")
    count = made.chance.randint(1, len(made.slots) - 1)
    _unsent(made, "video", set(range(count)))
    return f"no pictures in the first {count} slots"


def pause(made: Recording) -> str:
    """Nobody speaks for whole slices."""
    needs(made, "audio", "video")
    if len(made.slots) < 4:
        raise Unfit("too few slots")
    first = made.chance.randint(1, len(made.slots) - 2)
    last = made.chance.randint(first, len(made.slots) - 2)
    _unsent(made, "audio", set(range(first, last + 1)))
    if made.counters == "anew":
        made.doubts.append("no sound, and no counter that says why")
        _maybe(made, "audio", sum(s.seconds for s in made.slots[first : last + 1]))
    return f"nobody speaks in slots {first} to {last}"


def still_screen(made: Recording) -> str:
    """No picture but the first for whole slices."""
    needs(made, "audio", "video")
    first = made.chance.randrange(len(made.slots))
    last = min(first + made.chance.randint(0, 3), len(made.slots) - 1)
    _unsent(made, "video", set(range(first, last + 1)), pictures=1)
    if made.counters == "anew":
        made.doubts.append("no pictures, and no counter that says why")
        _maybe(made, "video", sum(s.seconds for s in made.slots[first : last + 1]))
    return f"the screen stands still in slots {first} to {last}"


# Slices of another recording.


def _foreign(made: Recording, stream: material.Stream, ticks: int, length: float = 1.0) -> str:
    slot, file = inner(made)
    found = transport.stamps(file.data, made.pid(made.tracks[0]))
    if not len(found.rows):
        raise Unfit("has no stamps")
    begin = int(transport.read(file.data, found.rows[:1], found.at[:1])[0])
    cut = material.Cut(
        start=5.0,
        length=min(max(slot.seconds * length, 1.5), 40.0),
        each=60,
        tracks=made.tracks,
        muxer="segment",
        pid=made.cut.pid,
        pmt=made.cut.pmt,
        sound_pes=made.cut.sound_pes,
        picture_length=made.cut.picture_length,
    )
    file = sliced(material.slices(stream, cut)[0])
    found = transport.stamps(file.data, made.pid(made.tracks[0]))
    ticks += begin - int(transport.read(file.data, found.rows[:1], found.at[:1])[0])
    for track in made.tracks:
        transport.move(file.data, made.pid(track), ticks)
    transport.move_clock(file.data, ticks)
    slot.slice = file
    said = f"{stream.size}, {cut.length:.1f} s, clock {(ticks) / HZ:+.1f} s"
    return f"slot {slot.number} is of another recording, {said}"


def _away(made: Recording) -> int:
    return made.chance.choice((600, 2000, 40_000)) * HZ


def foreign_clock(made: Recording) -> str:
    """Same format, other clock."""
    twins = {0: 10, 10: 0, 1: 11, 11: 1}
    index = material.STREAMS.index(made.stream)
    if index not in twins:
        raise Unfit("no other recording of that format")
    return _foreign(made, material.STREAMS[twins[index]], _away(made))


def foreign_format(made: Recording) -> str:
    """Another format, on another clock or on one that fits."""
    others = [s for s in material.STREAMS if s.size != made.stream.size]
    chosen = made.chance.choice(others)
    return _foreign(made, chosen, made.chance.choice((0, _away(made))))


def foreign_length(made: Recording) -> str:
    """Same format, a clock that fits, and another length than EXTINF says."""
    twins = {0: 10, 10: 0, 1: 11, 11: 1}
    index = material.STREAMS.index(made.stream)
    if index not in twins:
        raise Unfit("no other recording of that format")
    done = _foreign(made, material.STREAMS[twins[index]], 0, made.chance.choice((0.3, 0.6, 2.0)))
    made.claimed += 40.0
    return done


NATURE: tuple[Kind, ...] = (late_sound, late_pictures, pause, still_screen)

KINDS: tuple[Kind, ...] = (
    *NATURE,
    *(slice_gone, slice_empty, slice_html, zero_block, cut_end, cut_head, cut_inside),
    *(garbage_behind, garbage_before, zeros_behind),
    *(lost_of_one, lost_range, lost_sixteen, lost_sound_pes, sent_again, duplicates, triples),
    *(flipped_pts, flipped_dts, flipped_pes_header, flipped_start_code),
    *(flipped_transport_header, flipped_adaptation, flipped_payload),
    *(transport_error, scrambled_bits, null_packets, filled_adaptation, wrong_pes_length),
    *(tables_missing, tables_only, adts_bits, clock_jumps_declared),
    *(listed_twice, copied_over, swapped, swapped_beside_gone, holds_the_next),
    *(line_removed, line_and_file_removed, playlist_cut, no_endlist, wrong_extinf, rounded_extinf),
    *(sound_shifted, pictures_shifted, sound_missing, pictures_missing, sound_garbage),
    *(clock_steps_once, clock_restarts, clock_restarts_declared, names_step_beside_gone, two_cut),
    *(pids_change, first_stamps_zero, dts_repeats, dts_back),
    *(foreign_clock, foreign_format, foreign_length),
)
