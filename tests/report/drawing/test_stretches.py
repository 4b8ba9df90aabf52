"""The charts in numbers."""

import pytest
from msgspec.structs import replace

from pipeline.report.drawing.stretches import ROWS, stretches
from pipeline.report.facts import Measured, facts
from tests.report.reports import GOOD, lost

MEASURED = Measured(
    1.0,
    peaks=(*(0.1 for _ in range(50)), *(0.5 for _ in range(50))),
    rates={"video": tuple(float(n) for n in range(100)), "audio": (64.0,) * 100},
)


def test_even_stretches():
    found = stretches(facts(GOOD, measured=MEASURED))
    assert len(found) == ROWS
    assert (found[0].begin, found[1].begin) == (0.0, pytest.approx(100 / ROWS))
    assert (found[0].peak, found[-1].peak) == (0.1, 0.5)
    assert (found[0].video, found[0].audio) == (0.5, 64.0)
    assert {one.size for one in found} == {"640 × 360"}


def test_the_largest_distance_counts():
    of = replace(facts(GOOD), distances=((0.0, 0.01), (1.0, -0.2), (50.0, 0.3)))
    found = stretches(of)
    assert (found[0].apart, found[1].apart, found[ROWS // 2].apart) == (-0.2, None, 0.3)


def test_time_that_is_not_in_the_file_has_the_values_beside():
    assert all(one.peak for one in stretches(facts(lost(3, "closed"), measured=MEASURED)))


def test_nothing_measured_is_no_table():
    assert stretches(replace(facts(GOOD), distances=())) == []
    assert stretches(facts(replace(GOOD, duration=0.0, coverage=None), measured=MEASURED)) == []
