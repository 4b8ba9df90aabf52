"""Streams followed over segments that number them in their own way."""

import numpy as np
import pytest

from pipeline.media.timeline.pid_mapping import aligned
from pipeline.media.ts.scan import Scan, scan
from tests import ts

BOTH = {ts.VIDEO: ts.H264, ts.AUDIO: ts.AAC}


def one(n: int, video: int | None, audio: int | None, *, tables: bool = True) -> Scan:
    data = ts.segment(start=ts.START + n * 90_000, video=video, audio=audio)
    return scan(f"{n}.ts", np.frombuffer(data[0 if tables else 376 :], np.uint8))


def routes(*scans: Scan) -> list[dict[int, tuple[int, ...]]]:
    """By segment: where each stream, under the PID that stands for it, has its packets."""
    found, _ = aligned(scans)
    return [{pid: s.pids for pid, s in each.streams.items()} for each in found]


def test_nothing_changes():
    scans = [one(n, ts.VIDEO, ts.AUDIO) for n in range(3)]
    found, findings = aligned(scans)
    assert found == scans
    assert findings == []


@pytest.mark.parametrize(
    ("pids", "wanted"),
    [
        pytest.param((0x200, 0x201), {0x100: (0x200,), 0x101: (0x201,)}, id="both move"),
        pytest.param((0x100, 0x201), {0x100: (0x100,), 0x101: (0x201,)}, id="one moves"),
        pytest.param((0x101, 0x100), {0x100: (0x101,), 0x101: (0x100,)}, id="swapped"),
        pytest.param((0x101, 0x102), {0x100: (0x101,), 0x101: (0x102,)}, id="crossed"),
        pytest.param((0x200, None), {0x100: (0x200,)}, id="one moves, one is absent"),
        pytest.param((None, 0x100), {0x101: (0x100,)}, id="one in the other's place"),
    ],
)
@pytest.mark.parametrize("tables", [True, False], ids=["told", "without tables"])
def test_streams_move(pids, wanted, tables):
    usual = one(0, 0x100, 0x101)
    assert routes(usual, one(1, *pids, tables=tables), usual)[1] == wanted


def test_the_first_segment_has_no_tables():
    scans = one(0, 0x200, 0x201, tables=False), one(1, 0x100, 0x101)
    assert routes(*scans)[1] == {0x200: (0x100,), 0x201: (0x101,)}


def test_a_stream_that_comes_later_gets_a_free_pid():
    """Its own is taken by what was there before."""
    scans = one(0, 0x100, None), one(1, 0x101, 0x100)
    assert routes(*scans) == [{0x100: (0x100,)}, {0x100: (0x101,), 0x102: (0x100,)}]


def test_it_is_said_once_for_each_move():
    scans = [one(n, *pids) for n, pids in enumerate([(0x100, 0x101), (0x200, 0x101)] * 2)]
    _, findings = aligned(scans)
    assert [(f.id, f.segment, f.pid, f.detail) for f in findings] == [
        ("PMT_CHANGE", "1.ts", 0x100, "h264 on PID 0x200, was on 0x100"),
        ("PMT_CHANGE", "2.ts", 0x100, "h264 on PID 0x100, was on 0x200"),
        ("PMT_CHANGE", "3.ts", 0x100, "h264 on PID 0x200, was on 0x100"),
    ]


def test_packets_of_no_program_are_no_stream_of_it():
    """Where tables are missing, only what is listed elsewhere counts."""
    extra = b"".join(ts.packets(0x300, ts.pes(0xC1, ts.adts_frame(b"x" * 40), 5), 0))
    data = ts.segment()[376:] + extra
    scans = one(0, ts.VIDEO, ts.AUDIO), scan("1.ts", np.frombuffer(data, np.uint8))
    found = routes(*scans)[1]
    assert found[ts.VIDEO] == (ts.VIDEO,)
    assert found[ts.AUDIO] == (ts.AUDIO,)


def test_data_makes_way():
    tables = ts.table_packets(0, ts.pat()) + ts.table_packets(
        ts.PMT, ts.pmt({0x200: ts.H264, 0x201: ts.AAC, 0x101: 6}), 0
    )
    data = b"".join(tables) + ts.segment(video=0x200, audio=0x201)[376:]
    found, _ = aligned([one(0, 0x100, 0x101), scan("1.ts", np.frombuffer(data, np.uint8))])
    assert found[1].program.streams == BOTH
