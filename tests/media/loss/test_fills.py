"""Which units would fill a hole."""

import numpy as np
import pytest

from pipeline.media.clock import BASE
from pipeline.media.es.access_units import Units
from pipeline.media.es.codecs import AAC, H264
from pipeline.media.loss.fills import BLOCK, EncodedUnits, Fill, blocks, opening, wanted
from pipeline.media.loss.holes import Stretch
from pipeline.media.slots.segments import Placed, Slot
from pipeline.media.slots.stamps import Stamps
from pipeline.media.track import Lane

VIDEO, AUDIO = Lane(256, H264, b"", 6000.0), Lane(257, AAC, b"", 1920.0)


def stretch(name: str, dts: list[int], torn: tuple[int, ...] = (), lag: int = 0) -> Stretch:
    times = np.array(dts, np.int64) + BASE
    pts = times + lag
    return Stretch(
        name,
        Units(np.ones(len(dts), np.uint32), pts, times, 0, np.array(torn, np.intp)),
    )


def steps(start: int, count: int, unit: int = 6000) -> list[int]:
    return list(range(start, start + count * unit, unit))


def test_a_hole_between_two_segments():
    stretches = stretch("0.ts", steps(0, 5)), stretch("1.ts", steps(60_000, 5), (0,))
    (fill,) = wanted(VIDEO, stretches)
    assert (fill.pid, fill.before) == (256, 1)
    assert (fill.dts - BASE).tolist() == steps(30_000, 5)
    assert (fill.pts == fill.dts).all()


def test_pictures_that_are_shown_later_than_decoded():
    stretches = (
        stretch("0.ts", steps(0, 5), lag=12_000),
        stretch("1.ts", steps(60_000, 5), (0,), lag=12_000),
    )
    (fill,) = wanted(VIDEO, stretches)
    assert (fill.pts - fill.dts == 12_000).all()


@pytest.mark.parametrize(("length", "count"), [(9590, 4), (9600, 5), (9601, 5), (11_510, 5)])
def test_frames_of_sound_fit_in_whole(length, count):
    stretches = (
        stretch("0.ts", steps(0, 5, 1920)),
        stretch("1.ts", steps(9600 + length, 5, 1920), (0,)),
    )
    (fill,) = wanted(AUDIO, stretches)
    assert len(fill.dts) == count


def test_a_hole_inside_a_segment_is_kept():
    times = [*steps(0, 5), *steps(60_000, 5)]
    assert list(wanted(VIDEO, [stretch("0.ts", times, (5,))])) == []


@pytest.mark.parametrize(
    ("lane", "start", "late", "shown"),
    [
        pytest.param(VIDEO, 90_000, 0, 0, id="late pictures"),
        pytest.param(VIDEO, 90_000, 6000, 1, id="late pictures that are reordered"),
        pytest.param(VIDEO, 45_000, 0, None, id="half a second late"),
        pytest.param(AUDIO, 90_000, 0, None, id="late sound"),
    ],
)
def test_one_picture_stands_where_pictures_begin_late(lane, start, late, shown):
    dts = np.arange(5) * 6000 + BASE + start
    placed = [
        Placed(Slot("0.ts", None), 0, {}, 0),
        Placed(Slot("1.ts", None), 1, {lane.pid: Stamps.of(dts + late, dts)}, 1),
    ]
    fill = opening(lane, placed)
    if shown is None:
        assert fill is None
    else:
        assert fill is not None
        assert (fill.before, fill.pts.tolist(), fill.dts.tolist()) == (0, [BASE + shown], [BASE])


def test_a_pause_without_a_loss_is_no_hole():
    stretches = stretch("0.ts", steps(0, 5)), stretch("1.ts", steps(60_000, 5))
    assert list(wanted(VIDEO, stretches)) == []


def test_a_segment_without_the_stream_in_between():
    stretches = (
        stretch("0.ts", steps(0, 5)),
        stretch("1.ts", []),
        stretch("2.ts", steps(60_000, 5), (0,)),
    )
    (fill,) = wanted(VIDEO, stretches)
    assert fill.before == 2


def test_blocks_of_a_minute_side_by_side():
    long = np.arange(0, 3 * BLOCK, 6000)
    fills = [Fill(256, 1, long + 10, long), Fill(257, 1, long[:3], long[:3])]
    made = {256: EncodedUnits((b"key", b"a", b"b")), 257: EncodedUnits((b"s",))}
    found = list(blocks(fills, made))
    assert [set(block) for block in found] == [{256, 257}, {256}, {256}]
    assert found[0][256].units[:7] == [b"key", b"a", b"b", b"key", b"a", b"b", b"key"]
    assert found[1][256].units[0] == (b"key", b"a", b"b")[len(found[0][256].units) % 3]
    assert np.array_equal(np.concatenate([block[256].dts for block in found]), long)
    assert np.array_equal(np.concatenate([block[256].pts for block in found]), long + 10)
    assert list(blocks([], {})) == []
