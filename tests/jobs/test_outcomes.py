"""What became of recordings, and the exit code it comes to."""

import pytest

from pipeline.errors import RecpipeError
from pipeline.jobs.outcomes import EXIT_CODES, Failure, exit_code
from pipeline.model import Verdict


@pytest.mark.parametrize(
    ("codes", "code"),
    [
        pytest.param([], 0, id="nothing to do"),
        pytest.param([0], 0, id="one done"),
        pytest.param([3], 3, id="one degraded"),
        pytest.param([1], 1, id="one bug"),
        pytest.param([75], 75, id="one pending"),
        pytest.param([0, 0], 0, id="all done"),
        pytest.param([0, 75, 75], 75, id="the others pending"),
        pytest.param([0, 3], 5, id="one of many degraded"),
        pytest.param([3, 3], 5, id="all degraded"),
        pytest.param([75, 4], 5, id="one pending, one rejected"),
        pytest.param([0, 1], 5, id="a bug among many"),
    ],
)
def test_exit_codes(codes, code):
    assert exit_code(codes) == code


def test_every_verdict_has_an_exit_code():
    assert set(EXIT_CODES) == set(Verdict)


def test_a_failure_is_one_line():
    error = RecpipeError("two\nlines")
    assert Failure("a", "b", error).message == "two\\nlines"
