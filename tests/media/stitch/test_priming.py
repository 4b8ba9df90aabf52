"""What a muxer is shown of a stream that begins late."""

import numpy as np
import pytest
from msgspec.structs import replace

from pipeline.media.clock import BASE, HZ
from pipeline.media.slots.segments import Slot
from pipeline.media.stitch.priming import INTRODUCED, introduction
from pipeline.media.timeline.plan import plan
from pipeline.media.ts.scan import scan
from tests import ts

TABLES = ts.table_packets(0, ts.pat()) + ts.table_packets(
    ts.PMT, ts.pmt({ts.VIDEO: ts.H264, ts.AUDIO: ts.AAC})
)


def introduced(pid: int, data: bytes) -> bytes:
    array = np.frombuffer(data, np.uint8)
    (lane,) = [x for x in plan([Slot("a.ts", scan("a.ts", array))]).lanes if x.pid == pid]
    return introduction(array, lane, (pid,))


def read(packets: bytes):
    """Scanned with tables in front."""
    return scan("intro", np.frombuffer(b"".join(TABLES) + packets, np.uint8))


@pytest.mark.parametrize("pid", [ts.VIDEO, ts.AUDIO])
def test_it_is_a_clean_stream_before_the_recording(pid):
    found = read(introduced(pid, ts.segment()))
    assert not [f for f in found.findings if f.severity != "info"]
    stream = found.streams[pid]
    assert (stream.pts < INTRODUCED).all()
    assert INTRODUCED < BASE * 7350 / HZ  # the slowest clock of sound (ISO/IEC 14496-3 table 1.18)
    assert stream.counters[1] == 15  # the stream itself begins with 0
    assert stream.config is not None


def test_pictures_carry_the_parameters():
    """Three times the same, for a picture is known when the next one begins."""
    stream = read(introduced(ts.VIDEO, ts.segment())).streams[ts.VIDEO]
    assert stream.config == ts.SPS
    assert len(stream.pts) == 3


def test_sound_is_whole_frames():
    stream = read(introduced(ts.AUDIO, ts.segment())).streams[ts.AUDIO]
    assert len(stream.pts) == 16
    assert stream.short == 0


def test_sound_whose_first_frame_began_in_a_segment_that_is_gone():
    """What stands in front of the first whole frame tells a muxer nothing."""
    data = ts.segment(frames_per_pes=4)
    first = next(
        at
        for at in range(0, len(data), 188)
        if int.from_bytes(data[at + 1 : at + 3]) & 0x1FFF == ts.AUDIO
    )
    stream = read(introduced(ts.AUDIO, data[:first] + data[first + 188 :]))
    assert len(stream.streams[ts.AUDIO].pts) == 16


def test_a_stream_under_another_pid():
    data = ts.segment(video=0x200)
    array = np.frombuffer(data, np.uint8)
    (lane, _) = plan([Slot("a.ts", scan("a.ts", array))]).lanes
    made = introduction(array, replace(lane, pid=ts.VIDEO), (0x200,))
    assert read(made).streams[ts.VIDEO].config == ts.SPS


def test_pictures_that_come_in_several_pes():
    made: list[bytes] = []
    for nal in ts.picture_nals(0) + ts.picture_nals(1):
        made += ts.packets(ts.VIDEO, ts.pes(0xE0, ts.annex_b([nal]), 9), len(made))
    shown = read(introduced(ts.VIDEO, b"".join([*TABLES, *made]))).streams[ts.VIDEO]
    assert shown.held is None  # each a whole picture
    assert (shown.config, len(shown.pts)) == (ts.SPS, 3)
