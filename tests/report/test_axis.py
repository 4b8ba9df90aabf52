"""The wall clock of a recording."""

import pytest
from msgspec.structs import replace

from pipeline.report.axis import Axis, Tick, axis, merged, outside, ticks
from tests.report.reports import GOOD, STARTED, lost


def beginning(seconds: float, behind: float = 0.0):
    """A recording that lost media at its ends."""
    tracks = tuple(replace(t, before=seconds, behind=behind) for t in GOOD.coverage.tracks)
    return replace(GOOD, coverage=replace(GOOD.coverage, tracks=tracks))


def test_of_a_whole_recording_it_is_the_time_of_the_file():
    found = axis(GOOD)
    assert (found.length, found.lead, found.closed) == (100.0, 0.0, ())
    assert found.begin == "2026-03-02T09:00:00+00:00"
    assert (found.of(42.0), found.back(42.0), found.share(42.0)) == (42.0, 42.0, 42.0)


def test_a_closed_hole_has_its_length():
    found = axis(lost(3, "closed"))
    assert (found.length, found.closed) == (100.0, ((30.0, 10.0),))
    assert [found.of(at) for at in (29.0, 30.0, 31.0, 90.0)] == [29.0, 30.0, 41.0, 100.0]
    assert [found.back(at) for at in (29.0, 35.0, 41.0, 100.0)] == [29.0, 30.0, 31.0, 90.0]
    assert found.breaks == [[0, 0], [0, 0], [30, 30], [40, 30], [100, 90]]


def test_a_hole_that_is_kept_is_in_the_file_already():
    assert axis(lost(3)).length == 100.0


def test_what_is_lost_at_the_ends_stands_outside_the_file():
    found = axis(beginning(4.0, 6.0))
    assert (found.length, found.lead, found.begin) == (110.0, 4.0, "2026-03-02T08:59:56+00:00")
    assert (found.of(0.0), found.back(2.0), found.back(5.0)) == (4.0, 0.0, 1.0)


@pytest.mark.parametrize("told", [None, "", "yesterday", "9999-99-99T00:00:00Z", "0001-01-01"])
def test_a_time_that_is_none_gives_no_clock(told):
    assert axis(replace(beginning(4.0), started=told)).begin is None


@pytest.mark.parametrize(
    ("length", "begin", "labels"),
    [
        (100.0, STARTED, ["9:00:00", "9:00:30", "9:01:00", "9:01:30"]),
        (100.0, None, ["0:00:00", "0:00:30", "0:01:00", "0:01:30"]),
        (36000.0, STARTED, ["10:00", "12:00", "14:00", "16:00", "18:00"]),
        (7200.0, "2026-03-02T23:30:00Z", ["23:30", "0:00", "0:30", "1:00", "1:30"]),
        (1.0, None, ["0:00:00.0", "0:00:00.2", "0:00:00.4", "0:00:00.6", "0:00:00.8"]),
        (0.0, STARTED, []),
    ],
)
def test_ticks_are_steps_that_people_count_in(length, begin, labels):
    found = [tick.label for tick in ticks(Axis(length, begin=begin))]
    assert found[: len(labels)] == labels
    assert len(found) <= 7


def test_the_first_tick_is_a_round_time():
    assert ticks(Axis(100.0, begin="2026-03-02T09:00:12.500Z"))[0] == Tick(17.5, "9:00:30")


def test_very_long_ones_have_few_ticks():
    assert len(ticks(Axis(1e9))) <= 7


def test_what_is_outside_of_spans():
    assert outside(0, 10, [(2, 3), (3, 5), (9, 20)]) == [(0, 2), (5, 9)]
    assert outside(0, 10, []) == [(0, 10)]
    assert outside(0, 10, [(-1, 20)]) == []


def test_spans_close_to_each_other_are_one():
    assert merged([(5, 6), (0, 2), (2.4, 4)], 0.5) == [(0, 4), (5, 6)]
