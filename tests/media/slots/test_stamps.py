"""Stamps of a stream in their place: what was read, some ticks later, and one array where PTS and
DTS are the same.
"""

import numpy as np
import pytest

from pipeline.media.clock import MODULO
from pipeline.media.slots.stamps import Stamps
from pipeline.media.slots.timestamps import unwrapped

SAME = [100, 200, -1, 400]
HALF = MODULO // 2


def ticks(*stamps: int):
    return np.array(stamps, np.int64)


def lists(stamps: Stamps):
    return [clock.tolist() for clock in stamps.pair]


def test_what_is_moved_stays_one_array():
    same = ticks(*SAME)
    pts, dts = Stamps.of(same, same).later(50)
    assert pts is dts
    assert pts.tolist() == [150, 250, -1, 450]


def test_two_arrays_stay_two():
    moved = Stamps.of(ticks(*SAME), ticks(*SAME) - 1).later(30).later(20)
    assert lists(moved) == [[150, 250, -1, 450], [149, 249, -1, 449]]
    assert [moved[0].tolist(), moved[1].tolist()] == lists(moved)


def test_where_it_begins_and_ends_is_told_of_what_was_read():
    moved = Stamps.of(ticks(300, 200, -1, 500), ticks(-1, 190, -1, 490)).later(7)
    assert (moved.decoded, moved.shown, moved.wait, moved.ticks) == ((190, 490), (200, 500), 10, 7)


@pytest.mark.parametrize("ticks_later", [0, 9])
def test_nothing_of_them_can_be_changed(ticks_later):
    for clock in Stamps.of(ticks(*SAME), ticks(*SAME)).later(ticks_later):
        with pytest.raises(ValueError, match="read-only"):
            clock[0] = 1


def test_decoded_earlier_is_shown_when_it_was():
    moved = Stamps.of(ticks(*SAME), ticks(*SAME)).later(1000).decoded_earlier(60)
    assert lists(moved) == [[1100, 1200, -1, 1400], [1040, 1140, -1, 1340]]
    assert [at + moved.ticks for at in moved.decoded] == [1040, 1340]
    assert (moved.wait, moved.shown[1] + moved.ticks) == (60, 1400)


def test_placed_by_one_of_its_stamps():
    pts, dts = ticks(1000, 1100, 1200), ticks(900, 1000, 1100)
    placed = Stamps.of(pts, dts).later(5).around(1005, 77)
    assert lists(placed) == [[77, 177, 277], [-23, 77, 177]]
    assert placed.told[0] is pts


@pytest.mark.parametrize(
    ("stamp", "other", "at"),
    [
        (0, HALF - 1, HALF - 1),  # the longest way forward
        (0, HALF, -HALF),  # as far in both directions
        (0, HALF + 7, 7 - HALF),
        (HALF, 0, -HALF),
        (HALF + 1, 0, HALF - 1),
    ],
)
def test_all_others_stand_where_they_are_nearest_on_a_clock_of_33_bits(stamp, other, at):
    begin = 3 * MODULO
    for clocks in ([ticks(stamp, other)] * 2, [ticks(stamp, stamp), ticks(stamp, other)]):
        placed = Stamps.of(*clocks).around(stamp, begin)
        assert lists(placed)[1] == [begin, begin + at]


def test_they_may_stand_before_the_time_line_begins():
    one = ticks(MODULO - 50, 20, -1)
    placed = Stamps.of(one, one).around(MODULO - 50, -1000)
    assert lists(placed) == [[-1000, -930, -1]] * 2
    assert (placed.decoded[0] + placed.ticks, placed.shown[1] + placed.ticks) == (-1000, -930)
    assert lists(placed.decoded_earlier(5)) == [[-1000, -930, -1], [-1005, -935, -1]]


def test_what_is_decoded_before_the_clock_begins_is_not_lost():
    """A clock that begins at 0 says when all pictures are decoded, whatever they wait for."""
    moved = Stamps.of(ticks(10, 20), ticks(10, 20)).decoded_earlier(30).later(100)
    assert lists(moved) == [[110, 120], [80, 90]]


def test_none_stays_none_wherever_they_are_placed():
    one = ticks(HALF + 9, -1, HALF + 30)
    assert lists(Stamps.of(one, one).around(HALF + 9, 100)) == [[100, -1, 121]] * 2


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (Stamps.of(ticks(*SAME), ticks(*SAME)), True),
        (Stamps.of(ticks(100, 200, -1, 401), ticks(*SAME)), False),
        (Stamps.of(ticks(*SAME), ticks(100, 200, -1, 401)), False),
        (Stamps.of(ticks(*SAME), ticks(*SAME)).later(1), False),
        (Stamps.of(ticks(90, 190, -1, 390), ticks(90, 190, -1, 390)).later(10), True),
    ],
)
def test_whether_two_are_the_same(other, same):
    one = ticks(*SAME)
    assert Stamps.of(one, one).same(other) is same


def test_the_same_pts_do_not_make_the_same_dts():
    pts = ticks(*SAME)
    assert not Stamps.of(pts, pts).same(Stamps.of(pts, ticks(100, 200, -1, 399)))
    assert Stamps.of(pts, ticks(*SAME)).same(Stamps.of(pts, ticks(*SAME)))


@pytest.mark.parametrize("shared", [True, False])
def test_a_clock_that_wraps_inside(shared):
    raw = ticks(MODULO - 10, -1, 20)
    pts, dts = unwrapped({1: (raw, raw if shared else raw.copy())})[1]
    assert (pts is dts) is shared
    assert dts.tolist() == [2 * MODULO - 10, -1, 2 * MODULO + 20]
