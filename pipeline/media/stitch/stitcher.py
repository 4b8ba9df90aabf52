"""Of many segments one continuous transport stream, and the units it must come out as.

What the muxer is fed is clean by construction: one PAT and PMT in front, stamps of one clock,
continuity counters without a break, no packet whose content cannot be attributed.  Clean segments
are edited in place; only where bytes are missing are audio PES written anew.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from pipeline.media.clock import Bytes, Index, Mask, Ticks
from pipeline.media.es import access_units as units
from pipeline.media.es import adts
from pipeline.media.es.access_units import NO_UNITS, Units, joined
from pipeline.media.es.codecs import Carriage
from pipeline.media.es.formats import needs
from pipeline.media.es.nal import NalSyntax, nals
from pipeline.media.loss.fills import Block
from pipeline.media.malformed import Malformed
from pipeline.media.stitch.audio_repair import behind, in_line, mended
from pipeline.media.stitch.edit import renumber, retime, spliced
from pipeline.media.stitch.interpose import interposed, only
from pipeline.media.stitch.payload import (
    attributable,
    carry,
    extent,
    payload_bytes,
    stream_of,
    unfinished,
)
from pipeline.media.stitch.regroup import grouped
from pipeline.media.stitch.silence import Quiet
from pipeline.media.stitch.work import Carried, Work, torn_units
from pipeline.media.track import Edges, Lane
from pipeline.media.ts import psi
from pipeline.media.ts.packetize import audio_pes, blank, packetize, video_pes
from pipeline.media.ts.packets import Framing, Packets
from pipeline.media.ts.pes import Track, elementary, misdeclared
from pipeline.media.ts.transport_stream import TransportStream
from pipeline.model import Finding, Severity


@dataclass(frozen=True, slots=True, eq=False)
class Stitched:
    """One segment, ready for the muxer."""

    chunks: tuple[memoryview | bytes, ...]
    units: Mapping[int, Units]  # by PID
    findings: tuple[Finding, ...]
    made: bool = False  # for a hole: no segment held it

    def before(self, other: "Stitched") -> "Stitched":
        """The same with another one's packets and units behind."""
        both = {
            pid: joined(self.units.get(pid, NO_UNITS), units) for pid, units in other.units.items()
        }
        return replace(self, chunks=self.chunks + other.chunks, units={**self.units, **both})


class Changed(ValueError):
    """A segment is not what it was when it was scanned."""


class Stitcher:
    """Takes segments in order; returns what to write and what the MP4 must hold.

    Lanes of sound that are ``quiet`` where they pause get silence put in.
    """

    def __init__(
        self, lanes: tuple[Lane, ...], quiet: Mapping[int, Quiet] = MappingProxyType({})
    ) -> None:
        self._lanes = lanes
        self._carried = {lane.pid: Carried(lane, quiet=quiet.get(lane.pid)) for lane in lanes}

    def tables(self, counter: int = 0) -> bytes:
        """PAT and PMT, to be written before anything else."""
        streams = {lane.pid: lane.codec.stream_type for lane in self._lanes}
        languages = {lane.pid: lane.language for lane in self._lanes}
        return psi.tables(streams, self._lanes[0].pid, counter, languages)

    def add(
        self,
        name: str,
        data: Bytes,
        times: Mapping[int, tuple[Ticks, Ticks]],
        edges: Edges,
        *,
        pids: Mapping[int, tuple[int, ...]] = MappingProxyType({}),
    ) -> Stitched:
        """Stitch one segment, editing ``data``; ``times`` are the new PTS and DTS by lane, ``pids``
        where its packets are if not under its PID.
        """
        return self.stitch(name, TransportStream(data), times, edges, pids=pids)

    def stitch(
        self,
        name: str,
        segment: TransportStream,
        times: Mapping[int, tuple[Ticks, Ticks]],
        edges: Edges,
        *,
        pids: Mapping[int, tuple[int, ...]] = MappingProxyType({}),
    ) -> Stitched:
        """The same with a segment that was looked at before."""
        packets = segment.packets
        tracks = {
            x.pid: segment.track(*pids.get(x.pid, (x.pid,))) for x in self._lanes if x.pid in times
        }
        faults = _faults(segment.framing, packets, tracks.values())
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
                self._carried[pid],
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
            kept, made[pid] = _made(work)
            retime(work, pids.get(pid, (pid,)), kept)
            renumber(work, kept)
            keep[work.track.index[kept]] = True
            findings += work.findings
            inserts += work.inserts
        blank(packets.rows, ~keep)
        return Stitched(spliced(packets.rows, inserts), made, tuple(findings))

    def hush(self, limits: Mapping[int, float]) -> Stitched:
        """Silence that is due long before these ticks, at which a unit of a lane may begin."""
        return self._silent({pid: quiet.until(limits[pid]) for pid, quiet in self._pausing()})

    def rest(self, end: float) -> Stitched:
        """Silence up to the end of the recording, a tick."""
        return self._silent({pid: quiet.rest(end) for pid, quiet in self._pausing()})

    def _pausing(self) -> Iterator[tuple[int, Quiet]]:
        """Lanes that get silence, and have no unit that goes on in the next segment."""
        for pid, carried in self._carried.items():
            if carried.quiet is not None and not carried.data:
                yield pid, carried.quiet

    def _silent(self, stamps: Mapping[int, Ticks]) -> Stitched:
        lanes = [lane for lane in self._lanes if len(stamps.get(lane.pid, ()))]
        made = {x.pid: only(self._carried[x.pid], stamps[x.pid]) for x in lanes}
        chunks = tuple(packets for packets, _ in made.values())
        return Stitched(chunks, {pid: units for pid, (_, units) in made.items()}, ())

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
                frames = adts.frames(data, lane.config)
                made[lane.pid] = units.audio(data, frames, offsets, block.pts)
            carried = self._carried[lane.pid]
            stamps = zip(block.units, block.pts.tolist(), block.dts.tolist(), strict=True)
            for unit, pts, dts in stamps:
                pes = video_pes(unit, pts, dts) if video else audio_pes(unit, pts)
                packed, carried.counter = packetize(lane.pid, pes, carried.counter)
                written.append((dts, packed))
        written.sort(key=lambda one: one[0])
        return Stitched((b"".join(packed for _, packed in written),), made, (), made=True)


def _made(work: Work) -> tuple[Mask, Units]:
    """Which packets stay, and the units of one lane; bytes that are in neither are counted."""
    carriage = work.lane.codec.carriage
    assert carriage is not None
    stitch = _STITCH[carriage]
    begun = len(work.carried.data)
    kept, made = stitch(work)
    left = begun + payload_bytes(work) + work.added - made.taken - len(work.carried.data)
    if stitch is _audio and not work.carried.started and len(made.sizes):
        made = _told_apart(work, made)
        work.carried.started = True
    return kept, replace(
        made,
        taken=made.taken - work.added,
        dropped=left if work.until is None else 0,
        spared=0 if work.until is None else left,
        unfinished=work.unfinished and left < adts.LONGEST,
    )


def _faults(frame: Framing, packets: Packets, tracks: Iterable[Track]) -> Index:
    """Rows where any stream lost something: another one may have lost 16 packets there unseen."""
    broken = [t.index[t.broken] for t in tracks]
    return np.unique(np.concatenate([packets.bad, np.array(frame.breaks, np.intp), *broken]))


def _video(work: Work) -> tuple[Mask, Units]:
    """Pictures that lost bytes keep what stands before the loss, if that shows anything at all; one
    of which nobody knows where they are missing is left out.
    """
    kept, damaged = attributable(work)
    open_ones = set(unfinished(work))
    lacking = set(misdeclared(work.packets, work.track, work.dts)[1].tolist()) - damaged
    cut = {len(work.track.starts) - 1} if work.cut else set()
    if work.until is not None:
        beyond = int([*np.flatnonzero(work.dts >= work.until), len(work.dts)][0])
        kept[extent(work.track, beyond)[0] :] = False
        damaged, cut = frozenset(k for k in damaged if k < beyond), set()
        open_ones = {k for k in open_ones if k < beyond}
    hurt = {k for k in open_ones | cut if k >= 0}
    syntax = work.lane.syntax
    assert syntax is not None
    shown = {k for k in hurt if _shows(work, kept, k, syntax)}
    for ordinal in (hurt - shown) | lacking:
        begin, end = extent(work.track, ordinal)
        kept[begin:end] = False
    unseen = 0 if work.carried.started else _drop_unseen(work, kept)
    opens = not (work.lane.inside or work.carried.started or len(work.carried.offsets))
    flow = stream_of(work, kept)
    found = grouped(work, kept, flow, opens=opens and len(flow.pes) > work.joined)
    if work.joined and len(flow.pes):
        found = found.until(int(flow.pes[-1]))
        carry(flow, int(flow.pes[-1]), work.carried)
    made, sets = units.video(flow.es, flow.pes, flow.pts, flow.dts, syntax=syntax, found=found)
    made = replace(made, foreign=made.foreign + flow.left_out)
    if flow.guessed:
        detail = "pictures without time stamps among some that are shown in another order"
        repair = "shown where there is room"
        work.findings.append(
            Finding(
                "PTS_ABSENT",
                Severity.WARNING,
                work.name,
                work.lane.pid,
                flow.guessed,
                detail,
                repair,
            )
        )
    work.carried.started |= len(made.sizes) > 0
    _say_what_is_wrong(work, made, sets)
    torn = torn_units(made, work, [k + 1 for k in damaged | lacking])
    return kept, replace(made, torn=torn, cut=len(shown) + unseen)


def _framed(work: Work) -> tuple[Mask, Units]:
    """One unit in each PES: whole ones pass as they are, others are left out."""
    kept, damaged = attributable(work)
    hurt = set(damaged) | ({len(work.track.starts) - 1} if work.cut else set())
    hurt |= set(np.flatnonzero(work.pts < 0).tolist())
    if work.until is not None:
        hurt |= set(np.flatnonzero(work.dts >= work.until).tolist())
    for ordinal in (k for k in hurt if k >= 0):
        begin, end = extent(work.track, ordinal)
        kept[begin:end] = False
    flow = stream_of(work, kept)
    made = units.framed(flow.es, flow.pes, flow.pts, flow.dts)
    lane = work.lane
    if lane.codec.kind == "video" and any(
        (found := lane.codec.config(bytes(flow.es[at : at + 20]))) and found != lane.config
        for at in flow.pes.tolist()
    ):
        detail = "the size changes inside this segment: kept as it is, each key picture tells it"
        work.findings.append(
            Finding("SPS_CHANGE", Severity.INFO, work.name, work.lane.pid, detail=detail)
        )
    made = replace(made, torn=torn_units(made, work, [k + 1 for k in damaged]))
    return interposed(work, kept, made, (flow, flow.pes))


def _shows(work: Work, kept: Mask, ordinal: int, syntax: NalSyntax) -> bool:
    """What is left of a PES holds a slice of a picture."""
    begin, end = extent(work.track, ordinal)
    end = begin + int(np.argmin(np.append(kept[begin:end], False)))
    picture = elementary(work.packets, work.track, begin, end)
    found = nals(np.frombuffer(picture, np.uint8), syntax)
    return bool(found.picture.any())


def _drop_unseen(work: Work, kept: Mask) -> int:
    """Pictures that follow the first one but are due before it: what they refer to is gone."""
    t = work.track
    alive = np.flatnonzero(kept[t.starts] & (work.pts >= 0))
    unseen = alive[work.pts[alive] < work.pts[alive[0]]] if len(alive) else alive
    for ordinal in unseen.tolist():
        begin, end = extent(t, ordinal)
        kept[begin:end] = False
    if len(unseen):
        detail = "pictures that refer to others before the beginning"
        pid = work.lane.pid
        work.findings.append(
            Finding("NO_KEY_AT_START", Severity.ERROR, work.name, pid, len(unseen), detail)
        )
    return len(unseen)


def _say_what_is_wrong(work: Work, made: Units, sets: list[bytes]) -> None:
    if made.foreign:
        detail = "NAL units whose header cannot be one"
        work.findings.append(
            Finding("DECODE", Severity.ERROR, work.name, work.lane.pid, made.foreign, detail)
        )
    wanted = needs(work.lane.codec, work.lane.config)
    if any(needs(work.lane.codec, s) != wanted for s in {*sets}):
        detail = "the picture format changes (SPS differs from the first)"
        work.findings.append(
            Finding("SPS_CHANGE", Severity.FATAL, work.name, work.lane.pid, detail=detail)
        )


def _audio(work: Work) -> tuple[Mask, Units]:
    """Whole frames in one chain pass as they are; anything else is mended."""
    t = work.track
    kept = np.ones(len(t.index), np.bool_)
    if len(t.broken) or (work.torn and _head(work)) or work.until is not None:
        return mended(work)
    flow = stream_of(work, kept)
    found = adts.frames(np.frombuffer(flow.es, np.uint8), work.lane.config)
    if found.end < len(flow.es):
        rest = flow.es[found.end :]
        if work.whole or not adts.goes_on(rest, work.lane.config):
            return mended(work)
        carry(flow, found.end, work.carried)
    flow.pts = _behind(work, found.begin, flow.pes, flow.pts)
    made = units.audio(np.frombuffer(flow.es, np.uint8), found, flow.pes, flow.pts)
    made = replace(made, torn=torn_units(made, work))
    return interposed(work, kept, made, (flow, found.begin))


def _behind(work: Work, frames: Index, pes: Index, pts: Ticks) -> Ticks:
    """Stamps that a muxer can follow, also in the PES of this segment."""
    first = np.searchsorted(frames, pes)
    straight = in_line(first, pts, work.carried)
    detail = "a stamp that jumps out and back, while frame follows frame"
    _set(work, pts, straight, ("PTS_RANGE", detail, "set behind the frame in front"))
    followed = behind(first, straight, len(frames), work.carried)
    detail = "sound is stamped before the frame in front of it has begun"
    _set(work, straight, followed, ("DTS_BACK", detail, "put behind it"))
    return followed


def _set(work: Work, pts: Ticks, new: Ticks, said: tuple[str, str, str]) -> None:
    """Other stamps for PES of this segment; those in front began in the segment before."""
    moved = np.flatnonzero(new != pts)
    if not len(moved):
        return
    own = len(pts) - len(work.pts)
    inside = moved[moved >= own]
    work.pts = work.pts.copy()
    work.pts[inside - own] = new[inside]
    id, detail, repair = said
    work.findings.append(
        Finding(id, Severity.WARNING, work.name, work.lane.pid, len(moved), detail, repair)
    )


def _told_apart(work: Work, made: Units) -> Units:
    """The first units of a track, whose channels may stand in the first frame alone."""
    if adts.read(work.lane.config).channels:
        return made
    try:
        return units.told_apart(made)
    except Malformed as error:
        detail = f"the channels of the sound are told nowhere: {error}"
        work.findings.append(
            Finding("ES_CODEC", Severity.FATAL, work.name, work.lane.pid, detail=detail)
        )
        return made


def _head(work: Work) -> bool:
    return not len(work.track.starts) or int(work.track.starts[0]) > 0


_STITCH = {Carriage.NAL: _video, Carriage.ADTS: _audio, Carriage.UNIT: _framed}
