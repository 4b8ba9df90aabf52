"""How much of each track is missing."""

import numpy as np
import pytest
from msgspec.structs import replace

from pipeline.media.clock import BASE
from pipeline.media.es.access_units import Units
from pipeline.media.es.codecs import AAC, H264, OPUS
from pipeline.media.loss.holes import (
    TOGETHER,
    Stretch,
    holes,
    irregularities,
    line,
    lost_ticks,
    span,
)
from pipeline.media.timeline.expected.span import Closed, Promise
from pipeline.media.track import Lane
from pipeline.model import Hole, Severity

OPUS_LANE = Lane(258, OPUS, bytes(13), 1800.0)
VIDEO, AUDIO = Lane(256, H264, b"", 6000.0), Lane(257, AAC, b"\xff\xf1\x4c\x40", 1920.0)


def stretch(
    number: int, times: list[int | None], torn: list[int] | None = None, cut: int = 0
) -> Stretch:
    """Units of one segment at these ticks from the beginning; None has no stamp."""
    stamps = np.array([-1 if t is None else BASE + t for t in times], np.int64)
    sizes = np.ones(len(times), np.uint32)
    units = Units(sizes, stamps, stamps, 0, np.array(torn or [], np.intp), cut)
    return Stretch(f"{number}.ts", units)


def steps(begin: int, count: int, step: int = 6000) -> list[int]:
    return [begin + step * n for n in range(count)]


def grouped(begin: int, count: int) -> list[int | None]:
    """Frames of sound, every fourth stamped."""
    return [begin + 1920 * n if n % 4 == 0 else None for n in range(count)]


KEPT = Promise(float(BASE), float(BASE))

SHORT = [*steps(0, 5), *steps(42_000, 5)]  # two pictures are missing
LONG = [stretch(0, steps(0, 5)), stretch(1, steps(210_000, 5), [0])]  # 2 seconds are
QUIET = [*grouped(0, 8), *grouped(8 * 1920 + 18_000, 8)]  # 0.2 s of silence


@pytest.mark.parametrize(
    ("lane", "stretches", "found"),
    [
        pytest.param(VIDEO, [stretch(0, steps(0, 9))], [], id="nothing is missing"),
        pytest.param(VIDEO, [stretch(0, SHORT)], [], id="a gap of the writer's own"),
        pytest.param(
            VIDEO,
            [stretch(0, SHORT, [5])],
            [Hole("video", round(30 / 90, 6), round(12 / 90, 6), "0.ts")],
            id="a gap where packets were lost",
        ),
        pytest.param(VIDEO, [stretch(0, steps(0, 9), [4])], [], id="torn, but nothing is missing"),
        pytest.param(
            VIDEO,
            LONG,
            [Hole("video", round(30 / 90, 6), 2.0, "1.ts")],
            id="between segments",
        ),
        pytest.param(
            VIDEO, [stretch(0, steps(60_000, 5), [0])], [], id="in front of all is no hole"
        ),
        pytest.param(
            VIDEO,
            [stretch(0, steps(0, 2)), stretch(1, []), stretch(2, steps(102_000, 2), [0])],
            [Hole("video", round(12 / 90, 6), 1.0, "2.ts")],
            id="over an empty segment",
        ),
        pytest.param(AUDIO, [stretch(0, grouped(0, 16))], [], id="sound without a loss"),
        pytest.param(
            AUDIO,
            [stretch(0, QUIET)],
            [Hole("audio", round(8 * 1920 / 90_000, 6), 0.2, "0.ts")],
            id="silence inside a segment is a loss, torn or not",
        ),
        pytest.param(
            OPUS_LANE,
            [stretch(0, [*steps(0, 5, 1800), *steps(45_000, 5, 1800)])],
            [],
            id="Opus leaves silence out",
        ),
        pytest.param(
            OPUS_LANE,
            [stretch(0, [*steps(0, 5, 1800), *steps(63_000, 5, 1800)])],
            [Hole("audio", 0.1, 0.6, "0.ts")],
            id="Opus does not for so long",
        ),
        pytest.param(
            AUDIO,
            [stretch(0, grouped(0, 8)), stretch(1, grouped(8 * 1920 + 18_000, 8))],
            [],
            id="silence between segments is not, unless torn",
        ),
        pytest.param(
            AUDIO,
            [stretch(0, [*grouped(0, 8), *grouped(8 * 1920 + 9000, 8)])],
            [],
            id="0.1 s of silence is none",
        ),
        pytest.param(
            AUDIO,
            [stretch(0, [*grouped(0, 7), *grouped(8 * 1920, 4)], [7])],
            [Hole("audio", round(7 * 1920 / 90_000, 6), round(1920 / 90_000, 6), "0.ts")],
            id="one lost frame",
        ),
        pytest.param(
            AUDIO,
            [stretch(0, [*grouped(0, 8), *grouped(8 * 1920 + 960, 8)], [8])],
            [],
            id="half a frame is no hole",
        ),
        pytest.param(AUDIO, [stretch(0, [None, None])], [], id="no stamp at all"),
    ],
)
def test_holes(lane, stretches, found):
    assert holes(lane, stretches) == found


@pytest.mark.parametrize(
    ("usual", "largest", "found"),
    [
        pytest.param(1000, 1000, False, id="six packets"),
        pytest.param(1000, 2000, False, id="six, however large one beside it is"),
        pytest.param(2000, 2000, True, id="eleven"),
        pytest.param(30_000, 30_000, False, id="more than are lost at once"),
    ],
)
def test_where_one_picture_is_wanting_sixteen_packets_may_be(usual, largest, found):
    times = [*steps(0, 60), *steps(61 * 6000, 60)]
    sizes = np.full(len(times), usual, np.uint32)
    sizes[55] = largest
    one = stretch(0, times)
    made = replace(one, units=replace(one.units, sizes=sizes))
    assert bool(holes(VIDEO, [made])) is found


def test_a_hole_where_the_torn_unit_has_no_stamp():
    times = [0, 1920, 3840, None, 15_360, None]
    found = holes(AUDIO, [stretch(0, times, [3])])  # found at the next stamp
    assert found == [Hole("audio", round(4 * 1920 / 90_000, 6), round(7680 / 90_000, 6), "0.ts")]


def test_line():
    on = line([stretch(0, [0, None, 3840]), stretch(1, []), stretch(2, [9600, None], [0])], AUDIO)
    assert (on.begin - BASE).tolist() == [0, 3840, 9600]
    assert (on.end - BASE).tolist() == [3840.0, 5760.0]
    assert on.torn.tolist() == [2]
    assert on.owner.tolist() == [0, 0, 2]


@pytest.mark.parametrize(
    ("stretches", "promised", "ticks"),
    [
        pytest.param([stretch(0, steps(0, 9))], KEPT, 0.0, id="nothing"),
        pytest.param(LONG, KEPT, 180_000.0, id="a hole"),
        pytest.param([stretch(0, steps(0, 9), cut=2)], KEPT, 12_000.0, id="two cut pictures"),
        pytest.param(
            [stretch(0, steps(0, 9))],
            Promise(BASE - 90_000.0, BASE + 54_000.0, late=True),
            90_000.0,
            id="the beginning",
        ),
        pytest.param(
            [stretch(0, steps(0, 9))],
            Promise(float(BASE), BASE + 144_000.0, early=True),
            90_000.0,
            id="the end",
        ),
        pytest.param(
            [stretch(0, steps(0, 9))],
            Promise(BASE - 90_000.0, BASE + 144_000.0),
            0.0,
            id="ends that only seem to be missing",
        ),
        pytest.param(
            [stretch(0, steps(0, 9))],
            Promise(BASE - 3000.0, BASE + 57_000.0, late=True, early=True),
            0.0,
            id="half a picture is nothing",
        ),
        pytest.param(
            [stretch(0, []), stretch(1, steps(90_000, 9)), stretch(2, [])],
            Promise(float(BASE), BASE + 234_000.0),
            180_000.0,
            id="first and last segment have none",
        ),
        pytest.param(
            [stretch(0, steps(0, 9))],
            Promise(
                float(BASE),
                float(BASE),
                closed=(Closed("1.ts", BASE, 40_000.0), Closed("2.ts", BASE, 5_000.0)),
            ),
            45_000.0,
            id="a hole that was closed",
        ),
        pytest.param(
            [stretch(0, steps(0, 5)), stretch(1, steps(210_000, 5), [0], cut=1)],
            Promise(BASE - 9000.0, BASE + 249_000.0, True, True, (Closed("1.ts", BASE, 500.0),)),
            180_000.0 + 6000 + 9000 + 9000 + 500,
            id="all at once",
        ),
    ],
)
def test_lost_ticks(stretches, promised, ticks):
    lost = lost_ticks(VIDEO, holes(VIDEO, stretches), stretches, promised)
    assert lost == pytest.approx(ticks, abs=0.1)


@pytest.mark.parametrize(
    ("stretches", "begin", "end"),
    [
        pytest.param([stretch(0, steps(0, 9, 1920))], 0, 9 * 1920, id="all stamped"),
        pytest.param(
            [stretch(0, [None, None, 9600, None])], 5760, 13_440, id="counted from the stamps"
        ),
        pytest.param([stretch(0, []), stretch(1, [1920])], 1920, 3840, id="one"),
        pytest.param([stretch(0, [None])], 0, 0, id="no stamp"),
    ],
)
def test_span(stretches, begin, end):
    assert span(AUDIO, stretches) == (BASE + begin, BASE + end)


@pytest.mark.parametrize(
    ("lane", "stretches", "said"),
    [
        pytest.param(VIDEO, [stretch(0, SHORT)], [], id="a short pause of the picture"),
        pytest.param(
            VIDEO,
            [stretch(0, [*steps(0, 5), *steps(120_000, 5)])],
            [("DTS_GAP", Severity.INFO, "0.ts")],
            id="a long pause of the picture",
        ),
        pytest.param(
            VIDEO,
            [stretch(0, [*steps(0, 5), *steps(120_000, 5)], [5])],
            [],
            id="a loss is said elsewhere",
        ),
        pytest.param(
            AUDIO,
            [stretch(0, QUIET)],
            [("DTS_GAP", Severity.ERROR, "0.ts")],
            id="a pause of the sound",
        ),
        pytest.param(
            AUDIO,
            [stretch(0, [1930 * n for n in range(1000)])],
            [("AUDIO_CLOCK", Severity.WARNING, None)],
            id="the clock runs ahead",
        ),
        pytest.param(
            AUDIO,
            [stretch(0, [1910 * n for n in range(1000)])],
            [("AUDIO_CLOCK", Severity.WARNING, None)],
            id="the clock runs behind",
        ),
        pytest.param(AUDIO, [stretch(0, [1928 * n for n in range(1000)])], [], id="nearly right"),
        pytest.param(VIDEO, [], [], id="no segment"),
    ],
)
def test_irregularities(lane, stretches, said):
    found = list(irregularities(lane, stretches))
    assert [(f.id, f.severity, f.segment) for f in found] == said


def test_how_far_the_clock_drifts():
    found = list(irregularities(AUDIO, [stretch(0, [1930 * n for n in range(1001)])]))
    assert found[0].detail == (
        "time stamps run +0.111 s against the samples over the recording, +0.111 s of it in 0.ts"
    )


def sized(times: list[int], size: int) -> Stretch:
    """Pictures of so many bytes each."""
    made = stretch(0, times)
    return replace(made, units=replace(made.units, sizes=np.full(len(times), size, np.uint32)))


def with_gap(pictures: int, *, before: int = 60, odd: int = 0) -> list[int]:
    """Steady but for so many pictures that are missing, and so many odd steps."""
    steady = steps(0, before)
    return [*steady, *steps(steady[-1] + 6000 * (pictures + 1), 20 - odd), *odd_ones(pictures, odd)]


def odd_ones(pictures: int, count: int) -> list[int]:
    begin = 6000 * (59 + pictures + 1 + 20 - count)
    return [begin + 9000 * (n + 1) - 6000 for n in range(count)]


@pytest.mark.parametrize(
    ("size", "pictures", "lost"),
    [
        pytest.param(184 * 8, 1, False, id="eight packets"),
        pytest.param(184 * 9, 1, True, id="nine"),
        pytest.param(184 * 31, 2, True, id="62"),
        pytest.param(184 * 63, 2, True, id="126"),
        pytest.param(184 * 64, 2, False, id="128, which is too many"),
        pytest.param(184 * 4, 2, False, id="eight in two pictures"),
    ],
)
def test_steady_pictures_are_missing_with_packets_that_no_counter_tells(size, pictures, lost):
    found = holes(VIDEO, [sized(with_gap(pictures), size)])
    assert [round(hole.length * 90) for hole in found] == (
        [pictures * 6000 // 1000] if lost else []
    )


@pytest.mark.parametrize(("odd", "lost"), [(0, True), (3, True), (4, False)])
def test_a_track_is_steady_but_for_four_steps(odd, lost):
    """The gap itself is one of them."""
    found = holes(VIDEO, [sized(with_gap(1, odd=odd), 184 * 16)])
    assert bool(found) is lost


@pytest.mark.parametrize(("before", "lost"), [(32, True), (31, False)])
def test_fifty_steps_tell_whether_a_track_is_steady(before, lost):
    found = holes(VIDEO, [sized(with_gap(1, before=before), 184 * 16)])
    assert bool(found) is lost


def test_pictures_stand_on_the_line_where_they_are_decoded():
    made = stretch(0, steps(0, 3))
    other = replace(made.units, pts=made.units.dts[::-1].copy())
    on = line([replace(made, units=other)], VIDEO)
    assert (on.begin - BASE).tolist() == [0, 6000, 12_000]
    on = line([replace(made, units=other)], AUDIO)
    assert (on.begin - BASE).tolist() == [12_000, 6000, 0]


@pytest.mark.parametrize(
    ("silent", "left"),
    [
        pytest.param([(30_000, 210_000)], [], id="all of it"),
        pytest.param([(0, 30_000)], [(30_000, 180_000)], id="before it"),
        pytest.param([(210_000, 300_000)], [(30_000, 180_000)], id="behind it"),
        pytest.param([(30_000, 120_000)], [(120_000, 90_000)], id="its first half"),
        pytest.param([(90_000, 120_000)], [(30_000, 60_000), (120_000, 90_000)], id="its middle"),
        pytest.param([(33_000, 210_000)], [], id="all but half a picture"),
        pytest.param([(33_001, 210_000)], [(30_000, 3001)], id="all but a bit more"),
    ],
)
def test_what_is_silent_is_no_hole(silent, left):
    spans = [(BASE + a, BASE + b) for a, b in silent]
    found = holes(VIDEO, LONG, spans)
    ticks = [(round(hole.start * 90_000), round(hole.length * 90_000)) for hole in found]
    assert ticks == left


def test_a_line_of_more_stretches_than_are_looked_at_together():
    """Its units are those of all stretches, one behind the other, also of some that are empty."""
    times = [grouped(n * 8 * 1920, 8 if n % 3 else 0) for n in range(2 * TOGETHER + 5)]
    on = line([stretch(n, some) for n, some in enumerate(times)], AUDIO)
    found = [(n, BASE + t) for n, some in enumerate(times) for t in some if t is not None]
    assert on.begin.tolist() == [t for _, t in found]
    assert on.owner.tolist() == [n for n, _ in found]
    assert on.sizes.tolist() == [1] * len(found)
    assert on.end.tolist() == [t + 4 * AUDIO.unit for _, t in found[:-1]]


def test_the_span_counts_units_without_a_stamp_at_both_ends():
    some = [stretch(0, []), stretch(1, [None, None]), stretch(2, [None, 0, 1920, None])]
    assert span(AUDIO, [*some, stretch(3, [None])]) == (BASE - 3 * 1920, BASE + 4 * 1920)
    assert span(AUDIO, some[:2]) == (BASE, BASE)
