"""How far EXTINF may be believed."""

import pytest
from msgspec.structs import replace

from pipeline.media.timeline.expected.extinf import exact, extinf_errors, tolerance
from pipeline.media.timeline.plan import plan
from tests.media.timeline.expected.test_span import SECONDS, run, slots_of


@pytest.mark.parametrize(
    ("off", "seconds"),
    [
        pytest.param([0.0] * 5, 0.1, id="exact"),
        pytest.param([0.03] * 5, 0.1, id="at least 0.1"),
        pytest.param([0.2, -0.2, 0.2, -0.2, 0.0], 0.4, id="twice what is usual"),
        pytest.param([0.0, 0.0, 0.9, 0.0, 0.0], 0.1, id="one outlier"),
        pytest.param([0.0, 0.0], 0.2, id="one edge tells little"),
        pytest.param([0.0], 0.5, id="one segment tells nothing"),
        pytest.param([1 - SECONDS] * 5, 0.6, id="rounded to whole seconds"),
    ],
)
def test_tolerance(off, seconds):
    made = plan(slots_of(run(len(off)), [SECONDS + o for o in off]))
    assert tolerance(made.placed, made.lanes) == pytest.approx(seconds)


def test_extinf_errors():
    datas: list[bytes | None] = list(run(6))
    datas[3] = None
    durations = [SECONDS, SECONDS + 0.25, SECONDS, SECONDS, None, SECONDS]
    made = plan(slots_of(datas, durations))
    found = [
        (placed.slot.name, round(off, 6)) for placed, off in extinf_errors(made.placed, made.lanes)
    ]
    assert found == [("0.ts", 0.0), ("1.ts", -0.25)]


@pytest.mark.parametrize(
    ("off", "found"),
    [
        pytest.param([0.0] * 4, True, id="three edges"),
        pytest.param([0.0009, -0.0009, 0.0, 0.0], True, id="to the millisecond"),
        pytest.param([0.002, 0.0, 0.0, 0.0], False, id="one is not"),
        pytest.param([0.0] * 3, False, id="two edges tell little"),
    ],
)
def test_exact(off, found):
    made = plan(slots_of(run(len(off)), [SECONDS + o for o in off]))
    assert exact(made.placed, made.lanes) is found


def test_what_is_rounded_is_not_exact():
    slots = [replace(s, rounded=True) for s in slots_of(run(5), [SECONDS] * 5)]
    made = plan(slots)
    assert not exact(made.placed, made.lanes)
