"""What a recorder does without anything being wrong; it happens before all faults."""

from tests.trial.faults.choose import Unfit, maybe, needs, without
from tests.trial.recordings import NUMBERS, Recording
from tests.trial.transport import HZ


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
        maybe(made, "audio", sum(s.seconds for s in made.slots[first : last + 1]))
    return f"nobody speaks in slots {first} to {last}"


def still_screen(made: Recording) -> str:
    """No picture but the first for whole slices."""
    needs(made, "audio", "video")
    first = made.chance.randrange(len(made.slots))
    last = min(first + made.chance.randint(0, 3), len(made.slots) - 1)
    _unsent(made, "video", set(range(first, last + 1)), pictures=1)
    if made.counters == "anew":
        made.doubts.append("no pictures, and no counter that says why")
        maybe(made, "video", sum(s.seconds for s in made.slots[first : last + 1]))
    return f"the screen stands still in slots {first} to {last}"
