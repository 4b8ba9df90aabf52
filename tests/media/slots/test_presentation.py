"""Pictures that cannot be shown when they say, and stamps that stand alone."""

import numpy as np
import pytest

from pipeline.media.clock import HZ
from pipeline.media.es.codecs import AAC, H264
from pipeline.media.slots.presentation import in_place, one_bit_off, within
from pipeline.media.track import Lane

MODULO = 1 << 33
UNIT = 6000
VIDEO = Lane(256, H264, b"", float(UNIT))
AUDIO = Lane(257, AAC, b"", 1920.0)
# two B-pictures: shown in the order 0 2 3 1 5 6 4 ...
ORDER = [0] + [n for three in range(1, 28, 3) for n in (three + 2, three, three + 1)]
COUNT = len(ORDER)
PLAIN = list(range(COUNT))


def placed(
    order: list[int], moved: dict[int, int], start: int = 0, wait: int = 2
) -> tuple[dict[int, int], int]:
    """Ticks by which each picture, numbered as decoded, is off once some have been moved."""
    shown = start + UNIT * (np.array(order, np.int64) + wait)
    wrong = shown.copy()
    for number, ticks in moved.items():
        wrong[number] += ticks
    decoded = (start + UNIT * np.arange(COUNT, dtype=np.int64)) % MODULO
    found, count = in_place(wrong % MODULO, decoded, VIDEO)
    away = (found - shown + MODULO // 2) % MODULO - MODULO // 2
    return {n: int(t) for n, t in enumerate(away.tolist()) if t}, count


@pytest.mark.parametrize("order", [PLAIN, ORDER], ids=["plain", "reordered"])
@pytest.mark.parametrize("start", [0, MODULO - 9 * UNIT], ids=["", "over the end of the clock"])
@pytest.mark.parametrize("wait", [0, 2, 14])
def test_pictures_in_place_stay(order, start, wait):
    assert placed(order, {}, start, max(wait, 1)) == ({}, 0)


@pytest.mark.parametrize("order", [PLAIN, ORDER], ids=["plain", "reordered"])
@pytest.mark.parametrize("start", [0, MODULO - 9 * UNIT], ids=["", "over the end of the clock"])
@pytest.mark.parametrize("ticks", [1 << 17, 1 << 25, 1 << 32, -(1 << 16), -(1 << 30)])
@pytest.mark.parametrize("number", [3, 12, 13, 14])
def test_a_picture_that_cannot_be_shown_then_takes_the_empty_place(order, start, ticks, number):
    assert placed(order, {number: ticks}, start) == ({}, 1)


@pytest.mark.parametrize("ticks", [1 << 13, 1 << 14, 1 << 15, -(1 << 14)])
def test_among_evenly_spaced_pictures_none_stands_between_two(ticks):
    assert placed(ORDER, {12: ticks}) == ({}, 1)


def test_pictures_that_the_segments_beside_hold_leave_no_empty_place():
    """The segment begins with the second of two B-pictures and ends in front of the first."""
    shown = UNIT * (np.array(ORDER[3:-2], np.int64) + 2)
    decoded = UNIT * np.arange(3, COUNT - 2, dtype=np.int64)
    found, count = in_place(shown, decoded, VIDEO)
    assert (found.tolist(), count) == (shown.tolist(), 0)


def test_the_last_picture_has_no_other_place_than_behind_all():
    assert placed(PLAIN, {COUNT - 1: 1 << 25}) == ({}, 1)


def test_two_pictures():
    assert placed(PLAIN, {5: 1 << 25, 15: -(1 << 26)}) == ({}, 2)


@pytest.mark.parametrize("ticks", [UNIT // 16, -UNIT // 16, UNIT // 2, -UNIT // 2])
def test_what_may_be_a_late_camera_is_left_alone(ticks):
    assert placed(PLAIN, {9: ticks}) == ({9: ticks}, 0)


def test_more_than_a_tenth_are_no_single_ones():
    moved = dict.fromkeys(range(2, 14, 2), 1 << 25)
    assert placed(PLAIN, moved) == (moved, 0)


def test_of_irregular_pictures_only_the_impossible_are_moved():
    dts = np.cumsum([0, 3000, 45_000, 3000, 9000, 200_000, 3000, *[5000] * 20]).astype(np.int64)
    pts = dts + 9000
    assert in_place(pts, dts, VIDEO)[1] == 0
    far = pts.copy()
    far[4] += 1 << 27
    found, count = in_place(far, dts, VIDEO)
    assert count == 1
    assert abs(int(found[4] - pts[4])) <= 200_000


def test_sound_and_what_is_short_are_left_alone():
    times = np.array([0, 1920, 1 << 30], np.int64)
    assert in_place(times, times, AUDIO) == (pytest.approx(times), 0)
    assert in_place(times[:2], times[:2], VIDEO)[1] == 0


def lonely(times: list[int], lasts: float | None, lane: Lane = VIDEO) -> tuple[list[int], int]:
    dts = np.array(times, np.int64)
    _, found, count = within(dts + 100, dts, lane, lasts)
    return found.tolist(), count


STEADY = [HZ + UNIT * n for n in range(30)]
SECONDS = 30 * UNIT / HZ


@pytest.mark.parametrize("lane", [VIDEO, AUDIO], ids=["video", "audio"])
def test_a_last_or_first_stamp_far_from_all_others_is_set_beside_them(lane):
    last = [*STEADY[:-1], STEADY[-1] + (1 << 24)]
    first = [STEADY[0] - HZ * 3, *STEADY[1:]]
    assert lonely(last, SECONDS, lane) == (STEADY, 1)
    assert lonely([t + 4 * HZ for t in first], SECONDS, lane) == ([t + 4 * HZ for t in STEADY], 1)


@pytest.mark.parametrize(
    ("last", "lasts"),
    [
        pytest.param(1 << 24, None, id="nothing tells how long it is"),
        pytest.param(5 * HZ, SECONDS + 5, id="the screen stood still"),
        pytest.param(HZ // 2, SECONDS, id="near"),
        pytest.param(HZ - UNIT, SECONDS, id="a second behind the others"),
        pytest.param(1 << 24, SECONDS + 1.5, id="the others are not as long either"),
    ],
)
def test_what_may_stand_there_stays(last, lasts):
    times = [*STEADY[:-1], STEADY[-1] + last]
    assert lonely(times, lasts) == (times, 0)


def test_the_time_of_showing_moves_along():
    dts = np.array([*STEADY[:-1], 1 << 30], np.int64)
    pts, found, _ = within(dts + 100, dts, VIDEO, SECONDS)
    assert (pts - found).tolist() == [100] * 30


def flipped(number: int, bit: int, delay: int = 0, start: int = 126_000) -> tuple[list[int], int]:
    """Ticks by which each of evenly spaced pictures is off after one bit of a stamp was set back,
    and how many were.
    """
    right = (start + UNIT * np.arange(COUNT, dtype=np.int64)) % MODULO
    told = (right + delay) % MODULO
    dts = right.copy()
    told[number] ^= 1 << bit
    dts[number] = dts[number] if delay else told[number]
    pts, dts, count = one_bit_off(told, dts, VIDEO)
    away = [*(pts - right - delay) % MODULO, *(dts - right) % MODULO]
    return sorted({int(ticks) for ticks in away}), count


@pytest.mark.parametrize("number", [0, 1, 9, COUNT - 2, COUNT - 1])
@pytest.mark.parametrize("bit", [10, 11, 12])
@pytest.mark.parametrize("delay", [0, 12_000], ids=["", "with a DTS of its own"])
@pytest.mark.parametrize("start", [126_000, MODULO - 9 * UNIT], ids=["", "over the end"])
def test_one_bit_puts_a_picture_beside_its_place(number, bit, delay, start):
    assert flipped(number, bit, delay, start) == ([0], 1)


@pytest.mark.parametrize("number", [0, 7, COUNT - 1])
def test_one_bit_puts_a_decoding_time_beside_its_place(number):
    dts = 90_000 + UNIT * np.arange(COUNT, dtype=np.int64)
    pts, told = dts + 3 * UNIT, dts.copy()
    told[number] ^= 1 << 11
    shown, decoded, count = one_bit_off(pts, told, VIDEO)
    assert (shown.tolist(), decoded.tolist(), count) == (pts.tolist(), dts.tolist(), 1)


def test_what_is_off_by_more_than_one_bit_may_be_a_late_camera():
    pts = UNIT * np.arange(COUNT, dtype=np.int64)
    pts[9] += 1100
    assert one_bit_off(pts, pts, VIDEO)[2] == 0


def test_two_pictures_beside_their_places_are_no_single_one():
    pts = UNIT * np.arange(COUNT, dtype=np.int64)
    pts[[9, 15]] ^= 1 << 11
    assert one_bit_off(pts, pts, VIDEO)[2] == 0


def test_sound_and_few_pictures_are_left_alone_to_the_bit():
    pts = UNIT * np.arange(COUNT, dtype=np.int64)
    pts[5] ^= 1 << 11
    assert one_bit_off(pts, pts, AUDIO)[2] == 0
    assert one_bit_off(pts[:9], pts[:9], VIDEO)[2] == 0
