"""The 33-bit clock."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.media.clock import MODULO, median, quantile, signed


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        pytest.param(0, 0, id="none"),
        pytest.param(3000, 3000, id="forward"),
        pytest.param(-3000, -3000, id="back"),
        pytest.param(3000 - MODULO, 3000, id="forward over the wrap"),
        pytest.param(MODULO - 3000, -3000, id="back over the wrap"),
        pytest.param(MODULO // 2 - 1, MODULO // 2 - 1, id="furthest forward"),
        pytest.param(MODULO // 2, -MODULO // 2, id="furthest back"),
    ],
)
def test_signed_steps(step, expected):
    assert signed(np.array([step])).tolist() == [expected]


NUMBERS = st.lists(st.integers(-(2**34), 2**34) | st.floats(-1e9, 1e9), min_size=1, max_size=30)


@given(NUMBERS)
def test_the_middle_is_where_numpy_has_it(values):
    assert median(values) == pytest.approx(np.median(values), abs=1e-6)
    assert median(np.array(values)) == median(values)


@given(NUMBERS, st.floats(0, 1))
def test_a_share_lies_below_where_numpy_has_it(values, share):
    assert quantile(values, share) == pytest.approx(np.quantile(values, share), abs=1e-4)


def test_the_middle_of_integers_is_exact():
    assert median(np.array([1, 2])) == 1.5
    assert median(np.array([3, 1, 2])) == 2.0
    assert median(np.array([2**33, 2**33 + 1])) == 2**33 + 0.5
