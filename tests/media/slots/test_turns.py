"""Turns of pictures as the pictures of a slot show them."""

import numpy as np
import pytest

from pipeline.media.clock import MODULO
from pipeline.media.es.codecs import AAC, H264
from pipeline.media.slots.segments import Slot
from pipeline.media.slots.turns import (
    EARLY,
    is_headless,
    moments,
    pictures,
    seen,
    upright,
    vary,
    within,
)
from pipeline.media.ts.scan import Scan, Stream
from pipeline.model import Turn

HZ = 90_000


def stream(codec, begin, seconds, *, step=0.1, key=True):
    pts = np.array([round((begin + n * step) * HZ) % MODULO for n in range(round(seconds / step))])
    return Stream(
        *((256,), codec, 1, pts, pts, frozenset(), 0, 0, (0, 0), (b"", b""), False),
        *(False, b"", key, 1, False, (0, 0)),
    )


def slot(*turns, begin=10.0, sound=None, key=True):
    streams = {256: stream(H264, begin, 4.0, key=key)}
    if sound is not None:
        streams[257] = stream(AAC, sound, 4.0, step=0.02)
    return Slot("0.ts", Scan("0.ts", 1, streams=streams), 4.0, turns=tuple(map(turn, turns)))


def turn(pair):
    return Turn(*pair)


def pairs(turns):
    return [(one.since, one.degrees) for one in turns]


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        pytest.param([(0, 90)], [(0, 90)], id="all the time"),
        pytest.param([(0, 0), (1.5, 90)], [(0, 0), (1.5, 90)], id="on the way"),
        pytest.param([(0, 0), (0.008, 90)], [(0, 90)], id="with the first picture"),
        pytest.param([(0, 0), (3.9, 90)], [(0, 0), (3.9, 90)], id="with the last one"),
        pytest.param([(0, 0), (3.95, 90)], [], id="behind the last one"),
        pytest.param([(0, 90), (0.005, 90)], [(0, 90)], id="to what it is"),
    ],
)
@pytest.mark.parametrize("begin", [10.0, MODULO / HZ - 1.0], ids=["", "over the end of the clock"])
def test_turns_that_a_picture_shows(told, shown, begin):
    assert pairs(seen(slot(*told, begin=begin)).turns) == shown


def test_sound_that_is_there_before_counts_from_its_beginning():
    assert pairs(seen(slot((0, 0), (1.5, 90), sound=9.5)).turns) == [(0, 0), (1.0, 90)]
    assert pairs(seen(slot((0, 0), (0.5, 90), sound=9.5)).turns) == [(0, 90)]


def test_a_frame_of_sound_before_is_no_beginning():
    assert pairs(seen(slot((0, 0), (1.5, 90), sound=9.979)).turns) == [(0, 0), (1.5, 90)]


def test_of_a_slot_without_pictures_nothing_is_said():
    bare = Slot("0.ts", None, turns=(Turn(0.0, 90),))
    assert seen(bare) is bare
    assert pictures(bare) is None
    assert not is_headless(bare)


def test_a_turn_has_a_stamp_before_its_picture():
    here = slot((0, 0), (1.5, 90))
    assert [(at, one.degrees) for at, one in moments(here, pictures(here))] == [
        (round(11.5 * HZ) - EARLY, 90)
    ]


@pytest.mark.parametrize(
    ("begin", "end", "found"),
    [
        pytest.param(0, 1, [], id="before"),
        pytest.param(0, 2, [(0, 0), (1.5, 90)], id="around the first"),
        pytest.param(1.5, 2.5, [(0, 90)], id="from the first on"),
        pytest.param(2, 4, [(0, 90), (1, 180)], id="around the second"),
        pytest.param(3.2, float("inf"), [(0, 180)], id="behind"),
    ],
)
def test_turns_of_a_part(begin, end, found):
    turns = tuple(map(turn, [(0, 0), (1.5, 90), (3, 180)]))
    assert pairs(within(turns, begin, end)) == found
    assert within((), begin, end) == ()


def test_what_is_upright_all_the_time_says_nothing():
    assert upright([Turn(0.0, 0)]) == ()
    assert pairs(upright([Turn(0.0, 0), Turn(1.0, 0), Turn(2.0, 90)])) == [(0, 0), (2.0, 90)]


def test_slots_vary_where_one_turns_or_two_differ():
    assert not vary([slot(), slot()])
    assert not vary([slot((0, 90)), slot((0, 90)), Slot("gone.ts", None)])
    assert vary([slot((0, 90)), slot()])
    assert vary([slot((0, 0), (2, 90))])


def test_pictures_without_a_key_picture_at_first_need_those_before():
    assert is_headless(slot(key=False))
    assert not is_headless(slot())
    assert not is_headless(slot(key=None))
