"""Whether each user is heard in the sound of all where they are in time, by how loud both are.

Only where a user is heard alone can that be told.  Loudness is in dB of full scale, one value for
each ``FINE`` seconds of the session.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from pipeline.media.speech import Levels, Voice

FINE = 0.01  # seconds
NEAR = 0.04  # seconds: nearer is in place
REACH = 25  # steps to both sides in which a user is looked for, and others are quiet
QUIET, LOWEST = -60.0, -50.0  # dB: others are softer; softer is as good as silence
ENOUGH = 100  # steps that have to be heard alone
VARIED = 3.0  # dB: the same all the time fits anywhere
ALIKE = 6.0  # dB by which a user and the sound of all may differ on average
CLEARLY = 1.0  # dB by which another place has to fit better
MOST = 60_000  # steps that are compared


class Heard(Struct, frozen=True):
    """Users by uid: those who are in place, and by how many seconds others are late; None where
    they are not heard at all.
    """

    placed: tuple[str, ...] = ()
    moved: Mapping[str, float | None] = {}


def compared(voices: Sequence[Voice], mixed: Levels) -> Heard:
    """Each of the voices, which have levels for each ``FINE``, against the sound of all."""
    power = np.array([_on_the_clock(one, len(mixed)) for one in voices]).reshape(-1, len(mixed))
    placed, moved = [], {}
    for number, one in enumerate(voices):
        others = np.delete(power, number, axis=0).sum(axis=0)
        own = _shown(power[number])
        steps = _alone(own, others)
        if len(steps) < ENOUGH or np.std(own[steps]) < VARIED:
            continue
        late = _late(own, np.maximum(mixed, LOWEST), steps)
        if late is not None and abs(late) <= NEAR:
            placed.append(one.uid)
        else:
            moved[one.uid] = late
    return Heard(tuple(placed), moved)


def _on_the_clock(voice: Voice, length: int) -> Levels:
    """The power of a voice for each step of the session."""
    found, at = np.zeros(length), round(voice.begin / FINE)
    part = voice.levels[: max(length - at, 0)]
    found[at : at + len(part)] = 10 ** (part / 10)
    return found


def _shown(power: Levels) -> Levels:
    shown: Levels = 10 * np.log10(np.maximum(power, 10 ** (LOWEST / 10)))
    return shown


def _alone(own: Levels, others: Levels) -> NDArray[np.intp]:
    """Steps around which the user is heard and all others are quiet, with neighbours on both sides;
    where everybody is quiet, any place fits.
    """
    steps = np.flatnonzero(_around(own > LOWEST) & ~_around(others > 10 ** (QUIET / 10)))
    steps = steps[(steps >= REACH) & (steps < len(others) - REACH)]
    return steps[:: max(1, len(steps) // MOST)]


def _around(loud: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Steps with such a one within ``REACH``."""
    if len(loud) <= 2 * REACH:
        return np.full(len(loud), loud.any())
    found: NDArray[np.bool_] = np.convolve(loud, np.ones(2 * REACH + 1), "same") > 0.5
    return found


def _late(own: Levels, mixed: Levels, steps: NDArray[np.intp]) -> float | None:
    """By how many seconds a user comes late in the sound of all."""
    off = [float(np.abs(mixed[steps + by] - own[steps]).mean()) for by in range(-REACH, REACH + 1)]
    best, here = int(np.argmin(off)), off[REACH]
    if here <= ALIKE and here - off[best] <= CLEARLY:
        return 0.0
    return round((best - REACH) * FINE, 3) if off[best] <= ALIKE else None
