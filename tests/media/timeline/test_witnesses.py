"""What tells how far a segment lies behind the one before."""

from dataclasses import replace

import pytest

from pipeline.media.timeline.witnesses import Witnesses

CLOCK = Witnesses(
    back=-1.0,
    clock=0.0,
    listed=0.0,
    gone=False,
    announced=False,
    hurt=False,
    short=0.0,
    seamless=False,
    lacks=0.0,
    rest=0.0,
    numbered=0.0,
)


@pytest.mark.parametrize(
    ("seen", "agrees"),
    [
        pytest.param({"clock": 0.5}, True, id="half a second is no gap"),
        pytest.param({"clock": 0.6}, False, id="more is one"),
        pytest.param({"clock": 0.0, "announced": True}, False, id="an announced restart"),
        pytest.param({"clock": 5.9, "listed": 5.0, "gone": True}, True, id="as long as listed"),
        pytest.param({"clock": 6.1, "listed": 5.0, "gone": True}, False, id="longer than that"),
        pytest.param(
            {"clock": 7.1, "listed": 5.0, "gone": True, "lacks": 2.0}, True, id="and what lacks"
        ),
    ],
)
def test_the_clock_agrees_with_what_is_listed(seen, agrees):
    assert replace(CLOCK, **seen).clock_agrees is agrees


@pytest.mark.parametrize(
    ("seen", "right"),
    [
        pytest.param({"clock": 9.0}, True, id="nothing contradicts it"),
        pytest.param({"clock": 9.0, "back": 0.0}, False, id="it does not go on"),
        pytest.param({"clock": 9.0, "announced": True}, False, id="a step that is announced"),
        pytest.param({"clock": 9.0, "seamless": True}, False, id="that counters know not of"),
        pytest.param(
            {"clock": 9.0, "announced": True, "numbered": 8.9}, True, id="of what is left out"
        ),
        pytest.param({"clock": 9.0, "names": (8.1, 0.1)}, True, id="names within a second"),
        pytest.param({"clock": 9.0, "names": (7.9, 0.1)}, False, id="names beyond"),
        pytest.param({"clock": 9.0, "names": (7.9, 0.1), "short": 0.2}, True, id="of what lacks"),
        pytest.param(
            {"clock": 9.0, "names": (8.7, 0.1), "announced": True}, False, id="announced: exactly"
        ),
    ],
)
def test_the_clock_is_right(seen, right):
    assert replace(CLOCK, **seen).clock_is_right is right


@pytest.mark.parametrize(
    ("seen", "seconds"),
    [
        pytest.param({}, 0.0, id="without a loss nothing"),
        pytest.param({"rest": 0.4}, 0.0, id="EXTINF may be off"),
        pytest.param({"rest": 0.6}, 0.6, id="by less than half a second"),
        pytest.param({"gone": True, "listed": 5.0}, 5.0, id="what is listed"),
        pytest.param({"gone": True, "listed": 5.0, "rest": 0.2}, 5.2, id="and what lacks"),
        pytest.param({"numbered": 5.0}, 5.0, id="numbers left out"),
        pytest.param({"names": (0.9, 0.1)}, 0.0, id="names stray by a second"),
        pytest.param({"names": (1.1, 0.1)}, 1.1, id="and tell of more"),
        pytest.param({"names": (0.102, 0.1), "rest": 0.1}, 0.1, id="names and EXTINF agree"),
        pytest.param({"names": (0.104, 0.1), "rest": 0.1}, 0.0, id="they do not"),
        pytest.param(
            {"gone": True, "listed": 5.0, "names": (5.1, 0.1)}, 5.0, id="names near what is listed"
        ),
        pytest.param(
            {"hurt": True, "listed": 0.0, "names": (2.0, 0.1)}, 2.0, id="names beside damage"
        ),
        pytest.param({"hurt": True, "names": (-2.0, 0.1)}, 0.0, id="never before the end"),
    ],
)
def test_how_long_nothing_was_sent_by_all_but_the_clock(seen, seconds):
    assert replace(CLOCK, **seen).wait == pytest.approx(seconds)
