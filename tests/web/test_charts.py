"""Numbers of the page of the throughput."""

from pipeline.ledger.browsing import Result
from pipeline.ledger.measures import Timed
from pipeline.web.charts import BASE, HOUR, HOURS, STEP, TOP, Stage, bars, day, stages

NOW = 1_000_000 * HOUR + 600  # ten minutes past


def result(hours_ago, verdict="ok", **more):
    values = {"size": 1000, "duration": 60.0, "lost_video": None, "lost_audio": None, **more}
    return Result(at=NOW - hours_ago * HOUR, verdict=verdict, **values)


def test_a_day_is_added_up():
    found = day([result(1), result(2, "degraded", lost_video=3.0, lost_audio=5.0, size=None)])
    assert (found.count, found.degraded, found.seconds) == (2, 1, 120.0)
    assert (found.bytes, found.lost) == (1000, 5.0)


def test_bars_stand_in_their_hour_the_degraded_on_top():
    drawn = bars([result(0), result(0), result(0, "degraded"), result(1), result(47)], NOW)
    assert (len(drawn.hours), drawn.most) == (HOURS, 3)
    last, before, first = drawn.hours[-1], drawn.hours[-2], drawn.hours[0]
    assert (last.good, last.bad, before.good, first.good) == (2, 1, 1, 1)
    assert last.bad_y == TOP
    assert last.bad_y + last.bad_height == last.good_y
    assert last.good_y + last.good_height == BASE
    assert (first.x, last.x) == (0, (HOURS - 1) * STEP)
    assert last.begin == 1_000_000 * HOUR


def test_what_is_older_or_of_another_clock_is_left_out():
    assert bars([result(48), result(-2)], NOW).most == 0


def test_without_anything_there_are_bars_of_no_height():
    assert {one.good_height for one in bars([], NOW).hours} == {0.0}


def test_stages_in_their_order():
    timed = [Timed(n, NOW, {"fetch": float(n), "total": 2.0 * n}) for n in range(1, 12)]
    assert stages(timed) == [Stage("fetch", 6.0, 10.0, 11.0), Stage("total", 12.0, 20.0, 22.0)]
    assert stages(timed[:1]) == [Stage("fetch", 1.0, 1.0, 1.0), Stage("total", 2.0, 2.0, 2.0)]
    assert stages([]) == []
