"""One continuous stream of many segments, and the units it must come out as."""

import zlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pytest

from pipeline.media.clock import BASE
from pipeline.media.stitch.stitcher import Changed, Stitched, Stitcher
from pipeline.model import Severity
from tests import ts
from tests.media.slots_builder import S, stitched

CLOCK = 1 << 33


class Packet(NamedTuple):
    """One packet as read here, byte by byte."""

    pid: int
    start: bool
    counter: int
    pcr: int | None
    payload: bytes


def read(stream: bytes) -> list[Packet]:
    """The packets of a stream but null packets."""
    found = [_packet(stream[at : at + 188]) for at in range(0, len(stream), 188)]
    return [packet for packet in found if packet.pid != ts.NULL]


def _packet(raw: bytes) -> Packet:
    assert (raw[0], len(raw)) == (0x47, 188)
    begin, pcr = 4, None
    if raw[3] & 0x20:
        begin = 5 + raw[4]
        if raw[4] and raw[5] & 0x10:
            pcr = int.from_bytes(raw[6:10], "big") << 1 | raw[10] >> 7
    payload = raw[begin:] if raw[3] & 0x10 else b""
    return Packet((raw[1] & 31) << 8 | raw[2], raw[1] & 0x40 != 0, raw[3] & 15, pcr, payload)


def value(field: bytes) -> int:
    """The 33 bits of a stamp."""
    bits = f"{int.from_bytes(field, 'big'):040b}"
    assert bits[7] == bits[23] == bits[39] == "1"
    return int(bits[4:7] + bits[8:23] + bits[24:39], 2)


def heads(packets: Sequence[Packet], pid: int) -> list[tuple[int, int | None, int | None]]:
    """PES_packet_length, PTS and DTS of every PES."""
    found = []
    for packet in packets:
        if packet.pid == pid and packet.start:
            p = packet.payload
            pts = value(p[9:14]) if p[7] & 0x80 else None
            dts = value(p[14:19]) if p[7] & 0x40 else None
            found.append((int.from_bytes(p[4:6], "big"), pts, dts))
    return found


def pictures(start: int, count: int = 16, size: int = 300) -> list[bytes]:
    """What :func:`tests.ts.segment` sends, each picture as MP4 stores it."""
    made = []
    for n in range(count):
        nals = ts.picture_nals(n % 15, size=size + 7 * (n % 5), seed=start + 6000 * n)
        made.append(b"".join(len(nal).to_bytes(4, "big") + nal for nal in nals))
    return made


def sound(start: int, count: int = 50) -> list[bytes]:
    times = range(start, start + 1920 * count, 1920)
    return [ts.silence(40 + t // 1920 % 9, seed=t) for t in times]


def units_of(parts: Sequence[Stitched], pid: int) -> Iterator[tuple[list[int], int]]:
    return ((part.units[pid].sizes.tolist(), part.units[pid].digest) for part in parts)


def as_units(*groups: list[bytes]) -> list[tuple[list[int], int]]:
    return [([len(unit) for unit in group], zlib.crc32(b"".join(group))) for group in groups]


def without(data: bytes, *gone: int) -> bytes:
    """Without these packets."""
    return b"".join(data[at : at + 188] for at in range(0, len(data), 188) if at // 188 not in gone)


def places(data: bytes, pid: int, *, start: bool = False) -> list[int]:
    """Which packets are of a PID, or begin a PES of it."""
    packets = [_packet(data[at : at + 188]) for at in range(0, len(data), 188)]
    return [n for n, p in enumerate(packets) if p.pid == pid and (p.start or not start)]


STARTS = (50 * S, 51 * S, S)


@pytest.mark.parametrize("codes", [(4,), (3,), (4, 3)], ids=["4", "3", "4 3"])
def test_units_are_what_the_segments_hold(codes):
    _, parts, _ = stitched(*(ts.segment(start=s, pictures=16, codes=codes) for s in STARTS))
    assert list(units_of(parts, ts.VIDEO)) == as_units(*map(pictures, STARTS))
    assert list(units_of(parts, ts.AUDIO)) == as_units(*map(sound, STARTS))
    for n, part in enumerate(parts):
        video, audio = part.units[ts.VIDEO], part.units[ts.AUDIO]
        begin = BASE + n * S
        assert video.pts.tolist() == video.dts.tolist() == [begin + 6000 * k for k in range(16)]
        assert audio.pts.tolist() == [begin + 1920 * k if k % 4 == 0 else -1 for k in range(50)]
        assert [u.torn.tolist() for u in (video, audio)] == [[], []]
        assert (video.cut, audio.cut, part.findings) == (0, 0, ())


LONG = 240  # bytes of a PES header; a packet holds 184


def with_long_headers(monkeypatch) -> None:
    """Every PES is stuffed behind its stamps (PES_header_data_length, clause 2.4.3.7)."""
    usual = ts.pes

    def stuffed(stream_id: int, es: bytes, *stamps: int | None) -> bytes:
        made = usual(stream_id, es, *stamps)
        more = LONG - 9 - made[8]
        length = int.from_bytes(made[4:6], "big")
        declared = (length + more if length else 0).to_bytes(2, "big")
        head = made[:4] + declared + made[6:8] + bytes((made[8] + more,)) + made[9 : 9 + made[8]]
        return head + b"\xff" * more + es

    monkeypatch.setattr(ts, "pes", stuffed)


def test_a_header_longer_than_its_first_packet(monkeypatch):
    with_long_headers(monkeypatch)
    made, parts, out = stitched(*(ts.segment(start=s, pictures=16) for s in STARTS))
    assert list(units_of(parts, ts.VIDEO)) == as_units(*map(pictures, STARTS))
    assert list(units_of(parts, ts.AUDIO)) == as_units(*map(sound, STARTS))
    assert [(f.id, f.severity) for f in made.findings] == [("DTS_BACK", Severity.WARNING)]
    assert all(part.findings == () for part in parts)
    assert [pts for _, pts, _ in heads(read(out), ts.VIDEO)][:2] == [BASE, BASE + 6000]


def test_sound_is_mended_behind_such_a_header(monkeypatch):
    with_long_headers(monkeypatch)
    data = ts.segment(start=S, pictures=16)
    gone = places(data, ts.AUDIO, start=True)[5]
    _, (part,), _ = stitched(without(data, gone + 1))
    held = sound(S)
    kept = held[:20] + held[23:]  # of the sixth PES a packet is left that holds its last frame
    assert list(units_of([part], ts.AUDIO)) == as_units(kept)


def test_counters_go_on_over_all_segments():
    datas = [ts.segment(start=s, pictures=16, counters={ts.VIDEO: 5, ts.AUDIO: 9}) for s in STARTS]
    _, _, out = stitched(*datas)
    for pid in (ts.VIDEO, ts.AUDIO):
        counters = [packet.counter for packet in read(out) if packet.pid == pid]
        assert counters == [n & 15 for n in range(len(counters))]


def test_stamps_are_written():
    _, _, out = stitched(*(ts.segment(start=s, pictures=16, delay=9000) for s in STARTS))
    video = heads(read(out), ts.VIDEO)
    assert video == [(0, BASE + 6000 * n + 9000, BASE + 6000 * n) for n in range(48)]
    audio = [(pts, dts) for _, pts, dts in heads(read(out), ts.AUDIO)]
    assert audio == [(BASE + s * S + 1920 * k, None) for s in range(3) for k in range(0, 50, 4)]


@pytest.mark.parametrize("start", [S, CLOCK - 48_000], ids=["small", "over the end of the clock"])
def test_the_clock_moves_as_far_as_the_stamps(start):
    data = ts.segment(start=start, pictures=16)
    _, _, out = stitched(data)
    moved = [packet.pcr for packet in read(out) if packet.pcr is not None]
    assert moved == [BASE - 45_000 + 6000 * n for n in range(16)]
    extensions = [out[at + 10 : at + 12] for at in range(0, len(out), 188) if out[at + 3] & 0x20]
    assert extensions[0][0] & 0x7F == 0x7E  # the rest of the PCR is not touched
    assert extensions[0][1] == 0


def test_everything_foreign_is_nulled():
    one = ts.segment(start=S, pictures=16)
    strangers = [
        *ts.packets(0x1FB, ts.pes(0xBD, ts.noise(300)), 0),
        *ts.table_packets(0x11, ts.section(0x42, 1, b"service")),
        ts.packet(ts.NULL, b"\xff" * 184, 0),
    ]
    data = one[: 188 * 9] + b"".join(strangers) + one[188 * 9 :]
    _, parts, out = stitched(data)
    assert len(out) == len(data) + 2 * 188  # PAT and PMT in front
    assert {packet.pid for packet in read(out[2 * 188 :])} == {ts.VIDEO, ts.AUDIO}
    for n in (0, 1, *range(9, 9 + len(strangers))):
        assert out[188 * (n + 2) :][:4] == b"\x47\x1f\xff\x10"
    assert list(units_of(parts, ts.VIDEO)) == as_units(pictures(S))


def test_tables_come_first():
    made, _, out = stitched(ts.segment(start=S, pictures=16))
    pat, pmt = read(out)[:2]
    assert pat.payload.rstrip(b"\xff") == b"\0" + ts.pat({1: 0x1000})
    assert pmt.payload.rstrip(b"\xff") == b"\0" + ts.pmt({ts.VIDEO: 0x1B, ts.AUDIO: 0x0F})
    assert [packet.counter for packet in read(Stitcher(made.lanes).tables(7))] == [7, 7]


def test_every_kept_byte_is_the_source_s():
    datas = [ts.segment(start=s, pictures=16) for s in STARTS]
    _, _, out = stitched(*datas)
    for pid in (ts.VIDEO, ts.AUDIO):
        real = [p.payload for p in read(out) if p.pid == pid]
        source = [p.payload for data in datas for p in read(data) if p.pid == pid]
        tail = [a[14:] if a[:3] == b"\0\0\1" else a for a in real]
        assert tail == [a[14:] if a[:3] == b"\0\0\1" else a for a in source]


# --- over the edge of two segments ---------------------------------------------------------------


@pytest.mark.parametrize("pid", [ts.VIDEO, ts.AUDIO], ids=["video", "audio"])
def test_a_pes_is_joined_over_the_edge(pid):
    whole = ts.segment(start=S, pictures=32, gop=15)
    inside = [n for n in places(whole, pid) if n not in places(whole, pid, start=True)]
    cut = 188 * inside[len(inside) // 2]  # not the first packet of its PES
    made, parts, out = stitched(whole[:cut], whole[: 2 * 188] + whole[cut:])
    assert made.placed[0].joined == {pid}
    assert not any(placed.torn for placed in made.placed)
    for lane, wanted in ((ts.VIDEO, pictures(S, 32)), (ts.AUDIO, sound(S, 100))):
        sizes = [size for part in parts for size in part.units[lane].sizes.tolist()]
        assert sizes == [len(unit) for unit in wanted]
        first = len(parts[0].units[lane].sizes)
        assert list(units_of(parts, lane)) == as_units(wanted[:first], wanted[first:])
        counters = [packet.counter for packet in read(out) if packet.pid == lane]
        assert counters == [n & 15 for n in range(len(counters))]
    times = [t for part in parts for t in part.units[ts.VIDEO].dts.tolist()]
    assert times == [BASE + 6000 * n for n in range(32)]


def test_a_pes_that_does_not_go_on_is_not_joined():
    whole = ts.segment(start=S, pictures=32)
    begin = places(whole, ts.VIDEO, start=True)[20]
    cut = 188 * begin
    other = ts.segment(start=9 * S, pictures=16)
    made, parts, _ = stitched(whole[: cut + 188], other)
    assert not made.placed[0].joined
    assert made.placed[0].cut >= {ts.VIDEO}
    assert len(parts[0].units[ts.VIDEO].sizes) == 20
    assert parts[1].units[ts.VIDEO].torn.tolist() == [0]
    assert list(units_of(parts[1:], ts.VIDEO)) == as_units(pictures(9 * S))


# --- lost packets --------------------------------------------------------------------------------


def test_a_picture_without_a_slice_is_dropped():
    data = ts.segment(start=S, pictures=16, size=600)  # AUD and SEI in the first packets
    begin = places(data, ts.VIDEO, start=True)[5]
    rest = [n for n in places(data, ts.VIDEO) if n > begin]
    made, parts, out = stitched(without(data, rest[1]))
    video = parts[0].units[ts.VIDEO]
    wanted = pictures(S, size=600)
    del wanted[5]
    assert list(units_of(parts, ts.VIDEO)) == as_units(wanted)
    assert (video.cut, video.torn.tolist()) == (0, [5])
    assert video.dts[4:6].tolist() == [BASE + 4 * 6000, BASE + 6 * 6000]
    assert heads(read(out), ts.VIDEO)[5][1] == BASE + 6 * 6000
    assert not made.rejected


def sliced(lost: int | None) -> bytes:
    """Pictures whose slice stands in front, then another; packet ``lost`` of number 3 is gone."""
    counters: dict[int, int] = {}
    first = ts.segment(start=S, pictures=3, audio=None, counters=counters)
    made = []
    counter = counters[ts.VIDEO]
    for n in range(3, 9):
        nals = [ts.AUD, ts.nal(1, 200, seed=n), ts.nal(1, 700, first_mb=1, seed=n + 50)]
        unit = ts.packets(ts.VIDEO, ts.pes(0xE0, ts.annex_b(nals), S + 6000 * n), counter)
        counter += len(unit)
        made += [p for k, p in enumerate(unit) if (n, k) != (3, lost)]
    return first + b"".join(made)


@pytest.mark.parametrize("lost", [2, 3])
def test_a_cut_picture_keeps_what_stands_before_the_loss(lost):
    _, parts, out = stitched(sliced(lost))
    _, whole, _ = stitched(sliced(None))
    video = parts[0].units[ts.VIDEO]
    assert (len(video.sizes), video.cut, video.torn.tolist()) == (9, 1, [4])
    kept = lost * 184 - 14  # payload of the packets before the loss, without the PES header
    assert video.sizes[3] == kept  # start codes and lengths are of four bytes both
    sizes = whole[0].units[ts.VIDEO].sizes.tolist()
    assert np.delete(video.sizes, 3).tolist() == [*sizes[:3], *sizes[4:]]
    counters = [packet.counter for packet in read(out) if packet.pid == ts.VIDEO]
    assert counters == [n & 15 for n in range(len(counters))]


def test_a_picture_whose_beginning_is_lost_is_dropped():
    _, parts, _ = stitched(sliced(0))
    video = parts[0].units[ts.VIDEO]
    assert (len(video.sizes), video.cut) == (8, 0)  # the one before was stuffed: it ended
    assert video.dts.tolist() == [BASE + 6000 * n for n in range(9) if n != 3]
    assert video.torn.tolist() == [3]


def test_pictures_due_before_the_first_one_are_dropped():
    order = [0, 12_000, -12_000, -6000, 18_000]  # the third and fourth refer to what is not there
    counter, out = 0, ts.segment(start=S, pictures=1, audio=None)[: 2 * 188]
    for n, ahead in enumerate(order):
        es = ts.access_unit(n, seed=n)
        unit = ts.packets(
            ts.VIDEO, ts.pes(0xE0, es, S + 18_000 + ahead, S + 6000 * n), counter, key=n == 0
        )
        counter += len(unit)
        out += b"".join(unit)
    _, parts, written = stitched(out)
    video = parts[0].units[ts.VIDEO]
    assert (len(video.sizes), video.cut) == (3, 2)
    finding = parts[0].findings[0]
    assert (finding.id, finding.severity, finding.count) == ("NO_KEY_AT_START", Severity.ERROR, 2)
    assert len(heads(read(written), ts.VIDEO)) == 3


def test_later_segments_may_begin_with_such_pictures():
    first = ts.segment(start=S, pictures=16, audio=None, delay=12_000)
    second = bytearray(ts.segment(start=2 * S, pictures=16, audio=None, delay=12_000))
    at = second.index(b"\0\0\1\xe0", 188 * places(bytes(second), ts.VIDEO, start=True)[1])
    second[at + 9 : at + 14] = ts.stamp(2 * S + 6000, 3)  # shown before the one in front of it
    _, parts, _ = stitched(first, bytes(second))
    assert [len(part.units[ts.VIDEO].sizes) for part in parts] == [16, 16]
    assert not any(part.findings for part in parts)


def test_another_format_inside_a_segment_is_fatal():
    larger = bytes.fromhex("6742c00ad90141fb011000000300100000030140f14272")  # 320x180
    other = ts.segment(start=S + 90_000, pictures=15).replace(ts.SPS, larger)
    _, parts, _ = stitched(ts.segment(start=S, pictures=15) + other)
    said = [(f.id, f.severity, f.segment, f.pid) for f in parts[0].findings]
    assert ("SPS_CHANGE", Severity.FATAL, "0.ts", ts.VIDEO) in said


def test_units_that_cannot_be_one_are_said():
    data = ts.segment(start=S, pictures=16)
    _, parts, _ = stitched(data.replace(b"\0\0\0\1\x41", b"\0\0\0\1\xc1", 2))
    said = [(f.id, f.severity, f.count) for f in parts[0].findings]
    assert said == [("DECODE", Severity.ERROR, 2)]


def test_bytes_that_are_not_those_that_were_planned_with():
    data = ts.segment(start=S, pictures=16)
    made, _, _ = stitched(data)
    placed = made.placed[0]
    other = np.frombuffer(bytearray(ts.segment(start=S, pictures=15)), np.uint8)
    with pytest.raises(Changed, match=r"0\.ts: not the bytes that were planned with"):
        Stitcher(made.lanes).add("0.ts", other, placed.stamps, placed.edges)


def declared(data: bytes) -> list[bytearray]:
    """The packets of a segment of pictures, whose PES say how long they are (2.4.3.7)."""
    rows = [bytearray(data[at : at + 188]) for at in range(0, len(data), 188)]
    begins = [n for n, row in enumerate(rows) if row[1] & 0x41 == 0x41]
    for begin, end in zip(begins, [*begins[1:], len(rows)], strict=True):
        length = sum(len(_packet(bytes(row)).payload) for row in rows[begin:end]) - 6
        at = rows[begin].index(b"\0\0\1\xe0") + 4
        rows[begin][at : at + 2] = length.to_bytes(2, "big")
    return rows


@pytest.mark.parametrize("lost", [0, 16])
def test_a_picture_that_lacks_packets_nobody_knows_where_is_left_out(lost):
    """Sixteen of its own: every counter goes on, and only its length tells."""
    rows = declared(ts.segment(start=S, pictures=6, gop=6, size=5000, audio=None))
    third = [n for n, row in enumerate(rows) if row[1] & 0x41 == 0x41][2]
    made, (part,), out = stitched(b"".join(rows[: third + 4] + rows[third + 4 + lost :]))
    units = part.units[ts.VIDEO]
    times = [(int(dts) - BASE) // 6000 for dts in units.dts]
    assert times == ([0, 1, 3, 4, 5] if lost else [0, 1, 2, 3, 4, 5])
    assert units.torn.tolist() == ([2] if lost else [])  # in front of the fourth
    assert len(heads(read(out), ts.VIDEO)) == len(times)
    assert made.placed[0].damaged is bool(lost)
