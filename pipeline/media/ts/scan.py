"""The scan of one segment in one vectorised pass (ISO/IEC 13818-1).  Long: it has the values that
everything later is judged by.

A scan is a value that knows nothing of its neighbours; :mod:`pipeline.media.loss.rules` combines
scans in order.
"""

from collections.abc import Mapping
from functools import cached_property, lru_cache
from hashlib import blake2b
from typing import Any

import numpy as np
from msgspec import Struct, field
from msgspec.structs import replace

from pipeline.media.clock import HZ, Bytes, Index, Ticks, median, signed
from pipeline.media.es.audio_type import HEAD, TYPES, heard
from pipeline.media.es.codecs import SECTIONS, Codec, codec_of
from pipeline.media.es.sniff import sniff
from pipeline.media.ts import psi, rules
from pipeline.media.ts.elementary import elementary, first_bytes
from pipeline.media.ts.packets import FIRST_PID, NULL_PID, PACKET, Framing, Packets
from pipeline.media.ts.parameters import parameters
from pipeline.media.ts.pes import StreamPackets, misdeclared, stuffed
from pipeline.media.ts.pictures import held, said_once
from pipeline.media.ts.transport_stream import TransportStream
from pipeline.model import Finding, Severity

PRINT = 16  # bytes of a digest
HEADS = 6  # PES whose first bytes tell which sound it is
_NONE: frozenset[int] = frozenset()
_NOTHING: dict[int, Any] = {}


@lru_cache(maxsize=256)
def _shared(sets: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """Parameter sets, the same value for all segments that repeat them."""
    return sets


class Stream(Struct, frozen=True, eq=False, dict=True):
    """One elementary stream inside one segment; ``pts`` and ``dts`` hold one raw value per PES, -1
    for none.
    """

    pids: tuple[int, ...]  # more than one where it moved inside the segment
    codec: Codec | None
    packets: int
    pts: Ticks
    dts: Ticks
    damaged: frozenset[int]  # PES that lost bytes; -1: what stands before the first one
    head: int  # payload bytes before the first PES
    short: int  # bytes the last PES still lacks of its declared length
    counters: tuple[int, int]  # first and last continuity_counter
    prints: tuple[bytes, bytes]  # digests of the first and the last packet without their PIDs
    filled: bool  # the last packet holds stuffing
    free_start: bool  # discontinuity_indicator on the first packet
    config: bytes | None  # SPS, or the fixed part of the ADTS header
    key_start: bool | None  # the first picture is a key picture
    tail: int  # access units from the last PES with a stamp on
    blank: bool  # there is but one PES, and no whole unit in it
    rows: tuple[int, int]  # packets that begin the first PES and end the last
    turns: tuple[int, ...] = ()  # packets that begin a PES with another configuration
    lost: int = 0  # packets missing inside, at least
    whole: bool = False  # the last PES is as long as it declares
    sets: tuple[bytes, ...] = ()  # parameter sets
    held: Index | None = None  # access units that begin in each PES; None: one
    payload: int = 0  # bytes of the elementary stream in its packets

    @cached_property
    def decoded(self) -> Ticks:
        """The DTS that are known, ticks."""
        known = self.dts >= 0
        return self.dts if known.all() else self.dts[known]

    @property
    def first(self) -> int:
        """The first DTS, ticks."""
        return int(self.decoded[0])

    @cached_property
    def end(self) -> int:
        """Ticks at which the last unit ends, in decoding order; may exceed 33 bits."""
        return int(self.decoded[-1]) + round(self.tail * self.unit)

    @property
    def steps(self) -> Ticks:
        """Ticks from each known DTS to the next; not kept: it is as large as the stamps."""
        return signed(self.decoded[1:] - self.decoded[:-1])

    @cached_property
    def flows(self) -> bool:
        """Whether every PES has a stamp, each later than the one before by a second at most."""
        if not len(self.decoded) == len(self.dts) > 1:
            return False
        steps = self.steps
        return bool((steps > 0).all() and steps.max() <= HZ)

    @cached_property
    def unit(self) -> float:
        """Ticks an access unit lasts: by the codec, else the median step of DTS, else 1/25 s."""
        exact = self.codec.unit_ticks(self.config) if self.codec else None
        if exact is not None:
            return exact
        steps = self.steps
        steps = steps[steps > 0]
        if not len(steps):
            return HZ / 25
        return float(steps[0] if (steps == steps[0]).all() else median(steps))


class Scan(Struct, frozen=True, eq=False, dict=True):
    """What one segment holds and what is wrong inside it."""

    name: str
    size: int
    packets: int = 0
    cut: bool = False  # bytes are missing at its end
    faults: tuple[int, int] | None = None  # first and last packet where something is wrong
    program: psi.Program = field(default_factory=psi.Program)
    streams: Mapping[int, Stream] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    ragged: tuple[int, int] = (0, 0)  # bytes of packets cut off at its beginning and its end
    # by PID without the beginning of a PES: first and last continuity_counter, bytes of payload
    through: Mapping[int, tuple[int, int, int]] = field(default_factory=lambda: _NOTHING)
    # by PID: from when to when it held units that were cut off, where a container tells
    gone: Mapping[int, tuple[int, int]] = field(default_factory=lambda: _NOTHING)

    @cached_property
    def timed(self) -> Mapping[int, Stream]:
        """The streams whose place in time is known, by PID: a stamp is there, and more than a part
        of one unit.
        """
        told = {
            pid: stream
            for pid, stream in self.streams.items()
            if stream.codec and not stream.blank and len(stream.decoded)
        }
        return self.streams if len(told) == len(self.streams) else told


def scan(name: str, data: Bytes) -> Scan:
    """Apply every rule that needs one segment only.  Never raises for what the bytes hold."""
    return scan_of(name, TransportStream(data))


def scan_of(name: str, segment: TransportStream) -> Scan:
    """The same of a segment that others look at as well."""
    data = segment.data
    if not len(data):
        return Scan(
            name, 0, findings=(Finding("SEG_EMPTY", Severity.ERROR, name, detail="0 bytes"),)
        )
    frame = segment.framing
    if not len(frame.rows):
        detail = f"{sniff(data[:4096].tobytes())}, not an MPEG transport stream"
        return Scan(
            name, len(data), findings=(Finding("NOT_TS", Severity.ERROR, name, detail=detail),)
        )
    packets = segment.packets
    program, found = segment.tables
    findings = [*rules.of_framing(frame, len(data)), *rules.of_packets(packets), *found]
    streams = {}
    begins = np.flatnonzero(packets.unit_start & packets.payload)
    starting = np.flatnonzero(np.bincount(packets.pid[begins])).tolist()
    for pids in _elementary_pids(packets, starting, program):
        stream, said = _stream(packets, segment.track(*pids), pids, program)
        streams[pids[0]] = stream
        findings += said
    program = psi.shared(_as_heard(program, streams))
    if not (segment.among and segment.among.flawless):
        findings += [*rules.of_clocks(packets), *rules.of_tables(packets, program)]
    located = tuple(_in_segment(finding, name) for finding in findings)
    faults = _faults(frame, packets)
    ended = all(stream.filled or stream.whole for stream in streams.values())
    cut = frame.trailing > 0 or (frame.behind > 0 and not ended)
    ragged = (frame.leading if frame.leading < PACKET else 0), frame.trailing
    through = _through(packets, {*starting, *program.tables})
    return Scan(
        *(name, len(data), len(frame.rows), cut, faults, program, streams, located),
        ragged=ragged,
        through=through or _NOTHING,
    )


def _through(packets: Packets, known: set[int]) -> dict[int, tuple[int, int, int]]:
    """PIDs that carry payload of a PES that began before this segment and does not end in it."""
    present = np.flatnonzero(np.bincount(packets.pid)).tolist()
    found = {}
    for pid in (pid for pid in present if FIRST_PID <= pid < NULL_PID and pid not in known):
        carrier = packets.pid == pid
        own = carrier & packets.payload
        if not own.any() or packets.unit_start[carrier].any():
            continue
        counters, held = packets.counter[own], int((PACKET - packets.start[own]).sum())
        found[pid] = int(counters[0]), int(counters[-1]), held
    return found


def _as_heard(program: psi.Program, streams: Mapping[int, Stream]) -> psi.Program:
    """The tables as they would be if they told the truth of all sound."""
    true = {
        pid: TYPES[stream.codec]
        for pid, stream in streams.items()
        if stream.codec and pid in program.streams and stream.codec != _announced(program, pid)
    }
    told = {pid: program.streams[pid] for pid in true}
    return replace(program, streams=program.streams | true, told=told) if true else program


def _announced(program: psi.Program, pid: int, stream_id: int = 0) -> Codec | None:
    return codec_of(program.streams.get(pid), program.formats.get(pid, ""), stream_id)


def _in_segment(finding: Finding, name: str) -> Finding:
    return Finding(
        finding.id,
        finding.severity,
        name,
        finding.pid,
        finding.count,
        finding.detail,
        finding.repair,
    )


def _faults(frame: Framing, packets: Packets) -> tuple[int, int] | None:
    """Where the segment was hurt, as far as single packets show it."""
    places = packets.bad[[0, -1]].tolist() if len(packets.bad) else []
    lost_in_front = frame.leading >= PACKET and not rules.put_in_front(frame)
    places += [*frame.breaks, *([0] if lost_in_front else [])]
    return (min(places), max(places)) if places else None


def _elementary_pids(
    packets: Packets, starting: list[int], program: psi.Program
) -> list[tuple[int, ...]]:
    """PIDs that carry PES, listed in the PMT or not; those of one stream together."""
    pids = [
        pid
        for pid in starting
        if FIRST_PID <= pid < NULL_PID
        and pid not in program.tables
        and program.streams.get(pid) not in SECTIONS
    ]
    if not program.moves:
        return [(pid,) for pid in pids]
    moves = {
        a: b for a, b in program.moves.items() if {a, b} <= {*pids} and _follows(packets, a, b)
    }
    chains = [[pid] for pid in pids if pid not in moves.values()]
    for chain in chains:
        while chain[-1] in moves:
            chain.append(moves[chain[-1]])
    return [tuple(chain) for chain in chains]


def _follows(packets: Packets, pid: int, moved: int) -> bool:
    """All packets of one PID stand behind those of the other."""
    before, after = (np.flatnonzero((packets.pid == x) & packets.payload) for x in (pid, moved))
    return bool(before[-1] < after[0])


def _stream(
    packets: Packets, t: StreamPackets, pids: tuple[int, ...], program: psi.Program
) -> tuple[Stream, list[Finding]]:
    pid = pids[0]
    stream_id = int(t.header[0, 3]) if len(t.header) else 0
    codec = _announced(program, pid, stream_id)
    if codec and codec.kind == "audio":
        ordinals = range(min(HEADS, len(t.starts)))
        codec = heard(codec, [first_bytes(packets, t, k)[:HEAD] for k in ordinals])
    counts = held(packets, t, codec)
    pts, dts = said_once(t, counts)
    units = t.starts[dts >= 0] if counts is not None else t.starts  # where units begin
    wrong_size, lacking, short, hidden = misdeclared(packets, t, dts)
    damaged = (np.searchsorted(t.starts, t.broken, side="left") - 1).tolist()
    told = parameters(packets, t, codec, units)
    findings = list(rules.of_stream(t, pid, sizes=(wrong_size, lacking), packets=len(packets.rows)))
    if codec is None and program.streams:
        findings = [_of_data(finding) for finding in findings] if len(t.starts) else []
    first, last = int(t.index[0]), int(t.index[-1])
    headless = t.index[: t.starts[0] if len(t.starts) else None]
    tail = _tail(packets, t, codec, dts) if counts is None else _behind(counts, dts)
    stream = Stream(
        pids=pids,
        codec=codec,
        packets=len(t.index),
        pts=pts,
        dts=dts,
        damaged=frozenset([*damaged, *lacking.tolist()]) or _NONE,
        head=int((PACKET - packets.start[headless]).sum()) if len(headless) else 0,
        short=short,
        counters=(int(packets.counter[first]), int(packets.counter[last])),
        prints=(_print(packets, first), _print(packets, last)),
        filled=stuffed(packets.rows[last].tobytes()),
        free_start=bool(packets.discontinuity[first]),
        config=None if told.config is None else _shared((told.config,))[0],
        key_start=told.key,
        tail=tail,
        blank=len(t.starts) == 1 and tail == 0,
        rows=(int(t.index[t.starts[0]]) if len(t.starts) else last, last),
        turns=told.turns,
        sets=_shared(told.sets),
        payload=_payload(packets, t),
        lost=t.lost + hidden,
        whole=len(t.header) > 0 and bool(t.header[-1, 4:6].any()) and not short,
        held=counts,
    )
    return stream, findings


def _print(packets: Packets, row: int) -> bytes:
    """By which a packet is known wherever it is sent: a digest of all but its PID (2.4.3.2)."""
    packet = packets.rows[row].tobytes()
    return blake2b(bytes((packet[1] & 0xE0,)) + packet[3:], digest_size=PRINT).digest()


def _payload(packets: Packets, t: StreamPackets) -> int:
    """Bytes of the elementary stream, without PES headers (2.4.3.6)."""
    every = PACKET * len(t.index) - int(packets.start[t.index].sum(dtype=np.int64))
    return every - int(9 * len(t.starts) + t.header[:, 8].sum(dtype=np.int64))


def _of_data(finding: Finding) -> Finding:
    """What is left out loses nothing by what is wrong with it."""
    if finding.severity is not Severity.ERROR:
        return finding
    return replace(finding, severity=Severity.WARNING)


def _tail(packets: Packets, t: StreamPackets, codec: Codec | None, dts: Ticks) -> int:
    """Access units from the last PES with a stamp on, of which a later one may go on with more."""
    if codec is None or not len(t.starts):
        return 0
    if codec.kind == "video" and len(t.starts) > 1:
        return 1
    stamped = t.starts[dts >= 0] if codec.kind == "audio" else t.starts
    begin = int((stamped if len(stamped) else t.starts)[-1])
    return codec.count(elementary(packets, t, begin, len(t.index)))


def _behind(counts: Index, dts: Ticks) -> int:
    """Access units from the last PES with a stamp on."""
    last = int(np.append(0, np.flatnonzero(dts >= 0))[-1])
    return int(counts[last:].sum())
