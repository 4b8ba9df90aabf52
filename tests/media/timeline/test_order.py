"""Segments listed twice or in the wrong order."""

import numpy as np
import pytest
from msgspec.structs import replace

from pipeline.media.slots.segments import Placed, Slot
from pipeline.media.slots.stamps import Stamps
from pipeline.media.timeline.order import fitting, in_order, named_order, without_copies
from pipeline.media.timeline.tracks import choose
from pipeline.media.ts.scan import scan
from pipeline.model import Finding, Severity
from tests import ts

S = 96_000  # ticks of a segment: 16 pictures, 50 frames of sound
LAST = (1 << 33) - S


def placed(number: int, start: int, *, utc: float | None = None, **options: object) -> Placed:
    data = ts.segment(start=start, **{"pictures": 16, **options})
    found = scan(f"{number}.ts", np.frombuffer(data, np.uint8))
    stamps = {pid: Stamps.of(stream.pts, stream.dts) for pid, stream in found.streams.items()}
    return Placed(Slot(found.name, found, utc=utc), number, stamps, number)


def arranged(segments: list[Placed]) -> tuple[list[int], list[int], list[Finding]]:
    lanes, _ = choose([s.slot.scan for s in segments if s.slot.scan])
    found, findings = in_order(segments, lanes)
    return [s.number for s in found], [s.position for s in found], findings


@pytest.mark.parametrize(
    ("starts", "utcs", "order", "how"),
    [
        pytest.param([1, 3, 2, 4], None, [0, 2, 1, 3], "their clock", id="two swapped"),
        pytest.param([3, 1, 2], None, [1, 2, 0], "their clock", id="the last one first"),
        pytest.param([4, 3, 2, 1], None, [3, 2, 1, 0], "their clock", id="backwards"),
        pytest.param(
            [1, 3, 2, 4], [1, 3, 2, 4], [0, 2, 1, 3], "the UTC in their names", id="by names"
        ),
        pytest.param([1, 3, 2, 4], [1, None, 2, 4], [0, 2, 1, 3], "their clock", id="a name lacks"),
        pytest.param([2, 1, 5], None, [1, 0, 2], "their clock", id="beside a gap"),
        pytest.param([3, 4, 2, 9], None, [2, 0, 1, 3], "their clock", id="two behind their next"),
        pytest.param([50, 2, 1, 3], None, [0, 2, 1, 3], "their clock", id="behind a restart"),
        pytest.param(
            [90, 3, 91, 4], [1, 3, 2, 4], [0, 2, 1, 3], "the UTC in their names", id="and a reset"
        ),
    ],
)
def test_put_in_order(starts, utcs, order, how):
    utcs = utcs or [None] * len(starts)
    segments = [placed(n, S * s, utc=u) for n, (s, u) in enumerate(zip(starts, utcs, strict=True))]
    moved = sum(n != number for n, number in enumerate(order))
    detail = f"{moved} segments are not listed in the order of {how}"
    finding = Finding(
        "PL_ORDER", Severity.WARNING, detail=detail, repair="put in order", count=moved
    )
    assert arranged(segments) == (order, [0, 1, 2, 3][: len(order)], [finding])


def test_a_stream_that_pauses_leaves_no_gap_beside_one_that_goes_on():
    """A screen that stands still; two slices are gone, and two swapped."""
    segments = []
    for n, start in enumerate([1, 3, 5, 4, 7]):
        one = placed(n, S * start, utc=start)
        pts, dts = one.stamps[ts.VIDEO]
        segments.append(replace(one, stamps={**one.stamps, ts.VIDEO: Stamps.of(pts[:1], dts[:1])}))
    order, _, findings = arranged(segments)
    assert order == [0, 1, 3, 2, 4]
    assert [(f.id, f.count) for f in findings] == [("PL_ORDER", 2)]


@pytest.mark.parametrize(
    ("starts", "utcs"),
    [
        pytest.param([1, 2, 3], None, id="in order"),
        pytest.param([1, 2, 3], [1, 2, 3], id="in order with names"),
        pytest.param([1, 2, 5, 6], None, id="a gap"),
        pytest.param([50, 51, 1, 2], None, id="the clock restarts"),
        pytest.param([1, 2, 2, 3], None, id="two at one time"),
        pytest.param([7, 1, 3], None, id="an order that mends nothing"),
    ],
)
def test_left_alone(starts, utcs):
    utcs = utcs or [None] * len(starts)
    segments = [
        placed(n, S * s, utc=u, size=300 + n)
        for n, (s, u) in enumerate(zip(starts, utcs, strict=True))
    ]
    numbers = list(range(len(starts)))
    assert arranged(segments) == (numbers, numbers, [])


def test_two_swapped_of_which_one_lost_its_beginning():
    """In order it leaves a gap, and nothing steps back any more."""
    segments = [placed(n, S * s) for n, s in enumerate([1, 3, 2, 4, 5])]
    segments[1] = placed(1, 3 * S + 60_000, pictures=6)
    order, _, findings = arranged(segments)
    assert order == [0, 2, 1, 3, 4]
    assert [f.id for f in findings] == ["PL_ORDER"]


def test_names_whose_clock_steps_do_not_make_the_clock_of_the_media_step_back():
    """The first one named last; a gap behind it, and one further on."""
    segments = [placed(0, S, utc=9000), placed(1, 3 * S, utc=1), placed(2, 5 * S, utc=2)]
    order, _, findings = arranged(segments)
    assert order == [0, 1, 2]
    assert [(f.id, f.repair) for f in findings] == [("PL_ORDER", None)]


def test_the_end_of_the_clock_is_no_disorder():
    segments = [placed(0, LAST - S), placed(1, LAST), placed(2, 0), placed(3, S)]
    numbers, _, findings = arranged(segments)
    assert (numbers, findings) == ([0, 1, 2, 3], [])


def test_swapped_over_the_end_of_the_clock():
    numbers, positions, _ = arranged([placed(0, LAST - S), placed(1, 0), placed(2, LAST)])
    assert (numbers, positions) == ([0, 2, 1], [0, 1, 2])


def test_names_that_contradict_a_sound_clock():
    segments = [placed(n, S * (n + 1), utc=u) for n, u in enumerate([1.0, 3.0, 2.0])]
    detail = "the UTC in the names contradicts the order, the clock does not"
    assert arranged(segments) == (
        [0, 1, 2],
        [0, 1, 2],
        [Finding("PL_ORDER", Severity.WARNING, detail=detail)],
    )


def test_equal_names_keep_the_order_of_the_playlist():
    segments = [placed(n, S * (n + 1), utc=5.0) for n in range(3)]
    assert arranged(segments)[::2] == ([0, 1, 2], [])


def test_positions_skip_what_cannot_be_placed():
    segments = [placed(n, S * s) for n, s in ((0, 1), (2, 4), (3, 2), (6, 3))]
    assert arranged(segments)[:2] == ([0, 3, 6, 2], [0, 2, 3, 6])


def test_segments_without_a_stream_in_common_stay():
    segments = [placed(0, 2 * S, audio=None), placed(1, S, video=None)]
    assert arranged(segments) == ([0, 1], [0, 1], [])


def test_a_segment_listed_twice_is_dropped():
    segments = [placed(n, S * (n % 2 + 1)) for n in range(4)]
    segments[2] = replace(segments[2], slot=replace(segments[2].slot, name="0.ts"))
    kept, findings = without_copies(segments, ())
    assert [s.number for s in kept] == [0, 1, 3]
    assert [(f.id, f.severity, f.segment, f.repair) for f in findings] == [
        ("SEG_DUP", Severity.WARNING, "0.ts", "dropped")
    ]


@pytest.mark.parametrize(
    ("starts", "kept"),
    [
        pytest.param([1, 2, 3], True, id="fills the hole"),
        pytest.param([1, 2, 9], True, id="the beginning of a hole"),
        pytest.param([1, 7, 9], True, id="inside a hole"),
        pytest.param([1, 1.5, 9], False, id="over the one before"),
        pytest.param([1, 8.5, 9], False, id="over the one behind"),
        pytest.param([50, 2, 3], True, id="behind a restart"),
        pytest.param([50, 51, 3], True, id="before a restart"),
        pytest.param([3, 2, 3], True, id="two restarts"),
    ],
)
def test_a_segment_that_is_not_listed(starts, kept):
    segments = [placed(n, int(S * s) // 1920 * 1920) for n, s in enumerate(starts)]
    segments[1] = replace(segments[1], slot=replace(segments[1].slot, listed=False))
    lanes, _ = choose([s.slot.scan for s in segments if s.slot.scan])
    found, (said,) = fitting(segments, lanes)
    assert [s.number for s in found] == ([0, 1, 2] if kept else [0, 2])
    assert (said.id, said.severity, bool(said.repair)) == ("PL_ORPHAN", Severity.WARNING, kept)


def test_the_last_one_is_not_listed():
    segments = [placed(0, S), placed(1, 2 * S)]
    segments[1] = replace(segments[1], slot=replace(segments[1].slot, listed=False))
    lanes, _ = choose([s.slot.scan for s in segments if s.slot.scan])
    assert len(fitting(segments, lanes)[0]) == 2


@pytest.mark.parametrize("declared", [True, False])
def test_the_first_one_is_not_listed_and_the_clock_restarts_behind_it(declared):
    """Across EXT-X-DISCONTINUITY the clock says nothing of whose time it is."""
    segments = [placed(0, 3 * S // 2 // 1920 * 1920), placed(1, S), placed(2, 2 * S)]
    segments[0] = replace(segments[0], slot=replace(segments[0].slot, listed=False))
    segments[1] = replace(segments[1], slot=replace(segments[1].slot, discontinuity=declared))
    lanes, _ = choose([s.slot.scan for s in segments if s.slot.scan])
    assert [s.number for s in fitting(segments, lanes)[0]] == [0, 1, 2][not declared :]


@pytest.mark.parametrize(
    ("starts", "attached", "kept"),
    [
        pytest.param([1, 1], False, True, id="a clock for each"),
        pytest.param([1, 1.5], True, True, id="the counters go on"),
        pytest.param([1, 1.5], False, False, id="over the one before"),
    ],
)
def test_the_last_one_is_not_listed_and_the_clock_runs_back(starts, attached, kept):
    counters: dict[int, int] = {}
    segments = []
    for n, start in enumerate(starts):
        given = {"counters": counters} if attached else {}
        segments.append(placed(n, int(S * start) // 1920 * 1920, pictures=16 - n, **given))
    segments[1] = replace(segments[1], slot=replace(segments[1].slot, listed=False))
    lanes, _ = choose([s.slot.scan for s in segments if s.slot.scan])
    assert len(fitting(segments, lanes)[0]) == 1 + kept


def slots(text: str, part: str = "main") -> list[Slot]:
    """By their names, those in brackets hold nothing: ``1 (2) ?`` is one without a UTC."""
    whole = placed(0, S).slot.scan
    made = []
    for word in text.split():
        utc = None if "?" in word else float(word.strip("()"))
        made.append(Slot(word, None if "(" in word else whole, utc=utc, part=part))
    return made


@pytest.mark.parametrize(
    ("listed", "found"),
    [
        pytest.param("1 2 3", "1 2 3", id="in order"),
        pytest.param("1 (2) 3", "1 (2) 3", id="a hole in its place"),
        pytest.param("1 (3) 2", "1 2 (3)", id="the last one too early"),
        pytest.param("2 (1) 3", "(1) 2 3", id="the first one too late"),
        pytest.param("1 3 (2) 4", "1 (2) 3 4", id="swapped with its neighbour"),
        pytest.param("(3) (2) (1)", "(1) (2) (3)", id="nothing is there"),
        pytest.param("1 (4) (3) 2", "1 2 (3) (4)", id="two"),
        pytest.param("1 3 2 4", "1 3 2 4", id="what is there is left as listed"),
        pytest.param("1 (?) 2 (3) 4", "1 (?) 2 (3) 4", id="a name that tells nothing"),
        pytest.param("1 (2) (2) 3", "1 (2) (2) 3", id="listed twice"),
        pytest.param("", "", id="empty"),
    ],
)
def test_what_is_not_there_stands_where_its_name_belongs(listed, found):
    made = slots(listed)
    assert " ".join(made[n].name for n in named_order(made)) == found


def test_each_part_has_an_order_of_its_own():
    made = [*slots("5 (7) 6"), *slots("1 (3) 2", "bak0")]
    assert [made[n].name for n in named_order(made)] == ["5", "6", "(7)", "1", "2", "(3)"]


def test_a_hundred_thousand_that_are_not_there():
    made = [Slot(str(n), None, utc=float(n ^ 1)) for n in range(100_000)]
    assert named_order(made) == [n ^ 1 for n in range(100_000)]


@pytest.mark.parametrize("step", [-1800, 0, 3600])
def test_names_whose_clock_steps_beside_what_is_gone_tell_nothing_of_it(step):
    times = [10.0, 12.0, 14.0, 16.0 + step, 18.0 + step]
    whole = scan("a.ts", np.frombuffer(ts.segment(pictures=16), np.uint8))
    made = [Slot(str(n), None if n == 2 else whole, utc=utc) for n, utc in enumerate(times)]
    assert named_order(made) == [0, 1, 2, 3, 4]


def test_what_follows_on_stays_where_something_else_lies_between():
    """Which of the two is wrong there nobody knows."""
    assert arranged([placed(n, S * s) for n, s in enumerate([1, 2, 70, 3, 4])])[2] == []
