"""Packets that are lost, sent again, or there for nothing."""

import numpy as np

from tests.trial import transport
from tests.trial.faults.choose import Unfit, a_track, any_of, inner, needs, some_rows, without
from tests.trial.recordings import NUMBERS, Recording, Slot, sliced


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
    picture, the last ones of all, or where no distance of pictures is wrong because none is right.
    """
    pictures = [u for u in made.units if u.track == "video"]
    hit = [u for u in pictures if u.first <= high and low <= u.last]
    torn_inside = len(hit) == 1 and hit[0].first < low
    at_the_end = hit[-1] is pictures[-1] and hit[0].first < low
    blind = torn_inside or at_the_end or not made.stream.steady
    return {u.digest for u in hit} if blind else set()


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
