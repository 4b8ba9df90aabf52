"""A transport stream is read back without the code that wrote it, and no change to it passes."""

import zlib
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pipeline.media.clock import MODULO
from pipeline.media.es.access_units import Units
from pipeline.media.es.codecs import AAC, H264, HEVC, OPUS
from pipeline.media.loss.holes import Stretch
from pipeline.media.proof.transport_stream import StreamProof
from pipeline.media.track import Lane
from pipeline.model import Severity
from tests import ts

VIDEO = Lane(ts.VIDEO, H264, ts.SPS, 6000.0, language="deu")
AUDIO = Lane(ts.AUDIO, AAC, bytes.fromhex("fff14c40"), 1920.0)
NOWHERE = np.empty(0, np.intp)
GERMAN = b"\x0a\x04deu\0"  # ISO_639_language_descriptor


@dataclass
class Segment:
    """What is in a segment: PES as (PID, bytes, PTS, DTS), and its units as (data, PTS, DTS)."""

    pes: list = field(default_factory=list)
    units: dict = field(default_factory=lambda: {ts.VIDEO: [], ts.AUDIO: []})
    sets: dict = field(default_factory=dict)

    def picture(self, number: int, pts: int, dts: int) -> None:
        """One picture in its PES."""
        nals = ts.picture_nals(number, size=300, seed=dts)
        self.pes.append((ts.VIDEO, 0xE0, ts.annex_b(nals), pts, dts))
        data = b"".join(len(nal).to_bytes(4, "big") + nal for nal in nals)
        self.units[ts.VIDEO].append((data, pts, dts))

    def sound(self, pts: int, frames: int = 3) -> None:
        """Frames of sound in one PES, the first of which has its stamp."""
        made = [ts.silence(60 + n, seed=pts) for n in range(frames)]
        self.pes.append((ts.AUDIO, 0xC0, b"".join(map(ts.adts_frame, made)), pts, None))
        stamps = [pts, *[-1] * (frames - 1)]
        self.units[ts.AUDIO] += [(f, p, p) for f, p in zip(made, stamps, strict=True)]


def recording(start: int = 900_000) -> list[Segment]:
    """Three segments of four pictures, two of them B pictures, and sound."""
    made = []
    for n in range(3):
        segment, at = Segment(), start + n * 24_000
        for number, shown in enumerate((1, 4, 2, 3)):
            dts = at + number * 6000
            segment.picture(number, at + shown * 6000, dts)
            segment.sound(at + number * 5760)
        made.append(segment)
    return made


KINDS = {ts.VIDEO: ts.H264, ts.AUDIO: ts.AAC}


def written(recording: list[Segment], kinds=KINDS, described=None) -> list[list[bytes]]:
    """The packets of every segment: the tables, then all PES with counters that go on."""
    counters: dict[int, int] = {}
    described = {ts.VIDEO: GERMAN} if described is None else described
    segments = []
    for n, segment in enumerate(recording):
        tables = ((0, ts.pat()), (ts.PMT, ts.pmt(kinds, descriptors=described)))
        packets = [p for pid, table in tables for p in ts.table_packets(pid, table, n)]
        for pid, stream_id, es, pts, dts in segment.pes:
            more = ts.packets(pid, ts.pes(stream_id, es, pts, dts), counters.get(pid, 0))
            counters[pid] = counters.get(pid, 0) + len(more)
            packets += more
        segments.append(packets)
    return segments


def expected(recording: list[Segment], lanes) -> list[list[Stretch]]:
    """What the segments held."""

    def units(segment, pid):
        data = [one for one, _, _ in segment.units[pid]]
        pts, dts = (np.array([u[n] for u in segment.units[pid]], np.int64) for n in (1, 2))
        sizes, digest = np.array([len(one) for one in data], np.uint32), zlib.crc32(b"".join(data))
        made = Units(sizes, pts, dts, digest, NOWHERE)
        return replace(made, sets=segment.sets.get(pid, frozenset()))

    names = [f"{n}.ts" for n in range(len(recording))]
    return [
        [Stretch(name, units(s, x.pid)) for name, s in zip(names, recording, strict=True)]
        for x in lanes
    ]


def prove(recording, segments, lanes=(VIDEO, AUDIO), behind=b""):
    """What the proof says of these packets."""
    reading = StreamProof(lanes, expected(recording, lanes))
    for packets in segments:
        reading.add(np.frombuffer(b"".join(packets), np.uint8))
    return reading.result(behind)


def fatal(found):
    proof, findings = found
    assert all(f.severity == Severity.FATAL for f in findings)
    assert proof.holds or findings
    return {f.id for f in findings}


def place(packets: list[bytes], pid: int, nth: int = 0, *, start: bool = True) -> int:
    """Where the nth packet of a PID is that begins a PES, or any."""
    own = [n for n, p in enumerate(packets) if (p[1] & 0x1F) << 8 | p[2] == pid]
    return [n for n in own if packets[n][1] & 0x40 or not start][nth]


def flipped(packet: bytes, at: int, bits: int = 1) -> bytes:
    return packet[:at] + bytes((packet[at] ^ bits,)) + packet[at + 1 :]


def test_what_was_written_is_proven():
    made = recording()
    proof, findings = prove(made, written(made))
    assert findings == []
    assert (proof.counts, proof.timestamps, proof.bytes) == (True, True, True)


def test_stamps_are_compared_as_far_as_a_pes_header_tells_them():
    made = recording(start=MODULO - 30_000)
    assert fatal(prove(made, written(made))) == set()


@pytest.mark.parametrize("at", [1, 6, 40, 68])
def test_a_frame_of_sound_may_go_on_in_the_next_segment(at):
    made = recording()
    (pid, stream_id, es, pts, _), later = made[0].pes[-1], made[1].pes[1]
    cut = len(es) - at
    made[0].pes[-1] = (pid, stream_id, es[:cut], pts, None)
    made[1].pes[1] = (pid, stream_id, es[cut:] + later[2], later[3], None)
    assert fatal(prove(made, written(made))) == set()


def test_a_picture_may_go_on_in_the_next_segment():
    made = recording()
    segments = written(made)
    last = place(segments[0], ts.VIDEO, -1)
    rest = [p for p in segments[0][last + 1 :] if p[2] == ts.VIDEO & 0xFF]
    assert rest
    segments[0] = [p for n, p in enumerate(segments[0]) if n <= last or p not in rest]
    segments[1][2:2] = rest
    made[1].units[ts.VIDEO].insert(0, made[0].units[ts.VIDEO].pop())
    assert fatal(prove(made, segments)) == set()


def test_packets_of_nothing_change_nothing():
    made = recording()
    segments = written(made)
    segments[1].insert(7, ts.packet(ts.NULL, bytes(184), 0))
    assert fatal(prove(made, segments)) == set()


@given(st.data())
def test_no_packet_is_missed_or_there_twice(data):
    made = recording()
    segments = written(made)
    number = data.draw(st.integers(0, 2))
    at = data.draw(st.integers(2, len(segments[number]) - 1))
    changed = [list(packets) for packets in segments]
    changed[number][at : at + 1] = [segments[number][at]] * data.draw(st.sampled_from((0, 2)))
    assert fatal(prove(made, changed))


@given(st.data())
def test_no_bit_of_the_media_changes(data):
    made = recording()
    segments = written(made)
    number = data.draw(st.integers(0, 2))
    pid, stream_id, es, pts, dts = data.draw(st.sampled_from(made[number].pes))
    at = data.draw(st.integers(0, len(es) - 1))
    if pid == ts.AUDIO and any(es.rfind(b"\xff\xf1", 0, at + 1) == at - n for n in range(7)):
        return  # ADTS: the proof is of the frames, as MP4 stores them
    changed = flipped(es, at, 1 << data.draw(st.integers(0, 7)))
    place = made[number].pes.index((pid, stream_id, es, pts, dts))
    made[number].pes[place] = (pid, stream_id, changed, pts, dts)
    assert fatal(prove(made, written(made)))
    assert written(made) != segments


@pytest.mark.parametrize("apart", [-1, 1, 6000])
@pytest.mark.parametrize("which", [3, 4])
def test_a_stamp_at_another_time(apart, which):
    made = recording()
    pes = list(made[1].pes[2])
    pes[which] += apart
    made[1].pes[2] = tuple(pes)
    proof, findings = prove(made, written(made))
    assert [(f.id, f.segment, f.pid) for f in findings] == [("M_TIME", "1.ts", ts.VIDEO)]
    assert (proof.counts, proof.timestamps, proof.bytes) == (True, False, True)


def test_a_stamp_that_is_left_out():
    made = recording()
    pid, stream_id, es, _, _ = made[1].pes[3]
    made[1].pes[3] = (pid, stream_id, es, None, None)
    assert fatal(prove(made, written(made))) == {"M_TIME"}


@pytest.mark.parametrize("which", [0, 1, -1])
@pytest.mark.parametrize("kind", [0, 1], ids=["picture", "sound"])
def test_a_pes_that_is_left_out_with_all_its_packets(which, kind):
    made = recording()
    number = 2 if which < 0 else 1
    own = [p for p in made[number].pes if (p[0] == ts.AUDIO) is bool(kind)]
    made[number].pes.remove(own[which])
    assert "M_COUNT" in fatal(prove(made, written(made)))


def test_a_picture_too_many():
    made = recording()
    made[2].pes.append((ts.VIDEO, 0xE0, ts.access_unit(5), 10, 10))
    found = prove(made, written(made))
    assert "M_COUNT" in fatal(found)
    assert not found[0].counts


def test_two_pictures_in_one_pes_are_two():
    made = recording()
    first, second = (p for p in made[0].pes[:3] if p[0] == ts.VIDEO)
    made[0].pes[0] = (*first[:2], first[2] + second[2], *first[3:])
    made[0].pes.remove(second)
    proof, findings = prove(made, written(made))
    assert (proof.counts, proof.timestamps, proof.bytes) == (True, False, True)
    assert {f.id for f in findings} == {"M_TIME"}


TABLES = {
    "no PAT": lambda p: p[1:],
    "no PMT": lambda p: [p[0], *p[2:]],
    "no tables": lambda p: p[2:],
    "tables behind a picture": lambda p: [*p[2:4], *p[:2], *p[4:]],
    "nothing": lambda p: [],
    "a PAT that is damaged": lambda p: [flipped(p[0], 16), *p[1:]],
    "a PMT that is damaged": lambda p: [p[0], flipped(p[1], 20), *p[2:]],
}


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("edit", TABLES.values(), ids=TABLES)
def test_tables_in_front_of_every_segment(edit, number):
    made = recording()
    segments = written(made)
    segments[number] = edit(segments[number])
    proof, findings = prove(made, segments)
    assert [(f.id, f.segment) for f in findings] == [("M_PARSE", f"{number}.ts")]
    assert (proof.counts, proof.timestamps, proof.bytes) == (False, False, False)


@pytest.mark.parametrize(
    ("kinds", "described"),
    [
        pytest.param({ts.VIDEO: ts.HEVC, ts.AUDIO: ts.AAC}, None, id="another codec"),
        pytest.param({ts.VIDEO: ts.H264}, None, id="a stream that is not named"),
        pytest.param({**KINDS, 0x102: ts.AAC}, None, id="a stream too many"),
        pytest.param(KINDS, {ts.VIDEO: GERMAN.replace(b"deu", b"eng")}, id="another language"),
        pytest.param(KINDS, {ts.AUDIO: GERMAN}, id="a language too many"),
    ],
)
def test_tables_name_the_streams_that_are_there(kinds, described):
    made = recording()
    assert fatal(prove(made, written(made, kinds, described))) == {"M_PARSE"}


def test_languages_are_told_where_there_is_room():
    made = recording()
    assert fatal(prove(made, written(made, described={}))) == set()


PACKETS = {
    "a sync byte that is none": lambda p: flipped(p, 0),
    "an error is announced": lambda p: flipped(p, 1, 0x80),
    "scrambled": lambda p: flipped(p, 3, 0x80),
    "another PID": lambda p: flipped(p, 2, 0x10),
    "no begin of a PES": lambda p: flipped(p, 1, 0x40),
    "another counter": lambda p: flipped(p, 3),
    "cut short": lambda p: p[:-1],
    "a byte too many": lambda p: p + b"\0",
}


@pytest.mark.parametrize("pid", [ts.VIDEO, ts.AUDIO])
@pytest.mark.parametrize("edit", PACKETS.values(), ids=PACKETS)
def test_a_packet_that_is_none(edit, pid):
    made = recording()
    segments = written(made)
    at = place(segments[1], pid, 1)
    segments[1][at] = edit(segments[1][at])
    proof, findings = prove(made, segments)
    assert [(f.id, f.segment) for f in findings] == [("M_PARSE", "1.ts")]
    assert not proof.holds


def test_the_first_packet_of_a_stream_in_a_segment_goes_on_from_the_last():
    made = recording()
    segments = written(made)
    at = place(segments[1], ts.VIDEO, -1)
    gone = [n for n, p in enumerate(segments[1]) if n >= at and p[2] == ts.VIDEO & 0xFF]
    segments[1] = [p for n, p in enumerate(segments[1]) if n not in gone]
    made[1].units[ts.VIDEO].pop()
    found = prove(made, segments)
    assert [(f.id, f.segment) for f in found[1]] == [("M_PARSE", "2.ts")]


def test_a_pes_is_as_long_as_it_declares():
    made = recording()
    segments = written(made)
    at = place(segments[1], ts.AUDIO)
    begin = segments[1][at].index(b"\0\0\1\xc0")
    segments[1][at] = flipped(segments[1][at], begin + 5)
    assert fatal(prove(made, segments)) == {"M_PARSE"}


def test_a_stamp_with_a_wrong_marker():
    made = recording()
    segments = written(made)
    at = place(segments[1], ts.VIDEO)
    begin = segments[1][at].index(b"\0\0\1\xe0")
    segments[1][at] = flipped(segments[1][at], begin + 9)
    assert fatal(prove(made, segments)) == {"M_PARSE"}


@pytest.mark.parametrize("behind", [b"\0", b"\x47"])
def test_nothing_is_behind_the_last_segment(behind):
    made = recording()
    proof, findings = prove(made, written(made), behind=behind)
    assert [(f.id, f.segment) for f in findings] == [("M_PARSE", None)]
    assert not proof.holds


def test_a_stream_that_ends_inside_a_frame():
    made = recording()
    pid, stream_id, es, pts, dts = made[2].pes[-1]
    made[2].pes[-1] = (pid, stream_id, es[:-1], pts, dts)
    made[2].units[ts.AUDIO].pop()
    assert fatal(prove(made, written(made))) == {"M_PARSE"}


def test_sound_that_is_no_frame_is_not_gathered_without_end():
    made = recording()
    noise = (ts.AUDIO, 0xC0, ts.noise(9000), 1, None)
    made[0].pes.append(noise)
    proof, findings = prove(made, written(made))
    assert [(f.id, f.segment) for f in findings] == [("M_PARSE", "0.ts")]
    assert not proof.holds


def test_a_segment_without_a_stream_has_nothing_of_it():
    made = recording()
    made[1].pes = [p for p in made[1].pes if p[0] == ts.VIDEO]
    made[1].units[ts.AUDIO] = []
    assert fatal(prove(made, written(made))) == set()


def test_units_count_for_the_segment_that_held_them():
    made = recording()
    made[1].units[ts.VIDEO], last = made[1].units[ts.VIDEO][:-1], made[1].units[ts.VIDEO][-1:]
    made[2].units[ts.VIDEO] = last + made[2].units[ts.VIDEO]
    made[2].units[ts.VIDEO][2] = (b"other", *made[2].units[ts.VIDEO][2][1:])
    found = prove(made, written(made))[1]
    assert [(f.id, f.segment) for f in found] == [("M_HASH", "2.ts")]


def hevc(kind: int, body: bytes) -> bytes:
    """An H.265 NAL unit (clause 7.3.1.2)."""
    return bytes((kind << 1, 1)) + body


@pytest.mark.parametrize("changed", [False, True])
def test_parameter_sets_that_mp4_keeps_apart(changed):
    sets = [hevc(32, b"\x11vps"), hevc(33, b"\x22sps"), hevc(34, b"\x33pps")]
    slices = [hevc(19, b"\xa0" + ts.noise(50)), hevc(1, b"\xa0" + ts.noise(50, 1))]
    segment = Segment()
    for n, nals in enumerate(([*sets, slices[0]], [slices[1]])):
        segment.pes.append((ts.VIDEO, 0xE0, ts.annex_b(nals), 900_000 + n * 6000, None))
        data = len(slices[n]).to_bytes(4, "big") + slices[n]
        segment.units[ts.VIDEO].append((data, 900_000 + n * 6000, 900_000 + n * 6000))
    told = frozenset([flipped(sets[0], 3), *sets[1:]] if changed else sets)
    segment.sets[ts.VIDEO] = told
    lane = Lane(ts.VIDEO, HEVC, sets[1], 6000.0)
    segments = written([segment], {ts.VIDEO: ts.HEVC}, {})
    assert fatal(prove([segment], segments, [lane])) == ({"M_CONFIG"} if changed else set())


@pytest.mark.parametrize("mark", [b"rcpp", b"Opus"])
def test_a_unit_in_each_pes_where_the_stream_is_of_our_own_type(mark):
    segment = Segment()
    for n in range(3):
        packet, at = b"\xfc" + ts.noise(30 + n, n), 900_000 + n * 1800
        segment.pes.append((ts.AUDIO, 0xC0, packet, at, None))
        segment.units[ts.AUDIO].append((packet, at, at))
    lane = Lane(ts.AUDIO, OPUS, bytes.fromhex("01380001000000bb80000000"), 1800.0)
    said = {ts.AUDIO: b"\5\4" + mark}
    segments = written([segment], {ts.AUDIO: 0xF3}, said)
    assert fatal(prove([segment], segments, [lane])) == (set() if mark == b"rcpp" else {"M_PARSE"})


MORE = {
    "a packet of another stream": ts.packet(0x123, bytes(184), 0),
    "a damaged packet of nothing": flipped(ts.packet(ts.NULL, bytes(184), 0), 1, 0x80),
    "a part of a packet": b"\x47",
}


@pytest.mark.parametrize("more", MORE.values(), ids=MORE)
def test_nothing_is_behind_the_units_of_a_segment(more):
    made = recording()
    segments = written(made)
    segments[1].append(more)
    assert [(f.id, f.segment) for f in prove(made, segments)[1]] == [("M_PARSE", "1.ts")]


def test_a_stream_that_begins_inside_a_pes():
    made = recording()
    segments = written(made)
    del segments[0][place(segments[0], ts.VIDEO)]
    assert [(f.id, f.segment) for f in prove(made, segments)[1]] == [("M_PARSE", "0.ts")]


def test_bytes_in_front_of_the_first_picture():
    made = recording()
    pid, stream_id, es, pts, dts = made[0].pes[0]
    made[0].pes[0] = (pid, stream_id, b"\x05" + es, pts, dts)
    assert fatal(prove(made, written(made))) == {"M_PARSE"}


def test_a_picture_that_lost_its_first_slice_is_a_unit_of_its_own():
    made = recording()
    rest = ts.nal(1, first_mb=3)
    pid, stream_id, _, pts, dts = made[1].pes[2]
    made[1].pes[2] = (pid, stream_id, ts.annex_b([rest]), pts, dts)
    data = len(rest).to_bytes(4, "big") + rest
    made[1].units[ts.VIDEO][1] = (data, pts, dts)
    assert fatal(prove(made, written(made))) == set()


PCE = bytes.fromhex("a0a08000000000")  # LC, 44.1 kHz, one front element, no comment


@pytest.mark.parametrize("told", [PCE, PCE[:-1]])
def test_channels_that_only_the_first_frame_tells(told):
    segment = Segment()
    frames = [PCE + b"first", b"second"]
    es = b"".join(ts.adts_frame(one, channels=0) for one in frames)
    segment.pes.append((ts.AUDIO, 0xC0, es, 900_000, None))
    segment.units[ts.AUDIO] = [(b"first", 900_000, 900_000), (b"second", -1, -1)]
    segment.sets[ts.AUDIO] = frozenset((told,))
    lane = Lane(ts.AUDIO, AAC, bytes.fromhex("fff14c00"), 1920.0)
    segments = written([segment], {ts.AUDIO: ts.AAC}, {})
    found = fatal(prove([segment], segments, [lane]))
    assert found == (set() if told == PCE else {"M_CONFIG"})


def test_a_stream_of_our_own_type_that_begins_inside_a_pes():
    segment = Segment()
    for n in range(2):
        segment.pes.append((ts.AUDIO, 0xC0, ts.noise(300, n), 900_000 + n * 1800, None))
    segment.units[ts.AUDIO] = [(ts.noise(300, 1), 901_800, 901_800)]
    lane = Lane(ts.AUDIO, OPUS, bytes.fromhex("01380001000000bb80000000"), 1800.0)
    segments = written([segment], {ts.AUDIO: 0xF3}, {ts.AUDIO: b"\5\4rcpp"})
    del segments[0][2]
    assert fatal(prove([segment], segments, [lane])) == {"M_PARSE"}
