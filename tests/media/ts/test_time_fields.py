"""Time stamps and clock references as bytes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.media.clock import MODULO
from pipeline.media.ts import time_fields
from tests import ts

TICKS = st.integers(0, MODULO - 1)


@given(st.lists(TICKS, min_size=1, max_size=9), st.sampled_from([1, 2, 3]))
def test_stamp_fields_and_back(values, prefix):
    fields = time_fields.stamp_fields(np.array(values, np.int64), prefix)
    assert fields.tobytes() == b"".join(ts.stamp(v, prefix) for v in values)
    again, marked = time_fields.stamps(fields)
    assert again.tolist() == values
    assert marked.all()


@pytest.mark.parametrize("value", [-1, MODULO, -MODULO - 5])
def test_stamp_fields_count_modulo_33_bits(value):
    assert time_fields.stamp_fields(np.array([value]), 2).tobytes() == ts.stamp(value, 2)


@pytest.mark.parametrize("at", [0, 2, 4])
def test_a_missing_marker_bit_is_told(at):
    field = bytearray(ts.stamp(123456, 2))
    field[at] &= 0xFE
    values, marked = time_fields.stamps(np.frombuffer(field, np.uint8).reshape(1, 5))
    assert values.tolist() == [123456]
    assert marked.tolist() == [False]
