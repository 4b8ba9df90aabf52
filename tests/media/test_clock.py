"""The 33-bit clock."""

import numpy as np
import pytest

from pipeline.media.clock import MODULO, signed


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
