"""What is written as a transport stream is read back unit by unit, and looks whole at its edges."""

import numpy as np
import pytest

from pipeline.media.es.codecs import AAC, H264
from pipeline.media.slots.segments import complete
from pipeline.media.stitch.stitcher import Stitcher
from pipeline.media.track import Edges, Lane
from pipeline.media.ts.continuity import continues
from pipeline.media.ts.scan import scan
from pipeline.media.ts.writing.mux import MuxStream, Sample, write
from tests import ts

SIZES = [*range(1, 400, 13), 184, 183, 170, 171, 165, 166, 184 * 3, 184 * 15 + 150, 184 * 15 - 14]


def pictures(sizes, delay=0):
    return [
        Sample(9000 + n * 6000 + delay, 9000 + n * 6000, ts.access_unit(n, size=20 + size, seed=n))
        for n, size in enumerate(sizes)
    ]


def sound(count):
    frames = [ts.adts_frame(ts.silence(30 + n % 9, seed=n)) for n in range(count)]
    return [Sample(9000 + n * 1920, 9000 + n * 1920, frame) for n, frame in enumerate(frames)]


@pytest.mark.parametrize("delay", [0, 12000])
def test_there_and_back(delay):
    streams = [MuxStream(0x100, H264, pictures(SIZES, delay)), MuxStream(0x110, AAC, sound(90))]
    data = write(streams)
    found = scan("a.ts", data)
    assert found.findings == ()
    assert found.program.streams == {0x100: 0x1B, 0x110: 0x0F}
    for stream in streams:
        read = found.streams[stream.pid]
        assert read.pts.tolist() == [sample.pts for sample in stream.samples]
        assert read.dts.tolist() == [sample.dts for sample in stream.samples]
        assert complete(read)
    lanes = tuple(Lane(s.pid, s.codec, found.streams[s.pid].config, 6000) for s in streams)
    times = {pid: (s.pts, s.dts) for pid, s in found.streams.items()}
    units = Stitcher(lanes).add("a.ts", data.copy(), times, Edges()).units
    assert len(units[0x100].sizes) == len(SIZES)
    assert len(units[0x110].sizes) == 90
    assert units[0x100].pts.tolist() == [sample.pts for sample in streams[0].samples]


@pytest.mark.parametrize("size", range(1, 400))
def test_every_last_packet_shows_that_it_is_the_last(size):
    data = write([MuxStream(0x100, H264, [Sample(9000, 9000, ts.annex_b([ts.nal(1, size + 2)]))])])
    assert complete(scan("a.ts", data).streams[0x100])


@pytest.mark.parametrize("count", range(1, 50))
def test_two_segments_never_look_like_one(count):
    """Counters restart; by chance every 16th edge would seem to go on."""
    data = write([MuxStream(0x110, AAC, sound(count))])
    one = scan("a.ts", data).streams[0x110]
    assert not continues(one, one)
    assert one.counters[0] == 0


def test_a_stamp_wraps():
    data = write([MuxStream(0x110, AAC, [Sample((1 << 33) + 5, (1 << 33) + 5, b"\xff")])])
    assert scan("a.ts", data).streams[0x110].pts.tolist() == [5]


def test_nothing_is_nothing():
    assert write([]).tolist() == np.empty(0, np.uint8).tolist()
