"""Audio where bytes are missing: the whole frames that are left, written as new PES; and stamps
that would put a frame before the one in front of it.
"""

import math
from itertools import pairwise

import numpy as np
from isal.isal_zlib import crc32
from msgspec import Struct
from msgspec.structs import replace

from pipeline.media.clock import BASE, Index, Mask, Ticks
from pipeline.media.es import adts
from pipeline.media.es.access_units import Units
from pipeline.media.stitch.interpose import interposed, unstamped
from pipeline.media.stitch.work import CarryOver, TrackInSegment, torn_units
from pipeline.media.track import Lane
from pipeline.media.ts.writing.packetize import audio_pes, packetize
from pipeline.model import Finding, Severity

CLOSE = 3  # ticks: frames nearer to each other have one time on a clock of 44.1 kHz


def behind(first: Index, pts: Ticks, count: int, carried: CarryOver) -> Ticks:
    """Stamps of PES, by their ``first`` frames out of ``count``, without those that a muxer has to
    move: at or before the begin of the frame in front.  These get half a frame of overlap.
    """
    known = np.flatnonzero((pts >= 0) & (first < count))
    due = pts[known][:-1] + np.diff(first[known]) * carried.lane.unit
    before = carried.next + first[known][:1] * carried.lane.unit
    if not (pts[known] <= np.append(before, due) - carried.lane.unit + CLOSE).any():
        carried.next = _ended(first[known], pts[known], count, carried)
        return pts
    pts = pts.copy()
    for k in known.tolist():
        due = carried.next + first[k] * carried.lane.unit
        pts[k] = _after(float(pts[k]), due, carried.lane)
        carried.next = float(pts[k]) - first[k] * carried.lane.unit
    carried.next += count * carried.lane.unit
    return pts


def in_line(first: Index, pts: Ticks, carried: CarryOver) -> Ticks:
    """Stamps of PES, by their ``first`` frames, where one that jumps out and back with the next is
    set behind the frame in front: a frame lasts as long as it does.
    """
    known = np.flatnonzero(pts >= 0)
    if len(known) < 2:
        return pts
    before = carried.next if carried.next > -math.inf else float(pts[known[0]])
    begins = np.append(before + first[known[0]] * carried.lane.unit, pts[known][:-1])
    due = begins + np.append(0.0, np.diff(first[known]) * carried.lane.unit)
    off = pts[known] - due
    unit = carried.lane.unit
    out = (np.abs(off[:-1]) > unit / 2) & (np.abs(off[:-1] + off[1:]) <= unit / 4)
    if not out.any():
        return pts
    pts = pts.copy()
    pts[known[:-1][out]] = np.rint(due[:-1][out]).astype(np.int64)
    return pts


def _after(pts: float, due: float, lane: Lane) -> int:
    return round(due - lane.unit / 2 if pts <= due - lane.unit + CLOSE else pts)


def _ended(first: Index, pts: Ticks, count: int, carried: CarryOver) -> float:
    if not len(pts):
        return carried.next + count * carried.lane.unit
    return float(pts[-1] + (count - first[-1]) * carried.lane.unit)


class _Group(Struct, frozen=True):
    """Frames in one chain, with a stamp for the first."""

    row: int
    pts: float
    frames: list[bytes]
    first: bool  # bytes are missing in front of it


def mended(work: TrackInSegment) -> tuple[Mask, Units]:
    """Rewrite all audio of this segment from the whole frames that are left."""
    t = work.track
    kept = np.zeros(len(t.index), np.bool_)
    bounds = [0, *t.broken.tolist(), len(t.index)]
    begun, rest = _completed(work, bounds[1])
    groups: list[_Group] = []
    for begin, end in pairwise(bounds):
        if begin < end:
            first, skip = bool(groups) or work.torn, 0 if begin else rest
            groups += _stretch(work, begin, end, first=first, skip=skip)
    groups = [_until(work, _from_the_beginning(group)) for group in groups]
    groups = [group for group in groups if group.frames]
    stored = [adts.raw(begun)] if begun else []
    sizes = [len(f) for f in stored]
    pts = [-1] * len(stored)
    torn: list[int] = []
    _say_what_was_left_out(work, groups)
    for group in groups:
        at = _after(group.pts, work.carried.next, work.lane)
        if group.first:
            torn.append(len(sizes))
        raw = [adts.raw(frame) for frame in group.frames]
        sizes += [len(f) for f in raw]
        work.carried.next = at + len(raw) * work.lane.unit
        pts += [at, *[-1] * (len(raw) - 1)]
        stored += raw
        pes = audio_pes(b"".join(group.frames), at)
        written, work.carried.counter = packetize(work.lane.pid, pes, work.carried.counter)
        work.inserts.append((group.row, written))
    times = np.array(pts, np.int64)
    data = b"".join(stored)
    made = Units(
        np.array(sizes, np.uint32),
        times,
        times,
        crc32(data),
        np.array(torn, np.intp),
        data=data,
        taken=len(begun) + sum(len(frame) for group in groups for frame in group.frames),
    )
    made = replace(made, torn=np.union1d(made.torn, torn_units(made, work)))
    return interposed(work, kept, made)


def _completed(work: TrackInSegment, end: int) -> tuple[bytes, int]:
    """The frame that began in the segment before, and how many bytes of it stand here, up to the
    packet ``end``: they are written.  Nothing if not all of it is there.
    """
    begun, work.carried.data = work.carried.data, b""
    work.carried.offsets, work.carried.pts, work.carried.dts = (
        part[:0] for part in (work.carried.offsets, work.carried.pts, work.carried.dts)
    )
    if not begun:
        return b"", 0
    inside = np.flatnonzero(work.track.starts < end)
    frame = begun + _payload(work, 0, end, inside)[0]
    size = next((length for at, length in adts.chain(frame, work.lane.config) if at == 0), 0)
    if size <= len(begun):
        return b"", 0
    work.carried.next += work.lane.unit
    pes = unstamped(frame[len(begun) : size])
    written, work.carried.counter = packetize(work.lane.pid, pes, work.carried.counter)
    work.inserts.append((int(work.track.index[0]), written))
    return frame[:size], size - len(begun)


def _from_the_beginning(group: _Group) -> _Group:
    """Without frames that lie before the beginning of the recording as its stamps have it."""
    tick = adts.read(group.frames[0]).ticks
    early = max(0, math.ceil((BASE - group.pts) / tick))
    return replace(group, pts=group.pts + early * tick, frames=group.frames[early:])


def _until(work: TrackInSegment, group: _Group) -> _Group:
    """Without frames that another part of the recording holds."""
    if work.until is None or not group.frames:
        return group
    tick = adts.read(group.frames[0]).ticks
    count = max(0, math.ceil((work.until - group.pts) / tick))
    return replace(group, frames=group.frames[:count])


def _say_what_was_left_out(work: TrackInSegment, groups: list[_Group]) -> None:
    """Bytes that are no frame, where no packet is missing that would explain it."""
    if len(work.track.broken) or work.torn or work.cut or work.until is not None:
        return
    inner = sum(group.first for group in groups)
    work.unfinished = not inner and bool(groups)
    detail = "bytes between frames that are no frame" if inner else "its last frame is incomplete"
    severity, repair = (Severity.WARNING, "left out") if work.unfinished else (Severity.ERROR, None)
    work.findings.append(
        Finding("ADTS_SYNC", severity, work.name, work.lane.pid, max(inner, 1), detail, repair)
    )


def _stretch(work: TrackInSegment, begin: int, end: int, *, first: bool, skip: int) -> list[_Group]:
    """Groups of frames, each with a stamp for its first, out of packets without a break; the bytes
    to ``skip`` belong to a frame in front.
    """
    t = work.track
    inside = np.flatnonzero((t.starts >= begin) & (t.starts < end))
    es, pes = _payload(work, begin, end, inside)
    es, pes = es[skip:], [at - skip for at in pes]
    chained = adts.chain(es, work.lane.config)
    if not chained:
        return []
    tick = adts.read(work.lane.config).ticks
    stamp = {int(o): int(p) for o, p in zip(pes, work.pts[inside], strict=True) if p >= 0}
    rows = {int(o): int(t.index[t.starts[k]]) for o, k in zip(pes, inside, strict=True)}
    groups: list[_Group] = []
    pending: list[bytes] = []
    at, missing, clock, row = 0, first, -1.0, int(t.index[begin])
    for offset, length in chained:
        broken = offset != at
        own = next((o for o in stamp if at <= o <= offset or o == offset), None)
        if own is not None and own == offset and pending and clock < 0 and not broken:
            clock = stamp[own] - len(pending) * tick  # counted back from the next stamp
        if (broken or (own is not None and own == offset)) and pending:
            if clock >= 0:
                groups.append(_Group(row, clock, pending, missing))
                missing = False
            clock = clock + len(pending) * tick if clock >= 0 and not broken else -1.0
            pending = []
            missing = missing or broken
        elif broken:
            missing = True
        if own is not None and own == offset:
            clock, row = float(stamp[own]), rows[own]
        pending.append(es[offset : offset + length])
        at = offset + length
    if pending and clock >= 0:
        groups.append(_Group(row, clock, pending, missing))
    return groups


def _payload(work: TrackInSegment, begin: int, end: int, inside: Index) -> tuple[bytes, list[int]]:
    """Elementary stream of the packets ``begin`` to ``end``, and the offset of each PES inside."""
    t = work.track
    heads = {int(t.starts[k]): 9 + int(t.header[k, 8]) for k in inside}
    pieces: list[bytes] = []
    pes: list[int] = []
    size = over = 0
    for place in range(begin, end):
        row = t.index[place]
        data = work.packets.rows[row, work.packets.start[row] :].tobytes()
        if place in heads:
            over = heads[place]
            pes.append(size)
        data, over = data[over:], max(0, over - len(data))  # it may go on in the next packet
        pieces.append(data)
        size += len(data)
    return b"".join(pieces), pes
