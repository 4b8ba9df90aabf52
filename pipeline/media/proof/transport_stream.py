"""A transport stream read back by readers that did not write it (ISO/IEC 13818-1).

The file is read segment by segment, each behind tables of its own.  Memory holds one segment, the
unit that is open at its end, and the size and stamps of every unit.  Clauses are those of ISO/IEC
13818-1.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from isal.isal_zlib import crc32
from msgspec.structs import replace

from pipeline.media.clock import MODULO, Bytes, Index, Mask
from pipeline.media.es import access_units as units
from pipeline.media.es import adts
from pipeline.media.es.access_units import NO_UNITS, Units
from pipeline.media.es.codecs import Carriage, codec_of
from pipeline.media.es.nal import Nals, nals
from pipeline.media.loss.holes import Stretch
from pipeline.media.malformed import Malformed
from pipeline.media.proof.compare import compare
from pipeline.media.track import Lane
from pipeline.media.ts import psi
from pipeline.media.ts.elementary import stream_bytes
from pipeline.media.ts.packets import NULL_PID, PACKET, Packets
from pipeline.media.ts.pes import StreamPackets, pes_sizes
from pipeline.media.ts.transport_stream import TransportStream
from pipeline.model import Finding, Proof, Severity

TABLES = 2 * PACKET  # bytes: a PAT and a PMT stand in front of every segment


class StreamProof:
    """Compares the units in a transport stream with those each segment held, lane by lane."""

    def __init__(self, lanes: Sequence[Lane], expected: Sequence[Sequence[Stretch]]) -> None:
        self._lanes = lanes
        self._expected = [[_as_told(s) for s in stretches] for stretches in expected]
        self._read = [_LaneReader(x, s) for x, s in zip(lanes, self._expected, strict=True)]
        self._count = 0  # segments that were read
        self._broken: Finding | None = None  # where reading ended

    def add(self, data: Bytes) -> None:
        """Read one segment, uint8[bytes], with the tables in front of it.  Reading ends with the
        first in which a decoder would not find an unbroken stream of every lane and nothing else.
        Never raises for bad data.
        """
        if self._broken is not None:
            return
        try:
            segment = _segment(data, self._lanes)
            for reader in self._read:
                reader.add(segment)
        except Malformed as error:
            self._broken = _unreadable(error, self._expected[0][self._count].segment)
        self._count += 1

    def result(self, behind: bytes) -> tuple[Proof, list[Finding]]:
        """The proof, which holds if everything was there and nothing ``behind`` the last segment;
        and fatal findings for what differs.
        """
        if self._broken is not None:
            return Proof(), [self._broken]
        try:
            if behind:
                raise Malformed("more bytes than were made of the segments")
            found = [reader.end() for reader in self._read]
        except Malformed as error:
            return Proof(), [_unreadable(error)]
        proof, findings = compare(self._lanes, self._expected, found)
        return proof, findings + list(self._configurations())

    def _configurations(self) -> Iterator[Finding]:
        """An M_CONFIG where the configuration beside the units (HEVC, ADTS) is not that of the
        segments.
        """
        for lane, wanted, read in zip(self._lanes, self._expected, self._read, strict=True):
            if read.sets != frozenset[bytes]().union(*(s.units.sets for s in wanted)):
                detail = f"the {lane.codec.kind} configuration is not that of the segments"
                yield Finding("M_CONFIG", Severity.FATAL, pid=lane.pid, detail=detail)


def _unreadable(error: Malformed, segment: str | None = None) -> Finding:
    return Finding("M_PARSE", Severity.FATAL, segment, detail=str(error))


def _segment(data: Bytes, lanes: Sequence[Lane]) -> TransportStream:
    """A segment of whole packets behind their tables; else Malformed."""
    segment = TransportStream(data)
    if segment.framing.rows.size != len(data) or len(segment.packets.bad):
        raise Malformed(f"{len(data)} bytes that are not all packets")
    _check_tables(segment.packets, lanes)
    return segment


def _as_told(stretch: Stretch) -> Stretch:
    """Stamps as a PES header has them: 33 bits (2.4.3.7)."""
    pts, dts = (np.where(t >= 0, t % MODULO, -1) for t in (stretch.units.pts, stretch.units.dts))
    return replace(stretch, units=replace(stretch.units, pts=pts, dts=dts))


def _check_tables(packets: Packets, lanes: Sequence[Lane]) -> None:
    """Malformed unless PAT and PMT stand in front and name the streams that are there (2.4.4)."""
    program, wrong = psi.read(packets)
    if wrong or program.pmt_pid is None or not len(packets.pid):
        raise Malformed(f"tables: {wrong[0].detail if wrong else 'none'}")
    if packets.pid[:2].tolist() != [psi.PAT_PID, program.pmt_pid]:
        raise Malformed("tables: not in front of the segment")
    told = {p: codec_of(t, program.formats.get(p, ""), 0) for p, t in program.streams.items()}
    tongues = {lane.pid: lane.language for lane in lanes}
    if told != {lane.pid: lane.codec for lane in lanes}:
        raise Malformed(f"tables: {psi.describe(program)}, expected {len(lanes)} streams")
    if any(tongues[pid] != tongue for pid, tongue in program.languages.items()):
        raise Malformed("tables: another language")
    known = [psi.PAT_PID, program.pmt_pid, NULL_PID, *told]
    if strangers := np.setdiff1d(packets.pid, known).tolist():
        raise Malformed(f"packets of PID 0x{strangers[0]:x}, which no table names")


class _LaneReader:
    """The elementary stream of one lane, cut into units as far as they are whole."""

    def __init__(self, lane: Lane, stretches: Sequence[Stretch]) -> None:
        self.sets: frozenset[bytes] = frozenset()
        self._lane = lane
        self._shares = _Shares(stretches)
        self._counter: int | None = None  # of the packet before
        self._begun = False  # a unit came out
        self._es = b""  # of the unit that is not whole yet
        self._pes, self._pts, self._dts = (np.empty(0, np.int64) for _ in range(3))

    def add(self, segment: TransportStream) -> None:
        """Take what a segment has of the lane; Malformed where it is not an unbroken stream."""
        t = segment.track(self._lane.pid)
        if not len(t.index):
            return
        self._follow(segment.packets)
        _check_pes(segment.packets, t)
        if t.unmarked.any():
            raise Malformed("a time stamp whose marker bits are wrong")
        es, at = stream_bytes(segment.packets, t, np.ones(len(t.index), np.bool_), self._es)
        framed = self._lane.codec.carriage is not Carriage.ADTS
        if framed and not self._es and at[:1].tolist() != [0]:
            raise Malformed("bytes that belong to no PES")
        self._pes = np.append(self._pes, at)
        self._pts, self._dts = np.append(self._pts, t.pts), np.append(self._dts, t.dts)
        self._take(es, last=False)

    def end(self) -> list[Stretch]:
        """The units that were read, as many in each stretch as its segment held; Malformed if bytes
        at the end are no unit.
        """
        self._take(np.frombuffer(self._es, np.uint8), last=True)
        if self._es:
            raise Malformed(f"{len(self._es)} bytes at the end are no unit")
        return self._shares.stretches()

    def _follow(self, packets: Packets) -> None:
        """Malformed unless every packet is there once (continuity_counter, 2.4.3.3)."""
        own = packets.counter[(packets.pid == self._lane.pid) & packets.payload].astype(np.intp)
        before = own[0] - 1 if self._counter is None else self._counter
        if (np.diff(own, prepend=before) & 15 != 1).any():
            raise Malformed("packets are missing, or there twice")
        self._counter = int(own[-1])

    def _take(self, es: Bytes, *, last: bool) -> None:
        """Cut units out of the stream so far; the rest is kept, as it may go on."""
        if self._lane.codec.carriage is Carriage.ADTS:
            made = self._sound(es)
        else:
            made = self._framed(es, len(es) if last else int([0, *self._pes][-1]))
        self._shares.take(made)
        self.sets |= made.sets
        rest = self._pes >= made.taken
        self._es, self._pes = es[made.taken :].tobytes(), self._pes[rest] - made.taken
        self._pts, self._dts = self._pts[rest], self._dts[rest]

    def _framed(self, es: Bytes, end: int) -> Units:
        """One unit in each PES that begins before ``end``."""
        inside = self._pes < end
        stream = es[:end], self._pes[inside], self._pts[inside], self._dts[inside]
        if self._lane.syntax is None:
            return units.framed(*stream)
        found = nals(stream[0], self._lane.syntax)
        found = replace(found, opens=found.opens | _begins_pes(found, stream[1]))
        made, _ = units.video(*stream, syntax=self._lane.syntax, found=found)
        if made.taken != end:
            raise Malformed("bytes of a picture that are in no NAL unit")
        return made

    def _sound(self, es: Bytes) -> Units:
        """Frames of ADTS, one behind the other (ISO/IEC 14496-3 clause 1.A.2)."""
        found = adts.frames(es, self._lane.config)
        if len(es) - found.end >= adts.LONGEST:
            raise Malformed("bytes of sound that are no frame")
        made = units.audio(es, found, self._pes, self._pts)
        if len(made.sizes) and not self._begun:
            self._begun = True
            if not adts.read(self._lane.config).channels:
                made = units.told_apart(made)
        return made


def _begins_pes(found: Nals, pes: Index) -> Mask:
    """NAL units that are the first of their PES."""
    owner = np.searchsorted(pes, found.begin - 3, side="right")
    return np.diff(owner, prepend=0) > 0


def _check_pes(packets: Packets, t: StreamPackets) -> None:
    """Malformed unless every PES has a header that needs no mending and is as long as it declares
    (2.4.3.7); the last one may go on.
    """
    if t.mended.any() or t.unannounced:
        raise Malformed("a PES header that is not one")
    declared, real = (sizes[:-1] for sizes in pes_sizes(packets, t))
    if ((declared > 0) & (declared != real)).any():
        raise Malformed("a PES that is not as long as it declares")


class _Shares:
    """Units as they are read, each counted for the segment that it should be of."""

    def __init__(self, stretches: Sequence[Stretch]) -> None:
        self._stretches = stretches
        self._ends = np.cumsum([len(s.units.sizes) for s in stretches])
        self._digests = [0] * len(stretches)
        self._made = [NO_UNITS]
        self._count = 0

    def take(self, made: Units) -> None:
        """Add units that follow those before."""
        data, places = memoryview(made.data), np.append(0, np.cumsum(made.sizes, dtype=np.int64))
        first, self._count = self._count, self._count + len(made.sizes)
        inner = self._ends[(self._ends > first) & (self._ends < self._count)]
        for begin, end in pairwise([first, *np.unique(inner).tolist(), self._count]):
            owner = min(int(np.searchsorted(self._ends, begin, side="right")), len(self._ends) - 1)
            share = data[int(places[begin - first]) : int(places[end - first])]
            self._digests[owner] = crc32(share, self._digests[owner])
        self._made.append(replace(made, data=b""))

    def stretches(self) -> list[Stretch]:
        """The units by segment; the last one has all that are too many."""
        columns = [[getattr(m, name) for m in self._made] for name in ("sizes", "pts", "dts")]
        parts = (np.split(np.concatenate(column), self._ends[:-1]) for column in columns)
        return [
            Stretch(s.segment, Units(sizes, pts, dts, digest, NO_UNITS.torn))
            for s, digest, sizes, pts, dts in zip(
                self._stretches, self._digests, *parts, strict=True
            )
        ]
