"""The streams of one user on one clock."""

import pytest

from pipeline.media.clock import BASE, HZ
from pipeline.media.timeline.plan import plan
from pipeline.media.timeline.side_by_side import (
    all_absent,
    begun,
    on_one_clock,
    renumbered,
    side_by_side,
    without,
)
from tests.media.slots_builder import SECONDS, UTC
from tests.media.timeline.edges.test_absences import PAUSE, stream


def planned(**chosen):
    return plan(stream(**chosen)[1], pauses=True)


def first(made):
    return min(placed.first(pid) for placed in made.placed for pid in placed.stamps)


def test_each_begins_when_its_names_say():
    early = planned()
    late = planned(gone=(0,))
    assert begun(early) == pytest.approx(UTC, abs=0.001)
    assert begun(late) == pytest.approx(UTC + SECONDS, abs=0.001)
    one, other = on_one_clock([early, late])
    assert first(one) == BASE
    assert (first(other) - BASE) / HZ == pytest.approx(SECONDS, abs=0.001)
    assert first(on_one_clock([early], since=UTC - 7)[0]) == pytest.approx(BASE + 7 * HZ, abs=90)


def test_streams_under_one_pid_get_two():
    made = planned()
    (lane,) = made.lanes
    first, second = renumbered([made, made])
    assert first == {lane.pid: lane.pid}
    assert second[lane.pid] != lane.pid


def test_as_one_plan_they_stand_in_the_order_of_time():
    plans = on_one_clock([planned(), planned(gone=(0,))])
    both = side_by_side(plans, [7, 7])
    assert len(both.lanes) == len({lane.pid for lane in both.lanes}) == 2
    starts = [min(placed.first(pid) for pid in placed.stamps) for placed in both.placed]
    assert starts == sorted(starts)
    assert sorted(placed.number for placed in both.placed) == [*range(7), *range(8, 14)]
    assert {placed.slot.name for placed in both.placed} == {
        placed.slot.name for made in plans for placed in made.placed
    }


def test_only_what_no_stream_sent_is_absent_for_all():
    alone = all_absent(on_one_clock([planned()]))
    assert [round((b - a) / HZ, 1) for a, b in alone] == [PAUSE]
    beside = on_one_clock([planned(), planned(at=5)])
    assert [round((b - a) / HZ, 1) for a, b in all_absent(beside)] == [
        round(PAUSE - 2 * SECONDS, 1)
    ]
    ended = on_one_clock([planned(), planned(away=0.0)])  # what has ended is not sent either
    assert [round((b - a) / HZ, 1) for a, b in all_absent(ended)] == [round(PAUSE - 4 * SECONDS, 1)]


def test_without_that_time_everything_behind_is_earlier():
    (made,) = on_one_clock([planned()])
    spans = all_absent([made])
    shorter = without(made, spans)
    assert (made.end - shorter.end) / HZ == pytest.approx(PAUSE, abs=0.05)
    assert [p.first(next(iter(p.stamps))) for p in shorter.placed[:3]] == [
        p.first(next(iter(p.stamps))) for p in made.placed[:3]
    ]
