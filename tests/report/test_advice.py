"""What to do about errors."""

import pytest

from pipeline.media.finding_ids import IDS
from pipeline.report.advice import ADVICE, REPAIRS, repaired


def test_everything_that_may_cost_something_says_what_to_do():
    assert {one.id for one in IDS.values() if one.costs} == ADVICE.keys()


@pytest.mark.parametrize("text", [*ADVICE.values(), *REPAIRS.values()])
def test_it_is_a_sentence(text):
    assert text[0].isupper()
    assert text[-1] == "."


@pytest.mark.parametrize(
    ("repair", "told"),
    [
        (None, ""),
        ("hole kept", "Its time is kept: the last picture stays, and the sound is silent."),
        ("re-encoded as h264 640x360", "Re-encoded as h264 640x360."),
    ],
)
def test_what_was_done(repair, told):
    assert repaired(repair) == told
