"""One transport stream as several: every PES stays whole, the tables stand in front of each."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from msgspec import Struct, field

from pipeline.media.clock import MODULO, Bytes, Index, Mask, Ticks, signed
from pipeline.media.es import adts
from pipeline.media.ts import psi
from pipeline.media.ts.elementary import elementary
from pipeline.media.ts.packets import (
    FIRST_PID,
    NULL_PID,
    PACKET,
    Packets,
    columns,
    framing,
)
from pipeline.media.ts.pes import track
from pipeline.media.ts.writing.packetize import audio_pes, packetize

SOUND = 0xC0  # stream_id of audio, without its number (ISO/IEC 13818-1 Table 2-22)


class CutPoint(Struct, frozen=True):
    """Where to cut: in front of this packet, or for some PIDs of another one beside it.

    ``apart``: what comes out goes into several files, so that no frame of sound may stand in both.
    """

    row: int
    own: Mapping[int, int] = field(default_factory=dict)
    apart: bool = False


def places(data: Bytes, turns: Mapping[int, Sequence[int]]) -> list[CutPoint]:
    """Where to cut a segment in which streams become others: PES that begin so, by PID.

    The other streams are cut where decoding can begin next to that time.  What turns beside the
    same key picture is one cut.
    """
    packets = columns(framing(data).rows)
    entries = {pid: _entries(packets, pid) for pid in _elementary(packets)}
    pictures = max(entries, key=lambda pid: int(np.count_nonzero(packets.pid == pid)))
    together: dict[tuple[int, int], dict[int, int]] = defaultdict(dict)
    for pid, rows in turns.items():
        for row in rows:
            place = entries[pictures].nearest(row, entries[pid].time(row))
            together[place][pid] = row
    return [
        CutPoint(row, {pid: near.nearest(row, time)[0] for pid, near in entries.items()} | own)
        for (row, time), own in sorted(together.items())
    ]


def entries(data: Bytes, pid: int) -> list[tuple[int, CutPoint]]:
    """Where decoding of a stream of pictures can begin, behind its first picture: the raw PTS
    there, and the cut in front of it; the other streams are cut next to that time.
    """
    packets = columns(framing(data).rows)
    near = {other: _entries(packets, other) for other in _elementary(packets)}
    own = near.get(pid)
    if own is None:
        return []
    return [
        (pts, CutPoint(row, {o: e.nearest(row, pts)[0] for o, e in near.items()} | {pid: row}))
        for row, pts in zip(own.rows[own.enter].tolist(), own.pts[own.enter].tolist(), strict=True)
    ]


class _Entries(Struct, frozen=True, eq=False):
    """The PES of a stream that have a time: packets, when they are shown, and whether decoding can
    begin there.
    """

    rows: Index
    pts: Ticks
    enter: Mask

    def time(self, row: int) -> int:
        """When the PES is shown that begins in a packet."""
        at = np.searchsorted(self.rows, row).clip(max=len(self.rows) - 1)
        return int(self.pts[at]) if len(self.rows) else 0

    def nearest(self, row: int, time: int) -> tuple[int, int]:
        """The entry nearest to a time; the packet itself where there is none."""
        rows, pts = self.rows[self.enter], self.pts[self.enter]
        if not len(rows):
            return row, time
        at = int(np.argmin(np.abs(signed(pts - time))))
        return int(rows[at]), int(pts[at])


def cut(data: Bytes, where: Sequence[CutPoint]) -> list[Bytes]:
    """Cut a segment.  A PES that has begun before ends before as well; sound of two formats in one
    PES becomes two.
    """
    packets = columns(framing(data).rows)
    owner = _owners(packets, where)
    tables = (psi.PAT_PID, *psi.read(packets)[0].tables)
    blocks: list[list[tuple[int, Bytes]]] = [[] for _ in range(len(where) + 1)]
    for number, place in enumerate(where, 1):
        for mixed in (*_mixed(packets, place), *_straddling(packets, place)):
            owner[mixed.rows] = -1
            blocks[number - 1].append((int(mixed.rows[0]), mixed.before))
            blocks[number].append((int(mixed.rows[-1]), mixed.after))
    pieces = []
    for number, extra in enumerate(blocks):
        index = np.flatnonzero(owner == number)
        row = where[number - 1].row if number else 0
        again = [packets.rows[_last(packets, pid, row)] for pid in tables if number]
        keys = np.concatenate([index, *(np.full(len(rows), at) for at, rows in extra)])
        rows = np.concatenate([packets.rows[index], *(rows for _, rows in extra)])
        pieces.append(np.concatenate([*again, rows[np.argsort(keys, kind="stable")]]))
    return [piece.reshape(-1) for piece in pieces]


class _Mixed(Struct, frozen=True, eq=False):
    """Sound on both sides of a cut: its packets, and those of the PES that it becomes on each."""

    rows: Index
    before: Bytes
    after: Bytes


def _mixed(packets: Packets, place: CutPoint) -> Iterator[_Mixed]:
    """The PES in front of a cut in which sound has become another already."""
    for pid, row in place.own.items():
        t = track(packets, pid)
        at = int(np.searchsorted(t.index[t.starts], row))
        if not 0 < at < len(t.starts) or t.header[at, 3] & 0xE0 != SOUND:
            continue
        begin, end = int(t.starts[at - 1]), int(t.starts[at])
        es, pts = elementary(packets, t, begin, end), int(t.pts[at - 1])
        frames, size = adts.alike(es)
        if pts < 0 or not 0 < size < len(es) or adts.fixed_part(es[size:]) is None:
            continue
        later = pts + round(frames * adts.read(es).ticks)
        new = audio_pes(es[:size], pts), audio_pes(es[size:], later % MODULO)
        yield _rewritten(packets, t.index[begin:end], pid, new)


def _straddling(packets: Packets, place: CutPoint) -> Iterator[_Mixed]:
    """The two PES around a cut, where a frame of sound begins in one and ends in the other: all of
    it goes to the first.
    """
    for pid in _elementary(packets) if place.apart else ():
        t = track(packets, pid)
        at = int(np.searchsorted(t.index[t.starts], place.own.get(pid, place.row)))
        if not 0 < at < len(t.starts) or t.header[at, 3] & 0xE0 != SOUND:
            continue
        begin, middle, end = np.append(t.starts, len(t.index))[at - 1 : at + 2].tolist()
        es, following = elementary(packets, t, begin, middle), elementary(packets, t, middle, end)
        stamps = t.pts[at - 1 : at + 1].tolist()
        heads = t.header[at - 1 : at + 1].astype(np.int64)
        declared = (heads[:, 4] << 8 | heads[:, 5]) - 3 - heads[:, 8]
        if min(stamps) < 0 or declared.tolist() != [len(es), len(following)]:
            continue
        size = _spilled(es, following)
        if 0 < size < len(following):
            new = (
                audio_pes(es + following[:size], stamps[0]),
                audio_pes(following[size:], stamps[1]),
            )
            yield _rewritten(packets, t.index[begin:end], pid, new)


def _rewritten(packets: Packets, rows: Index, pid: int, both: tuple[bytes, bytes]) -> _Mixed:
    """Two PES in place of these packets; those behind go on counting from those that were there."""
    first, last = packets.counter[rows[[0, -1]]].tolist()
    old, new = (
        np.frombuffer(packetize(pid, pes, first)[0], np.uint8).reshape(-1, PACKET).copy()
        for pes in both
    )
    counters = np.arange(last - len(new) + 1, last + 1) & 15
    new[:, 3] = new[:, 3] & 0xF0 | counters.astype(np.uint8)
    return _Mixed(rows, old, new)


def _spilled(es: bytes, following: bytes) -> int:
    """How many bytes of the next PES end the frame that is begun in this one, which may begin
    inside a frame itself.
    """
    both = es + following
    begin = es.find(0xFF)
    while 0 <= begin < adts.LONGEST:
        count, end = adts.alike(both, begin, len(es))
        later = both[end : end + 2]
        if end >= len(es) and later and both.startswith(later, begin):
            return end - len(es)
        begin = es.find(0xFF, end if count > 2 else begin + 1)  # so many are no chance
    return 0


def _owners(packets: Packets, where: Sequence[CutPoint]) -> Index:
    """Which piece each packet goes to."""
    number = np.arange(len(packets.rows))
    owner = np.searchsorted([place.row for place in where], number, side="right")
    for pid in _elementary(packets):
        index = np.flatnonzero(packets.pid == pid)
        starts = index[(packets.unit_start & packets.payload)[index]]
        begun = np.searchsorted(starts, index, side="right") - 1
        rows = [place.own.get(pid, place.row) for place in where]
        of_start = np.searchsorted(np.maximum.accumulate(rows), starts, side="right")
        owner[index] = np.where(begun < 0, 0, of_start[np.maximum(begun, 0)])
    return owner


def _elementary(packets: Packets) -> list[int]:
    """PIDs that carry PES."""
    tables = psi.read(packets)[0].tables
    found = np.unique(packets.pid[packets.unit_start & packets.payload]).tolist()
    return [pid for pid in found if FIRST_PID <= pid < NULL_PID and pid not in tables]


def _entries(packets: Packets, pid: int) -> _Entries:
    """Sound can begin anywhere, pictures where random_access_indicator says so; nothing is cut in
    front of the first PES.
    """
    t = track(packets, pid)
    pts, rows = t.pts, t.index[t.starts]
    enter = t.entries | (t.header[:, 3] & 0xE0 == SOUND)
    enter[:1] = False
    return _Entries(rows[pts >= 0], pts[pts >= 0], enter[pts >= 0])


def _last(packets: Packets, pid: int, row: int) -> Index:
    """The packets of the last section of a table that begins before a row."""
    index = np.flatnonzero(packets.pid[:row] == pid)
    starts = np.flatnonzero(packets.unit_start[index])
    return index[starts[-1] :] if len(starts) else index[:0]
