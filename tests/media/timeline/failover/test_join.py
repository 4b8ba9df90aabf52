"""Parts put together, on segments made from nothing."""

import numpy as np
import pytest

from pipeline.choices import OnLoss
from pipeline.media.slots.segments import Slot
from pipeline.media.timeline.plan import Plan, plan
from pipeline.media.ts.scan import scan
from pipeline.model import Severity
from tests import recordings as r
from tests import ts
from tests.media.slots_builder import SECONDS, UTC, S, slot


def names(made: Plan):
    return [p.slot.name.removesuffix(".ts") for p in made.placed]


def said(made: Plan):
    return [(f.id, f.severity, f.segment, f.repair) for f in made.findings]


def begins(made: Plan):
    """Where each segment begins, in segments from the beginning."""
    first = made.placed[0].presented(ts.VIDEO)[0]
    return [round((p.presented(ts.VIDEO)[0] - first) / S, 3) for p in made.placed]


@pytest.mark.parametrize("clock", [0, 1920 * 2605, -10_000], ids=["goes on", "ahead", "off"])
def test_an_overlap(clock):
    made = plan(
        [slot("main", n) for n in range(3)] + [slot("bak0", n, clock=clock) for n in range(2, 5)]
    )
    assert names(made) == ["main-0", "main-1", "bak0-2", "bak0-3", "bak0-4"]
    assert begins(made) == pytest.approx([0, 1, 2, 3, 4], abs=0.12 if clock == -10_000 else 0.001)
    assert said(made) == [
        ("PL_PARTS", Severity.WARNING, "bak0-2.ts", "joined, the overlap cut from main")
    ]
    assert made.covered.whole == {"main-2.ts": "bak0"}
    (join,) = made.joins
    assert (join.part, join.time) == ("bak0", pytest.approx(2 * SECONDS, abs=0.2))
    assert "before main ends" in join.reason


def test_a_cut_inside_a_segment():
    made = plan([slot("main", n) for n in range(3)] + [slot("bak0", n + 0.5) for n in range(1, 5)])
    assert names(made) == ["main-0", "main-1", "bak0-1.5", "bak0-2.5", "bak0-3.5", "bak0-4.5"]
    cut = made.placed[1]
    start = made.placed[2]
    assert cut.until[ts.VIDEO] == start.first(ts.VIDEO)
    assert abs(cut.until[ts.AUDIO] - start.first(ts.AUDIO)) <= ts.FRAME / 2
    assert cut.edges.until == cut.until
    assert cut.slot.duration == pytest.approx(SECONDS / 2)


@pytest.mark.parametrize("on_loss", list(OnLoss))
@pytest.mark.parametrize("clock", [0, 1920 * 2605])
def test_a_gap(clock, on_loss):
    slots = [slot("main", 0), slot("main", 1), slot("bak0", 4, clock=clock)]
    made = plan(slots, on_loss)
    assert begins(made) == [0, 1, 2 if on_loss is OnLoss.CLOSE else 4]
    assert said(made) == [("PL_PARTS", Severity.ERROR, "bak0-4.ts", None)]
    assert made.placed[2].torn == {ts.VIDEO, ts.AUDIO}
    closed = [sum(c.ticks for c in promise.closed) for promise in made.promised.values()]
    assert closed == pytest.approx([2 * S if on_loss is OnLoss.CLOSE else 0] * 2, abs=ts.FRAME)


@pytest.mark.parametrize(("clock", "known"), [(0, True), (1920 * 2605, False)])
def test_names_that_tell_nothing(clock, known):
    made = plan([slot("main", n) for n in range(2)] + [slot("bak0", 2, clock=clock, utc=0)])
    assert begins(made) == pytest.approx([0, 1, 2], abs=0.03)
    assert [f.severity for f in made.findings] == [Severity.WARNING if known else Severity.ERROR]


def test_a_newer_part_that_is_damaged_at_its_beginning():
    """The older one goes on as long as that avoids the damage."""
    main = [slot("main", n) for n in range(4)]
    newer = [slot("bak0", n, clock=1920 * 40000, there=n != 2) for n in range(1, 6)]
    made = plan([*main, *newer])
    assert names(made) == ["main-0", "main-1", "main-2", "bak0-3", "bak0-4", "bak0-5"]
    assert made.covered.whole == {"bak0-1.ts": "main", "bak0-2.ts": "main", "main-3.ts": "bak0"}


def test_a_newer_part_that_lost_its_first_pictures():
    """They are in the older one, which goes on as long as it holds them."""
    main = [slot("main", n) for n in range(4)]
    newer = [slot("bak0", n, clock=1920 * 40000, lost=3 * (n == 2)) for n in range(2, 6)]
    made = plan([*main, *newer])
    assert names(made) == ["main-0", "main-1", "main-2", "bak0-3", "bak0-4", "bak0-5"]
    assert made.covered.whole == {"bak0-2.ts": "main", "main-3.ts": "bak0"}
    assert said(made) == [
        ("PL_PARTS", Severity.WARNING, "bak0-3.ts", "joined, the overlap cut from main")
    ]


def test_a_missing_end_that_the_next_part_holds():
    main = [slot("main", n, there=n != 2) for n in range(3)]
    made = plan([*main, *(slot("bak0", n) for n in range(2, 5))])
    assert made.covered.whole == {"main-2.ts": "bak0"}
    assert [p.late or p.early for p in made.promised.values()] == [False, False]


def test_a_missing_end_that_nothing_holds():
    main = [slot("main", n, there=n != 2) for n in range(3)]
    made = plan([*main, *(slot("bak0", n) for n in range(3, 5))])
    assert made.covered.whole == {}
    assert [f.severity for f in made.findings] == [Severity.ERROR]


def test_a_later_part_that_holds_an_earlier_time():
    """The main part began first, by what its playlist says, but its first segments are gone."""
    main = [slot("main", n, there=n > 1) for n in range(4)]
    newer = [slot("bak0", n, clock=1920 * 2605) for n in range(1, 6)]
    made = plan([*main, *newer])
    assert names(made) == [f"bak0-{n}" for n in range(1, 6)]
    assert begins(made) == [0, 1, 2, 3, 4]
    assert set(made.covered.whole) == {"main-1.ts", "main-2.ts", "main-3.ts"}
    assert [promise.late for promise in made.promised.values()] == [True, True]


def test_a_part_that_was_cut_off_where_it_would_have_reached_further():
    """It is left out, but what it lost is not held by the other."""
    newer = [slot("bak0", n) for n in (1, 2)]
    data = ts.segment(start=S * 4, pictures=3) + b"G"
    newer.append(
        Slot(
            "bak0-3.ts",
            scan("bak0-3.ts", np.frombuffer(data, np.uint8)),
            3 * SECONDS,
            utc=UTC + 3 * SECONDS,
            part="bak0",
        )
    )
    made = plan([*(slot("main", n) for n in range(4)), *newer])
    assert [f.repair for f in made.findings if f.id == "PL_PARTS"] == ["left out"]
    assert set(made.covered.whole) == {"bak0-1.ts", "bak0-2.ts"}


@pytest.mark.parametrize("clock", [0, 1920 * 2605], ids=["goes on", "anew"])
@pytest.mark.parametrize("headless", [2, 3, 4])
def test_first_pictures_that_are_missing_do_not_move_a_join(clock, headless):
    """Neither by their time nor by that from the first picture to the sound."""
    main = [slot("main", n, clock=960, lost=3 * (n == headless)) for n in range(3)]
    newer = [slot("bak0", n, clock=960 + clock, lost=3 * (n == headless)) for n in range(3, 6)]
    made = plan([*main, *newer])
    first = made.placed[0].presented(ts.VIDEO)[0]
    sounds = [p.presented(ts.AUDIO)[0] - first - 960 for p in made.placed]
    assert sounds == pytest.approx([n * S for n in range(6)], abs=1)
    missing = None if headless == 3 else "joined"  # those stood right behind the join
    assert [f.repair for f in made.findings if f.id == "PL_PARTS"] == [missing]


@pytest.mark.parametrize("clock", [1920 * 2605 - 960, 1920 * 2605 + 960])
def test_a_part_whose_only_segment_lost_its_first_pictures(clock):
    """Sound tells to a frame where it began: nothing is cut and nothing missing at the join."""
    main = slot("main", 0, clock=960, lost=3)
    made = plan([main, *(slot("bak0", n, clock=clock) for n in (1, 2))])
    first, second, third = (p.presented(ts.VIDEO)[0] for p in made.placed)
    assert (second - first, third - second) == (S - 3 * ts.PICTURE, S)
    assert not any(p.until for p in made.placed)
    assert [f.repair for f in made.findings if f.id == "PL_PARTS"] == ["joined"]


@pytest.mark.parametrize("overlap", [0, 4, 12])
def test_first_pictures_stay_missing_where_another_part_takes_over_the_end(overlap):
    """Three pictures are, whatever is cut at the other end of the only segment."""
    start = 1 - overlap / 16
    main = slot("main", 0, lost=3)
    made = plan([main, *(slot("bak0", start + n, clock=1920 * 2605) for n in range(2))])
    promise = made.promised[ts.VIDEO]
    assert promise.late
    assert made.placed[0].first(ts.VIDEO) - promise.begin == pytest.approx(3 * ts.PICTURE, abs=2)


@pytest.mark.parametrize(
    ("apart", "lost"),
    [(0, False), (960, False), (ts.FRAME - 1, False), (ts.FRAME, True), (3 * ts.FRAME, True)],
)
def test_sound_has_a_grid_of_its_own_in_each_part(apart, lost):
    """What is missing is a frame at the least: less is where the next one could begin."""
    slots = [slot("main", n, video=None) for n in range(2)]
    for n in (2, 3):
        data = r.shifted(ts.segment(start=S * (n + 1), pictures=16, video=None), apart)
        name = f"bak0-{n}.ts"
        found = scan(name, np.frombuffer(data, np.uint8))
        slots.append(Slot(name, found, SECONDS, utc=UTC + n * SECONDS, part="bak0"))
    made = plan(slots)
    assert said(made) == [
        ("PL_PARTS", Severity.ERROR, "bak0-2.ts", None)
        if lost
        else ("PL_PARTS", Severity.WARNING, "bak0-2.ts", "joined")
    ]
    assert made.placed[2].torn == ({ts.AUDIO} if lost else set())
    assert made.placed[2].first(ts.AUDIO) - made.placed[0].first(ts.AUDIO) == 2 * S + apart
