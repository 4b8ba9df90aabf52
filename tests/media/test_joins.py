"""Parts put together, on segments made from nothing."""

import numpy as np
import pytest

from pipeline.media import walls
from pipeline.media.lanes import choose
from pipeline.media.mpegts import scan
from pipeline.media.placed import Placed, Slot
from pipeline.media.timeline import Plan, plan
from pipeline.model import OnLoss, Severity
from tests import ts

S = 96_000  # ticks of a segment: 16 pictures, 50 frames of sound
SECONDS = S / 90_000
UTC = 1_772_442_002.12


def slot(part, start, *, clock=0, utc=None, there=True, **options):
    """One segment that begins so many segments after the recording did."""
    name = f"{part}-{start:g}.ts"
    data = ts.segment(start=int(S * (start + 1)) + clock, pictures=16, **options)
    found = scan(name, np.frombuffer(data, np.uint8)) if there else None
    began = UTC + start * SECONDS if utc is None else utc
    return Slot(name, found, SECONDS, utc=began or None, part=part)


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


def placed(slots):
    lanes, _ = choose([s.scan for s in slots])
    found = [
        Placed(s, n, {p: (x.pts, x.dts) for p, x in s.scan.streams.items()}, n)
        for n, s in enumerate(slots)
    ]
    return found, lanes


@pytest.mark.parametrize(
    ("stray", "spread"),
    [
        pytest.param([0, 0, 0, 0], 0, id="exact"),
        pytest.param([0.5, 0.01, 0, 0.03], 0.01, id="the first one does not count"),
        pytest.param([0, 0, 0.9, 0], 0, id="one is far off"),
        pytest.param([0, 0, 0, 0, 7, 7, 7, 7, 7], 0, id="beyond a step of the wall clock"),
    ],
)
def test_what_the_names_say(stray, spread):
    segments, lanes = placed(
        [slot("main", n, utc=UTC + n * SECONDS + late) for n, late in enumerate(stray)]
    )
    found = walls.wall(segments, lanes)
    exact = UTC * 90_000 - S
    assert found.offset - exact == pytest.approx(spread * 90_000, abs=2)
    assert found.spread == pytest.approx(spread * 90_000, abs=2)


def test_no_names():
    segments, lanes = placed([slot("main", n, utc=0) for n in range(2)])
    assert walls.wall(segments, lanes) is None


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
