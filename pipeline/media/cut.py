"""One transport stream as several: every PES stays whole, the tables stand in front of each."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from pipeline.media import psi
from pipeline.media.mpegts import FIRST_PID
from pipeline.media.packets import (
    NULL_PID,
    Bytes,
    Index,
    Mask,
    Packets,
    Ticks,
    columns,
    framing,
    signed,
)
from pipeline.media.pes import pes_stamps, track

SOUND = 0xC0  # stream_id of audio, without its number (ISO/IEC 13818-1 Table 2-22)


@dataclass(frozen=True, slots=True)
class Place:
    """Where to cut: in front of this packet, or for some PIDs of another one beside it."""

    row: int
    own: Mapping[int, int] = field(default_factory=dict)


def places(data: Bytes, turns: Mapping[int, Sequence[int]]) -> list[Place]:
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
        Place(row, {pid: near.nearest(row, time)[0] for pid, near in entries.items()} | own)
        for (row, time), own in sorted(together.items())
    ]


@dataclass(frozen=True, slots=True, eq=False)
class _Entries:
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


def cut(data: Bytes, where: Sequence[Place]) -> list[Bytes]:
    """Cut a segment.  A PES that has begun before ends before as well."""
    packets = columns(framing(data).rows)
    owner = _owners(packets, where)
    tables = (psi.PAT_PID, *psi.read(packets)[0].tables)
    pieces = [packets.rows[owner == 0]]
    for number, place in enumerate(where, 1):
        again = [packets.rows[_last(packets, pid, place.row)] for pid in tables]
        pieces.append(np.concatenate([*again, packets.rows[owner == number]]))
    return [piece.reshape(-1) for piece in pieces]


def _owners(packets: Packets, where: Sequence[Place]) -> Index:
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
    pts, rows = pes_stamps(t.header)[0], t.index[t.starts]
    marked = packets.adapted[packets.fields[:, 1] & 0x40 != 0]
    enter = np.isin(rows, marked) | (t.header[:, 3] & 0xE0 == SOUND)
    enter[:1] = False
    return _Entries(rows[pts >= 0], pts[pts >= 0], enter[pts >= 0])


def _last(packets: Packets, pid: int, row: int) -> Index:
    """The packets of the last section of a table that begins before a row."""
    index = np.flatnonzero(packets.pid[:row] == pid)
    starts = np.flatnonzero(packets.unit_start[index])
    return index[starts[-1] :] if len(starts) else index[:0]
