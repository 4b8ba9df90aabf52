"""Segments that were cut where no unit ends: what the next one holds of the last packet, or of a
PES that goes on through all of it, is given back (RFC 8216 section 3 allows to cut anywhere).  And
what the next one holds as well is taken from one that was written beyond its end.
"""

from collections.abc import Sequence

import numpy as np

from pipeline.media.clock import HZ, Bytes, Ticks, signed, signed_ticks
from pipeline.media.slots.neighbours import apart, end, first, kind_of, streams_of
from pipeline.media.slots.segments import Slot
from pipeline.media.ts.continuity import continues
from pipeline.media.ts.packets import PACKET, columns, framing
from pipeline.media.ts.pes import track
from pipeline.media.ts.scan import Scan
from pipeline.model import Severity

NEAR = 0.25  # seconds: a last unit, and what EXTINF may be off
BORDER = 0.01  # seconds by which stamps and EXTINF differ at the border of two
ENDS = 16  # bytes of a packet by which it is known again, though a bit of a header be another
OWN = 4  # units of its own that a segment begins with at least, which also holds the next one


def missing_bytes(a: Slot, b: Slot) -> int:
    """How many bytes of the last packet of one segment the next one begins with."""
    if a.scan is None or b.scan is None or a.part != b.part:
        return 0
    trailing, leading = a.scan.ragged[1], b.scan.ragged[0]
    return leading if trailing and trailing + leading == PACKET else 0


def goes_through(a: Slot, b: Slot) -> tuple[int, ...]:
    """PIDs of which a PES that begins in one segment goes on through all of the next one."""
    if a.scan is None or b.scan is None or a.part != b.part:
        return ()
    last = {pid: a.scan.streams[pid].counters[1] for pid in beginning(a)}
    return tuple(
        pid
        for pid, (first, _, _) in b.scan.through.items()
        if pid in last and first == (last[pid] + 1) & 15
    )


def beginning(slot: Slot) -> list[int]:
    """PIDs of audio and video of which a PES begins in a segment."""
    streams = slot.scan.streams.items() if slot.scan else ()
    return [pid for pid, s in streams if s.codec and len(s.pts)]


def given_back(a: Bytes, b: Bytes, pids: Sequence[int]) -> tuple[Bytes, Bytes]:
    """Both segments, with the packets of these PIDs at the end of the first."""
    frame = framing(b)
    own = np.isin(columns(frame.rows).pid, pids)
    head = b[: frame.leading]
    rest = np.concatenate([head, frame.rows[~own].reshape(-1)])
    return np.concatenate([a, frame.rows[own].reshape(-1)]), rest


def holds(a: Slot, b: Slot) -> bool:
    """A segment contains the next one as well, as far as stamps tell: behind its own units it has
    the same, or what damage left of them on either side; or it lasts as long as both.
    """
    return bool(_own(a, b))


def _own(a: Slot, b: Slot) -> dict[int, int]:
    """How many PES of its own a segment begins with that seems to hold the next one, by PID; empty
    where it does not.
    """
    return held_again(a, b) or _as_long_as_both(a, b)


def held_again(a: Slot, b: Slot) -> dict[int, int]:
    """How many PES a segment has, by PID, before those with the stamps of the next one; empty where
    it does not hold these as well.
    """
    one, other = streams_of(a), streams_of(b)
    if a.part != b.part or not other or one.keys() != other.keys():
        return {}
    if any(apart(one[pid].dts, s.dts) for pid, s in other.items()):
        return {}
    begins = {pid: _beginning_of(one[pid].dts, s.dts) for pid, s in other.items()}
    alike = all(_mostly_alike(one[pid].dts[begins[pid] :], other[pid].dts) for pid in other)
    return begins if alike and max(begins.values()) >= OWN else {}


def _as_long_as_both(a: Slot, b: Slot) -> dict[int, int]:
    """How many PES a segment has before its EXTINF is over, of pictures if it has some, where it
    lasts as long as the next one besides: the clock of that may have been another.
    """
    streams = streams_of(a)
    if a.part != b.part or streams.keys() != streams_of(b).keys() or not streams:
        return {}
    if not a.duration or not b.duration or a.rounded:
        return {}
    pid, stream = min(streams.items(), key=lambda one: kind_of(one[1]) == "audio")
    known = np.flatnonzero(stream.dts >= 0)
    since = signed(stream.dts[known] - stream.dts[known[0]])
    if abs(int(since.max()) / HZ - a.duration - b.duration) > NEAR:
        return {}
    later = known[since >= (a.duration - BORDER) * HZ]
    return {pid: int(later[0])} if len(later) and later[0] else {}


def _beginning_of(dts: Ticks, other: Ticks) -> int:
    """How many PES of a stream stand before the first one of another; all if it holds none."""
    same = np.isin(dts, other[other >= 0])
    return int(np.argmax(same)) if same.any() else len(dts)


def _mostly_alike(one: Ticks, other: Ticks) -> bool:
    """More than half of the stamps of either are those of the other: damage may have left less of
    both.
    """
    both = np.intersect1d(one, other)
    return 2 * len(both) > max(len(np.unique(one)), len(np.unique(other)))


def parted(data: Bytes, a: Slot, b: Slot) -> tuple[Bytes, Bytes]:
    """The bytes of a segment before and from where it begins to hold the next one: at the first of
    its PES, or at the tables in front of that.
    """
    assert a.scan is not None
    assert b.scan is not None
    frame = framing(data)
    packets = columns(frame.rows)
    begins = []
    for pid, ordinal in _own(a, b).items():
        t = track(packets, *a.scan.streams[pid].pids)
        begins.append(int(t.index[t.starts[ordinal]]))
    row = min(begins)
    while row and packets.pid[row - 1] in (0, b.scan.program.pmt_pid):
        row -= 1
    at = frame.leading + row * PACKET
    return data[:at], data[at:]


def may_overlap(a: Slot, b: Slot) -> bool:
    """A segment may begin with what the one before it ends with, as far as stamps and counters
    tell.
    """
    one, other = streams_of(a), streams_of(b)
    shared = one.keys() & other.keys() if a.part == b.part else ()
    return any(
        (one[pid].dts == other[pid].dts[0]).any()
        or (other[pid].head and not continues(one[pid], other[pid]))
        for pid in shared
    )


def overlap(a: Bytes, b: Bytes, pids: Sequence[int]) -> int:
    """How many packets of these PIDs at the end of one segment the next one begins with again,
    whatever their counters; it has others besides.
    """
    one, other = (rows[np.isin(columns(rows).pid, pids), 4:] for rows in (_rows(a), _rows(b)))
    places = np.flatnonzero((one == other[:1]).all(axis=1)) if len(other) else ()
    counts = (len(one) - int(place) for place in places)
    return next(
        (n for n in counts if n < len(other) and (one[-n:] == other[:n]).all()),
        0,
    )


def without_overlap(data: Bytes, pids: Sequence[int], count: int, *, at_end: bool) -> Bytes:
    """A segment without so many packets of these PIDs at its beginning, or at its end."""
    rows = _rows(data)
    own = np.flatnonzero(np.isin(columns(rows).pid, pids))
    return np.delete(rows, own[-count:] if at_end else own[:count], axis=0).reshape(-1)


def lasts_longer(slot: Slot) -> bool:
    """By its stamps a segment is longer than its EXTINF."""
    ends = [signed_ticks(end(s) - first(s)) for s in streams_of(slot).values()]
    return slot.duration is not None and max(ends, default=0) > (slot.duration + NEAR) * HZ


def _rows(data: Bytes) -> Bytes:
    return framing(data).rows


def same_packets(a: Bytes, b: Bytes) -> bool:
    """More than half of the packets of the smaller one end as some of the other do: stamps alone
    may be alike by chance.
    """
    one, other = ({row.tobytes() for row in framing(data).rows[:, -ENDS:]} for data in (a, b))
    return 2 * len(one & other) > min(len(one), len(other))


def begins_inside(scan: Scan) -> bool:
    """A segment begins inside a unit of one of its streams."""
    return any(s.head for s in scan.streams.values() if s.codec and len(s.dts))


def reaches(a: Scan, b: Scan) -> bool:
    """No stream of a segment ends before the same of another one."""
    streams = [(a.streams.get(pid), s) for pid, s in b.streams.items() if len(s.dts)]
    return all(
        one is not None and len(one.dts) > 0 and signed_ticks(int(one.dts[-1] - s.dts[-1])) >= 0
        for one, s in streams
    )


def hurt(scan: Scan) -> int:
    """How many things are wrong with a segment."""
    return sum(f.count for f in scan.findings if f.severity == Severity.ERROR)
