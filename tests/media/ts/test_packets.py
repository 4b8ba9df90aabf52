"""Framing after every kind of damage, and what the columns say of headers that lie."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.media.ts.packets import NULL_PID, PACKET, Packets, causes, columns, framing
from tests import ts

WHOLE = ts.segment(pictures=15)
COUNT = len(WHOLE) // PACKET


def found(data: bytes) -> tuple[int, int, int, int]:
    """Rows, leading, trailing and lost bytes, after a check that they add up."""
    frame = framing(np.frombuffer(data, np.uint8))
    rows, *bytes_outside = len(frame.rows), frame.leading, frame.trailing, frame.lost
    assert rows * PACKET + sum(bytes_outside) + frame.behind == len(data)
    return rows, frame.leading, frame.trailing, frame.lost


def read(*made: bytes) -> Packets:
    return columns(np.frombuffer(b"".join(made), np.uint8).reshape(-1, PACKET))


# --- framing -----------------------------------------------------------------------------------


def bad(packets: Packets) -> dict[str, list[int]]:
    """Rows that must not be trusted, by the finding they give."""
    return {id: rows.tolist() for id, rows in causes(packets).items() if len(rows)}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(b"", (0, 0, 0, 0), id="nothing"),
        pytest.param(WHOLE, (COUNT, 0, 0, 0), id="whole"),
        pytest.param(WHOLE[:PACKET], (1, 0, 0, 0), id="one packet"),
        pytest.param(b"x" * 9 + WHOLE[:PACKET], (1, 9, 0, 0), id="one packet behind garbage"),
        pytest.param(WHOLE[: PACKET - 1], (0, 187, 0, 0), id="less than a packet"),
        pytest.param(b"x" * 10 + WHOLE, (COUNT, 10, 0, 0), id="garbage in front"),
        pytest.param(b"x" * 5000 + WHOLE, (COUNT, 5000, 0, 0), id="much garbage in front"),
        pytest.param(
            (b"G" + bytes(187)) * 4 + b"xxx" + WHOLE, (COUNT, 755, 0, 0), id="a false start of four"
        ),
        pytest.param(b"G" + WHOLE, (COUNT, 1, 0, 0), id="a sync byte too many"),
        pytest.param(WHOLE[100:], (COUNT - 1, 88, 0, 0), id="begins inside a packet"),
        pytest.param(b"xx" + WHOLE + b"yyy", (COUNT, 2, 0, 0), id="garbage at both ends"),
        pytest.param(bytes(50_000), (0, 50_000, 0, 0), id="nothing but zeros"),
        pytest.param(ts.noise(50_000), (0, 50_000, 0, 0), id="no sync byte at all"),
        pytest.param(np.random.default_rng(1).bytes(50_000), (0, 50_000, 0, 0), id="random bytes"),
        pytest.param(b"<html>404</html>" * 99, (0, 16 * 99, 0, 0), id="an error page"),
        pytest.param(
            b"".join(b"\0\0\0\0" + ts.packet(256, ts.noise(184, n), n) for n in range(40)),
            (0, 40 * 192, 0, 0),
            id="192-byte packets",
        ),
    ],
)
def test_framing(data, expected):
    assert found(data) == expected


@pytest.mark.parametrize("cut", range(1, PACKET))
def test_a_segment_cut_off_inside_a_packet(cut):
    assert found(WHOLE[: 7 * PACKET + cut]) == (7, 0, cut, 0)


def flipped(at: int, data: bytes = WHOLE) -> bytes:
    return data[:at] + bytes((data[at] ^ 0x10,)) + data[at + 1 :]


@pytest.mark.parametrize("row", [1, 2, 30, COUNT - 2, COUNT - 1])
def test_one_flipped_sync_byte_costs_one_packet(row):
    data = flipped(row * PACKET)
    assert found(data) == (COUNT, 0, 0, 0)
    assert bad(read(data)) == {"SYNC_BYTE": [row]}


@pytest.mark.parametrize("row", [1, 2, 3, 4])
def test_damage_among_the_first_packets_is_not_garbage_in_front(row):
    data = flipped(row * PACKET, flipped((row + 1) * PACKET))
    assert found(data) == (COUNT - 2, 0, 0, 2 * PACKET)


def test_a_flipped_first_sync_byte_is_what_stands_in_front():
    assert found(flipped(0)) == (COUNT - 1, PACKET, 0, 0)


def test_two_flipped_sync_bytes_in_a_row_are_skipped():
    assert found(flipped(30 * PACKET, flipped(31 * PACKET))) == (COUNT - 2, 0, 0, 2 * PACKET)


@pytest.mark.parametrize("extra", [1, 10, 187, 188, 189, 5000])
@pytest.mark.parametrize("row", [5, 20, COUNT - 6])
def test_inserted_bytes_cost_no_packet(row, extra):
    at = row * PACKET
    assert found(WHOLE[:at] + b"x" * extra + WHOLE[at:]) in (
        (COUNT, 0, 0, extra),
        (COUNT + 1, 0, 0, extra - PACKET),  # one bad packet is kept and marked
    )


@pytest.mark.parametrize("gone", [1, 100, 187])
def test_bytes_missing_inside_a_packet_cost_the_next_one(gone):
    at = 20 * PACKET + 50
    assert found(WHOLE[:at] + WHOLE[at + gone :]) == (COUNT - 1, 0, 0, PACKET - gone)


def test_a_zero_filled_block_is_skipped_and_what_follows_found():
    at, size = 20 * PACKET + 50, 20 * PACKET
    data = WHOLE[:at] + bytes(size) + WHOLE[at + size :]
    # the packet the block begins in is kept, the one it ends in is not
    assert found(data) == (COUNT - 20, 0, 0, 20 * PACKET)


@pytest.mark.parametrize(
    ("tail", "rows", "trailing", "behind"),
    [
        pytest.param(bytes(1000), 0, 0, 1000, id="zeros"),
        pytest.param(bytes(300), 0, 0, 300, id="zeros, less than two packets"),
        pytest.param(bytes(188), 0, 0, 188, id="zeros, as much as a packet"),
        pytest.param(b"\1" + bytes(187), 1, 0, 0, id="one bad packet, marked"),
        pytest.param(bytes(100), 0, 0, 100, id="less than a packet"),
        pytest.param(WHOLE[:100], 0, 100, 0, id="a packet cut off"),
    ],
)
def test_what_stands_behind_the_last_packet(tail, rows, trailing, behind):
    frame = framing(np.frombuffer(WHOLE + tail, np.uint8))
    assert (len(frame.rows), frame.trailing, frame.behind) == (COUNT + rows, trailing, behind)
    assert not frame.lost


def test_damage_beyond_the_first_block():
    long = WHOLE * (9000 // COUNT + 1)
    for row in (4094, 4095, 4096, 8191):
        at = row * PACKET + 100
        rows, _, _, lost = found(long[:at] + b"x" * 10 + long[at:])
        assert (rows, lost) in ((len(long) // PACKET, 10), (len(long) // PACKET - 1, 198))


@given(
    st.lists(
        st.tuples(st.floats(0, 1), st.sampled_from(["cut", "insert", "zero"]), st.integers(1, 700)),
        max_size=6,
    )
)
def test_every_byte_is_accounted_for_after_any_damage(changes):
    data = bytearray(WHOLE)
    for where, what, size in changes:
        at = int(where * len(data))
        if what == "insert":
            data[at:at] = ts.noise(size)
        elif what == "cut":
            del data[at : at + size]
        else:
            data[at : at + size] = bytes(len(data[at : at + size]))
    found(bytes(data))


HOSTILE = 20_000_000


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"G" * HOSTILE, id="nothing but sync bytes"),
        pytest.param((b"G" + bytes(186)) * (HOSTILE // 187), id="sync bytes 187 apart"),
        pytest.param((b"G" * 189 + bytes(188)) * (HOSTILE // 377), id="sync bytes half the time"),
        pytest.param(
            (b"x" * 400 + (b"G" + bytes(187)) * 5) * (HOSTILE // 1340), id="lost every five packets"
        ),
    ],
)
def test_hostile_bytes_take_little_time(data):
    array = np.frombuffer(data, np.uint8)
    started = time.process_time()
    columns(framing(array).rows)
    assert time.process_time() - started < 3  # about 0.5 s on an idle machine


# --- columns -----------------------------------------------------------------------------------


def test_columns_of_no_packets():
    assert len(read().pid) == 0


def test_columns_of_packets_of_each_kind():
    got = read(
        ts.packet(256, ts.noise(184), 3),
        ts.packet(256, ts.noise(183), 4, start=True),
        ts.packet(256, ts.noise(176), 5, start=True, pcr=1 << 32),
        ts.packet(257, b"", 6, pcr=7),
        ts.packet(257, b"x", 15, discontinuity=True),
        ts.packet(NULL_PID, ts.noise(184), 0),
    )
    assert got.pid.tolist() == [256, 256, 256, 257, 257, NULL_PID]
    assert got.counter.tolist() == [3, 4, 5, 6, 15, 0]
    assert got.payload.tolist() == [True, True, True, False, True, True]
    assert got.unit_start.tolist() == [False, True, True, False, False, False]
    assert got.start.tolist() == [4, 5, 12, 188, 187, 4]
    assert got.discontinuity.tolist() == [False, False, False, False, True, False]
    assert got.adapted.tolist() == [1, 2, 3, 4]
    assert bad(got) == {}


def test_columns_of_a_sound_segment_find_nothing_bad():
    got = read(WHOLE)
    assert set(got.pid.tolist()) == {0, ts.PMT, ts.VIDEO, ts.AUDIO}
    assert bad(got) == {}
    assert np.count_nonzero(got.unit_start & (got.pid == ts.VIDEO)) == 15


def stream(row: int, change: bytes) -> Packets:
    """Thirty packets with stuffing now and then, the header of one of them changed."""
    made = [
        ts.packet(256, ts.noise(184 if n % 3 else 120, n), n, start=n % 3 == 0) for n in range(30)
    ]
    made[row] = change + made[row][len(change) :]
    return read(*made)


def header(row: int) -> bytes:
    return stream(row, b"").rows[row, :4].tobytes()


FIELDS = {
    "SYNC_BYTE": range(8),
    "TEI": [8],
    "unit_start": [9],
    "transport_priority": [10],
    "pid": range(11, 24),
    "SCRAMBLED": [24, 25],
    "AF_LENGTH": [26, 27],
    "counter": range(28, 32),
}


@pytest.mark.parametrize(
    ("field", "bit"), [pytest.param(f, b, id=f"{f} bit {b}") for f, r in FIELDS.items() for b in r]
)
def test_each_flipped_header_bit_is_detected(field, bit):
    row = 16
    word = int.from_bytes(header(row), "big") ^ 1 << (31 - bit)
    got, sound = stream(row, word.to_bytes(4, "big")), stream(row, b"")
    if field.isupper():
        assert bad(got) == {field: [row]}
        assert got.pid[row] == NULL_PID
    else:
        assert bad(got) == {}
    for column in ("pid", "counter", "unit_start", "start", "payload", "discontinuity"):
        changed = np.flatnonzero(getattr(got, column) != getattr(sound, column)).tolist()
        if field == column or (field == "transport_priority"):
            assert changed == ([row] if field == column else [])
        assert set(changed) <= {row}


def adapted(*parts: bytes | int, control: int = 3, start: bool = False) -> bytes:
    """A packet of PID 256 with an adaptation field written byte by byte, then noise."""
    field = b"".join(p if isinstance(p, bytes) else bytes((p,)) for p in parts)
    head = bytes((0x47, 1 | start << 6, 0, control << 4))
    return (head + field + ts.noise(188))[:PACKET]


@pytest.mark.parametrize(
    ("made", "odd"),
    [
        pytest.param(adapted(0), False, id="length 0"),
        pytest.param(adapted(1, 0), False, id="flags only"),
        pytest.param(adapted(182, 0, b"\xff" * 181), False, id="room for one payload byte"),
        pytest.param(
            adapted(183, 0, b"\xff" * 182), False, id="padding that has a payload of none"
        ),
        pytest.param(adapted(183, 0, b"\xff" * 99, 7, b"\xff" * 82), True, id="no padding"),
        pytest.param(
            adapted(183, 0, b"\xff" * 182, start=True), True, id="no room for the payload"
        ),
        pytest.param(adapted(183, 0, b"\xff" * 182, control=2), False, id="no payload"),
        pytest.param(adapted(184, 0, b"\xff" * 182, control=2), True, id="longer than the packet"),
        pytest.param(adapted(255, 0, b"\xff" * 182, control=2), True, id="length 255"),
        pytest.param(adapted(7, 0x10, bytes(6)), False, id="PCR"),
        pytest.param(adapted(90, 0, b"\xff" * 99), False, id="stuffing, and media of such bytes"),
        pytest.param(adapted(8, 0x10, bytes(6), 0xFF), False, id="PCR and one byte of stuffing"),
        pytest.param(adapted(6, 0x10, bytes(5)), True, id="no room for the PCR"),
        pytest.param(adapted(1, 0x10), True, id="a PCR of no bytes"),
        pytest.param(adapted(control=0), True, id="reserved control value"),
        pytest.param(adapted(control=1), False, id="no field"),
        pytest.param(adapted(9, 0, b"\xff" * 7, 0), True, id="stuffing that ends odd"),
        pytest.param(adapted(9, 0, 0, b"\xff" * 7), True, id="stuffing that begins odd"),
        pytest.param(adapted(9, 2, 1, 0, b"\xff" * 6), True, id="private data, once"),
        pytest.param(adapted(1, 0x20), True, id="a rare flag, once"),
        pytest.param(adapted(9, 2, 1, 0, b"\xff" * 6, start=True), False, id="at a unit start"),
    ],
)
def test_adaptation_fields(made, odd):
    usual = [ts.packet(256, ts.noise(100, n), n) for n in range(10)]
    got = read(*usual, made)
    assert bad(got) == ({"AF_LENGTH": [10]} if odd else {})
    assert got.pid[-1] == (NULL_PID if odd else 256)


def test_fields_that_are_odd_throughout_are_how_the_muxer_writes():
    private = adapted(9, 2, 1, 0, b"\xff" * 6)
    assert bad(read(*[private] * 10)) == {}


def test_a_packet_without_payload_has_no_start_of_it():
    assert read(adapted(7, 0x10, bytes(6), control=2)).start.tolist() == [PACKET]


def test_a_bad_packet_is_counted_once_and_by_its_first_fault():
    got = read(b"\x48\xff\xff\xff" + bytes(184), b"\x47\x80\x00\x40" + bytes(184))
    assert bad(got) == {"SYNC_BYTE": [0], "TEI": [1]}
    assert got.pid.tolist() == [NULL_PID] * 2


def test_a_packet_without_payload_begins_no_pes():
    """Whatever its bytes look like, also at the end of the data."""
    begin = b"\0\0\1\xe0\0\0\x80"
    held, nothing = (
        b"\x47\x01\x00" + bytes([control << 4]) + begin + b"\xff" * 177 for control in (1, 0)
    )
    rows = np.frombuffer(held * 2 + nothing, np.uint8).reshape(-1, PACKET)
    assert columns(rows).prefixed.tolist() == [0, 1]
