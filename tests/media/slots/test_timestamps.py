"""Stamps inside one segment: the few that cannot be right, and what they must have been."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipeline.media.es.codecs import AAC, H264
from pipeline.media.slots.timestamps import (
    as_due,
    late,
    started,
    steady,
    swapped,
    told_again,
    unwrapped,
)
from pipeline.media.track import Lane

MODULO = 1 << 33
VIDEO = Lane(256, H264, b"", 6000.0)
AUDIO = Lane(257, AAC, b"", 1920.0)
STEPS = [6000 * n for n in range(20)]
LATE = 12000  # ticks from decoding to presentation


def changed(times: list[int], **to: int) -> list[int]:
    """Times of which some are others: ``t3=5`` makes the fourth one 5."""
    return [to.get(f"t{n}", time) for n, time in enumerate(times)]


def mend(dts: list[int], pts: list[int], lane: Lane) -> tuple[list[int], list[int], int | None]:
    new_pts, new_dts, count = steady(np.array(pts, np.int64), np.array(dts, np.int64), lane)
    return new_dts.tolist(), new_pts.tolist(), count


@pytest.mark.parametrize(
    "dts",
    [
        pytest.param(STEPS, id="even steps"),
        pytest.param([0, 1, 90_000, 90_001], id="uneven steps"),
        pytest.param([MODULO - 6000, 0, 6000], id="over the end of the 33-bit clock"),
        pytest.param([0, -1, 12000, -1], id="some without a stamp"),
        pytest.param([5], id="one"),
        pytest.param([], id="none"),
        pytest.param([-1, -1], id="no stamp at all"),
    ],
)
@pytest.mark.parametrize("lane", [VIDEO, AUDIO], ids=["video", "audio"])
def test_rising_stamps_stay(dts, lane):
    assert mend(dts, dts, lane) == (dts, dts, 0)


@pytest.mark.parametrize(
    ("dts", "right", "count"),
    [
        pytest.param(
            changed(STEPS, t7=STEPS[8], t8=STEPS[7]),
            changed(STEPS, t7=39_000, t8=42_000),  # no telling which of the two is wrong
            1,
            id="two are swapped",
        ),
        pytest.param(changed(STEPS, t7=900_000), STEPS, 1, id="one far ahead"),
        pytest.param(changed(STEPS, t7=-900_000 % MODULO), STEPS, 1, id="one far behind"),
        pytest.param(changed(STEPS, t7=36_000), STEPS, 1, id="one twice"),
        pytest.param(
            [time - time % 12_000 for time in STEPS],
            [*STEPS[:-1], 114_000],
            10,
            id="each twice",
        ),
        pytest.param(changed(STEPS, t19=5), STEPS, 1, id="the last one"),
        pytest.param(changed(STEPS, t0=66_000), STEPS, 1, id="the first one, among the others"),
        pytest.param(changed(STEPS, t0=900_000), STEPS, 1, id="the first one, far ahead"),
        pytest.param(changed(STEPS, t4=5, t12=5), STEPS, 2, id="two of twenty"),
    ],
)
def test_video_stamps_are_derived_from_their_neighbours(dts, right, count):
    found, pts, mended = mend(dts, [t + LATE for t in dts], VIDEO)
    assert (found, mended) == (right, count)
    assert pts == [(t + LATE) % MODULO for t in right]


@pytest.mark.parametrize("bit", range(20, 33))
def test_one_flipped_bit_is_mended(bit):
    dts = 6000 * np.arange(20)
    flipped = dts.copy()
    flipped[7] ^= 1 << bit
    _, mended, count = steady(flipped, flipped, VIDEO)
    assert count == 1
    assert mended.tolist() == dts.tolist()


def test_a_wrong_stamp_at_the_end_of_the_clock():
    right = [(MODULO - 60_000 + 6000 * n) % MODULO for n in range(20)]
    assert mend(changed(right, t9=5), right, VIDEO)[0] == right


def test_two_wrong_stamps_at_the_end_count_on():
    dts = changed(STEPS, t18=7, t19=8)
    assert mend(dts, dts, VIDEO)[0] == STEPS


def test_a_delay_that_no_other_picture_has_is_made_plausible():
    dts = changed(STEPS, t7=5)
    pts = changed([t + LATE for t in STEPS], t7=5_000_000)
    found, new_pts, _ = mend(dts, pts, VIDEO)
    assert found == STEPS
    assert new_pts == [t + LATE for t in STEPS]


SHOWN = [LATE + 6000 * n for n in (0, 3, 1, 2, 6, 4, 5, 9, 7, 8, 12, 10, 11)]
DECODED = [6000 * n for n in range(13)]


@pytest.mark.parametrize(
    "dts",
    [
        pytest.param(SHOWN, id="none of their own"),
        pytest.param([t - 6000 * (n % 2) for n, t in enumerate(DECODED)], id="each second twice"),
        pytest.param([t - 12000 * (n % 3 == 2) for n, t in enumerate(DECODED)], id="back by one"),
        pytest.param([5] * 13, id="all the same"),
    ],
)
@pytest.mark.parametrize("wrap", [0, MODULO - 30_000])
def test_decoding_times_by_the_order_of_presentation(dts, wrap):
    """What is shown stays where it is; every picture is decoded before it is shown."""
    shown = [(t + wrap) % MODULO for t in SHOWN]
    new, pts, count = mend([(t + wrap) % MODULO for t in dts], shown, VIDEO)
    assert pts == shown
    assert count == sum(a != (b + wrap) % MODULO for a, b in zip(new, dts, strict=True))
    line = [(t - new[0]) % MODULO for t in new]
    assert line == [6000 * n for n in range(13)]
    delays = [(p - d) % MODULO for p, d in zip(pts, new, strict=True)]
    assert 0 <= min(delays) <= 6000
    assert max(delays) <= 4 * 6000


def test_decoding_times_of_which_any_may_be_right_are_told_by_the_order_of_presentation():
    """Of 5 4 7 6 9 either half goes on."""
    order = [0, 2, 3, 1, 5, 6, 4, 8, 9, 7, 11, 12, 10]
    pts = [(n + 2) * 6000 for n in order]
    dts = [n * 6000 for n in (0, 1, 2, 3, 4, 5, 4, 7, 6, 9, 10, 11, 12)]
    assert mend(dts, pts, VIDEO) == ([n * 6000 for n in range(13)], pts, 2)


def test_decoding_times_told_twice_of_which_the_next_one_goes_on():
    """Of 1 1 2 4 the 2 is wrong as well: evenly shown pictures say so."""
    order = [0, 3, 1, 2, 6, 4, 5, 9, 7, 8]
    pts = [(n + 2) * 6000 for n in order]
    dts = [n * 6000 for n in (0, 1, 1, 2, 4, 5, 5, 7, 8, 9)]
    assert mend(dts, pts, VIDEO) == ([n * 6000 for n in range(10)], pts, 3)


@pytest.mark.parametrize(("at", "ticks"), [(7, 8192), (7, -8192), (1, 8192), (17, 8192)])
def test_of_two_that_are_not_in_order_the_one_that_is_off_the_even_steps_is_wrong(at, ticks):
    """Just beyond the next picture, or before the one in front."""
    times = changed(STEPS, **{f"t{at}": STEPS[at] + ticks})
    dts, _, count = mend(times, times, VIDEO)
    assert count == 1
    assert dts == STEPS


def test_a_single_decoding_time_leaves_the_presentation_alone():
    dts = changed([6000 * n for n in range(20)], t7=5 * 6000)
    shown = [LATE + 6000 * n for n in (0, 3, 1, 2, 6, 4, 5, 9, 7, 8, 12, 10, 11, *range(13, 20))]
    _, pts, count = mend(dts, shown, VIDEO)
    assert (pts, count) == (shown, 1)


def test_pictures_are_not_held_back_for_minutes():
    shown = [0, 90_000 * 60, 6000, 90_000 * 61, 12_000]
    assert mend(shown, shown, VIDEO) == (shown, shown, None)


def test_pictures_with_one_stamp_cannot_be_put_in_order():
    assert mend([0, 0, 0, 0], [6000, 6000, 6000, 6000], VIDEO)[2] is None


def test_audio_loses_the_stamp():
    dts = changed(STEPS, t7=900_000, t3=-1)
    right = changed(STEPS, t7=-1, t3=-1)
    assert mend(dts, dts, AUDIO) == (right, right, 1)


@pytest.mark.parametrize("delayed", [False, True], ids=["no reordering", "B pictures"])
@pytest.mark.parametrize("both", [True, False], ids=["both stamps", "decoding times only"])
def test_swapped_neighbours_get_their_own_stamps_back(both, delayed):
    shown = [0, 3, 1, 2, 6, 4, 5, 9, 7, 8] if delayed else list(range(10))
    pts, dts = np.array(shown) * 6000 + LATE, np.arange(10) * 6000
    if not delayed:
        pts = dts
    order = [0, 1, 2, 3, 5, 4, 6, 7, 8, 9]
    found = swapped(pts[order] if both or not delayed else pts, dts[order], VIDEO)
    assert found is not None
    assert found[1].tolist() == dts.tolist()
    if both or not delayed:
        assert sorted(found[0].tolist()) == sorted(pts.tolist())
    assert found[2] == 2


def test_pictures_that_refer_to_later_ones_are_not_swapped():
    shown = np.array([0, 2, 1, 4, 3, 6, 5, 8, 7]) * 6000
    assert swapped(shown, shown, VIDEO) is None


def test_what_is_not_swapped_is_left_alone():
    right = np.arange(10) * 6000
    assert swapped(right, right, VIDEO) is None
    assert swapped(right[[0, 2, 1]], right[[0, 2, 1]], AUDIO) is None
    assert swapped(right[[0, 3, 2, 1]], right[[0, 3, 2, 1]], VIDEO) is None
    flipped = np.array([0, 6000, 12000 ^ 1 << 14, 18000])
    assert swapped(flipped, flipped, VIDEO) is None


@pytest.mark.parametrize(
    "dts",
    [
        pytest.param([*STEPS[10:], *STEPS[:10]], id="the clock restarts"),
        pytest.param(changed(STEPS, t4=5, t8=5, t12=5), id="three of twenty are wrong"),
        pytest.param(STEPS[::-1], id="backwards"),
    ],
)
@pytest.mark.parametrize("lane", [VIDEO, AUDIO], ids=["video", "audio"])
def test_too_many_wrong_stamps_are_left_alone(dts, lane):
    assert mend(dts, dts, lane) == (dts, dts, None)


def test_the_stamps_themselves_are_left_alone():
    dts = np.array(changed(STEPS, t7=5), np.int64)
    before = dts.copy()
    steady(dts, dts, VIDEO)
    steady(dts, dts, AUDIO)
    assert np.array_equal(dts, before)


@given(st.lists(st.integers(-1, MODULO - 1), max_size=40), st.sampled_from([VIDEO, AUDIO]))
def test_whatever_is_mended_rises(times, lane):
    stamps = np.array(times, np.int64)
    _, dts, count = steady(stamps, stamps, lane)
    steps = np.diff(dts[dts >= 0]) % MODULO
    assert count is None or ((steps > 0) & (steps < MODULO // 2)).all()


@given(st.integers(0, MODULO - 1), st.integers(2, 27), st.integers(-(1 << 31), 1 << 31))
def test_any_one_wrong_stamp_is_found(start, place, away):
    assume(abs(away) >= 12_000)  # nearer, it might be its neighbour that is wrong
    right = [(start + 6000 * n) % MODULO for n in range(30)]
    dts = changed(right, **{f"t{place}": (right[place] + away) % MODULO})
    assert mend(dts, dts, VIDEO) == (right, right, 1)


@pytest.mark.parametrize("sound", [MODULO - 9000, 3000], ids=["before the end", "behind it"])
def test_a_clock_that_passes_its_end_inside_a_segment_goes_on(sound):
    video = [(MODULO - 6000 + n * 6000) % MODULO for n in range(4)]
    clocks = {256: [*video, -1], 257: [(sound + n * 1920) % MODULO for n in range(9)]}
    made = unwrapped({pid: (np.array(c), np.array(c)) for pid, c in clocks.items()})
    for pid, clock in clocks.items():
        for line in made[pid]:
            assert (line[: len(clock)] % MODULO).tolist() == [
                tick % MODULO if tick >= 0 else MODULO - 1 for tick in clock
            ]
            steps = np.diff(line[line >= 0])
            assert set(steps.tolist()) == {6000 if pid == 256 else 1920}
    first = [int(made[pid][0][0]) for pid in clocks]
    assert first[1] - first[0] == (sound - video[0] + MODULO // 2) % MODULO - MODULO // 2


@given(
    st.lists(st.integers(0, MODULO - 1), min_size=1, max_size=9),
    st.lists(st.integers(-1, MODULO - 1), max_size=9),
)
def test_unwrapping_changes_no_stamp(dts, pts):
    made = unwrapped({256: (np.array(pts, np.int64), np.array(dts, np.int64))})[256]
    for before, after in zip((pts, dts), made, strict=True):
        assert [t if t < 0 else t % MODULO for t in after.tolist()] == before


@pytest.mark.parametrize(
    ("shown", "right"),
    [
        pytest.param(6000, [0, 12_000, 12_000, 18_000], id="both stamps"),
        pytest.param(15_000, [0, 6000, 15_000, 18_000], id="the decoding time alone"),
    ],
)
def test_where_a_decoding_time_is_told_twice_the_other_stamp_may_be_right(shown, right):
    dts, pts, count = mend([0, 6000, 6000, 18_000], [0, 6000, shown, 18_000], VIDEO)
    assert (dts, count) == ([0, 6000, 12_000, 18_000], 1)
    assert pts == ([0, 6000, 12_000, 18_000] if shown == 6000 else right)


def test_times_told_again_are_counted():
    assert told_again(np.array([1, 1, -1, 1, 2, 2, 3], np.int64)) == 3


@pytest.mark.parametrize(
    ("dts", "first"),
    [
        pytest.param([0, 900_000, 906_000, 912_000], 894_000, id="not set yet"),
        pytest.param([0, 6000, 12_000], None, id="the clock begins there"),
        pytest.param([0, MODULO - 6000, 6000], None, id="near the end of the clock"),
        pytest.param([0, 900_000], None, id="nothing to tell it by"),
        pytest.param([5, 900_000, 906_000, 912_000], None, id="another stamp"),
        pytest.param([-1, -1], None, id="no stamp"),
    ],
)
def test_a_first_stamp_of_zero(dts, first):
    times = np.array(dts, np.int64)
    found = started(np.where(times > 0, times + LATE, times), times)
    assert (found and found[1].tolist()) == (first and [first, *dts[1:]])
    assert found is None or int(found[0][0]) == first + LATE


@pytest.mark.parametrize(
    ("due", "first"),
    [
        pytest.param(882_000, 882_000, id="as long before the next as any other"),
        pytest.param(899_999, 899_999, id="close to it"),
        pytest.param(881_999, 894_000, id="longer before it than any"),
        pytest.param(900_000, 894_000, id="not before it"),
    ],
)
def test_a_first_stamp_that_is_due(due, first):
    times = np.array([894_000, 900_000, 906_000, 924_000], np.int64)
    pts, dts = as_due(times + 5 * LATE, times, due + LATE, due)
    assert dts.tolist() == [first, *times[1:].tolist()]
    late = LATE if first == due else 5 * LATE
    assert pts.tolist() == [first + late, *(times[1:] + 5 * LATE).tolist()]


@pytest.mark.parametrize(
    ("pts", "dts", "ticks"),
    [
        pytest.param([0, 6000], [0, 6000], 0, id="at once"),
        pytest.param([0, 5000], [0, 6000], 1000, id="before it is decoded"),
        pytest.param([MODULO - 3, -1], [4, 9], 7, id="over the end of the clock"),
        pytest.param([0, 6000], [0, 906_000], 0, id="by more pictures than can wait"),
        pytest.param([], [], 0, id="nothing"),
    ],
)
def test_how_late_pictures_are_decoded(pts, dts, ticks):
    assert late(np.array(pts, np.int64), np.array(dts, np.int64), VIDEO) == ticks


def test_of_pictures_that_wait_for_others_a_wrong_decoding_time_moves_none():
    """Shown between those beside it, in a place that no other has: irregular, as all are."""
    dts = np.array([0, 6000, 12_000, 30_000, 36_000, 42_000, 48_000, 54_000, 60_000], np.int64)
    pts = dts + np.array([12_000, 24_000, 6_000, 6_000, 30_000, 6_000, 6_000, 30_000, 9_000])
    told = dts.copy()
    told[4] = 28_000
    found_dts, found_pts, count = mend(told.tolist(), pts.tolist(), VIDEO)
    assert count is not None
    assert found_pts == pts.tolist()
    assert (np.diff(found_dts) > 0).all()
