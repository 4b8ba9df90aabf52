"""Transport packets edited in place: stamps, clocks, counters (ISO/IEC 13818-1 clause 2.4.3)."""

from collections.abc import Sequence

import numpy as np

from pipeline.media.lane import Carried, Lane, Work
from pipeline.media.ts.packets import (
    MODULO,
    NULL_PID,
    PACKET,
    Bytes,
    Mask,
    pcr_bases,
    stamp_fields,
    stamps,
)
from pipeline.media.ts.pes import pes_sizes
from pipeline.media.ts.pes_header import FIELDS


def retime(work: Work, pids: Sequence[int], kept: Mask) -> None:
    """Write the new stamps into the PES headers that are kept, and free video of its PES length."""
    t, rows = work.track, work.packets.rows
    alive = kept[t.starts]
    row, header = t.index[t.starts[alive]], t.header[alive]
    at = work.packets.start[row].astype(np.intp)
    flags = header[:, 7] >> 6
    pts, dts = work.pts[alive], work.dts[alive]
    width = np.where(flags == 3, 10, 5)
    fits = (at + 9 + width <= PACKET) & (header[:, 8] >= width) & (flags >= 2)
    stamped = fits & (pts >= 0)
    for which, value, offset, prefix in (
        (stamped & (flags == 2), pts, 9, 2),
        (stamped & (flags == 3), pts, 9, 3),
        (stamped & (flags == 3), dts, 14, 1),
    ):
        fields = stamp_fields(value[which], prefix)
        column = at[which, None] + offset + np.arange(5)
        rows[row[which, None], column] = fields
    rows[row, 1] |= 0x40
    for field in FIELDS:
        right = t.mended[alive] & (at + field < PACKET)
        rows[row[right], at[right] + field] = header[right, field]
    bare = ~stamped & (at + 7 < PACKET)
    rows[row[bare], at[bare] + 7] &= 0x3F
    pictures = (header[:, 3] & 0xF0 == 0xE0) & (at + 5 < PACKET)
    rows[row[pictures], at[pictures] + 4] = 0
    rows[row[pictures], at[pictures] + 5] = 0
    _resize(work, alive)
    moved = np.flatnonzero(stamped)[:1]
    if len(moved):
        raw = stamps(header[moved, 9:14])[0]
        _retime_clock(work, pids, int(pts[moved[0]] - raw[0]))


def _resize(work: Work, alive: Mask) -> None:
    """Tell of sound that is whole how long it is: a reader goes by what is declared (2.4.3.7)."""
    t, rows = work.track, work.packets.rows
    sound = alive & (t.header[:, 3] & 0xF0 != 0xE0) & t.header[:, 4:6].any(axis=1)
    if not sound.any():
        return
    declared, real = pes_sizes(work.packets, t)
    wrong = sound & (declared != real)
    wrong[-1:] &= not work.joined  # the rest stands in the next segment
    for row, size in zip(t.index[t.starts[wrong]].tolist(), real[wrong].tolist(), strict=True):
        at = int(work.packets.start[row]) + 4
        if at + 2 <= PACKET:
            rows[row, at : at + 2] = divmod(size if size < 65536 else 0, 256)


def _retime_clock(work: Work, pids: Sequence[int], offset: int) -> None:
    """Move every PCR as far as the stamps (2.4.3.5)."""
    packets, rows = work.packets, work.packets.rows
    carrier = packets.pid[packets.adapted]
    adapted = packets.adapted[np.logical_or.reduce([carrier == pid for pid in pids])]
    carriers = adapted[(rows[adapted, 4] >= 7) & (rows[adapted, 5] & 0x10 != 0)]
    field = rows[carriers, 6:11]
    base = (pcr_bases(field) + offset) % MODULO
    for place, shift in enumerate((25, 17, 9, 1)):
        rows[carriers, 6 + place] = base >> shift & 0xFF
    rows[carriers, 10] = (base & 1) << 7 | field[:, 4] & 0x7F


def renumber(work: Work, lane: Lane, kept: Mask, carried: Carried) -> None:
    """The lane's PID, and continuity counters without a break."""
    row = work.track.index[kept]
    if len(row) and (work.packets.pid[row[[0, -1]]] != lane.pid).any():
        work.packets.rows[row, 1] = work.packets.rows[row, 1] & 0xE0 | lane.pid >> 8
        work.packets.rows[row, 2] = lane.pid & 0xFF
    counters = (carried.counter + np.arange(len(row))) & 15
    work.packets.rows[row, 3] = work.packets.rows[row, 3] & 0xF0 | counters.astype(np.uint8)
    carried.counter = (carried.counter + len(row)) & 15


def blank(rows: Bytes, out: Mask) -> None:
    """Turn packets into null packets."""
    index = np.flatnonzero(out)
    rows[index, 0] = 0x47
    rows[index, 1] = NULL_PID >> 8
    rows[index, 2] = NULL_PID & 0xFF
    rows[index, 3] = 0x10


def spliced(rows: Bytes, inserts: list[tuple[int, bytes]]) -> tuple[memoryview | bytes, ...]:
    """The packets with others put in between."""
    if not inserts:
        return (rows.reshape(-1).data,)
    chunks: list[memoryview | bytes] = []
    at = 0
    for row, made in sorted(inserts, key=lambda insert: insert[0]):
        chunks += [rows[at:row].reshape(-1).data, made]
        at = row
    return (*chunks, rows[at:].reshape(-1).data)


def audio_pes(payload: bytes, pts: int) -> bytes:
    """One audio PES with a PTS (2.4.3.6)."""
    length = len(payload) + 8
    head = b"\0\0\1\xc0" + (length if length < 65536 else 0).to_bytes(2, "big") + b"\x80\x80\x05"
    return head + stamp_fields(np.array([pts], np.int64), 2).tobytes() + payload


def video_pes(payload: bytes, pts: int, dts: int | None = None) -> bytes:
    """One video PES with a PTS, none where it is -1, and a DTS where that is another; its length is
    left open (2.4.3.7).
    """
    if pts < 0:
        return b"\0\0\1\xe0\0\0\x80\0\0" + payload
    both = dts is not None and dts != pts
    fields = stamp_fields(np.array([pts], np.int64), 3 if both else 2).tobytes()
    fields += stamp_fields(np.array([dts], np.int64), 1).tobytes() if both else b""
    head = b"\0\0\1\xe0\0\0\x80" + bytes((0xC0 if both else 0x80, len(fields)))
    return head + fields + payload


def clock(pid: int, base: int, counter: int) -> bytes:
    """A packet with a PCR and nothing else; ``counter`` is that of the next one (2.4.3.3)."""
    field = (base << 15 | 0x3F << 9).to_bytes(6, "big")
    head = bytes((0x47, pid >> 8, pid & 0xFF, 0x20 | counter - 1 & 15, PACKET - 5, 0x10))
    return (head + field).ljust(PACKET, b"\xff")


def packetize(pid: int, pes: bytes, counter: int, *, begins: bool = True) -> tuple[bytes, int]:
    """A PES as transport packets, the last one stuffed (2.4.3.3); returns the next counter too.
    It ``begins`` there, or these bytes go on with one.
    """
    packets = []
    for at in range(0, len(pes), PACKET - 4):
        piece = pes[at : at + PACKET - 4]
        start = 0x40 if begins and at == 0 else 0
        head = bytes((0x47, start | pid >> 8, pid & 0xFF))
        spare = PACKET - 4 - len(piece)
        stuffing = (
            b"" if not spare else bytes((spare - 1,)) + (b"\0" + b"\xff" * (spare - 2))[: spare - 1]
        )
        packets.append(head + bytes((0x10 | (0x20 if spare else 0) | counter,)) + stuffing + piece)
        counter = counter + 1 & 15
    return b"".join(packets), counter
