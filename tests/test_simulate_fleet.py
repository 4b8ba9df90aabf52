"""The model of a fleet: what must be true of any run, whatever is assumed."""

from pathlib import Path

import pytest

from tests.programs import script

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def fleet():
    with script("simulate_fleet") as module:
        yield module


def run(fleet, **more):
    usual = {"recordings": 2000, "workers": 10, "mtbf": 1e12, "scheduler_every": 1e12}
    assumed = fleet.Assumptions(**(usual | {"temporary": 0.0} | more))
    return fleet.Fleet(assumed, 1).run()


def test_without_failures_each_is_tried_once_and_nobody_waits(fleet):
    total = run(fleet)
    assert (total.attempts, total.deaths, total.wasted, total.runs) == (2000, 0, 0.0, 1)
    assert total.busy / (total.wall * 10) > 0.98


@pytest.mark.parametrize(
    "fault", [{"mtbf": 300.0}, {"temporary": 0.1}, {"scheduler_every": 600.0}], ids=str
)
def test_what_fails_is_done_again_and_costs_more(fleet, fault):
    usual, total = run(fleet), run(fleet, **fault)  # which ends only if each is published once
    assert total.attempts > usual.attempts
    assert total.wasted > 0
    assert total.wall > usual.wall


def test_one_scheduler_limits_many_workers(fleet):
    """It hands out one after the other, so more workers are of no more use."""
    total = run(fleet, workers=2000, dispatch=1.0)
    assert 2000 <= total.wall < 2200


def test_the_page_shows_what_the_script_prints(fleet):
    page = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
    shown = fleet.lines(fleet.Assumptions(), fleet.Total(wall=1.0, busy=1.0))
    for line in shown[: shown.index("")]:
        assert line.strip() in page
