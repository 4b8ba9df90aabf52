"""Stamps take memory once where PTS and DTS are the same, whatever moves them."""

import numpy as np
import pytest

from pipeline.media.clock import MODULO
from pipeline.media.slots.segments import both_later
from pipeline.media.slots.timestamps import unwrapped

SAME = np.array([100, 200, -1, 400], np.int64)


def test_what_is_moved_stays_one_array():
    pts, dts = both_later((SAME, SAME), 50)
    assert pts is dts
    assert pts.tolist() == [150, 250, -1, 450]


def test_two_arrays_stay_two():
    pts, dts = both_later((SAME, SAME - 1), 50)
    assert (pts.tolist(), dts.tolist()) == ([150, 250, -1, 450], [149, 249, -1, 449])


@pytest.mark.parametrize("shared", [True, False])
def test_a_clock_that_wraps_inside(shared):
    raw = np.array([MODULO - 10, -1, 20], np.int64)
    pts, dts = unwrapped({1: (raw, raw if shared else raw.copy())})[1]
    assert (pts is dts) is shared
    assert dts.tolist() == [2 * MODULO - 10, -1, 2 * MODULO + 20]
