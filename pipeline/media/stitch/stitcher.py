"""Of many segments one continuous transport stream, and the units it must come out as.

What the muxer is fed is clean by construction: one PAT and PMT in front, stamps of one clock,
continuity counters without a break, no packet whose content cannot be attributed.  Clean segments
are edited in place; only where bytes are missing are audio PES rewritten.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from pipeline.media.clock import Bytes, Index, Mask, Ticks
from pipeline.media.es import access_units as units
from pipeline.media.es import adts
from pipeline.media.es.access_units import NO_UNITS, Units, joined
from pipeline.media.es.codecs import Carriage
from pipeline.media.loss.fills import Block
from pipeline.media.slots.segments import Placed
from pipeline.media.stitch.edit import renumber, retime, spliced
from pipeline.media.stitch.interpose import only
from pipeline.media.stitch.payload import (
    payload_bytes,
)
from pipeline.media.stitch.pictures import framed, pictures
from pipeline.media.stitch.row import clean, parted, work_of
from pipeline.media.stitch.silence import Quiet
from pipeline.media.stitch.sound import sound, told_apart
from pipeline.media.stitch.work import CarryOver, TrackInSegment
from pipeline.media.track import Edges, Lane
from pipeline.media.ts import psi
from pipeline.media.ts.packets import Framing, Packets
from pipeline.media.ts.pes import StreamPackets
from pipeline.media.ts.transport_stream import SideBySide, TransportStream
from pipeline.media.ts.writing.packetize import audio_pes, blank, packetize, video_pes
from pipeline.model import Finding


class Stitched(Struct, frozen=True, eq=False):
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
        self._carried = {lane.pid: CarryOver(lane, quiet=quiet.get(lane.pid)) for lane in lanes}

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
        made: dict[int, Units] = {}
        works: list[tuple[TrackInSegment, Mask]] = []
        for lane in self._lanes:
            if lane.pid not in times:
                continue
            pid = lane.pid
            work = TrackInSegment(
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
            works.append((work, kept))
        _edit(packets, works, pids)
        inserts = [insert for work, _ in works for insert in work.inserts]
        findings = tuple(finding for work, _ in works for finding in work.findings)
        return Stitched(spliced(packets.rows, inserts), made, findings)

    def stitch_row(self, row: SideBySide, placed: Sequence[Placed]) -> list[Stitched] | None:
        """Segments that stand in a row, each as it would be stitched by itself; None, and nothing
        is changed, unless all of them are clean.
        """
        before = {pid: carried.copied() for pid, carried in self._carried.items()}
        lanes = [x for x in self._lanes if x.pid in placed[0].stamps]
        works: list[tuple[TrackInSegment, Mask]] = []
        units: list[dict[int, Units]] = [{} for _ in placed]
        for lane in lanes if self._alike(lanes) and clean(placed) else ():
            begun = len(self._carried[lane.pid].data)
            work = work_of(row, placed, self._carried[lane.pid])
            if work is None:
                break
            kept, made = _made(work)
            bounds = begun + np.cumsum([p.stream(lane.pid).payload for p in placed])
            own = parted(work, kept, made, bounds)
            if own is None:
                break
            for held, part in zip(units, own, strict=True):
                held[lane.pid] = part
            works.append((work, kept))
        if not works or len(works) < len(lanes):
            self._carried = before
            return None
        _edit(row.together, works, {})
        rows = row.together.rows
        chunks = [rows[a:b].reshape(-1).data for a, b in pairwise(row.rows)]
        return [Stitched((one,), held, ()) for one, held in zip(chunks, units, strict=True)]

    def _alike(self, lanes: Iterable[Lane]) -> bool:
        """Whether no first unit needs to be looked at by itself."""
        return all(
            self._carried[x.pid].started
            or x.codec.carriage is not Carriage.ADTS
            or adts.read(x.config).channels
            for x in lanes
        )

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
            es = np.frombuffer(b"".join(block.units), np.uint8)
            if video:
                made[lane.pid], _ = units.video(es, offsets, block.pts, block.dts)
            else:
                frames = adts.frames(es, lane.config)
                made[lane.pid] = units.audio(es, frames, offsets, block.pts)
            carried = self._carried[lane.pid]
            stamps = zip(block.units, block.pts.tolist(), block.dts.tolist(), strict=True)
            for unit, pts, dts in stamps:
                pes = video_pes(unit, pts, dts) if video else audio_pes(unit, pts)
                packed, carried.counter = packetize(lane.pid, pes, carried.counter)
                written.append((dts, packed))
        written.sort(key=lambda one: one[0])
        return Stitched((b"".join(packed for _, packed in written),), made, (), made=True)


def _edit(
    packets: Packets,
    works: Sequence[tuple[TrackInSegment, Mask]],
    pids: Mapping[int, tuple[int, ...]],
) -> None:
    """Give the packets of some lanes their new stamps and counters, and blank all others."""
    keep = np.zeros(len(packets.rows), np.bool_)
    for work, kept in works:
        retime(work, pids.get(work.lane.pid, (work.lane.pid,)), kept)
        renumber(work, kept)
        keep[work.track.index[kept]] = True
    blank(packets.rows, ~keep)


def _made(work: TrackInSegment) -> tuple[Mask, Units]:
    """Which packets stay, and the units of one lane; bytes that are in neither are counted."""
    carriage = work.lane.codec.carriage
    assert carriage is not None
    stitch = _STITCH[carriage]
    begun = len(work.carried.data)
    kept, made = stitch(work)
    left = begun + payload_bytes(work) + work.added - made.taken - len(work.carried.data)
    if stitch is sound and not work.carried.started and len(made.sizes):
        made = told_apart(work, made)
        work.carried.started = True
    return kept, replace(
        made,
        taken=made.taken - work.added,
        dropped=left if work.until is None else 0,
        spared=0 if work.until is None else left,
        unfinished=work.unfinished and left < adts.LONGEST,
    )


def _faults(frame: Framing, packets: Packets, tracks: Iterable[StreamPackets]) -> Index:
    """Rows where any stream lost something: another one may have lost 16 packets there unseen."""
    broken = [t.index[t.broken] for t in tracks if len(t.broken)]
    if not (broken or frame.breaks or len(packets.bad)):
        return packets.bad
    return np.unique(np.concatenate([packets.bad, np.array(frame.breaks, np.intp), *broken]))


_STITCH = {Carriage.NAL: pictures, Carriage.ADTS: sound, Carriage.UNIT: framed}
