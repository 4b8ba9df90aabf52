"""From the wall clock to the clock of a result."""

import pytest

from pipeline.media.captions.clock import ResultClock

NOON = 1_772_442_000.0
# 10 s recorded, 4 s lost and closed, 10 s recorded
CLOSED = ResultClock((0.0, 10.0), (0.0, 4.0), (NOON, NOON), 20.0)
# recorded from noon on for 10 s, and again from 30 s past noon on; the pause is left out
PAUSED = ResultClock((0.0, 10.0), (0.0, 0.0), (NOON, NOON + 20), 20.0)


@pytest.mark.parametrize(
    ("clock", "time", "at"),
    [
        pytest.param(CLOSED, 3.0, 3.0, id="before a hole that was closed"),
        pytest.param(CLOSED, 12.0, 10.0, id="in it"),
        pytest.param(CLOSED, 15.0, 11.0, id="behind it"),
        pytest.param(PAUSED, 5.0, 5.0, id="before a pause"),
        pytest.param(PAUSED, 20.0, 10.0, id="in it"),
        pytest.param(PAUSED, 31.0, 11.0, id="behind it"),
        pytest.param(PAUSED, -2.0, -2.0, id="before the beginning"),
    ],
)
def test_what_was_left_out_has_no_length(clock, time, at):
    assert clock.at(NOON + time) == pytest.approx(at)


def test_seconds_since_the_beginning_know_of_holes_that_were_closed():
    assert [CLOSED.since_begin(at) for at in (3.0, 12.0, 15.0)] == [3.0, 10.0, 11.0]


def test_a_stamp_may_have_wrapped():
    assert CLOSED.at_stamp(90_000 - 5, (1 << 33) - 5) == pytest.approx(1.0)
