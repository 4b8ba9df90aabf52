"""Transport packets as rows of numpy: fields read and written (ISO/IEC 13818-1)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Packets = NDArray[np.uint8]  # one row of 188 bytes each
Rows = NDArray[np.intp]
Ints = NDArray[np.int64]

SIZE = 188
HZ = 90_000
WRAP = 1 << 33
NULL = 0x1FFF
ADTS = 7  # bytes of a header without CRC


def pids(data: Packets) -> Ints:
    """The PID of every packet."""
    return (data[:, 1].astype(np.int64) & 0x1F) << 8 | data[:, 2]


def payload(data: Packets) -> Ints:
    """Where the payload of every packet begins; 188 where there is none."""
    kind = data[:, 3] >> 4 & 3
    long = np.minimum(5 + data[:, 4].astype(np.int64), SIZE)
    return np.where(kind == 1, 4, np.where(kind == 3, long, SIZE)).astype(np.int64)


def carrying(data: Packets, pid: int) -> Rows:
    """Packets of one PID that have a payload."""
    return np.flatnonzero((pids(data) == pid) & (payload(data) < SIZE))


def heads(data: Packets, pid: int) -> Rows:
    """Packets of one PID in which a PES begins."""
    rows = carrying(data, pid)
    return rows[data[rows, 1] & 0x40 > 0]


def read(data: Packets, rows: Rows, at: Ints) -> Ints:
    """The 33-bit stamps that stand at these columns."""
    b = [data[rows, at + i].astype(np.int64) for i in range(5)]
    return (b[0] >> 1 & 7) << 30 | b[1] << 22 | b[2] >> 1 << 15 | b[3] << 7 | b[4] >> 1


def write(data: Packets, rows: Rows, at: Ints, ticks: Ints) -> None:
    """Put stamps there; the marker bits stay."""
    t = ticks % WRAP
    parts = (t >> 30 & 7) << 1, t >> 22 & 255, (t >> 15 & 127) << 1, t >> 7 & 255, (t & 127) << 1
    for i, (part, kept) in enumerate(zip(parts, (0xF1, 0, 1, 0, 1), strict=True)):
        data[rows, at + i] = data[rows, at + i] & kept | part.astype(np.uint8)


@dataclass(frozen=True)
class Stamps:
    """Where time stamps of one PID stand."""

    rows: Rows
    at: Ints


def stamps(data: Packets, pid: int, *, dts: bool = False) -> Stamps:
    """All PTS of a PID, or all DTS."""
    rows = heads(data, pid)
    start = payload(data)[rows]
    there = data[rows, np.minimum(start + 7, SIZE - 1)] & (0x40 if dts else 0x80) > 0
    return Stamps(rows[there], (start + (14 if dts else 9))[there])


def move(data: Packets, pid: int, ticks: int) -> None:
    """Add to every PTS and DTS of a PID."""
    for dts in (False, True):
        found = stamps(data, pid, dts=dts)
        write(data, found.rows, found.at, read(data, found.rows, found.at) + ticks)


def move_clock(data: Packets, ticks: int) -> None:
    """Add to every PCR."""
    rows = np.flatnonzero((data[:, 3] & 0x20 > 0) & (data[:, 4] > 6) & (data[:, 5] & 0x10 > 0))
    b = [data[rows, 6 + i].astype(np.int64) for i in range(5)]
    base = (b[0] << 25 | b[1] << 17 | b[2] << 9 | b[3] << 1 | b[4] >> 7) + ticks
    base %= WRAP
    for i, shift in enumerate((25, 17, 9, 1)):
        data[rows, 6 + i] = (base >> shift & 255).astype(np.uint8)
    data[rows, 10] = data[rows, 10] & 0x7F | ((base & 1) << 7).astype(np.uint8)


def renumber(data: Packets, pid: int, start: int) -> int:
    """Number the continuity counter of a PID from ``start``; returns what comes next."""
    rows = np.flatnonzero(pids(data) == pid)
    with_payload = data[rows, 3] & 0x10 > 0
    counts = start + np.cumsum(with_payload) - 1
    data[rows, 3] = data[rows, 3] & 0xF0 | (counts & 15).astype(np.uint8)
    return int(start + with_payload.sum()) & 15


def renamed(data: Packets, old: int, new: int) -> None:
    """Another PID for the packets of one; the tables are not touched."""
    rows = np.flatnonzero(pids(data) == old)
    data[rows, 1] = data[rows, 1] & 0xE0 | new >> 8
    data[rows, 2] = new & 255


def null_packets(count: int) -> Packets:
    """Padding (2.4.3.3: PID 0x1FFF)."""
    made = np.full((count, SIZE), 255, np.uint8)
    made[:, :4] = (0x47, 0x1F, 0xFF, 0x10)
    return made


def waiting(pid: int, counter: int) -> Packets:
    """A packet whose adaptation field fills it (no payload, so the counter stays)."""
    made = np.full((1, SIZE), 255, np.uint8)
    made[0, :6] = (0x47, pid >> 8, pid & 255, 0x20 | counter & 15, 183, 0)
    return made


def bytes_of(data: Packets, rows: Rows, starts: Ints) -> tuple[bytes, Ints]:
    """The payloads one behind the other, and where each begins in that."""
    parts = [data[row, starts[row] :].tobytes() for row in rows]
    lengths = [len(part) for part in parts]
    return b"".join(parts), np.cumsum([0, *lengths[:-1]], dtype=np.int64)


def pes(data: Packets, pid: int) -> Iterator[Rows]:
    """The packets of each PES."""
    rows, first = carrying(data, pid), heads(data, pid)
    yield from np.split(rows, np.searchsorted(rows, first))[1:]


def crc(section: bytes) -> bytes:
    """CRC-32/MPEG-2 (annex A)."""
    value = 0xFFFFFFFF
    for byte in section:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value & 1 << 31 else 0)) & 0xFFFFFFFF
    return value.to_bytes(4, "big")


def edit_table(data: Packets, row: int, old: int, new: int) -> None:
    """Another PID in a table of one packet, with a CRC that fits; twice if it is the clock's."""
    start = int(payload(data)[row])
    start += 1 + int(data[row, start])
    length = ((int(data[row, start + 1]) & 15) << 8) + int(data[row, start + 2])
    section = bytearray(data[row, start : start + 3 + length - 4].tobytes())
    for at in range(8, len(section) - 1):
        if (section[at] << 8 | section[at + 1]) & 0x1FFF == old and section[at] >= 0xE0:
            section[at : at + 2] = (0xE000 | new).to_bytes(2, "big")
    whole = bytes(section) + crc(bytes(section))
    data[row, start : start + len(whole)] = np.frombuffer(whole, np.uint8)


def picture(annexb: bytes) -> bytes:
    """What of a picture nobody may change: its slices (NAL unit types 1 to 5), in order."""
    units = re.split(b"\0\0\1", annexb)[1:]
    return b"|".join(u.rstrip(b"\0") for u in units if u and 1 <= u[0] & 31 <= 5)


def frames(adts: bytes) -> Iterator[tuple[int, int]]:
    """First and last byte (one behind) of every ADTS frame."""
    at = 0
    while at + ADTS <= len(adts) and adts[at] == 0xFF and adts[at + 1] & 0xF0 == 0xF0:
        size = (adts[at + 3] & 3) << 11 | adts[at + 4] << 3 | adts[at + 5] >> 5
        if size < ADTS or at + size > len(adts):
            return
        yield at, at + size
        at += size


def raw(frame: bytes) -> bytes:
    """An ADTS frame without its header."""
    return frame[ADTS if frame[1] & 1 else ADTS + 2 :]
