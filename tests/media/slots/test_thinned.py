"""Which pictures stay at so many a second, and that ffmpeg is told the same."""

import random
import re

import numpy as np
import pytest

from pipeline.media.clock import HZ
from pipeline.media.slots.thinned import kept, limits
from pipeline.muxing.commands import h264
from pipeline.muxing.views import Thinned


def places(found, every) -> list[int]:
    return np.flatnonzero(np.isin(every, found)).tolist()


@pytest.mark.parametrize(
    ("have", "rate", "left"),
    [
        pytest.param(30, 15, [0, 2, 4, 6, 8, 10], id="half"),
        pytest.param(25, 15, [0, 2, 3, 5, 7, 8, 10], id="three of five"),
        pytest.param(15, 15, list(range(11)), id="all"),
        pytest.param(15, 30, list(range(11)), id="none is repeated"),
        pytest.param(20, 15, [0, 1, 3, 4, 5, 7, 8, 9], id="three of four"),
    ],
)
def test_regular_pictures(have, rate, left):
    every = np.array([round(n * HZ / have) + 5_000 for n in range(11)])
    assert places(kept(every, rate), every) == left


def test_pictures_that_jitter_all_stay_at_their_own_rate():
    chance = random.Random(1)
    every = np.array([n * 6000 + chance.randrange(-700, 700) for n in range(200)])
    assert len(kept(every, 15)) == 200


def test_behind_a_pause_the_first_picture_stays():
    every = np.array([0, 3000, 6000, 900_000, 903_000, 906_000])
    assert kept(every, 15).tolist() == [0, 6000, 900_000, 906_000]


@pytest.mark.parametrize("rate", [1, 7, 10, 15, 24, 60])
def test_ffmpeg_is_told_the_same(rate):
    """Its expression, worked out in its own way, on stamps of whole milliseconds and ticks."""
    thinned = Thinned(1 / rate, *(ticks / HZ for ticks in limits(rate)))
    told = h264(None, profile="high", level="4", number=1, thinned=thinned)
    soon, late, step = (float(x) for x in re.findall(r"\d+\.\d{9}", told["vf"]))
    assert told["vf"].startswith("select=if(gte(t-start_t\\,ld(0)-")
    chance = random.Random(rate)
    for unit in (90, 1):
        steps = [unit * chance.randrange(1, 9000 // unit) for _ in range(2000)]
        every = np.cumsum([0, *steps])
        due, found = 0.0, []
        for tick in every.tolist():
            t = tick / HZ
            if t >= due - soon:
                found.append(tick)
                due = (t if t > due + late else due) + step
        assert kept(every, rate).tolist() == found
