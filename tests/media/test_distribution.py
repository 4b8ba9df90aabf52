"""Distributions say what sorting all values says."""

import numpy as np
import pytest

from pipeline.media.clock import median, quantile
from pipeline.media.distribution import BLOCK, Distribution

DICE = np.random.default_rng(7)
SHARES = [0.0, 0.02, 0.5, 0.8, 0.98, 1.0]


def parts(values, count):
    return np.array_split(values, count)


@pytest.mark.parametrize("count", [1, 2, 3, 10, 11, 1000])
@pytest.mark.parametrize("kinds", [1, 2, 5, 10**6])
def test_they_are_those_of_the_sorted_values(count, kinds):
    values = DICE.integers(-kinds, kinds, count)
    found = Distribution.of(parts(values, min(count, 7)))
    assert len(found) == count
    assert found.median == median(values)
    assert [found.quantile(share) for share in SHARES] == [quantile(values, s) for s in SHARES]
    assert np.repeat(found.values, found.counts).tolist() == sorted(values.tolist())


def test_as_many_values_as_are_counted_in_several_rounds():
    values = DICE.integers(0, 50, 5 * BLOCK // 2)
    found = Distribution.of(parts(values, 100))
    assert len(found.values) == 50
    assert np.repeat(found.values, found.counts).tolist() == sorted(values.tolist())


def test_rounds_that_end_with_the_last_part():
    found = Distribution.of([np.zeros(BLOCK, np.int64)])
    assert (found.values.tolist(), found.counts.tolist()) == ([0], [BLOCK])


def test_what_a_change_makes_alike_is_counted_together():
    found = Distribution.of([np.array([-2, 1, 2, 2])]).map(np.abs)
    assert (found.values.tolist(), found.counts.tolist()) == ([1, 2], [1, 3])


def test_those_above_a_value():
    found = Distribution.of([np.array([-1.0, 0.0, 0.5, 0.5])]).above(0)
    assert (found.values.tolist(), found.counts.tolist(), len(found)) == ([0.5], [2], 2)


@pytest.mark.parametrize("empty", [[], [np.empty(0, np.int64)], [np.empty(0), np.empty(0)]])
def test_of_nothing(empty):
    if not empty:
        with pytest.raises(ValueError, match="at least one"):
            Distribution.of(empty)
        return
    found = Distribution.of(empty)
    assert (len(found), found.values.tolist(), found.above(0).values.tolist()) == (0, [], [])
    assert len(found.map(np.abs)) == 0
