"""Sound that is not what the tables say."""

import numpy as np
import pytest

from pipeline.media.es.audio_type import heard
from pipeline.media.es.codecs import AAC, AC3, EAC3, LATM, MP2
from pipeline.media.timeline.pid_mapping import aligned
from pipeline.media.ts.scan import scan
from tests import ts

ADTS = ts.adts_frame(ts.silence(40))[:7]
HEADS = {
    AAC: ADTS,
    MP2: bytes.fromhex("fffd84040000 00"),
    LATM: bytes.fromhex("56e0a0200012 00"),
    AC3: bytes.fromhex("0b77b4c31440 00"),
    EAC3: bytes.fromhex("0b7700ff3f86 00"),
}


@pytest.mark.parametrize("told", HEADS, ids=lambda codec: codec.name)
@pytest.mark.parametrize("real", HEADS, ids=lambda codec: codec.name)
def test_what_the_payload_says_counts(told, real):
    assert heard(told, [HEADS[real]] * 3) is real


@pytest.mark.parametrize(
    "heads",
    [
        pytest.param([], id="nothing"),
        pytest.param([b""] * 3, id="empty PES"),
        pytest.param([bytes(7)] * 3, id="zeros"),
        pytest.param([ADTS[:6]] * 3, id="too short"),
        pytest.param([ADTS, bytes(7), bytes(7)], id="one in three"),
        pytest.param([ADTS, HEADS[AC3]], id="two that differ"),
        pytest.param([ADTS, ADTS, HEADS[MP2]], id="one is what was told"),
        pytest.param([bytes.fromhex("ffeb8404000000")] * 3, id="a version that is reserved"),
        pytest.param([bytes.fromhex("fffdf404000000")] * 3, id="a bit rate that cannot be"),
        pytest.param([bytes.fromhex("fffd8c04000000")] * 3, id="a rate that cannot be"),
    ],
)
def test_where_it_says_nothing_the_table_counts(heads):
    assert heard(MP2, heads) is MP2


def told(kind: int, n: int = 0, audio: int | None = ts.AUDIO) -> bytes:
    """A segment whose table gives another stream_type for its sound."""
    pmt = ts.pmt({ts.VIDEO: ts.H264, ts.AUDIO: kind})
    data = ts.segment(start=ts.START + n * 90_000, audio=audio)
    return b"".join([*ts.table_packets(0, ts.pat()), *ts.table_packets(ts.PMT, pmt)]) + data[376:]


def test_adts_under_the_type_of_mpeg_audio():
    found = scan("0.ts", np.frombuffer(told(0x03), np.uint8))
    assert found.streams[ts.AUDIO].codec is AAC
    assert found.streams[ts.AUDIO].config == bytes.fromhex("fff14c40")
    assert found.program.streams == {ts.VIDEO: ts.H264, ts.AUDIO: ts.AAC}
    assert found.program.told == {ts.AUDIO: 0x03}


def test_where_it_is_only_announced_it_is_the_same():
    datas = told(0x03, 0, None), told(0x03, 1), told(0x0F, 2)
    scans = [scan(f"{n}.ts", np.frombuffer(d, np.uint8)) for n, d in enumerate(datas)]
    found, findings = aligned(scans)
    assert [one.program.streams[ts.AUDIO] for one in found] == [ts.AAC] * 3
    assert findings == []
