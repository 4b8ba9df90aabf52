"""What tells how far a segment lies behind the one before."""

import pytest
from msgspec.structs import replace

from pipeline.media.slots.segments import Placed, Slot
from pipeline.media.timeline.witnesses import Witnesses, said
from pipeline.model import Finding, Severity

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
    exact=False,
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
        pytest.param({"clock": 9.0, "seamless": True, "gone": True}, True, id="of what is gone"),
        pytest.param({"clock": 0.5, "announced": True}, True, id="as long as a gap"),
        pytest.param({"clock": 5.0, "listed": 4.6, "announced": True}, True, id="as listed"),
        pytest.param({"clock": 5.0, "listed": 4.4, "announced": True}, False, id="not as listed"),
        pytest.param(
            {"clock": 9.0, "announced": True, "numbered": 8.9}, True, id="of what is left out"
        ),
        pytest.param({"clock": 9.0, "names": (8.1, 0.1)}, True, id="names within a second"),
        pytest.param({"clock": 9.0, "names": (7.9, 0.1)}, False, id="names beyond"),
        pytest.param({"clock": 9.0, "names": (7.9, 0.1), "short": 0.2}, True, id="of what lacks"),
        pytest.param(
            {"clock": 9.0, "names": (8.7, 0.1), "announced": True}, False, id="announced: exactly"
        ),
        pytest.param(
            {"clock": 9.0, "names": (8.81, 0.1), "announced": True}, True, id="as names stray"
        ),
        pytest.param(
            {"clock": 9.0, "names": (7.8, 0.9), "announced": True}, False, id="by a second at most"
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
        pytest.param({"rest": 0.2, "exact": True}, 0.2, id="unless EXTINF is right elsewhere"),
        pytest.param({"gone": True, "listed": 5.0}, 5.0, id="what is listed"),
        pytest.param({"gone": True, "listed": 5.0, "rest": 0.2}, 5.2, id="and what lacks"),
        pytest.param({"numbered": 5.0}, 5.0, id="numbers left out"),
        pytest.param({"hurt": True, "rest": 0.3}, 0.3, id="what lacks beside damage"),
        pytest.param({"gone": True, "listed": 5.0, "names": (7.0, 0.1)}, 7.0, id="names of more"),
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
        pytest.param(
            {"hurt": True, "names": (0.067, 0.1), "rest": 0.066}, 0.066, id="names and EXTINF agree"
        ),
        pytest.param(
            {"hurt": True, "names": (0.067, 0.1), "rest": 0.04}, 0.0, id="they do not agree"
        ),
    ],
)
def test_how_long_nothing_was_sent_by_all_but_the_clock(seen, seconds):
    assert replace(CLOCK, **seen).wait == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        pytest.param(
            {"back": 2.0},
            ("DTS_BACK", "the clock goes back by 2.000 s", "joined without a gap"),
            id="back",
        ),
        pytest.param(
            {"back": 0.0, "gone": True, "listed": 5.0},
            ("DTS_BACK", "the clock goes back by 0.000 s", "placed 5.000 s later"),
            id="back by nothing",
        ),
        pytest.param(
            {"clock": 9.0},
            ("DTS_GAP", "the clock steps by 9.000 s", "joined without a gap"),
            id="a step",
        ),
        pytest.param(
            {"clock": 9.0, "names": (3.0, 0.1)},
            (
                "DTS_GAP",
                "the clock steps by 9.000 s, the slice names say 3.000 s",
                "placed by the slice names",
            ),
            id="a step that names contradict",
        ),
        pytest.param(
            {"back": 2.0, "names": (3.0, 0.1)},
            ("DTS_BACK", "the clock goes back by 2.000 s", "placed 3.000 s later"),
            id="back, and names",
        ),
    ],
)
def test_which_witness_won(seen, told):
    segment = Placed(Slot("7.ts", None), 7, {})
    id, detail, how = told
    found = said(segment, replace(CLOCK, **seen))
    assert found == Finding(id, Severity.WARNING, "7.ts", detail=detail, repair=how)
    found = said(segment, replace(CLOCK, **seen, announced=True))
    assert found == Finding(id, Severity.INFO, "7.ts", detail=f"{detail}, as announced; {how}")
