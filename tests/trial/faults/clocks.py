"""Time stamps and the clocks of whole slices."""

import numpy as np

from tests.trial import transport
from tests.trial.faults.choose import Unfit, any_of, digests, inner, needs, one_clock
from tests.trial.recordings import Recording, Slot, wind
from tests.trial.transport import HZ, WRAP


def _shift_track(made: Recording, track: str) -> str:
    needs(made, "audio", "video")
    slot, file = any_of(made)
    if not all(len(file.of(each)) for each in made.tracks):
        raise Unfit("alone in its slice it tells no shift from a slice of another recording")
    beside = {(slot.number - 1, track), (slot.number + 1, track)}
    if beside & made.unsent and not _beside(made, slot, track):
        raise Unfit("no slot beside it tells when it should be heard")
    seconds = round(made.chance.uniform(0.5, 30) * made.chance.choice((-1, 1)), 3)
    transport.move(file.data, made.pid(track), round(seconds * HZ))
    made.astray.add((slot.number, track))
    return f"slot {slot.number}: {track} {seconds:+.3f} s"


def _beside(made: Recording, slot: Slot, track: str) -> bool:
    """A slot beside it holds the track."""
    near = [s for s in made.slots if abs(s.number - slot.number) == 1 and s.slice is not None]
    return any(len(s.slice.of(track)) for s in near if s.slice is not None)


def sound_shifted(made: Recording) -> str:
    """The stamps of the sound of one slice are wrong."""
    return _shift_track(made, "audio")


def pictures_shifted(made: Recording) -> str:
    """The stamps of the pictures of one slice are wrong."""
    return _shift_track(made, "video")


def clock_steps_once(made: Recording) -> str:
    """The clock of one slice is hours away."""
    one_clock(made, "media")
    slot, file = inner(made)
    tracks = [track for track in made.tracks if len(file.of(track))]
    if made.counters == "anew" and (len(tracks) < 2 or not made.stream.steady):
        raise Unfit("without counters only two steady tracks tell it from a foreign slice")
    seconds = made.chance.choice((-7200, -3600, 3600, 7200, 36_000))
    wind(made, seconds * HZ, slot.number, slot.number + 1)
    return f"slot {slot.number}: its clock is {seconds} s off"


def _restart(made: Recording, declared: bool) -> str:
    one_clock(made, "media")
    slot, file = inner(made)
    told = [transport.stamps(file.data, made.pid(track)) for track in made.tracks]
    firsts = [int(transport.read(file.data, s.rows[:1], s.at[:1])[0]) for s in told if len(s.rows)]
    if not firsts:
        raise Unfit("a slice without a stamp")
    first = min(firsts)
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


def clock_jumps_declared(made: Recording) -> str:
    """From one slice on, the clock is further ahead, with the tag that says so."""
    one_clock(made, "media")
    slot, _ = inner(made)
    seconds = made.chance.choice((7, 60, 4000))
    wind(made, seconds * HZ, slot.number)
    slot.tags = ["#EXT-X-DISCONTINUITY", *slot.tags]
    return f"the clock is {seconds} s ahead from slot {slot.number} on, which is declared"


def names_step_beside_gone(made: Recording) -> str:
    """The clock of the names steps where a slice is missing."""
    if not made.clock:
        raise Unfit("names without a clock")
    one_clock(made, "names")
    slot, _ = inner(made)
    slot.slice = None
    step = made.chance.choice((-1800, 60, 3600))
    since = made.slots.index(slot) + 1
    begin = [sum(s.seconds for s in made.slots[:i]) for i in range(len(made.slots))]
    for i in range(since, len(made.slots)):
        made.slots[i].name = made.name_at(begin[i] + step, made.slots[i].number)
    return f"slot {slot.number} has no file, names step by {step} s behind it"


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
                made.loose |= digests(made, file, int(rows[0]), track)
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
