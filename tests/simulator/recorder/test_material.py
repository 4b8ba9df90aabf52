"""Blocks of encoded material, and what is made of them."""

from itertools import pairwise

import pytest
from msgspec.structs import replace

from pipeline.errors import MuxingError
from pipeline.simulator.recorder import material
from pipeline.simulator.recorder.values import HZ
from tests.simulator.conftest import LOOK


@pytest.fixture(scope="module")
def block(ffmpeg):
    return material.encode(LOOK, 8, ffmpeg)


def test_a_block_is_whole_pictures_and_whole_frames(block):
    assert len(block.pictures) == 8 * 15
    assert len(block.frames) == 375


@pytest.mark.parametrize("stream", ["video", "audio"])
def test_a_block_is_repeated_without_a_seam(block, stream):
    units = block.units(stream, 0, 20 * HZ)
    assert all(a.time + a.length == b.time for a, b in pairwise(units))
    per_block = 120 if stream == "video" else 375
    assert units[0].data == units[per_block].data
    assert units[per_block].time - units[0].time == 8 * HZ


def test_units_cut_anywhere_are_each_there_once(block):
    for stream in ("video", "audio"):
        cuts = [0, 3 * HZ + 77, 9 * HZ, 20 * HZ]
        pieces = [u for a, b in pairwise(cuts) for u in block.units(stream, a, b)]
        assert pieces == list(block.units(stream, 0, 20 * HZ))


def test_a_flash_and_a_beep_begin_at_each_full_second(block):
    for stream in ("video", "audio"):
        marks = [u.time + u.mark for u in block.units(stream, 0, 20 * HZ) if u.mark is not None]
        assert marks == [second * HZ for second in range(20)]


def test_the_same_look_gives_the_same_bytes_and_another_seed_others(ffmpeg):
    def made(look):
        material._pictures.cache_clear()
        material._frames.cache_clear()
        return material.encode(look, 8, ffmpeg)

    once = made(LOOK)
    assert made(LOOK) == once
    other = made(replace(LOOK, seed=1))
    assert other.pictures != once.pictures
    assert other.frames != once.frames


def test_pictures_at_irregular_times_keep_their_keys(ffmpeg):
    units = material.encode(replace(LOOK, sparse=True), 8, ffmpeg).units("video", 0, 16 * HZ)
    assert [u.time for u in units if u.key] == [second * HZ for second in range(16)]
    assert len({u.length for u in units}) > 1
    assert sum(u.length for u in units) == 16 * HZ


def test_an_encoder_that_is_not_there_is_named(ffmpeg, monkeypatch):
    monkeypatch.setitem(material.studio.CODECS, "h264", ("-c:v", "libnosuch", "-f", "h264"))
    material._pictures.cache_clear()
    with pytest.raises(MuxingError, match="libnosuch"):
        material.encode(LOOK, 8, ffmpeg)
