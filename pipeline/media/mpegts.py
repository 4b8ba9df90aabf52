"""The scan of one segment: every packet and PES rule in one vectorised pass (ISO/IEC 13818-1, TR
101 290).

A scan is a value that knows nothing of its neighbours; :mod:`pipeline.media.checks` combines scans
in order.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from pipeline.media import psi
from pipeline.media.codecs import Codec, codec_of, sniff
from pipeline.media.packets import (
    NULL_PID,
    PACKET,
    Bytes,
    Framing,
    Index,
    Mask,
    Packets,
    Ticks,
    causes,
    columns,
    framing,
    pcr_bases,
    random_access,
    signed,
)
from pipeline.media.pes import Track, elementary, pes_sizes, pes_stamps, stuffed, track
from pipeline.media.pictures import held, said_once
from pipeline.model import Finding, Severity

FIRST_PID = 0x20  # below are tables: NIT, SDT, EIT ... (EN 300 468)
UNSEEN = 16 * (PACKET - 4)  # bytes of the packets after which a counter begins anew
LOOK = 6  # packets of a key picture that are looked into for parameter sets


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
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
    edges: tuple[bytes, bytes]  # first and last packet
    free_start: bool  # discontinuity_indicator on the first packet
    config: bytes | None  # SPS, or the fixed part of the ADTS header
    key_start: bool | None  # the first picture is a key picture
    tail: int  # access units from the last PES with a stamp on
    blank: bool  # there is but one PES, and no whole unit in it
    rows: tuple[int, int]  # packets that begin the first PES and end the last
    turns: tuple[int, ...] = ()  # packets that begin a PES with another configuration
    held: Index | None = None  # access units that begin in each PES; None: one


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """What one segment holds and what is wrong inside it."""

    name: str
    size: int
    packets: int = 0
    cut: bool = False  # bytes are missing at its end
    faults: tuple[int, int] | None = None  # first and last packet where something is wrong
    program: psi.Program = field(default_factory=psi.Program)
    streams: Mapping[int, Stream] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    # by PID: from when to when it held units that were cut off, where a container tells
    gone: Mapping[int, tuple[int, int]] = field(default_factory=dict)


def scan(name: str, data: Bytes) -> Scan:
    """Apply every rule that needs one segment only.  Never raises for what the bytes hold."""
    if not len(data):
        return Scan(
            name, 0, findings=(Finding("SEG_EMPTY", Severity.ERROR, name, detail="0 bytes"),)
        )
    frame = framing(data)
    if not len(frame.rows):
        detail = f"{sniff(data[:4096].tobytes())}, not an MPEG transport stream"
        return Scan(
            name, len(data), findings=(Finding("NOT_TS", Severity.ERROR, name, detail=detail),)
        )
    packets = columns(frame.rows)
    program, found = psi.read(packets)
    findings = [*_framing_rules(frame, len(data)), *_packet_rules(packets), *found]
    streams = {}
    for pids in _elementary_pids(packets, program):
        stream, said = _stream(packets, pids, program)
        streams[pids[0]] = stream
        findings += said
    findings += [*_pcr_rules(packets), *_table_rules(packets, program)]
    located = tuple(_in_segment(finding, name) for finding in findings)
    faults = _faults(frame, packets)
    return Scan(
        name, len(data), len(frame.rows), frame.trailing > 0, faults, program, streams, located
    )


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
    lost_in_front = frame.leading >= PACKET and not _put_in_front(frame)
    places += [*frame.breaks, *([0] if lost_in_front else [])]
    return (min(places), max(places)) if places else None


def _framing_rules(frame: Framing, size: int) -> Iterator[Finding]:
    if frame.leading >= PACKET and not _put_in_front(frame):
        detail = f"the first {frame.leading} bytes hold no packet"
        yield Finding("SYNC_BYTE", Severity.ERROR, detail=detail)
    elif frame.leading:
        detail = f"{frame.leading} bytes before the first packet"
        yield Finding("SEG_PARTIAL", Severity.WARNING, detail=detail, repair="dropped")
    if frame.trailing:
        detail = f"{size} bytes: cut {frame.trailing} bytes into a packet of {PACKET}"
        yield Finding("SEG_PARTIAL", Severity.ERROR, detail=detail)
    if frame.lost:
        detail = f"synchronisation lost over {frame.lost} bytes"
        yield Finding("SYNC_BYTE", Severity.ERROR, detail=detail)


def _put_in_front(frame: Framing) -> bool:
    """What stands in front was added, not overwritten: no whole packets, and then the tables."""
    pid = int(frame.rows[0, 1] & 0x1F) << 8 | int(frame.rows[0, 2])
    return frame.leading % PACKET != 0 and pid < FIRST_PID


_CAUSES = {
    "SYNC_BYTE": "packets that do not begin with 0x47",
    "TEI": "packets marked as damaged in transport",
    "SCRAMBLED": "packets marked as scrambled",
    "AF_LENGTH": "packets whose adaptation field cannot be one",
}


def _packet_rules(packets: Packets) -> Iterator[Finding]:
    for id, rows in causes(packets).items() if len(packets.bad) else ():
        if len(rows):
            detail = f"{_CAUSES[id]}, first at byte {int(rows[0]) * PACKET}"
            yield Finding(id, Severity.ERROR, count=len(rows), detail=detail)


def _pcr_rules(packets: Packets) -> Iterator[Finding]:
    """A clock reference that runs backwards without discontinuity_indicator (TR 101 290, 2.3.b)."""
    fields = packets.fields
    has = np.flatnonzero((fields[:, 0] >= 7) & (fields[:, 1] & 0x10 != 0))
    pids = packets.pid[packets.adapted[has]]
    bases = pcr_bases(fields[has, 2:7])
    if (pids[1:] == pids[:-1]).all() and (bases[1:] >= bases[:-1]).all():  # as nearly always
        return
    for pid in sorted(set(pids.tolist()) - {NULL_PID}):
        own = pids == pid
        at, clock = packets.adapted[has[own]], bases[own]
        back = (signed(np.diff(clock)) < 0) & ~packets.discontinuity[at[1:]]
        if count := int(np.count_nonzero(back)):
            yield Finding(
                "PCR_JUMP", Severity.WARNING, pid=pid, count=count, detail="clock runs back"
            )


def _table_rules(packets: Packets, program: psi.Program) -> Iterator[Finding]:
    """Packets of PAT and PMT that are missing: the tables repeat, so no media is lost by it."""
    for pid in (psi.PAT_PID, *program.tables):
        counter = packets.counter[packets.pid == pid]
        step = counter[1:] - counter[:-1] & 15
        if (step == 1).all():
            continue
        if lost := int(((step[step > 0] - 1) & 15).sum()):
            detail = f"at least {lost} packets of a table lost"
            yield Finding("CC", Severity.WARNING, pid=pid, detail=detail)


def _elementary_pids(packets: Packets, program: psi.Program) -> list[tuple[int, ...]]:
    """PIDs that carry PES, listed in the PMT or not; those of one stream together."""
    starting = np.flatnonzero(np.bincount(packets.pid[packets.unit_start & packets.payload]))
    starting = starting[(starting >= FIRST_PID) & (starting < NULL_PID)]
    pids = [pid for pid in starting.tolist() if pid not in program.tables]
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
    packets: Packets, pids: tuple[int, ...], program: psi.Program
) -> tuple[Stream, list[Finding]]:
    pid = pids[0]
    t = track(packets, *pids)
    stream_id = int(t.header[0, 3]) if len(t.header) else 0
    codec = codec_of(program.streams.get(pid), program.formats.get(pid, ""), stream_id)
    pts, dts, unmarked = pes_stamps(t.header)
    counts = held(packets, t, codec, pts, dts)
    pts, dts = said_once(pts, dts, counts)
    units = t.starts[dts >= 0] if counts is not None else t.starts  # where units begin
    wrong_size, lacking, short = _sizes(packets, t)
    damaged = np.searchsorted(t.starts, t.broken, side="left") - 1
    config, key_start = _parameters(packets, t, units, codec)
    findings = list(_stream_rules(t, pid, unmarked, (wrong_size, lacking), len(packets.rows)))
    if program.streams and pid not in program.streams and 0xC0 <= stream_id <= 0xEF:
        detail = f"{len(t.index)} packets of a stream the PMT does not list"
        findings.append(Finding("ES_UNREFERENCED", Severity.WARNING, pid=pid, detail=detail))
    first, last = int(t.index[0]), int(t.index[-1])
    tail = _tail(packets, t, codec) if counts is None else _behind(counts, dts)
    turns = _turns(packets, t, units, codec, config) if codec and codec.copied and config else []
    stream = Stream(
        pids=pids,
        codec=codec,
        packets=len(t.index),
        pts=pts,
        dts=dts,
        damaged=frozenset(damaged.tolist()) | frozenset(lacking.tolist()),
        head=int((PACKET - packets.start[t.index[: t.starts[0] if len(t.starts) else None]]).sum()),
        short=short,
        counters=(int(packets.counter[first]), int(packets.counter[last])),
        edges=(packets.rows[first].tobytes(), packets.rows[last].tobytes()),
        free_start=bool(packets.discontinuity[first]),
        config=config,
        key_start=key_start,
        tail=tail,
        blank=len(t.starts) == 1 and tail == 0,
        rows=(int(t.index[t.starts[0]]) if len(t.starts) else last, last),
        turns=tuple(turns),
        held=counts,
    )
    return stream, findings


def _sizes(packets: Packets, t: Track) -> tuple[Index, Index, int]:
    """PES whose declared length is not what is there; those of them by which 16 packets may have
    been lost, or come in, that the counter does not show; what the last one lacks (2.4.3.7).
    """
    none = np.empty(0, np.intp)
    if not t.header[:, 4:6].any():  # as usual for video
        return none, none, 0
    declared, real = pes_sizes(packets, t)
    wrong = (declared > 0) & (real != declared)
    short = int(declared[-1] - real[-1]) if wrong[-1] and real[-1] < declared[-1] else 0
    if 2 * np.count_nonzero(wrong) > len(wrong) > 1 or stuffed(packets.rows[t.index[-1]].tobytes()):
        short = 0  # so they are written, or it is whole
    wrong[-1] &= short == 0  # the rest may stand in the next segment
    apart = np.abs(real - declared)
    unseen = (apart > 0) & (-apart % UNSEEN < PACKET)  # but for stuffing and what fields hold
    return np.flatnonzero(wrong), np.flatnonzero(wrong & unseen), short


def _stream_rules(
    t: Track, pid: int, unmarked: Mask, sizes: tuple[Index, Index], packets: int
) -> Iterator[Finding]:
    if t.lost:
        detail = f"at least {t.lost} packets lost, first before packet {_first(t)} of {packets}"
        yield Finding("CC", Severity.ERROR, pid=pid, count=len(t.broken), detail=detail)
    elif len(t.broken):
        detail = "a PES is announced where none begins"
        yield Finding("PES_START", Severity.ERROR, pid=pid, count=len(t.broken), detail=detail)
    if t.unannounced:
        detail = "PES in packets that do not announce one (payload_unit_start_indicator)"
        repair = "taken as the start of a PES"
        yield Finding("PES_START", Severity.ERROR, None, pid, t.unannounced, detail, repair)
    if len(t.repeats):
        detail = "packets sent twice"
        yield Finding("CC_DUP", Severity.INFO, pid=pid, count=len(t.repeats), detail=detail)
    if t.thirds:
        detail = "packets sent more than twice"
        yield Finding("CC", Severity.WARNING, None, pid, t.thirds, detail, "repeats dropped")
    if not len(t.starts):
        detail = f"{len(t.index)} packets without one PES header"
        yield Finding("PES_NONE", Severity.ERROR, pid=pid, detail=detail)
    if count := int(np.count_nonzero(unmarked)):
        detail = "PES whose time stamp is not one"
        yield Finding("PTS_MARKER", Severity.ERROR, pid=pid, count=count, detail=detail)
    wrong, lacking = (np.setdiff1d(s, np.searchsorted(t.starts, t.broken) - 1) for s in sizes)
    detail = "PES that are not as long as they declare"
    if len(lacking):
        told = f"{detail}, by what 16 packets hold"
        yield Finding("PES_SIZE", Severity.ERROR, pid=pid, count=len(lacking), detail=told)
    elif len(wrong):
        repair = "taken as long as they are"
        yield Finding("PES_SIZE", Severity.WARNING, None, pid, len(wrong), detail, repair)


def _first(t: Track) -> int:
    return int(t.index[t.broken[0]])


def _parameters(
    packets: Packets, t: Track, units: Index, codec: Codec | None
) -> tuple[bytes | None, bool | None]:
    """The stream's configuration at its first sight, and whether it begins with a key picture."""
    if codec is None or not len(t.starts):
        return None, None
    audio = codec.kind == "audio"
    begins = iter(t.starts[:LOOK].tolist()) if audio else _key_pictures(packets, t)
    key: bool | None = None
    for begin in begins:
        head = elementary(packets, t, begin, min(begin + LOOK, _next(t, units, begin)))
        if key is None and not audio:
            key = codec.is_key(head)
        config = codec.config(head)
        if config is not None:
            return config, key
    return None, key


def _next(t: Track, units: Index, begin: int) -> int:
    """Where the next unit begins behind a place."""
    following = int(np.searchsorted(units, begin, side="right"))
    return int(units[following]) if following < len(units) else len(t.index)


def _turns(packets: Packets, t: Track, units: Index, codec: Codec, config: bytes) -> list[int]:
    """Packets in which a PES begins whose configuration is not that of the one before."""
    if codec.kind == "audio":
        return _turns_of_sound(packets, t)
    found = []
    for at in t.starts[random_access(packets, t.index[t.starts])].tolist():
        if config in packets.rows[t.index[at]].tobytes():  # as nearly always
            continue
        now = codec.config(elementary(packets, t, at, min(at + LOOK, _next(t, units, at))))
        if now is not None and now != config:
            found.append(int(t.index[at]))
            config = now
    return found


def _turns_of_sound(packets: Packets, t: Track) -> list[int]:
    """By the ADTS headers PES begin with, as far as they do: of two alike in a row."""
    begins = t.index[t.starts]
    at = np.minimum(packets.start[begins] + 9 + t.header[:, 8].astype(np.intp), PACKET - 4)
    head = packets.rows[begins[:, None], at[:, None] + np.arange(4)]
    aligned = (head[:, 0] == 0xFF) & (head[:, 1] & 0xF6 == 0xF0)
    head = head[aligned] & np.array((0xFF, 0xFF, 0xFF, 0xF0), np.uint8)
    if len(head) * 2 < len(begins) or (head == head[:1]).all():
        return []
    differs = (head[1:] != head[:-1]).any(axis=1)
    lasting = np.append(~differs[1:], True)
    return [int(row) for row in begins[aligned][1:][differs & lasting]]


def _tail(packets: Packets, t: Track, codec: Codec | None) -> int:
    if codec is None or not len(t.starts):
        return 0
    if codec.kind == "video" and len(t.starts) > 1:
        return 1
    return codec.count(elementary(packets, t, int(t.starts[-1]), len(t.index)))


def _behind(counts: Index, dts: Ticks) -> int:
    """Access units from the last PES with a stamp on."""
    last = int(np.append(0, np.flatnonzero(dts >= 0))[-1])
    return int(counts[last:].sum())


def _key_pictures(packets: Packets, t: Track) -> Iterator[int]:
    """The first PES, and some of those marked with random_access_indicator."""
    yield int(t.starts[0])
    following = t.starts[1:]
    yield from following[random_access(packets, t.index[following])][:3].tolist()
