"""What is encoded to fill holes has the form of the lane it goes into."""

import numpy as np
import pytest

from pipeline.media.clock import BASE
from pipeline.media.es.access_units import Units
from pipeline.media.es.codecs import AAC, H264, HEVC
from pipeline.media.es.nal import nals
from pipeline.media.loss.holes import Stretch
from pipeline.media.track import Lane
from pipeline.stages.fill import prepare
from tests import ts


def stretches(unit: float, units: int) -> list[Stretch]:
    """Two segments with a hole of so many units between them."""
    made = []
    for start, torn in ((0, []), (5 + units, [0])):
        times = BASE + np.round((np.arange(5) + start) * unit).astype(np.int64)
        sizes, places = np.ones(5, np.uint32), np.array(torn, np.intp)
        made.append(Stretch(f"{start}.ts", Units(sizes, times, times, 0, places)))
    return made


def header(rate: int, channels: int) -> bytes:
    found = ts.adts_frame(b"", rate=rate, channels=channels)
    return bytes((*found[:3], found[3] & 0xF0))


def test_sound_needs_no_encoder(ffmpeg):
    """It gets silence wherever it pauses."""
    lane = Lane(257, AAC, header(48000, 6), 1920.0)
    found = prepare([lane], [stretches(lane.unit, 20)], ffmpeg)
    assert (found.fills, dict(found.made), found.findings) == ((), {}, ())


def test_pictures_begin_with_a_key_picture_and_fit_the_hole(ffmpeg):
    lane = Lane(256, H264, ts.SPS, 6000.0)
    found = prepare([lane], [stretches(6000, 40)], ffmpeg)
    units = found.made[256].units
    assert len(units) == 40
    kinds = [nals(np.frombuffer(unit, np.uint8)) for unit in units]
    assert all(int(np.count_nonzero(k.opens)) == 1 for k in kinds)
    assert all(k.kind[0] == 9 for k in kinds)  # an access unit delimiter
    assert 5 in kinds[0].kind
    assert not any(5 in k.kind for k in kinds[1:])


@pytest.mark.parametrize(
    "lane",
    [
        pytest.param(Lane(257, AAC, header(48000, 0), 1920.0), id="channels in the stream"),
        pytest.param(Lane(256, H264, b"\x67\x42", 6000.0), id="a broken SPS"),
    ],
)
def test_a_form_that_cannot_be_made(ffmpeg, lane):
    found = prepare([lane], [stretches(lane.unit, 20)], ffmpeg)
    assert (found.fills, dict(found.made)) == ((), {})
    assert [(f.id, f.pid) for f in found.findings] == [("M_FILL", lane.pid)]


def test_without_a_hole_nothing_is_made(ffmpeg):
    lane = Lane(257, AAC, header(48000, 1), 1920.0)
    found = prepare([lane], [stretches(lane.unit, 0)], ffmpeg)
    assert (found.fills, dict(found.made), found.findings) == ((), {}, ())


def test_a_number_that_no_parameter_set_of_the_lane_has(ffmpeg):
    """Pictures that were re-encoded have taken 31 already."""
    plain = Lane(256, H264, ts.SPS, 6000.0)
    first = prepare([plain], [stretches(6000, 3)], ffmpeg).made[256].units[0]
    sets = own_sets(first)
    lane = Lane(256, H264, ts.SPS, 6000.0, sets)
    second = prepare([lane], [stretches(6000, 3)], ffmpeg).made[256].units[0]
    numbers = [H264.picture(found[0]).number for found in (sets, own_sets(second))]
    assert numbers == [31, 30]


def own_sets(unit: bytes) -> tuple[bytes, ...]:
    found = nals(np.frombuffer(unit, np.uint8))
    spans = zip(found.begin, found.end, found.kind, strict=True)
    return tuple(unit[a:b].rstrip(b"\0") for a, b, kind in spans if kind in (7, 8))


def test_h265_is_not_filled(ffmpeg):
    lane = Lane(256, HEVC, ts.SPS, 6000.0)
    found = prepare([lane], [stretches(6000, 3)], ffmpeg)
    assert (found.fills, found.made) == ((), {})
    assert [f.id for f in found.findings] == ["M_FILL"]
