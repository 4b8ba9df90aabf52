"""Decoding times where encoders take turns: pictures stay where they are shown."""

import numpy as np
import pytest
from msgspec.structs import replace

from pipeline.media.slots.segments import Placed
from pipeline.media.slots.stamps import Stamps
from pipeline.media.slots.timestamps import LATEST
from pipeline.media.timeline import decoding
from pipeline.media.timeline.tracks import choose
from tests import ts
from tests.media.slots_builder import slot

UNIT = ts.PICTURE
ORDERS = {  # in which four pictures behind the first one are decoded, by how many wait
    0: (1, 2, 3, 4),
    1: (2, 1, 4, 3),
    2: (4, 2, 1, 3),
}
COUNT = 17
LASTS = COUNT * UNIT


def encoded(waiting, begin, *, clock=0, part="main", line=None):
    """A segment whose first picture is shown at ``begin``; its own clock is off by so much."""
    order = [0, *(at + n for at in range(0, COUNT - 1, 4) for n in ORDERS[waiting])]
    shown = np.arange(COUNT) * UNIT if line is None else line
    ahead = shown[:waiting] - shown[waiting]
    pts = begin + shown[order]
    dts = begin + np.concatenate([ahead, shown])[:COUNT].astype(np.int64)
    found = slot(part, 0, audio=None)
    stream = replace(found.scan.streams[ts.VIDEO], pts=pts + clock, dts=dts + clock)
    scan = replace(found.scan, streams={ts.VIDEO: stream})
    return Placed(replace(found, scan=scan), 0, {ts.VIDEO: Stamps.of(pts, dts)})


def fitted(*segments):
    """By how much the pictures of each segment are decoded earlier than before."""
    return _fitted(*segments)[1]


def _fitted(*segments):
    told = [segment.stamps[ts.VIDEO] for segment in segments]
    lanes, _ = choose([segment.slot.scan for segment in segments])
    found = decoding.fitted(segments, [replace(lane, unit=UNIT) for lane in lanes])
    now = [segment.stamps[ts.VIDEO] for segment in found]
    assert all(np.array_equal(a, b) for (a, _), (b, _) in zip(told, now, strict=True))
    assert all((dts <= pts).all() for pts, dts in now)
    assert (np.diff(np.concatenate([dts for _, dts in now])) > 0).all()
    leads = [int(before[0] - dts[0]) for (_, before), (_, dts) in zip(told, now, strict=True)]
    return found, leads


@pytest.mark.parametrize("behind", ORDERS)
@pytest.mark.parametrize("front", ORDERS)
@pytest.mark.parametrize("how", [{"clock": -50_000}, {"part": "bak0"}, {}], ids=str)
def test_all_wait_as_long_as_the_longest(front, behind, how):
    """Whether it is another clock, another part, or none of that."""
    most = max(front, behind)
    found = fitted(
        encoded(front, LASTS),
        encoded(front, 2 * LASTS),
        encoded(behind, 3 * LASTS, **how),
        encoded(behind, 4 * LASTS, **how),
    )
    assert found == [(most - waiting) * UNIT for waiting in (front, front, behind, behind)]


def test_encoders_that_take_turns_again_and_again():
    waits = [0, 2, 1, 0, 2, 0, 1]
    found = fitted(*(encoded(w, (n + 1) * LASTS, clock=n) for n, w in enumerate(waits)))
    assert found == [(2 - waiting) * UNIT for waiting in waits]


@pytest.mark.parametrize("waiting", ORDERS)
def test_a_clock_that_restarts_is_no_reason(waiting):
    found = fitted(*(encoded(waiting, (n + 1) * LASTS, clock=-n * 7777) for n in range(4)))
    assert found == [0, 0, 0, 0]


def test_a_stray_of_a_few_ticks_is_no_reason():
    uneven = np.arange(COUNT) * UNIT + np.arange(COUNT) % 3 * 45
    segments = encoded(1, LASTS), encoded(1, 2 * LASTS, line=uneven, clock=5)
    assert fitted(*segments) == [0, 0]


SPARSE = np.cumsum([0, *[UNIT, 2 * UNIT, UNIT, 15 * UNIT] * 4])
OTHER = np.cumsum([0, *[3 * UNIT, 3 * UNIT, UNIT, 20 * UNIT] * 4])
BEHIND = LASTS + int(SPARSE[-1]) + 2 * UNIT


@pytest.mark.parametrize("waiting", ORDERS)
def test_irregular_pictures_of_one_encoder_stay_as_they_are(waiting):
    """How long they wait is up to those between them."""
    found = fitted(encoded(waiting, LASTS, line=SPARSE), encoded(waiting, BEHIND, line=OTHER))
    assert found == [0, 0]


@pytest.mark.parametrize("how", [{"clock": -50_000}, {"part": "bak0"}], ids=str)
def test_irregular_pictures_of_two_encoders(how):
    """As long as most of those in front do."""
    found = fitted(encoded(1, LASTS, line=SPARSE), encoded(0, BEHIND, line=OTHER, **how))
    assert found == [0, UNIT]


@pytest.mark.parametrize("clock", [0, 9], ids=["one clock", "two"])
def test_pictures_in_front_are_decoded_before_those_behind(clock):
    """The first one behind the seam waits for pictures that are long in coming."""
    late = np.cumsum([0, 30 * UNIT, *[UNIT, 9 * UNIT, 3 * UNIT] * 5])
    found = fitted(encoded(0, LASTS), encoded(1, 2 * LASTS, line=late, clock=clock))
    assert found == [29 * UNIT + 1, 0]


def test_where_a_segment_is_cut_moves_with_its_pictures():
    front = replace(encoded(0, LASTS), until={ts.VIDEO: LASTS + 10 * UNIT})
    found, leads = _fitted(front, encoded(2, 2 * LASTS, part="bak0"))
    assert leads == [2 * UNIT, 0]
    assert found[0].until == {ts.VIDEO: LASTS + 8 * UNIT}


def test_what_is_cut_off_needs_no_room():
    front = replace(encoded(0, LASTS), until={ts.VIDEO: LASTS + 3 * UNIT})
    segments = front, encoded(0, LASTS + 3 * UNIT, part="bak0")
    lanes, _ = choose([segment.slot.scan for segment in segments])
    found = decoding.fitted(segments, lanes)
    assert [segment.first(ts.VIDEO) for segment in found] == [LASTS, LASTS + 3 * UNIT]


def test_nothing_is_decoded_earlier_than_any_stream_can():
    """Pictures behind a seam that say they wait for minutes: no encoder lets them."""
    front, behind = encoded(0, LASTS), encoded(0, 2 * LASTS, clock=9)
    pts, dts = behind.stamps[ts.VIDEO]
    behind = replace(behind, stamps={ts.VIDEO: Stamps.of(pts + 90 * LATEST, dts)})
    assert fitted(front, behind) == [0, 0]


def test_pictures_in_front_of_one_decoded_long_before_are_moved_no_further_than_that():
    front, behind = encoded(0, 3 * LATEST), encoded(0, LASTS, clock=9)
    lanes, _ = choose([segment.slot.scan for segment in (front, behind)])
    fitted = decoding.fitted((front, behind), lanes)
    assert front.first(ts.VIDEO) - fitted[0].first(ts.VIDEO) == LATEST
