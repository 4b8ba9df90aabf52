"""Transport packets edited in place, and new ones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pipeline.media.es.codecs import AAC, H264
from pipeline.media.stitch.edit import renumber, retime, spliced
from pipeline.media.stitch.work import CarryOver, TrackInSegment
from pipeline.media.track import Lane
from pipeline.media.ts.elementary import elementary
from pipeline.media.ts.packets import columns
from pipeline.media.ts.pes import track
from pipeline.media.ts.time_fields import pcr_bases
from pipeline.media.ts.writing.packetize import audio_pes, blank, clock, packetize, video_pes
from tests import ts

CLOCK = 1 << 33
VIDEO, AUDIO = Lane(ts.VIDEO, H264, b"", 6000.0), Lane(ts.AUDIO, AAC, b"", 1920.0)


def rows_of(data: bytes) -> np.ndarray:
    return np.frombuffer(bytearray(data), np.uint8).reshape(-1, 188)


def work(data: bytes, pid: int, pts: list[int], dts: list[int] | None = None) -> TrackInSegment:
    packets = columns(rows_of(data))
    return TrackInSegment(
        "a.ts",
        CarryOver(VIDEO if pid == ts.VIDEO else AUDIO),
        packets,
        track(packets, pid),
        np.array(pts, np.int64),
        np.array(pts if dts is None else dts, np.int64),
        torn=False,
        joined=False,
        cut=False,
        whole=False,
        faults=np.empty(0, np.intp),
    )


def everything(one: TrackInSegment) -> np.ndarray:
    return np.ones(len(one.track.index), np.bool_)


def stream(pid: int, *pes: bytes, pcr: int | None = None, counter: int = 0) -> bytes:
    out: list[bytes] = []
    for unit in pes:
        out += ts.packets(pid, unit, counter + len(out), pcr=pcr)
    return b"".join(out)


ES = ts.noise(400)


@pytest.mark.parametrize("value", [0, 7, CLOCK - 1, CLOCK + 5], ids=str)
def test_new_stamps(value):
    data = stream(ts.VIDEO, ts.pes(0xE0, ES, 5, 3), ts.pes(0xE0, ES, 9))
    one = work(data, ts.VIDEO, [value + 2, value + 6], [value, value + 6])
    retime(one, (ts.VIDEO,), everything(one))
    wanted = stream(ts.VIDEO, ts.pes(0xE0, ES, value + 2, value), ts.pes(0xE0, ES, value + 6))
    assert one.packets.rows.tobytes() == wanted


def test_a_pes_that_lost_its_stamp():
    data = stream(ts.AUDIO, ts.pes(0xC0, ES, 5), ts.pes(0xC0, ES, 7))
    one = work(data, ts.AUDIO, [-1, 70])
    retime(one, (ts.AUDIO,), everything(one))
    first, second = (at for at in range(0, len(data), 188) if data[at + 1] & 0x40)
    out = one.packets.rows.tobytes()
    assert out[first + 4 + 7] == 0  # no PTS; its bytes are stuffing of the header now
    assert out[first + 4 + 8] == 5
    assert out[second + 4 + 9 : second + 4 + 14] == ts.stamp(70, 2)


def test_video_needs_no_length_and_sound_keeps_it():
    head = bytearray(ts.pes(0xE0, ES, 5))
    head[4:6] = (len(head) - 6).to_bytes(2, "big")
    one = work(stream(ts.VIDEO, bytes(head)), ts.VIDEO, [5])
    retime(one, (ts.VIDEO,), everything(one))
    assert one.packets.rows[0, 8:10].tolist() == [0, 0]
    data = stream(ts.AUDIO, ts.pes(0xC0, ES, 5))
    two = work(data, ts.AUDIO, [5])
    retime(two, (ts.AUDIO,), everything(two))
    assert two.packets.rows.tobytes() == data


def test_headers_are_written_as_they_were_put_right():
    right = [ts.pes(0xE0, ts.annex_b([ts.AUD, ts.nal(1)]), pts) for pts in (5, 7, 9)]
    odd = right[1][:3] + b"\xe4" + right[1][4:]
    one = work(stream(ts.VIDEO, right[0], odd, right[2]), ts.VIDEO, [5, 7, 9])
    retime(one, (ts.VIDEO,), everything(one))
    assert one.packets.rows.tobytes() == stream(ts.VIDEO, *right)


def test_what_is_not_kept_is_left_alone():
    data = stream(ts.AUDIO, ts.pes(0xC0, ES, 5), ts.pes(0xC0, ES, 7))
    one = work(data, ts.AUDIO, [50, 70])
    kept = everything(one)
    kept[: one.track.starts[1]] = False
    retime(one, (ts.AUDIO,), kept)
    wanted = stream(ts.AUDIO, ts.pes(0xC0, ES, 5), ts.pes(0xC0, ES, 70))
    assert one.packets.rows.tobytes() == wanted


@pytest.mark.parametrize(
    ("old", "clock", "new", "moved"),
    [
        pytest.param(100_000, 60_000, 900_000, 860_000, id="later"),
        pytest.param(100_000, 60_001, 900_000, 860_001, id="an odd clock"),
        pytest.param(900_000, 860_000, 100_000, 60_000, id="earlier"),
        pytest.param(100, CLOCK - 900, 900_000, 899_000, id="over the end"),
        pytest.param(100_000, 60_000, 30_000, CLOCK - 10_000, id="below zero"),
    ],
)
def test_the_clock_moves_with_the_stamps(old, clock, new, moved):
    other = stream(ts.AUDIO, ts.pes(0xC0, ES, 1), pcr=clock)
    data = stream(ts.VIDEO, ts.pes(0xE0, ES, old), pcr=clock) + other
    one = work(data, ts.VIDEO, [new])
    retime(one, (ts.VIDEO,), everything(one))
    wanted = stream(ts.VIDEO, ts.pes(0xE0, ES, new), pcr=moved) + other
    assert one.packets.rows.tobytes() == wanted


def test_counters_go_on():
    data = stream(ts.VIDEO, ts.pes(0xE0, ES, 5), counter=3)
    one = work(data, ts.VIDEO, [5])
    one.carried.counter = 14
    renumber(one, everything(one))
    assert one.packets.rows.tobytes() == stream(ts.VIDEO, ts.pes(0xE0, ES, 5), counter=14)
    assert one.carried.counter == 1


def test_only_kept_packets_are_counted():
    one = work(stream(ts.VIDEO, ts.pes(0xE0, ES, 5)), ts.VIDEO, [5])
    renumber(one, np.array([True, False, True]))
    assert (one.packets.rows[[0, 2], 3] & 15).tolist() == [0, 1]
    assert one.carried.counter == 2


def test_null_packets():
    data = stream(ts.VIDEO, ts.pes(0xE0, ES, 5), pcr=9)
    rows = rows_of(data)
    rows[0, 0] = 0
    blank(rows, np.array([True, False, True]))
    assert [row[:4].tobytes() for row in rows] == [
        b"\x47\x1f\xff\x10",
        data[188:192],
        b"\x47\x1f\xff\x10",
    ]


@pytest.mark.parametrize(
    ("inserts", "order"),
    [
        pytest.param([], "0123", id="nothing"),
        pytest.param([(0, b"a")], "a0123", id="in front"),
        pytest.param([(2, b"a")], "01a23", id="inside"),
        pytest.param([(4, b"a")], "0123a", id="behind"),
        pytest.param([(3, b"b"), (1, b"a")], "0a12b3", id="in any order"),
        pytest.param([(1, b"a"), (1, b"b")], "0ab123", id="two at one place stay in order"),
    ],
)
def test_spliced(inserts, order):
    rows = np.repeat(np.frombuffer(b"0123", np.uint8), 188).reshape(4, 188)
    out = b"".join(spliced(rows, [(row, made * 188) for row, made in inserts]))
    assert out[::188] == order.encode()
    assert len(out) == 188 * len(order)


@given(st.binary(max_size=900), st.integers(0, CLOCK - 1))
def test_new_pes(payload, pts):
    assert audio_pes(payload, pts) == ts.pes(0xC0, payload, pts)


def test_a_pes_too_long_for_its_length_has_none():
    assert audio_pes(b"x" * 65_527, 0)[4:6] == b"\xff\xff"
    assert audio_pes(b"x" * 65_528, 0)[4:6] == b"\0\0"


@given(st.integers(1, 600), st.integers(0, 15), st.sampled_from([0x21, 0x101, 0x1FFE]))
def test_new_packets(size, counter, pid):
    unit = ts.noise(size)
    made = ts.packets(pid, unit, counter)
    assert packetize(pid, unit, counter) == (b"".join(made), counter + len(made) & 15)


def test_sound_is_told_how_long_it_is():
    right = ts.pes(0xC0, ES, 5)
    wrong = right[:4] + (999).to_bytes(2, "big") + right[6:]
    one = work(stream(ts.AUDIO, right, wrong, right), ts.AUDIO, [5, 5, 5])
    retime(one, (ts.AUDIO,), everything(one))
    assert one.packets.rows.tobytes() == stream(ts.AUDIO, right, right, right)


def test_what_goes_on_in_the_next_segment_is_not_shortened():
    longer = ts.pes(0xC0, ES, 5)
    longer = longer[:4] + (999).to_bytes(2, "big") + longer[6:]
    one = replace(work(stream(ts.AUDIO, longer), ts.AUDIO, [5]), joined=True)
    retime(one, (ts.AUDIO,), everything(one))
    assert one.packets.rows.tobytes() == stream(ts.AUDIO, longer)


def test_a_clock_by_itself():
    packets = columns(rows_of(clock(0x123, CLOCK - 5, 0)))
    assert (packets.pid.tolist(), packets.counter.tolist()) == ([0x123], [15])
    assert not packets.payload.any()
    assert not len(packets.bad)
    assert pcr_bases(packets.rows[:, 6:11]).tolist() == [CLOCK - 5]


def test_packets_that_go_on_with_a_pes():
    packed, counter = packetize(0x100, ES, 14, begins=False)
    packets = columns(rows_of(packed))
    assert not packets.unit_start.any()
    assert packets.counter.tolist() == [14, 15, 0]
    assert counter == 1


def test_a_picture_without_a_stamp():
    one = work(stream(ts.VIDEO, video_pes(ES, -1, -1)), ts.VIDEO, [-1])
    assert one.track.pts.tolist() == [-1]
    assert elementary(one.packets, one.track, 0, len(one.track.index)) == ES
