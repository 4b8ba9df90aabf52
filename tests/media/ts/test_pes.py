"""Packets of one stream: where a PES ends, and a stream that moves to another PID."""

import numpy as np
import pytest

from pipeline.media.ts.elementary import elementary, stream_bytes
from pipeline.media.ts.packets import columns
from pipeline.media.ts.pes import stuffed, track
from pipeline.media.ts.scan import scan
from tests import ts


@pytest.mark.parametrize(
    ("packet", "wanted"),
    [
        pytest.param(ts.packet(256, b"x" * 184, 0), False, id="full"),
        pytest.param(ts.packet(256, b"x" * 183, 0), True, id="one byte of stuffing"),
        pytest.param(ts.packet(256, b"x" * 182, 0), True, id="two bytes"),
        pytest.param(ts.packet(256, b"x" * 20, 0), True, id="many"),
        pytest.param(ts.packet(256, b"x" * 20, 0, start=True), True, id="a PES of one packet"),
        pytest.param(ts.packet(256, b"x" * 176, 0, start=True, pcr=5), False, id="a clock alone"),
        pytest.param(ts.packet(256, b"x" * 175, 0, start=True, pcr=5), True, id="clock, stuffing"),
        pytest.param(ts.packet(256, b"x" * 182, 0, start=True, key=True), False, id="a flag alone"),
        pytest.param(
            ts.packet(256, b"x" * 100, 0, start=True, key=True), True, id="flag, stuffing"
        ),
    ],
)
def test_the_last_packet_of_a_pes_is_stuffed(packet, wanted):
    assert stuffed(packet) is wanted


def tracked(*packets: bytes) -> tuple[list[int], list[int], list[int]]:
    """Rows, breaks and beginnings of a stream on two PIDs."""
    rows = np.frombuffer(b"".join(packets), np.uint8).reshape(-1, 188)
    found = track(columns(rows), 0x100, 0x200)
    return found.index.tolist(), found.broken.tolist(), found.starts.tolist()


def unit(pid: int, counter: int) -> list[bytes]:
    return ts.packets(pid, ts.pes(0xE0, ts.noise(300, pid + counter), 5), counter)


def test_a_stream_goes_on_under_another_pid():
    """Each PID counts on its own."""
    assert tracked(*unit(0x100, 0), *unit(0x200, 9)) == ([0, 1, 2, 3], [], [0, 2])


def test_packets_of_other_streams_do_not_count():
    audio = ts.packet(0x101, b"x" * 184, 3)
    found = tracked(*unit(0x100, 0), audio, *unit(0x200, 9))
    assert found == ([0, 1, 3, 4], [], [0, 2])


def test_it_lost_something_where_it_begins_inside_a_pes():
    assert tracked(*unit(0x100, 0), *unit(0x200, 9)[1:], *unit(0x200, 11)) == (
        [0, 1, 2, 3, 4],
        [2],
        [0, 3],
    )


def test_packets_missing_on_either_pid():
    found = tracked(*unit(0x100, 0), *unit(0x100, 4), *unit(0x200, 9), *unit(0x200, 13))
    assert found[1] == [2, 6]


def test_packets_sent_twice_on_either_pid():
    one, two = unit(0x100, 0), unit(0x200, 9)
    assert tracked(one[0], *one, two[0], *two)[1:] == ([], [0, 2])


def followed(*packets: bytes) -> tuple[list[bytes], list[int]]:
    """Packets that count, and where some are missing."""
    rows = np.frombuffer(b"".join(packets), np.uint8).reshape(-1, 188)
    found = track(columns(rows), 0x100)
    assert len(found.index) + len(found.repeats) == len(packets)
    return [packets[row] for row in found.index.tolist()], found.broken.tolist()


def units(count: int, *, size: int = 700, es: bytes = b"") -> list[bytes]:
    """Packets of some pictures, four each."""
    return [
        packet
        for n in range(count)
        for packet in ts.packets(0x100, ts.pes(0xE0, es or ts.noise(size, n), n), 4 * n)
    ]


@pytest.mark.parametrize("begin", [0, 1, 4, 6])
@pytest.mark.parametrize("length", [1, 2, 3, 7, 15, 17, 20])
@pytest.mark.parametrize("late", [0, 1, 5])
def test_a_range_of_packets_that_was_sent_again(begin, length, late):
    """At once, or when others were sent; the counters of a copy sixteen packets behind go on."""
    if (length + late) % 16 == 0:
        return
    sent = units(12)
    end = begin + length
    again = [*sent[: end + late], *sent[begin:end], *sent[end + late :]]
    assert followed(*again) == (sent, [])


@pytest.mark.parametrize("begin", [0, 3, 8, 13])
@pytest.mark.parametrize("length", [16, 32, 48, 64])
@pytest.mark.parametrize("tail", [0, 5])
def test_rounds_of_sixteen_that_were_sent_again_at_once(begin, length, tail):
    """The counter goes on as if nothing was."""
    sent = units(25)[: begin + length + tail]
    again = [*sent[: begin + length], *sent[begin:]]
    assert followed(*again) == (sent, [])


def test_ranges_at_the_end_and_one_after_the_other():
    sent = units(8)
    twice = [*sent[:9], *sent[3:9], *sent[9:20], *sent[12:20], *sent[20:]]
    assert followed(*twice) == (sent, [])
    assert followed(*sent, *sent[-5:]) == (sent, [])


def test_what_only_looks_like_a_range_sent_again_is_a_loss():
    sent = units(12)
    # what follows the copy does not go on from what was in front of it
    assert followed(*sent[:9], *sent[3:9], *sent[11:])[1] == [9, 15]
    changed = [*sent[3:8], sent[8][:100] + b"?" + sent[8][101:]]
    assert followed(*sent[:9], *changed, *sent[9:])[1] == [9]
    # filler is the same wherever it stands: thirteen packets are missing
    filler = ts.packets(0x100, ts.pes(0xE0, b"\xff" * 184 * 40, 5), 0)
    assert followed(*filler[:20], *filler[33:])[1] == [20]


def test_a_range_with_more_than_sixteen_packets_between():
    sent = units(30)
    assert followed(*sent[:90], *sent[11:40], *sent[90:]) == (sent, [])


def test_sixteen_packets_sent_again_beside_others_that_the_counter_shows():
    sent = units(12)
    again = [*sent[:8], sent[7], *sent[8:40], *sent[24:40], *sent[40:]]
    assert followed(*again) == (sent, [])
    # and where packets are missing besides
    assert followed(*sent[:3], *sent[5:40], *sent[24:40], *sent[40:]) == (
        [*sent[:3], *sent[5:]],
        [3],
    )


@pytest.mark.parametrize("field", [pytest.param(0, id="bare"), pytest.param(3, id="a field")])
def test_a_pes_whose_packet_does_not_announce_it(field):
    """With an adaptation field in front of it or without."""
    rows = [
        ts.packet(0x100, ts.pes(0xE0, ts.noise(size, n), 5), n, start=n != 1)
        for n, size in enumerate((170, 170 - field, 170))
    ]
    found = track(columns(np.frombuffer(b"".join(rows), np.uint8).reshape(-1, 188)), 0x100)
    assert (found.starts.tolist(), found.unannounced) == ([0, 1, 2], 1)


@pytest.mark.parametrize("size", [7, 8, 9])
def test_a_pes_that_ends_inside_its_header(size):
    """Nothing is known of how long the header is; what follows it is nothing."""
    begin = b"\0\0\1\xe0\0\0\x80\x80\x05"[:size]
    stuffing = bytes([183 - size, 0]) + b"\xff" * (182 - size)
    packet = b"\x47\x41\x00\x30" + stuffing + begin
    assert len(packet) == 188
    tables = ts.table_packets(0, ts.pat()) + ts.table_packets(ts.PMT, ts.pmt({0x100: ts.H264}))
    found = scan("a.ts", np.frombuffer(b"".join([*tables, packet]), np.uint8))
    assert found.streams[0x100].config is None
    assert found.streams[0x100].dts.tolist() == [-1]


def scrambled(packet: bytes) -> bytes:
    return packet[:3] + bytes((packet[3] | 0x80,)) + packet[4:]


@pytest.mark.parametrize("count", [1, 15, 16, 17, 32])
def test_packets_that_must_not_be_trusted_are_missing_whatever_the_counter_says(count):
    """After sixteen of them it goes on as if there were none."""
    made = ts.packets(0x100, ts.pes(0xE0, ts.noise(8000, 1), 5), 0)
    hurt = [*made[:4], *map(scrambled, made[4 : 4 + count]), *made[4 + count :]]
    found = track(columns(np.frombuffer(b"".join(hurt), np.uint8).reshape(-1, 188)), 0x100)
    assert (found.broken.tolist(), found.lost) == ([4], count)


def test_sixteen_of_another_stream_are_none_of_this_one():
    made = ts.packets(0x100, ts.pes(0xE0, ts.noise(300, 1), 5), 0)
    other = [scrambled(ts.packet(0x101, b"x" * 184, n)) for n in range(16)]
    assert tracked(made[0], *other, made[1], *unit(0x200, 9))[1] == []


def padding(counter: int) -> bytes:
    """A packet that announces a payload, of which its adaptation field leaves no byte."""
    head = bytes((0x47, 1, 0, 0x30 | counter & 15, 183, 0))
    return head.ljust(188, b"\xff")


@pytest.mark.parametrize("counted", [True, False], ids=["counted", "not counted"])
def test_padding_that_announces_a_payload(counted):
    first = unit(0x100, 0)
    more = len(first) + counted
    data = b"".join([*first, padding(more - 1), *unit(0x100, more)])
    rows = np.frombuffer(data, np.uint8).reshape(-1, 188)
    packets = columns(rows)
    found = track(packets, 0x100)
    assert (found.broken.tolist(), found.lost, len(found.repeats)) == ([], 0, 0)
    wanted = ts.noise(300, 0x100) + ts.noise(300, 0x100 + more)
    assert elementary(packets, found, 0, len(found.index)) == wanted
    es, begins = stream_bytes(packets, found, np.ones(len(found.index), np.bool_), b"xyz")
    assert (bytes(es), begins.tolist()) == (b"xyz" + wanted, [3, 303])


def test_the_stream_is_every_payload_behind_what_was_carried_over():
    """Payloads of every size side by side, as stuffing and headers leave them."""
    made = [
        ts.packets(0x100, ts.pes(0xE0, ts.noise(n, n), n), 0) for n in (1, 170, 169, 900, 2, 353)
    ]
    rows = np.frombuffer(b"".join(p for pes in made for p in pes), np.uint8).reshape(-1, 188).copy()
    rows[:, 3] = rows[:, 3] & 0xF0 | np.arange(len(rows)) % 16
    packets = columns(rows)
    found = track(packets, 0x100)
    wanted = [ts.noise(n, n) for n in (1, 170, 169, 900, 2, 353)]
    for before in (b"", b"x", ts.noise(500, 7)):
        every = np.ones(len(found.index), np.bool_)
        es, begins = stream_bytes(packets, found, every, before)
        ends = np.cumsum([len(before), *map(len, wanted)]).tolist()
        assert (bytes(es), begins.tolist()) == (before + b"".join(wanted), ends[:-1])
        few = np.repeat(
            [True, False, True, True, False, True], np.diff([*found.starts, len(every)])
        )
        es, _ = stream_bytes(packets, found, few, before)
        assert bytes(es) == before + b"".join(np.array(wanted, object)[[0, 2, 3, 5]])
    es, begins = stream_bytes(packets, found, ~every, b"xyz")
    assert (bytes(es), len(begins)) == (b"xyz", 0)


def sized(*lengths: int, stream_id: int = 0xC0, late: bool = False) -> list[tuple[str, str, int]]:
    """What is said of sound whose PES of 3000 bytes declare these lengths; the last one may come
    late.
    """
    made: list[bytes] = []
    for n, length in enumerate(lengths):
        pts = 1920 * (n + 2 * (late and n + 1 == len(lengths)))
        pes = bytearray(ts.pes(stream_id, ts.noise(3000 - 14, len(made)), pts))
        pes[4:6] = length.to_bytes(2, "big")
        made += ts.packets(ts.AUDIO, bytes(pes), len(made))
    tables = ts.table_packets(0, ts.pat()) + ts.table_packets(ts.PMT, ts.pmt({ts.AUDIO: ts.AAC}))
    found = scan("a", np.frombuffer(b"".join([*tables, *made]), np.uint8))
    stream = found.streams[ts.AUDIO]
    told = [(f.id, f.severity.value, f.count) for f in found.findings if f.id == "PES_SIZE"]
    return [*told, ("damaged", str(sorted(stream.damaged)), stream.short)]


REAL = 3000 - 6


@pytest.mark.parametrize(
    ("lengths", "severity"),
    [
        pytest.param([REAL, REAL, REAL ^ 64, REAL], "warning", id="one bit of the field"),
        pytest.param([REAL, REAL, REAL + 700, REAL], "error", id="several bits"),
        pytest.param([REAL, REAL, REAL - 1000, REAL], "error", id="more than declared"),
        pytest.param([REAL + 700, REAL + 700, REAL + 700, REAL], "warning", id="most are wrong"),
    ],
)
def test_nothing_but_its_pes_says_how_long_a_picture_is(lengths, severity):
    """Packets in rounds of 16 are missing over the border of several: the next one comes late."""
    assert sized(*lengths, stream_id=0xE0, late=True)[0][:2] == ("PES_SIZE", severity)
    assert sized(*lengths, stream_id=0xE0)[0][:2] == ("PES_SIZE", "warning")
    assert sized(*lengths, late=True)[0][:2] == ("PES_SIZE", "warning")


@pytest.mark.parametrize(("late", "severity"), [(True, "error"), (False, "warning")])
def test_behind_a_length_that_is_a_little_wrong_the_longest_step_of_all_tells(late, severity):
    lengths = REAL, REAL, REAL + 9, REAL
    assert sized(*lengths, stream_id=0xE0, late=late)[0] == ("PES_SIZE", severity, 1)


@pytest.mark.parametrize(
    ("lengths", "said"),
    [
        pytest.param([REAL] * 3, [("damaged", "[]", 0)], id="right"),
        pytest.param([0] * 3, [("damaged", "[]", 0)], id="open"),
        pytest.param(
            [REAL, REAL + 9, REAL],
            [("PES_SIZE", "warning", 1), ("damaged", "[]", 0)],
            id="one is wrong",
        ),
        pytest.param(
            [REAL + 3] * 3, [("PES_SIZE", "warning", 3), ("damaged", "[]", 0)], id="all are"
        ),
        pytest.param(
            [REAL, REAL + 16 * 184, REAL],
            [("PES_SIZE", "error", 1), ("damaged", "[1]", 0)],
            id="16 packets less than declared",
        ),
        pytest.param(
            [REAL, REAL + 16 * 184 - 60, REAL],
            [("PES_SIZE", "error", 1), ("damaged", "[1]", 0)],
            id="16 packets, one with a field",
        ),
    ],
)
def test_pes_that_are_not_as_long_as_they_declare(lengths, said):
    """What packets the counter cannot show would hold is a loss; anything else is a wrong field."""
    assert sized(*lengths) == said


def test_of_a_pes_that_lost_packets_no_wrong_length_is_told_besides():
    made: list[bytes] = []
    for n in range(3):
        made += ts.packets(ts.AUDIO, ts.pes(0xC0, ts.noise(700, n), n), len(made))
    tables = ts.table_packets(0, ts.pat()) + ts.table_packets(ts.PMT, ts.pmt({ts.AUDIO: ts.AAC}))
    found = scan("a", np.frombuffer(b"".join([*tables, *made[:5], *made[6:]]), np.uint8))
    assert [f.id for f in found.findings] == ["CC"]
    assert found.streams[ts.AUDIO].damaged == {1}
