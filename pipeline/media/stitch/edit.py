"""Transport packets edited in place: stamps, clocks, counters (ISO/IEC 13818-1 clause 2.4.3)."""

from collections.abc import Sequence

import numpy as np

from pipeline.media.clock import MODULO, Bytes, Index, Mask, Ticks
from pipeline.media.stitch.work import TrackInSegment
from pipeline.media.ts.packets import PACKET
from pipeline.media.ts.pes import pes_sizes
from pipeline.media.ts.pes_header import FIELDS
from pipeline.media.ts.time_fields import pcr_bases, stamp_fields, stamps


def retime(work: TrackInSegment, pids: Sequence[int], kept: Mask) -> None:
    """Write the new stamps into the PES headers that are kept, and free video of its PES length."""
    t, flat = work.track, work.packets.rows.reshape(-1)
    alive = kept[t.starts]
    row, header = t.index[t.starts[alive]], t.header[alive]
    at = work.packets.start[row].astype(np.intp)
    place = row * PACKET + at
    flags = header[:, 7] >> np.uint8(6)
    pts, dts = work.pts[alive], work.dts[alive]
    width = np.where(flags == 3, 10, 5)
    fits = (at + 9 + width <= PACKET) & (header[:, 8] >= width) & (flags >= 2)
    stamped = fits & (pts >= 0)
    both = stamped & (flags == 3)
    _write_stamps(flat, place[stamped] + 9, pts[stamped], flags[stamped])
    _write_stamps(flat, place[both] + 14, dts[both], 1)
    flat[row * PACKET + 1] |= 0x40
    for field in FIELDS if t.mended.any() else ():
        right = t.mended[alive] & (at + field < PACKET)
        flat[place[right] + field] = header[right, field]
    flat[place[~stamped & (at + 7 < PACKET)] + 7] &= 0x3F
    pictures = place[(header[:, 3] & 0xF0 == 0xE0) & (at + 5 < PACKET)]
    flat[pictures + 4] = flat[pictures + 5] = 0
    _resize(work, alive)
    moved = np.flatnonzero(stamped)[:1]
    if len(moved):
        raw = stamps(header[moved, 9:14])[0]
        _retime_clock(work, pids, int(pts[moved[0]] - raw[0]))


def _write_stamps(flat: Bytes, place: Index, value: Ticks, prefix: int | Bytes) -> None:
    if len(place):
        flat[place[:, None] + np.arange(5)] = stamp_fields(value, prefix)


def _resize(work: TrackInSegment, alive: Mask) -> None:
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


def _retime_clock(work: TrackInSegment, pids: Sequence[int], offset: int) -> None:
    """Move every PCR as far as the stamps (2.4.3.5)."""
    packets, rows = work.packets, work.packets.rows
    clocked = np.flatnonzero((packets.fields[:, 0] >= 7) & (packets.fields[:, 1] & 0x10 != 0))
    carrier = packets.pid[packets.adapted[clocked]]
    clocked = clocked[np.logical_or.reduce([carrier == pid for pid in pids])]
    if not len(clocked):
        return
    carriers, field = packets.adapted[clocked], packets.fields[clocked, 2:7]
    base = (pcr_bases(field) + offset) % MODULO
    for place, shift in enumerate((25, 17, 9, 1)):
        rows[carriers, 6 + place] = base >> shift & 0xFF
    rows[carriers, 10] = (base & 1) << 7 | field[:, 4] & 0x7F


def renumber(work: TrackInSegment, kept: Mask) -> None:
    """The lane's PID, and continuity counters without a break."""
    row = work.track.index[kept]
    if len(row) and (work.packets.pid[row[[0, -1]]] != work.lane.pid).any():
        work.packets.rows[row, 1] = work.packets.rows[row, 1] & 0xE0 | work.lane.pid >> 8
        work.packets.rows[row, 2] = work.lane.pid & 0xFF
    counters = (work.carried.counter + np.arange(len(row))).astype(np.uint8) & 15
    flat, place = work.packets.rows.reshape(-1), row * PACKET + 3
    flat[place] = flat[place] & 0xF0 | counters
    work.carried.counter = (work.carried.counter + len(row)) & 15


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
