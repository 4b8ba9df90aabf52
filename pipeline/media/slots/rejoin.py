"""Segments that were cut where no unit ends: the part of a packet, or of a PES, that stands in the
next segment is given back (RFC 8216 section 3 allows to cut anywhere).  And what the next segment
holds as well is taken from one that was written beyond its end.

Segments are ``uint8[bytes]``, stamps 90 kHz ticks of 33 bits as scanned.
"""

from collections.abc import Sequence

import numpy as np

from pipeline.media.clock import HZ, Bytes, Ticks, signed, signed_ticks
from pipeline.media.slots.neighbours import apart, kind_of, streams_of
from pipeline.media.slots.segments import Slot
from pipeline.media.ts.continuity import continues
from pipeline.media.ts.packets import PACKET, columns, framing
from pipeline.media.ts.pes import track
from pipeline.media.ts.scan import Scan
from pipeline.model import Severity

NEAR = 0.25  # seconds: a last unit, and what EXTINF may be off
BORDER = 0.01  # seconds by which stamps and EXTINF differ at the border of two
ENDS = 16  # bytes at the end of a packet that identify it, even if a bit of its header differs
OWN = 4  # PES of its own at least, before those of the next segment, in one that holds both


def missing_bytes(a: Slot, b: Slot) -> int:
    """How many bytes at the beginning of ``b`` belong to the last packet of ``a``, 0 for none."""
    if a.scan is None or b.scan is None or a.part != b.part:
        return 0
    trailing, leading = a.scan.ragged[1], b.scan.ragged[0]
    return leading if trailing and trailing + leading == PACKET else 0


def goes_through(a: Slot, b: Slot) -> tuple[int, ...]:
    """PIDs of which a PES that begins in ``a`` goes on through all of ``b``, by the counters."""
    if a.scan is None or b.scan is None or a.part != b.part:
        return ()
    last = {pid: a.scan.streams[pid].counters[1] for pid in beginning(a)}
    return tuple(
        pid
        for pid, (first, _, _) in b.scan.through.items()
        if pid in last and first == (last[pid] + 1) & 15
    )


def beginning(slot: Slot) -> list[int]:
    """PIDs of audio and video of which at least one PES begins in a segment."""
    streams = slot.scan.streams.items() if slot.scan else ()
    return [pid for pid, s in streams if s.codec and len(s.pts)]


def given_back(a: Bytes, b: Bytes, pids: Sequence[int]) -> tuple[Bytes, Bytes]:
    """Both segments, with the packets that ``b`` has of these PIDs moved to the end of ``a``."""
    frame = framing(b)
    own = np.isin(columns(frame.rows).pid, pids)
    head = b[: frame.leading]
    rest = np.concatenate([head, frame.rows[~own].reshape(-1)])
    return np.concatenate([a, frame.rows[own].reshape(-1)]), rest


def holds(a: Slot, b: Slot) -> bool:
    """Whether ``a`` also contains the next segment ``b``, as far as stamps show: behind its own
    units it has those of ``b``, or what damage left of them; or it lasts as long as both.
    """
    return bool(_own(a, b))


def _own(a: Slot, b: Slot) -> dict[int, int]:
    """By PID how many PES of its own ``a`` has in front, if it seems to hold ``b`` too."""
    return held_again(a, b) or _as_long_as_both(a, b)


def held_again(a: Slot, b: Slot) -> dict[int, int]:
    """By PID how many PES ``a`` has before those with the stamps of ``b``; empty where it does not
    hold these as well.
    """
    one, other = streams_of(a), streams_of(b)
    if a.part != b.part or not other or not other.keys() <= one.keys():
        return {}
    if any(apart(one[pid].dts, s.dts) for pid, s in other.items()):
        return {}
    begins = {pid: _beginning_of(one[pid].dts, s.dts) for pid, s in other.items()}
    alike = all(_mostly_alike(one[pid].dts[begins[pid] :], other[pid].dts) for pid in other)
    return begins if alike and max(begins.values()) >= OWN else {}


def _as_long_as_both(a: Slot, b: Slot) -> dict[int, int]:
    """How many PES ``a`` has before its EXTINF is over, of pictures if it has any, where it lasts
    as long as both EXTINF together: the clock of ``b`` may be another.
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
    """How many PES stand before the first with a stamp of the other stream; all if none has one."""
    told = {*other[other >= 0].tolist()}  # to sort them, numpy would load a library
    return next((n for n, stamp in enumerate(dts.tolist()) if stamp in told), len(dts))


def _mostly_alike(one: Ticks, other: Ticks) -> bool:
    """Whether more than half of the stamps of either stream are those of the other: damage may have
    left less of both.
    """
    mine, others = {*one.tolist()}, {*other.tolist()}
    return 2 * len(mine & others) > max(len(mine), len(others))


def parted(data: Bytes, a: Slot, b: Slot) -> tuple[Bytes, Bytes]:
    """The bytes ``data`` of ``a`` in two: its own, and those from where it begins to hold ``b``, at
    the first of its PES or at the tables in front of that.  Only where ``holds(a, b)``.
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
    """Whether ``b`` may begin with packets that ``a`` ends with, as far as stamps and counters
    show.
    """
    one, other = streams_of(a), streams_of(b)
    shared = one.keys() & other.keys() if a.part == b.part else ()
    return any(
        (one[pid].dts == other[pid].dts[0]).any()
        or (other[pid].head and not continues(one[pid], other[pid]))
        for pid in shared
    )


def overlap(a: Bytes, b: Bytes, pids: Sequence[int]) -> int:
    """How many packets of these PIDs at the end of ``a`` stand again at the beginning of ``b``, but
    for their first four bytes; 0 unless ``b`` has more than these.
    """
    one, other = (rows[np.isin(columns(rows).pid, pids), 4:] for rows in (_rows(a), _rows(b)))
    places = np.flatnonzero((one == other[:1]).all(axis=1)) if len(other) else ()
    counts = (len(one) - int(place) for place in places)
    return next(
        (n for n in counts if n < len(other) and (one[-n:] == other[:n]).all()),
        0,
    )


def without_overlap(data: Bytes, pids: Sequence[int], count: int, *, at_end: bool) -> Bytes:
    """A segment without ``count`` packets of these PIDs at its beginning, or at its end."""
    rows = _rows(data)
    own = np.flatnonzero(np.isin(columns(rows).pid, pids))
    return np.delete(rows, own[-count:] if at_end else own[:count], axis=0).reshape(-1)


def lasts_longer(slot: Slot) -> bool:
    """Whether a segment is longer by its stamps than by its EXTINF."""
    ends = [signed_ticks(s.end - s.first) for s in streams_of(slot).values()]
    return slot.duration is not None and max(ends, default=0) > (slot.duration + NEAR) * HZ


def _rows(data: Bytes) -> Bytes:
    return framing(data).rows


def holds_any_of(data: Bytes, a: Slot, b: Slot) -> bool:
    """Whether packets stand in a segment of a stream that ``a`` holds and ``b`` does not."""
    shared = streams_of(b).keys()
    alone = [pid for own, s in streams_of(a).items() if own not in shared for pid in s.pids]
    return bool(np.isin(columns(_rows(data)).pid, alone).any())


def same_packets(a: Bytes, b: Bytes) -> bool:
    """Whether more than half of the packets of the smaller segment end like one of the other:
    stamps alone may be alike by chance.
    """
    one, other = ({row.tobytes() for row in framing(data).rows[:, -ENDS:]} for data in (a, b))
    return 2 * len(one & other) > min(len(one), len(other))


def begins_inside(scan: Scan) -> bool:
    """Whether a segment begins inside a PES of one of its streams."""
    return any(s.head for s in scan.streams.values() if s.codec and len(s.dts))


def reaches(a: Scan, b: Scan) -> bool:
    """Whether no stream of ``a`` ends before the same stream of ``b``, by DTS."""
    streams = [(a.streams.get(pid), s) for pid, s in b.streams.items() if len(s.dts)]
    return all(
        one is not None and len(one.dts) > 0 and signed_ticks(int(one.dts[-1] - s.dts[-1])) >= 0
        for one, s in streams
    )


def hurt(scan: Scan) -> int:
    """How many errors the scan of a segment counts."""
    return sum(f.count for f in scan.findings if f.severity == Severity.ERROR)
