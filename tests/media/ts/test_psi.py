"""Tables written and read, spread over packets, damaged, contradicting each other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pipeline.media.ts import psi
from pipeline.media.ts.packets import PACKET, columns
from pipeline.media.ts.psi import Program
from pipeline.model import Severity
from tests import ts

STREAMS = {ts.VIDEO: ts.H264, ts.AUDIO: ts.AAC}
PAT = ts.table_packets(0, ts.pat())
PMT = ts.table_packets(ts.PMT, ts.pmt(STREAMS))
MANY = {0x200 + n: 0x0F for n in range(60)}  # 316 bytes: two packets


def read(*packets: bytes) -> tuple[Program, list[tuple[str, int | None]]]:
    """The program, and the ids and PIDs of the findings."""
    data = np.frombuffer(b"".join(packets), np.uint8).reshape(-1, PACKET)
    program, findings = psi.read(columns(data))
    lost = {f.id for f in findings if f.severity == Severity.ERROR}
    assert lost <= {"PAT_PROGRAMS", "PMT_CHANGE"}  # damage to a table loses no media
    return program, [(f.id, f.pid) for f in findings]


def pmt(streams: dict[int, int], **said: object) -> list[bytes]:
    return ts.table_packets(ts.PMT, ts.pmt(streams, **said))  # type: ignore[arg-type]


def test_a_whole_segment():
    assert read(ts.segment()) == (Program(STREAMS, ts.PMT), [])


def test_a_segment_of_audio_with_its_tables_elsewhere():
    found = read(ts.segment(video=None, audio=0x44, pmt_pid=0x1F0))
    assert found == (Program({0x44: ts.AAC}, 0x1F0), [])


@pytest.mark.parametrize(
    "packets",
    [
        pytest.param([], id="no packets"),
        pytest.param([ts.packet(ts.VIDEO, b"x", 0, start=True)], id="no tables"),
        pytest.param(PAT, id="no PMT"),
        pytest.param([*ts.table_packets(0, ts.pat({0: 0x10})), *PMT], id="a network, no program"),
        pytest.param([*ts.table_packets(0, ts.pat({})), *PMT], id="an empty PAT"),
        pytest.param([*PAT, *pmt(STREAMS, current=False)], id="a PMT not yet current"),
        pytest.param([*PAT, *ts.table_packets(ts.PMT, ts.pat())], id="another table"),
    ],
)
def test_no_program(packets):
    assert read(*packets) == (Program(), [])


def test_repeats_and_padding_say_nothing_new():
    null = ts.packet(ts.NULL, ts.noise(184), 0)
    assert read(*PAT, *PMT, null, *PAT, *PMT, *PMT) == (Program(STREAMS, ts.PMT), [])


def test_a_network_beside_the_program():
    pat = ts.table_packets(0, ts.pat({0: 0x10, 7: ts.PMT}))
    assert read(*pat, *PMT) == (Program(STREAMS, ts.PMT), [])


# --- descriptors -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("descriptors", "formats"),
    [
        pytest.param(b"", {}, id="none"),
        pytest.param(b"\x05\x04Opus", {0x111: "Opus"}, id="registration"),
        pytest.param(b"\x0a\x04eng\0\x05\x06AC-3xx", {0x111: "AC-3"}, id="behind a language"),
        pytest.param(b"\x05\x03Opu", {}, id="registration of three bytes"),
        pytest.param(b"\x6a\x01\x00", {0x111: "AC-3"}, id="AC-3 of DVB"),
        pytest.param(b"\x52\x01\x07\x56\x05fra\x09\0", {0x111: "teletext"}, id="teletext"),
        pytest.param(b"\x59\x01x\x05\x04ABCD", {0x111: "ABCD"}, id="a registration counts first"),
        pytest.param(b"\x0a\xff\x05\x04Opus", {}, id="a length beyond the end"),
        pytest.param(b"\x0a", {}, id="half a descriptor"),
    ],
)
def test_registered_formats(descriptors, formats):
    streams = {0x111: 6, ts.VIDEO: ts.H264}
    said = pmt(streams, descriptors={0x111: descriptors}, info=b"\x05\x04HDMV")
    languages = {0x111: "eng"} if b"eng" in descriptors else {}
    assert read(*PAT, *said) == (Program(streams, ts.PMT, formats, languages), [])


def test_an_info_length_beyond_the_section():
    body = b"\xe1\x00\xff\xff\x1b\xe1\x00\xf0\x00"
    assert read(*PAT, *ts.table_packets(ts.PMT, ts.section(2, 1, body)))[0].streams == {}
    body = b"\xe1\x00\xf0\x00\x1b\xe1\x00\xff\xff\x0f\xe1\x01\xf0\x00"
    found = read(*PAT, *ts.table_packets(ts.PMT, ts.section(2, 1, body)))
    assert found[0].streams == {ts.VIDEO: ts.H264}


# --- sections over packets ---------------------------------------------------------------------


def test_a_section_of_several_packets():
    packets = pmt(MANY)
    assert len(packets) == 2
    assert read(*PAT, *packets) == (Program(MANY, ts.PMT), [])


def test_other_packets_between_those_of_a_section():
    one, two = pmt(MANY)
    media = ts.packet(ts.VIDEO, ts.noise(184), 0)
    clock = ts.packet(ts.PMT, b"", 0, pcr=5)
    assert read(*PAT, one, media, clock, two, *PAT) == (Program(MANY, ts.PMT), [])


def test_the_longest_section():
    streams = {0x200 + n: 0x0F for n in range(201)}  # 1021 bytes behind the length field
    packets = pmt(streams)
    assert len(packets) == 6
    assert read(*PAT, *packets, *packets) == (Program(streams, ts.PMT), [])


@pytest.mark.parametrize("pointer", [1, 50, 166])
def test_a_section_that_begins_behind_the_end_of_another(pointer):
    packets = ts.table_packets(ts.PMT, ts.pmt(STREAMS), pointer=b"\xff" * pointer)
    assert read(*PAT, *packets) == (Program(STREAMS, ts.PMT), [])


def test_a_section_whose_length_field_is_cut_by_the_packet():
    packets = ts.table_packets(ts.PMT, ts.pmt(STREAMS), pointer=b"\xff" * 181)
    assert len(packets) == 2
    assert read(*PAT, *packets) == (Program(STREAMS, ts.PMT), [])


def test_sections_behind_one_another():
    """Where one ends the next begins (2.4.4.1), in a packet or over its edge."""
    other = ts.section(0x50, 1, ts.noise(30))
    for before in (other, other * 3, ts.section(0x50, 1, ts.noise(160))):
        packets = ts.table_packets(ts.PMT, before + ts.pmt(STREAMS))
        assert read(*PAT, *packets) == (Program(STREAMS, ts.PMT), [])
        assert read(*PAT, *packets, *packets) == (Program(STREAMS, ts.PMT), [])


@pytest.mark.parametrize("size", [1, 40, 150, 183])
def test_a_section_that_ends_in_front_of_another(size):
    """payload_unit_start_indicator of a packet that first ends what the one before began."""
    table = ts.pmt(MANY)
    one = ts.packet(ts.PMT, b"\0" + table[:183], 0, start=True)
    rest = table[183:]
    two = ts.packet(ts.PMT, rest[:184], 1) if size == 183 else b""
    left = rest[184:] if two else rest
    after = ts.section(0x50, 1, ts.noise(20))
    more = (bytes((len(left),)) + left + after).ljust(184, b"\xff")
    three = ts.packet(ts.PMT, more[:184], 2 if two else 1, start=True)
    assert read(*PAT, *filter(None, (one, two, three))) == (Program(MANY, ts.PMT), [])


def test_packets_of_a_section_sent_twice():
    one, two = pmt(MANY)
    assert read(*PAT, one, one, two, two) == (Program(MANY, ts.PMT), [])


def test_a_section_behind_an_adaptation_field():
    payload = b"\0" + ts.pmt(STREAMS)
    packet = ts.packet(ts.PMT, payload, 0, start=True, pcr=1, discontinuity=True)
    assert read(*PAT, packet) == (Program(STREAMS, ts.PMT), [])


# --- damage ------------------------------------------------------------------------------------


def spoiled(packet: bytes, at: int) -> bytes:
    return packet[:at] + bytes((packet[at] ^ 0x20,)) + packet[at + 1 :]


@pytest.mark.parametrize("at", [5, 8, 15, 17, 18, 20, 25, 29, 30])
def test_a_spoiled_pmt_is_not_believed(at):
    assert read(*PAT, spoiled(PMT[0], at)) == (Program(), [("PSI_CRC", ts.PMT)])


def test_a_spoiled_pat_is_not_believed():
    found = read(spoiled(PAT[0], 15), *PMT)
    assert found == (Program(STREAMS, ts.PMT), [("PSI_CRC", 0), ("PSI_MISSING", None)])
    found = read(spoiled(PAT[0], 15), spoiled(PMT[0], 15))
    assert found == (Program(), [("PSI_CRC", 0)])


def test_a_spoiled_table_is_told_once_for_each_kind_of_damage():
    program, findings = read(*PAT, *PMT, spoiled(PMT[0], 20), spoiled(PMT[0], 20), *PMT)
    assert program == Program(STREAMS, ts.PMT)
    assert findings == [("PSI_CRC", ts.PMT)]


@pytest.mark.parametrize(
    "packets",
    [
        pytest.param(pmt(MANY)[:1], id="the second packet is missing"),
        pytest.param([ts.packet(ts.PMT, b"\0\2\xb0", 0, start=True)], id="no length"),
        pytest.param([ts.packet(ts.PMT, b"\xc8" + b"x" * 9, 0, start=True)], id="pointer too far"),
        pytest.param([ts.packet(ts.PMT, b"\0\2\xb0\x05" + b"x" * 9, 0, start=True)], id="tiny"),
        pytest.param([ts.packet(ts.PMT, b"\0" + b"\xff" * 183, 0, start=True)], id="padding only"),
    ],
)
def test_a_section_cut_short(packets):
    assert read(*PAT, *packets) == (Program(), [("PSI_LENGTH", ts.PMT)])


@pytest.mark.parametrize("lost", [1, 2])
def test_a_section_that_lost_a_packet_is_read_at_its_next_repeat(lost):
    streams = {0x200 + n: 0x0F for n in range(100)}
    packets = pmt(streams)
    assert len(packets) == 3
    again = [*packets[:lost], *packets[lost + 1 :], *packets, *packets]
    assert read(*PAT, *again) == (Program(streams, ts.PMT), [("PSI_LENGTH", ts.PMT)])


def test_a_change_in_the_second_packet_of_a_section():
    later = MANY | {0x200 + 59: 0x1B}
    assert pmt(MANY)[0] == pmt(later)[0]
    assert read(*PAT, *pmt(MANY), *pmt(later)) == (
        Program(MANY, ts.PMT),
        [("PMT_CHANGE", ts.PMT)],
    )


def test_two_programs():
    pat = ts.table_packets(0, ts.pat({1: ts.PMT, 2: 0x1001}))
    assert read(*pat, *PMT) == (Program(STREAMS, ts.PMT), [("PAT_PROGRAMS", 0)])
    other = ts.table_packets(0x1001, ts.pmt({0x300: ts.HEVC}))
    assert read(*pat, *other) == (Program({0x300: ts.HEVC}, 0x1001), [("PAT_PROGRAMS", 0)])


def test_streams_that_come_and_go_all_count():
    alone, later = {ts.VIDEO: ts.H264}, {0x102: 0x0F}
    packets = [*PAT, *pmt(alone), *pmt(STREAMS, version=1), *pmt(later, version=2)]
    data = np.frombuffer(b"".join(packets), np.uint8).reshape(-1, PACKET)
    program, findings = psi.read(columns(data))
    assert program.streams == STREAMS | later
    assert [(f.id, f.pid, f.detail) for f in findings] == [
        ("PMT_CHANGE", ts.PMT, "0x100:0x1b 0x101:0x0f, was 0x100:0x1b"),
        ("PMT_CHANGE", ts.PMT, "0x102:0x0f, was 0x100:0x1b 0x101:0x0f"),
    ]
    assert {f.severity for f in findings} == {Severity.INFO}
    assert program.moves == {ts.AUDIO: 0x102}


def test_a_change_to_and_fro_is_told_once():
    packets = [*PMT, *pmt({ts.VIDEO: ts.H264}, version=1)] * 3
    assert read(*PAT, *packets) == (Program(STREAMS, ts.PMT), [("PMT_CHANGE", ts.PMT)])


def test_a_stream_that_becomes_another_is_no_addition():
    said = pmt({ts.VIDEO: ts.HEVC, ts.AUDIO: ts.AAC}, version=1)
    data = np.frombuffer(b"".join([*PAT, *PMT, *said]), np.uint8).reshape(-1, PACKET)
    _, findings = psi.read(columns(data))
    assert [(f.id, f.severity) for f in findings] == [("PMT_CHANGE", Severity.ERROR)]


@pytest.mark.parametrize(
    ("later", "moves"),
    [
        pytest.param({0x200: 0x1B, 0x201: 0x0F}, {0x100: 0x200, 0x101: 0x201}, id="both"),
        pytest.param({0x100: 0x1B, 0x300: 0x0F}, {0x101: 0x300}, id="one"),
        pytest.param({0x100: 0x1B, 0x101: 0x0F, 0x102: 0x0F}, {}, id="one more"),
        pytest.param({0x100: 0x1B}, {}, id="one less"),
        pytest.param({0x100: 0x1B, 0x300: 0x03}, {}, id="another codec"),
    ],
)
def test_where_streams_move_to(later, moves):
    assert read(*PAT, *PMT, *pmt(later, version=1))[0].moves == moves


def test_a_language_tells_streams_apart():
    tongue = {n: b"\x0a\x04" + code + b"\0" for n, code in ((1, b"deu"), (2, b"fra"))}
    before = pmt({0x101: 15, 0x102: 15}, descriptors={0x101: tongue[1], 0x102: tongue[2]})
    after = pmt({0x201: 15, 0x202: 15}, descriptors={0x201: tongue[2], 0x202: tongue[1]}, version=1)
    assert read(*PAT, *before, *after)[0].moves == {0x101: 0x202, 0x102: 0x201}


def test_the_pat_moves_the_program_to_another_pid():
    """Both tables count, in their order."""
    pat = ts.table_packets(0, ts.pat({1: 0x1200}), 1)
    later = ts.table_packets(0x1200, ts.pmt(STREAMS | {0x102: ts.AAC}))
    program, findings = read(*PAT, *PMT, *pat, *later)
    assert program == Program(STREAMS | {0x102: ts.AAC}, 0x1200)
    assert program.tables == (ts.PMT, 0x1200)
    assert findings == [("PMT_PID_CHANGE", 0x1200), ("PMT_CHANGE", 0x1200)]


def test_the_pmt_is_found_without_a_pat():
    assert read(*PMT) == (Program(STREAMS, ts.PMT), [("PSI_MISSING", None)])
    assert read(*pmt(MANY)) == (Program(MANY, ts.PMT), [("PSI_MISSING", None)])


def test_a_pes_that_looks_like_a_table_is_none():
    payload = b"\0\2\xb0\x17" + ts.noise(180)
    assert read(ts.packet(ts.VIDEO, payload, 0, start=True)) == (Program(), [])


def test_new_descriptors_of_the_same_streams_are_no_change():
    said = pmt(STREAMS, descriptors={ts.AUDIO: b"\x05\x04SOUN"}, version=1)
    assert read(*PAT, *PMT, *said) == (Program(STREAMS, ts.PMT, {ts.AUDIO: "SOUN"}), [])


def test_descriptors_are_of_one_stream_only():
    streams = {0x110: 6, 0x111: 6}
    said = pmt(streams, descriptors={0x111: b"\x05\x04Opus"})
    assert read(*PAT, *said) == (Program(streams, ts.PMT, {0x111: "Opus"}), [])


def test_another_table_on_the_pid_of_the_pat():
    other = ts.table_packets(0, ts.section(1, 1, b"\x00\x05\xe1\x23"))
    assert read(*other, *PAT, *PMT) == (Program(STREAMS, ts.PMT), [])


def test_a_new_version_with_the_same_streams_is_no_change():
    assert read(*PAT, *PMT, *pmt(STREAMS, version=1)) == (Program(STREAMS, ts.PMT), [])


# --- writing -----------------------------------------------------------------------------------


@given(
    st.dictionaries(
        st.integers(0x20, 0xFFF), st.sampled_from([0x1B, 0x24, 0x0F]), min_size=1, max_size=30
    )
)
def test_tables_and_back(streams):
    tables = psi.tables(streams, next(iter(streams)))
    assert len(tables) == 2 * PACKET
    assert read(tables) == (Program(streams, 0x1000), [])


def test_languages_as_far_as_there_is_room():
    few = dict.fromkeys(range(256, 266), 15)
    many = dict.fromkeys(range(256, 286), 15)
    for streams, said in ((few, True), (many, False)):
        tables = psi.tables(streams, 0x100, languages=dict.fromkeys(streams, "fra"))
        assert len(tables) == 2 * PACKET
        languages = dict.fromkeys(streams, "fra") if said else {}
        assert read(tables) == (Program(streams, 0x1000, languages=languages), [])


def test_tables_are_those_anyone_would_write():
    assert psi.tables(STREAMS, ts.VIDEO) == b"".join(PAT + PMT)


@given(st.binary(max_size=60))
def test_the_checksum(data):
    assert psi.crc32_mpeg(data) == ts.crc32(data)
    assert psi.crc32_mpeg(data + ts.crc32(data).to_bytes(4, "big")) == 0


def test_the_checksum_of_the_usual_example():
    assert psi.crc32_mpeg(b"123456789") == 0x0376E6E7


@given(st.lists(st.binary(min_size=184, max_size=184), max_size=9), st.binary(max_size=184))
def test_no_bytes_are_too_wrong_to_read(payloads, pat):
    packets = [ts.packet(0, pat or b"\0", 0, start=True), *PAT]
    packets += [ts.packet(ts.PMT, p, n, start=n % 2 == 0) for n, p in enumerate(payloads)]
    read(*packets)


def test_describe():
    assert psi.describe(Program({0x101: 0x0F, 0x100: 0x1B})) == "0x100:0x1b 0x101:0x0f"
    assert psi.describe(Program()) == "none"


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        pytest.param({"tables": (7,)}, True, id="other PIDs carry sections"),
        pytest.param({"told": {256: 3}}, True, id="the sound says otherwise"),
        pytest.param({"streams": {}}, False, id="other streams"),
        pytest.param({"pmt_pid": 1}, False, id="another PMT"),
        pytest.param({"formats": {256: "AC-3"}}, False, id="another format"),
        pytest.param({"languages": {256: "eng"}}, False, id="another language"),
        pytest.param({"moves": {256: 257}}, False, id="a stream that moves"),
    ],
)
def test_programs_are_the_same_if_they_tell_of_the_same_streams(changed, same):
    program = Program(STREAMS, ts.PMT)
    assert (replace(program, **changed) == program) is same


def test_equal_programs_are_one_value():
    told = {"tables": (4096,), "told": {257: 15}}
    one, other = (Program({256: 27, 257: 15}, 4096, {}, {257: "eng"}, **told) for _ in range(2))
    assert psi.shared(one) is psi.shared(other)
    for name in one.__struct_fields__:
        assert getattr(psi.shared(one), name) == getattr(one, name)
    turned = replace(one, streams={257: 15, 256: 27})  # the order of the PMT counts
    assert list(psi.shared(turned).streams) == [257, 256]
