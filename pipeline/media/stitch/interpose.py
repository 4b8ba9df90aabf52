"""Silence put between the units of a segment, and into the packets they travel in."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from isal.isal_zlib import crc32
from msgspec.structs import replace

from pipeline.media.clock import Bytes, Index, Mask, Ticks
from pipeline.media.es.access_units import NO_UNITS, Units
from pipeline.media.es.adts import framed
from pipeline.media.es.codecs import Carriage
from pipeline.media.stitch.payload import Flow
from pipeline.media.stitch.silence import LONG, Pause
from pipeline.media.stitch.work import CarryOver, TrackInSegment
from pipeline.media.track import Lane
from pipeline.media.ts.packets import PACKET
from pipeline.media.ts.time_fields import stamp_fields
from pipeline.media.ts.writing.packetize import audio_pes, packetize

HEADER = 14  # bytes of a PES header with a PTS (2.4.3.6)
TOGETHER = 8  # silent frames in one PES, where there are many


def interposed(
    work: TrackInSegment,
    kept: Mask,
    made: Units,
    found: tuple[Flow, Index] | None = None,
) -> tuple[Mask, Units]:
    """A segment of sound with silence where it pauses.

    ``found`` is the stream in the packets that are ``kept``, and where its units begin.  Without
    that they have been rewritten: a PES for each unit that has a stamp.
    """
    quiet = work.carried.quiet
    if quiet is None:
        return kept, made
    pauses = quiet.pauses(made.pts, begun=found is not None and found[0].sent > 0)
    if not pauses:
        return kept, made
    row = int(work.track.index[0])
    begins = np.flatnonzero(made.pts >= 0).tolist()
    begins = [-1] * (len(work.inserts) - len(begins)) + begins  # what completes a unit has no stamp
    counter = work.carried.counter - sum(len(data) // PACKET for _, data in work.inserts)
    if found is not None:
        inner = any(pause.before for pause in pauses)
        begins = _cut(work, found, [p.before for p in pauses]) if inner else []
        kept = kept & (not inner)
    written = {p.before: silent(work.lane, quiet.unit, p.pts) for p in pauses}
    inserts: list[tuple[int, Bytes]] = []
    for (at, data), unit in zip(work.inserts, begins, strict=True):
        if unit in written:
            inserts.append((at, written[unit][0]))
        inserts.append((at, _rows(data)))
    work.inserts = _numbered(inserts or [(row, written[0][0])], counter)
    work.carried.counter = counter + sum(len(data) // PACKET for _, data in work.inserts) & 15
    filled = [Pause(p.before, written[p.before][1]) for p in pauses]
    return kept, with_silence(made, filled, quiet.unit)


def with_silence(made: Units, pauses: Sequence[Pause], unit: bytes) -> Units:
    """The units with a silent one for every stamp of every pause."""
    before = np.repeat([p.before for p in pauses], [len(p.pts) for p in pauses]).astype(np.intp)
    stamps = np.concatenate([p.pts for p in pauses])
    ends = np.append(0, np.cumsum(made.sizes, dtype=np.int64)).tolist()
    bounds = [0, *(ends[p.before] for p in pauses), ends[-1]]
    view = memoryview(made.data)
    parts = [view[a:b] for a, b in pairwise(bounds)]
    silences = [unit * len(p.pts) for p in pauses]
    data = b"".join(x for pair in zip(parts, [*silences, b""], strict=True) for x in pair)
    return replace(
        made,
        sizes=np.insert(made.sizes, before, len(unit)).astype(np.uint32),
        pts=np.insert(made.pts, before, stamps),
        dts=np.insert(made.dts, before, stamps),
        digest=crc32(data),
        torn=made.torn + np.searchsorted(before, made.torn, side="right"),
        filled=before + np.arange(len(before)),
        data=data,
    )


def only(carried: CarryOver, pts: Ticks) -> tuple[bytes, Units]:
    """Silence alone."""
    assert carried.quiet is not None
    rows, stamps = silent(carried.lane, carried.quiet.unit, pts)
    ((_, data),) = _numbered([(0, rows)], carried.counter)
    carried.counter = carried.counter + len(rows) & 15
    return data, with_silence(NO_UNITS, [Pause(0, stamps)], carried.quiet.unit)


def silent(lane: Lane, unit: bytes, pts: Ticks) -> tuple[Bytes, Ticks]:
    """Packets of silence, a PES in each, and the stamps its units have in them: -1 for those that
    follow another in its PES.
    """
    shared = lane.codec.carriage is Carriage.ADTS
    es = framed(lane.config, unit) if shared else unit
    many = min(TOGETHER, (PACKET - 5 - HEADER) // len(es)) if shared else 1
    if len(pts) < LONG:  # each lasts as long as it takes to end the pause in time
        many = 1
    whole = len(pts) - len(pts) % many
    rows = [_stamped(lane.pid, es * many, pts[:whole:many]), _stamped(lane.pid, es, pts[whole:])]
    told = np.where(np.arange(len(pts)) % many == 0, pts, -1)
    told[whole:] = pts[whole:]
    return np.concatenate(rows), told


def _stamped(pid: int, es: bytes, pts: Ticks) -> Bytes:
    """A packet with a PES for each stamp."""
    pes = audio_pes(es, 0)
    packet, _ = packetize(pid, pes, 0)
    rows = np.tile(np.frombuffer(packet, np.uint8), (len(pts), 1))
    at = PACKET - len(pes) + 9
    rows[:, at : at + 5] = stamp_fields(pts, 2)
    return rows


def _rows(data: bytes) -> Bytes:
    return np.frombuffer(data, np.uint8).reshape(-1, PACKET)


def _numbered(inserts: Sequence[tuple[int, Bytes]], counter: int) -> list[tuple[int, bytes]]:
    """Packets with continuity counters from here on."""
    found = []
    for row, packets in inserts:
        numbered = packets.copy()
        counters = counter + np.arange(len(packets)) & 15
        numbered[:, 3] = packets[:, 3] & 0xF0 | counters.astype(np.uint8)
        counter += len(packets)
        found.append((row, numbered.tobytes()))
    return found


def _cut(
    work: TrackInSegment,
    found: tuple[Flow, Index],
    before: Sequence[int],
) -> list[int]:
    """The segment as PES that also begin with these units; returns the unit each of them begins
    with, -1 where it is none of these.
    """
    starts, flow = found[1], _with_its_end(found[0], work.carried)
    cuts = {int(starts[unit]): unit for unit in before}
    units = []
    for row, begin, es, pts in _pieces(work, flow, np.array(sorted(cuts), np.intp)):
        pes = audio_pes(es, pts) if pts >= 0 else unstamped(es)
        work.inserts.append((row, packetize(work.lane.pid, pes, 0)[0]))
        units.append(cuts.get(begin, -1))
    return units


def _with_its_end(flow: Flow, carried: CarryOver) -> Flow:
    """With the beginning of a unit that goes on in the next segment."""
    size = len(flow.es)
    return Flow(
        np.concatenate([flow.es, np.frombuffer(carried.data, np.uint8)]),
        pes=np.append(flow.pes, carried.offsets + size),
        pts=np.append(flow.pts, carried.pts),
        dts=np.append(flow.dts, carried.dts),
        rows=np.append(flow.rows, np.full(len(carried.offsets), flow.rows.max(initial=0))),
        sent=flow.sent,
    )


def _pieces(work: TrackInSegment, flow: Flow, cuts: Index) -> Iterator[tuple[int, int, bytes, int]]:
    """Row, place, bytes and stamp of each PES.  The stamp of one that is cut is that of the unit
    behind the cut: the first that begins in it.
    """
    pes = flow.pes[flow.pes >= flow.sent]
    bounds = np.unique(np.concatenate([[flow.sent], pes, cuts])).tolist()
    inside = np.setdiff1d(cuts, flow.pes)
    parted = set((np.searchsorted(flow.pes, inside, side="right") - 1).tolist())
    for begin, end in zip(bounds, [*bounds[1:], len(flow.es)], strict=True):
        owner = int(np.searchsorted(flow.pes, begin, side="right")) - 1
        first = begin in inside if owner in parted else owner >= 0 and flow.pes[owner] == begin
        row = int(flow.rows[owner]) if owner >= 0 else 0
        pts = int(flow.pts[owner]) if first else -1
        yield max(row, int(work.track.index[0])), begin, bytes(flow.es[begin:end]), pts


def unstamped(es: bytes) -> bytes:
    """A PES of sound without a time stamp (2.4.3.6)."""
    size = len(es) + 3
    return b"\0\0\1\xc0" + (size if size < 65536 else 0).to_bytes(2, "big") + b"\x80\0\0" + es
