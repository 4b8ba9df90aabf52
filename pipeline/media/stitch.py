"""Of many segments one continuous transport stream, and the units it must come out as.

What the muxer is fed is clean by construction: one PAT and PMT in front, stamps of one clock,
continuity counters without a break, no packet whose content cannot be attributed.  Clean segments
are edited in place; only where bytes are missing are audio PES written anew.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from pipeline.media import psi, units
from pipeline.media.boxes import Malformed
from pipeline.media.codecs import PRIVATE, NalSyntax
from pipeline.media.fills import Block
from pipeline.media.lane import Carried, Edges, Lane, Work, torn_units
from pipeline.media.mend import mended
from pipeline.media.packets import (
    Bytes,
    Framing,
    Index,
    Mask,
    Packets,
    Ticks,
    columns,
    framing,
)
from pipeline.media.pes import Track, elementary, stream_bytes, stuffed, track
from pipeline.media.regroup import Flow, grouped
from pipeline.media.rewrite import (
    audio_pes,
    blank,
    packetize,
    renumber,
    retime,
    spliced,
    video_pes,
)
from pipeline.media.units import Units
from pipeline.model import Finding, Severity


@dataclass(frozen=True, slots=True, eq=False)
class Stitched:
    """One segment, ready for the muxer."""

    chunks: tuple[memoryview | bytes, ...]
    units: Mapping[int, Units]  # by PID
    findings: tuple[Finding, ...]
    made: bool = False  # for a hole: no segment held it


class Changed(ValueError):
    """A segment is not what it was when it was scanned."""


class Stitcher:
    """Takes segments in order; returns what to write and what the MP4 must hold."""

    def __init__(self, lanes: tuple[Lane, ...]) -> None:
        self._lanes = lanes
        self._carried = {lane.pid: Carried() for lane in lanes}

    def tables(self, counter: int = 0) -> bytes:
        """PAT and PMT, to be written before anything else."""
        streams = {lane.pid: lane.codec.stream_type for lane in self._lanes}
        return psi.tables(streams, self._lanes[0].pid, counter)

    def add(
        self,
        name: str,
        data: Bytes,
        times: Mapping[int, tuple[Ticks, Ticks]],
        edges: Edges,
        pids: Mapping[int, tuple[int, ...]] = MappingProxyType({}),
    ) -> Stitched:
        """Stitch one segment, editing ``data``; ``times`` are the new PTS and DTS by lane, ``pids``
        where its packets are if not under its PID.
        """
        frame = framing(data)
        packets = columns(frame.rows)
        tracks = {
            x.pid: track(packets, *pids.get(x.pid, (x.pid,))) for x in self._lanes if x.pid in times
        }
        faults = _faults(frame, packets, tracks.values())
        keep = np.zeros(len(packets.rows), np.bool_)
        made: dict[int, Units] = {}
        findings: list[Finding] = []
        inserts: list[tuple[int, bytes]] = []
        for lane in self._lanes:
            if lane.pid not in times:
                continue
            pid = lane.pid
            work = Work(
                name,
                packets,
                tracks[pid],
                *times[pid],
                torn=pid in edges.torn,
                joined=pid in edges.joined,
                cut=pid in edges.cut,
                whole=pid in edges.whole,
                faults=faults,
                until=edges.until.get(pid),
            )
            if len(work.pts) != len(work.track.starts):
                raise Changed(f"{name}: not the bytes that were planned with")
            carried = self._carried[pid]
            stitch = _audio if lane.codec.kind == "audio" else _video
            if lane.codec.stream_type >= PRIVATE:
                stitch = _framed
            kept, made[pid] = stitch(work, lane, carried)
            if stitch is _audio and not carried.started and len(made[pid].sizes):
                made[pid] = _told_apart(work, lane, made[pid])
                carried.started = True
            retime(work, pids.get(pid, (pid,)), kept)
            renumber(work, lane, kept, carried)
            keep[work.track.index[kept]] = True
            findings += work.findings
            inserts += work.inserts
        blank(packets.rows, ~keep)
        return Stitched(spliced(packets.rows, inserts), made, tuple(findings))

    def fill(self, pieces: Mapping[int, Block]) -> Stitched:
        """Units made for a hole, as if a segment had held them."""
        written: list[tuple[int, bytes]] = []
        made: dict[int, Units] = {}
        for lane in self._lanes:
            if lane.pid not in pieces:
                continue
            block, video = pieces[lane.pid], lane.codec.kind == "video"
            offsets = np.cumsum([0, *map(len, block.units)])[:-1]
            es = bytearray(b"").join(block.units)
            if video:
                made[lane.pid], _ = units.video(es, offsets, block.pts, block.dts)
            else:
                data = np.frombuffer(es, np.uint8)
                frames = units.frames(data, lane.config)
                made[lane.pid] = units.audio(data, frames, offsets, block.pts)
            carried = self._carried[lane.pid]
            stamps = zip(block.units, block.pts.tolist(), block.dts.tolist(), strict=True)
            for unit, pts, dts in stamps:
                pes = video_pes(unit, pts, dts) if video else audio_pes(unit, pts)
                packed, carried.counter = packetize(lane.pid, pes, carried.counter)
                written.append((dts, packed))
            carried.started = True
        written.sort(key=lambda one: one[0])
        return Stitched((b"".join(packed for _, packed in written),), made, (), made=True)


def _faults(frame: Framing, packets: Packets, tracks: Iterable[Track]) -> Index:
    """Rows where any stream lost something: another one may have lost 16 packets there unseen."""
    broken = [t.index[t.broken] for t in tracks]
    return np.unique(np.concatenate([packets.bad, np.array(frame.breaks, np.intp), *broken]))


def _video(work: Work, lane: Lane, carried: Carried) -> tuple[Mask, Units]:
    """Pictures that lost bytes keep what stands before the loss, if that shows anything at all."""
    kept, damaged = _attributable(work)
    unfinished = set(_unfinished(work))
    cut = {len(work.track.starts) - 1} if work.cut else set()
    if work.until is not None:
        beyond = int([*np.flatnonzero(work.dts >= work.until), len(work.dts)][0])
        kept[_extent(work.track, beyond)[0] :] = False
        damaged, cut = frozenset(k for k in damaged if k < beyond), set()
        unfinished = {k for k in unfinished if k < beyond}
    hurt = {k for k in unfinished | cut if k >= 0}
    syntax = lane.codec.nal
    assert syntax is not None
    shown = {k for k in hurt if _shows(work, kept, k, syntax)}
    for ordinal in hurt - shown:
        begin, end = _extent(work.track, ordinal)
        kept[begin:end] = False
    unseen = 0 if carried.started else _drop_unseen(work, lane, kept)
    flow = _stream(work, kept, carried)
    found = grouped(work, lane, carried, kept, flow)
    if work.joined and len(flow.pes):
        found = found.until(int(flow.pes[-1]))
        _carry(flow, int(flow.pes[-1]), carried)
    made, sets = units.video(flow.es, flow.pes, flow.pts, flow.dts, syntax, found)
    made = replace(made, foreign=made.foreign + flow.left_out)
    if flow.guessed:
        detail = "pictures without time stamps among some that are shown in another order"
        repair = "shown where there is room"
        work.findings.append(
            Finding(
                "PTS_ABSENT", Severity.WARNING, work.name, lane.pid, flow.guessed, detail, repair
            )
        )
    carried.started |= len(made.sizes) > 0
    _say_what_is_wrong(work, lane, made, sets)
    torn = torn_units(made, work, [k + 1 for k in damaged])
    return kept, replace(made, torn=torn, cut=len(shown) + unseen)


def _framed(work: Work, lane: Lane, carried: Carried) -> tuple[Mask, Units]:
    """One unit in each PES: whole ones pass as they are, others are left out."""
    kept, damaged = _attributable(work)
    hurt = set(damaged) | ({len(work.track.starts) - 1} if work.cut else set())
    hurt |= set(np.flatnonzero(work.pts < 0).tolist())
    if work.until is not None:
        hurt |= set(np.flatnonzero(work.dts >= work.until).tolist())
    for ordinal in (k for k in hurt if k >= 0):
        begin, end = _extent(work.track, ordinal)
        kept[begin:end] = False
    flow = _stream(work, kept, carried)
    made = units.framed(flow.es, flow.pes, flow.pts, flow.dts)
    if lane.codec.kind == "video" and any(
        (found := lane.codec.config(bytes(flow.es[at : at + 20]))) and found != lane.config
        for at in flow.pes.tolist()
    ):
        detail = "the size changes inside this segment: kept as it is, each key picture tells it"
        work.findings.append(
            Finding("SPS_CHANGE", Severity.INFO, work.name, lane.pid, detail=detail)
        )
    return kept, replace(made, torn=torn_units(made, work, [k + 1 for k in damaged]))


def _shows(work: Work, kept: Mask, ordinal: int, syntax: NalSyntax) -> bool:
    """What is left of a PES holds a slice of a picture."""
    begin, end = _extent(work.track, ordinal)
    end = begin + int(np.argmin(np.append(kept[begin:end], False)))
    picture = elementary(work.packets, work.track, begin, end)
    found = units.nals(np.frombuffer(picture, np.uint8), syntax)
    return bool(found.picture.any())


def _drop_unseen(work: Work, lane: Lane, kept: Mask) -> int:
    """Pictures that follow the first one but are due before it: what they refer to is gone."""
    t = work.track
    alive = np.flatnonzero(kept[t.starts] & (work.pts >= 0))
    unseen = alive[work.pts[alive] < work.pts[alive[0]]] if len(alive) else alive
    for ordinal in unseen.tolist():
        begin, end = _extent(t, ordinal)
        kept[begin:end] = False
    if len(unseen):
        detail = "pictures that refer to others before the beginning"
        work.findings.append(
            Finding("NO_KEY_AT_START", Severity.ERROR, work.name, lane.pid, len(unseen), detail)
        )
    return len(unseen)


def _say_what_is_wrong(work: Work, lane: Lane, made: Units, sets: list[bytes]) -> None:
    if made.foreign:
        detail = "NAL units whose header cannot be one"
        work.findings.append(
            Finding("DECODE", Severity.ERROR, work.name, lane.pid, made.foreign, detail)
        )
    if any(s not in (lane.config, *lane.sets) for s in sets):
        detail = "the picture format changes (SPS differs from the first)"
        work.findings.append(
            Finding("SPS_CHANGE", Severity.FATAL, work.name, lane.pid, detail=detail)
        )


def _attributable(work: Work) -> tuple[Mask, frozenset[int]]:
    """Packets up to each break, and again from the next PES on; and the PES that lost bytes.

    Behind a break nobody knows whether a PES header was among the packets that are gone.
    """
    t = work.track
    kept = np.ones(len(t.index), np.bool_)
    for at in t.broken.tolist():
        following = t.starts[np.searchsorted(t.starts, at) :][:1]
        kept[at : int(following[0]) if len(following) else None] = False
    if work.torn or not len(t.starts):
        kept[: int(t.starts[0]) if len(t.starts) else None] = False
    damaged = np.searchsorted(t.starts, t.broken, side="left") - 1
    return kept, frozenset(damaged.tolist())


def _unfinished(work: Work) -> frozenset[int]:
    """PES that lost bytes, without those that were whole before the packets that are gone."""
    t = work.track
    before = t.index[np.maximum(t.broken - 1, 0)]
    ended = [stuffed(work.packets.rows[row].tobytes()) for row in before.tolist()]
    begun = np.searchsorted(t.starts, t.broken, side="left") - 1
    return frozenset(begun[~np.array(ended, np.bool_)].tolist())


def _extent(t: Track, ordinal: int) -> tuple[int, int]:
    bounds = [*t.starts[ordinal : ordinal + 2].tolist(), len(t.index)]
    return bounds[0], bounds[1]


def _stream(work: Work, kept: Mask, carried: Carried) -> Flow:
    """Elementary stream of the kept packets behind what was carried, and where PES begin."""
    index, starts = work.track.index, work.track.starts
    alive = kept[starts]
    es, at = stream_bytes(work.packets, work.track, kept, carried.data)
    flow = Flow(
        es,
        pes=np.append(carried.offsets, at).astype(np.intp),
        pts=np.append(carried.pts, work.pts[alive]),
        dts=np.append(carried.dts, work.dts[alive]),
        rows=np.append(np.zeros(len(carried.offsets), np.intp), index[starts[alive]]),
        sent=len(carried.data),
    )
    carried.data, carried.offsets = b"", carried.offsets[:0]
    carried.pts, carried.dts = carried.pts[:0], carried.dts[:0]
    return flow


def _carry(flow: Flow, begin: int, carried: Carried) -> None:
    """Keep the stream from ``begin`` on for the next segment."""
    inside = flow.pes >= begin
    carried.data = bytes(memoryview(flow.es)[begin:])
    carried.offsets = flow.pes[inside] - begin
    carried.pts, carried.dts = flow.pts[inside], flow.dts[inside]
    flow.end_at(begin)


def _audio(work: Work, lane: Lane, carried: Carried) -> tuple[Mask, Units]:
    """Whole frames in one chain pass as they are; anything else is mended."""
    t = work.track
    kept = np.ones(len(t.index), np.bool_)
    if len(t.broken) or (work.torn and _head(work)) or work.until is not None:
        return mended(work, lane, carried)
    flow = _stream(work, kept, carried)
    found = units.frames(np.frombuffer(flow.es, np.uint8), lane.config)
    if found.end < len(flow.es):
        rest = flow.es[found.end :]
        if work.whole or not _may_go_on(rest, lane.config):
            return mended(work, lane, carried)
        _carry(flow, found.end, carried)
    made = units.audio(np.frombuffer(flow.es, np.uint8), found, flow.pes, flow.pts)
    return kept, replace(made, torn=torn_units(made, work))


def _told_apart(work: Work, lane: Lane, made: Units) -> Units:
    """The first units of a track, whose channels may stand in the first frame alone."""
    if (lane.config[2] & 1) << 2 | lane.config[3] >> 6:
        return made
    try:
        return units.told_apart(made)
    except Malformed as error:
        detail = f"the channels of the sound are told nowhere: {error}"
        work.findings.append(
            Finding("ES_CODEC", Severity.FATAL, work.name, lane.pid, detail=detail)
        )
        return made


def _head(work: Work) -> bool:
    return not len(work.track.starts) or int(work.track.starts[0]) > 0


def _may_go_on(rest: bytearray, config: bytes) -> bool:
    """The bytes may be the beginning of a frame whose end stands in the next segment."""
    head = bytes(rest[:3])
    if head != config[: len(head)]:
        return False
    if len(rest) < 6:
        return True
    return len(rest) < ((rest[3] & 3) << 11 | rest[4] << 3 | rest[5] >> 5)
