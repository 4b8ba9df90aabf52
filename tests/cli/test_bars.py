"""Which bars there are."""

import pytest

from pipeline.cli.bars import Bars
from tests.cli.test_moment import PART, moment


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")


def drawn(bars: Bars) -> list[tuple[str, float, str]]:
    """What each bar is called, how full it is, and what is said beside it."""
    return [(t.description, t.completed, t.fields["said"]) for t in bars._progress.tasks]


def test_one_for_all_and_one_for_each_that_is_worked_on():
    bars = Bars()
    bars.show(moment())
    assert drawn(bars) == [
        ("1 of 4 recordings", 0.25, "2 min 30 s left, 2.0 MB/s, 100.0 MB of 400.0 MB"),
        ("0a93_room", 0.25, "convert, 1 min 30 s left"),
    ]


def test_what_is_finished_disappears():
    bars = Bars()
    bars.show(moment())
    bars.show(moment(finished=2, parts=()))
    assert [name for name, *_ in drawn(bars)] == ["2 of 4 recordings"]


def test_a_single_recording_has_a_single_bar():
    bars = Bars()
    bars.show(moment(total=1, finished=0))
    assert drawn(bars) == [("0a93_room", 0.25, "convert, 1 min 30 s left, 2.0 MB/s")]


def test_while_it_is_sent_the_speed_is_that_of_sending():
    bars = Bars()
    part = PART.moved("publish", 50e6).sent_on(50_000_000, 20.0)
    part = part.moved("publish", 20e6).sent_on(20_000_000, 40.0)
    bars.show(moment(total=1, finished=0, parts=(part,)))
    assert drawn(bars) == [("0a93_room", 0.6, "publish, 1 min 20 s left, 3.5 MB/s")]


def test_the_end_of_what_nobody_has_counted_is_open():
    bars = Bars()
    bars.show(moment(total=None, size=0.0, worked=0.0, noun="bags", parts=()))
    (bag,) = bars._progress.tasks
    assert (bag.total, bag.fields["percent"]) == (None, "")


def test_a_name_is_text_whatever_it_holds():
    bars = Bars()
    bars.show(moment(parts=(PART.__class__("[red]x[/red]", 1.0, begun=0.0),)))
    with bars._progress.console.capture() as shown:
        bars._progress.console.print(bars._progress.get_renderable())
    assert "[red]x[/red]" in shown.get()


@pytest.mark.parametrize(
    ("columns", "said"),
    [(80, "2 min 30 s left, 2.0 MB/s"), (70, "2 min 30 s left"), (50, "")],
)
def test_where_there_is_little_room_the_bar_stays_and_less_is_said(monkeypatch, columns, said):
    monkeypatch.setenv("COLUMNS", str(columns))
    bars = Bars()
    bars.show(moment(parts=()))
    assert drawn(bars) == [("1 of 4 recordings", 0.25, said)]
