"""Colours and tones that cannot be mistaken for each other."""

from itertools import combinations, pairwise
from math import dist

import pytest

from pipeline.simulator.recorder import palette, scene

EVERYONE = range(palette.MOST)


def test_each_colour_is_found_again_and_grey_is_nobodys():
    assert [palette.whose(*palette.chroma(number)) for number in EVERYONE] == list(EVERYONE)
    assert palette.whose(128, 128) is None
    assert palette.whose(*scene.CHROMA) is None


def test_a_colour_may_be_off_by_a_few_steps():
    pairs = combinations(map(palette.chroma, EVERYONE), 2)
    assert min(dist(one, other) for one, other in pairs) > 2 * palette.NEAR
    u, v = palette.chroma(5)
    assert palette.whose(u + 3, v - 3) == 5


@pytest.mark.parametrize("second", [0, scene.SECONDS - 1])
def test_no_tone_is_a_beep_and_no_two_are_near(second):
    tones = [palette.tone(number) for number in EVERYONE]
    assert min(tones) > scene.pitch(second) + 500
    assert all(other - one >= 100 for one, other in pairwise(tones))


def test_whoever_follows_has_quite_another_colour():
    for number in range(palette.MOST - 1):
        assert dist(palette.chroma(number), palette.chroma(number + 1)) > palette.WHEEL
