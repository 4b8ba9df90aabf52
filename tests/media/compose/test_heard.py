"""Whether everybody is heard in the sound of all where they are in time."""

import numpy as np
import pytest

from pipeline.media.compose.heard import FINE, Heard, compared
from pipeline.media.speech import Voice

NOISE = -80.0  # dB


def voice(uid, begin, *spans, length=10.0, loud=-20.0):
    """Loud in these spans of its own clock, in seconds."""
    made = np.full(round(length / FINE), NOISE)
    for a, b in spans:
        made[round(a / FINE) : round(b / FINE)] = loud
    return Voice(uid, begin, made)


def mixed(*voices, length=12.0, late=()):
    """The sound of all, in which some come late, by uid and seconds."""
    power = np.zeros(round(length / FINE))
    for one in voices:
        at = round((one.begin + dict(late).get(one.uid, 0.0)) / FINE)
        part = one.levels[: len(power) - at]
        power[at : at + len(part)] += 10 ** (part / 10)
    return 10 * np.log10(np.maximum(power, 1e-12))


ONE = voice("1", 0.0, (0.5, 1.0), (1.6, 2.2), (3.0, 3.3))
TWO = voice("2", 1.5, (4.0, 4.6), (5.5, 6.0), (7.0, 7.2))


def test_everybody_is_in_place():
    assert compared([ONE, TWO], mixed(ONE, TWO)) == Heard(("1", "2"))


@pytest.mark.parametrize(
    ("late", "found"),
    [(0.04, 0.0), (0.1, 0.1), (0.2, 0.2), (-0.15, -0.15), (2.0, None)],
)
def test_one_of_them_is_not(late, found):
    told = compared([ONE, TWO], mixed(ONE, TWO, late=[("2", late)]))
    if found == 0.0:
        assert told == Heard(("1", "2"))
    else:
        assert told.moved == {"2": found}


def test_somebody_is_not_heard_at_all():
    assert compared([ONE, TWO], mixed(ONE)).moved == {"2": None}


def test_of_those_who_only_speak_with_others_or_never_nothing_is_told():
    both, silent = voice("3", 0.0, (0, 10)), voice("4", 0.0)
    told = compared([ONE, both, silent], mixed(ONE, both, silent, length=10.0))
    assert told == Heard()
    assert compared([], mixed(length=3.0)) == Heard()


def test_a_limiter_moves_nobody():
    voices = [ONE, TWO]
    assert compared(voices, np.minimum(mixed(*voices), -23.0)) == Heard(("1", "2"))
