"""PAT and PMT (ISO/IEC 13818-1 clause 2.4.4).  Long: they are read and written here."""

import struct
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import numpy as np
from msgspec import Struct, field
from msgspec.structs import replace

from pipeline.media.clock import Index
from pipeline.media.es.codecs import MARK, PRIVATE
from pipeline.media.ts.packets import NULL_PID, PACKET, Packets
from pipeline.model import Finding, Severity

PAT_PID = 0
LONGEST = 1021 + 3  # bytes of a PAT or PMT section (2.4.4.5)
ENTRIES = PACKET - 4 - 1 - 12 - 4  # bytes for the streams of a PMT in one packet
ONE = "one PMT written"  # what is done about tables that differ


class Program(Struct, frozen=True):
    """What the tables of one segment say; ``streams`` maps elementary PID to stream_type (Table
    2-34).
    """

    streams: dict[int, int] = field(default_factory=dict)
    pmt_pid: int | None = None
    formats: dict[int, str] = field(
        default_factory=dict
    )  # registration descriptor of private streams, or what a descriptor of DVB says they are
    languages: dict[int, str] = field(default_factory=dict)  # ISO 639, where one is told
    tables: tuple[int, ...] = ()  # PIDs that carry sections
    moves: dict[int, int] = field(default_factory=dict)  # from PID to PID inside the segment
    told: dict[int, int] = field(default_factory=dict)  # where the sound itself says otherwise

    def __eq__(self, other: object) -> bool:
        """They tell of the same streams."""
        return isinstance(other, Program) and self._streams() == other._streams()

    def _streams(self) -> tuple[object, ...]:
        return self.streams, self.pmt_pid, self.formats, self.languages, self.moves


def shared(program: Program) -> Program:
    """The same, one value for all segments with the same tables: hardly any two differ."""
    maps = program.streams, program.formats, program.languages, program.moves, program.told
    return _one_of(tuple(tuple(one.items()) for one in maps), program.pmt_pid, program.tables)


@lru_cache(maxsize=256)
def _one_of(
    maps: tuple[tuple[tuple[int, Any], ...], ...], pmt_pid: int | None, tables: tuple[int, ...]
) -> Program:
    streams, formats, languages, moves, told = map(dict, maps)
    return Program(streams, pmt_pid, formats, languages, tables, moves, told)


def crc32_mpeg(data: bytes) -> int:
    """CRC of Annex A; over a section with its CRC field it is 0."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc << 8) & 0xFFFFFFFF ^ _CRC[(crc >> 24) ^ byte]
    return crc


def _crc_entry(byte: int) -> int:
    crc = byte << 24
    for _ in range(8):
        crc = (crc << 1) ^ 0x04C11DB7 if crc & 0x80000000 else crc << 1
    return crc & 0xFFFFFFFF


_CRC = tuple(_crc_entry(byte) for byte in range(256))


def read(packets: Packets) -> tuple[Program, list[Finding]]:
    """The program of a segment.  Repeats are parsed only when they differ from the one before."""
    findings: list[Finding] = []
    pats = [_pat(s) for s in _sections(packets, PAT_PID, findings) if s[0] == 0]
    many = max(pats, key=len, default={})
    if len(many) > 1:
        detail = f"{len(many)} programs, a recording has one"
        findings.append(Finding("PAT_PROGRAMS", Severity.ERROR, pid=PAT_PID, detail=detail))
    pmt_pids = list(dict.fromkeys(pid for programs in pats for pid in programs.values()))
    if not pats and (pmt_pids := _pmts_without_pat(packets)):
        detail, repair = "no PAT in this segment", "the PMT found without it"
        findings.append(Finding("PSI_MISSING", Severity.WARNING, None, None, 1, detail, repair))
    said = [program for pid in pmt_pids for program in _pmts(packets, pid, findings)]
    if len(many) > 1:  # the first that is there; choosing one is nobody's business here
        said = [program for program in said if program.pmt_pid == said[0].pmt_pid]
    return _as_one(said, tuple(pmt_pids), findings), findings


def read_in_each(packets: Packets, rows: Sequence[int]) -> tuple[Program, list[Finding]] | None:
    """What ``read`` tells of each of several segments, of which ``rows`` tells where each begins
    and the last one ends; None unless they repeat the same packets of tables.
    """
    program, findings = read(packets.between(rows[0], rows[1]))
    for pid in (PAT_PID, *program.tables):
        index = np.flatnonzero((packets.pid == pid) & packets.payload)
        cuts = np.searchsorted(index, rows)
        words = packets.rows[index, 4:].view(np.uint64)
        start = packets.start[index]
        repeated = (words == words[:1]).all() and (start == start[:1]).all()
        whole = packets.unit_start[index].all()  # each table in one packet
        if not (repeated and whole and (cuts[1:] > cuts[:-1]).all()):
            return None
    return program, findings


def _pmts(packets: Packets, pid: int, findings: list[Finding]) -> list[Program]:
    """The different PMTs of a PID in their order."""
    return [_pmt(section, pid) for section in _sections(packets, pid, findings) if section[0] == 2]


def _pmts_without_pat(packets: Packets) -> list[int]:
    """PIDs on which a PMT begins, told by its table_id and checksum."""
    index = np.flatnonzero(packets.unit_start & packets.payload & (packets.start < PACKET - 12))
    flat, at = packets.rows.reshape(-1), index * PACKET + packets.start[index]
    formed = (flat[at] == 0) & (flat[at + 1] == 2) & (flat[at + 2] & 0xF0 == 0xB0)
    pids = np.unique(packets.pid[index[formed]]).tolist()
    return [pid for pid in pids if pid < NULL_PID and _pmts(packets, pid, [])]


def _as_one(said: list[Program], pmt_pids: tuple[int, ...], findings: list[Finding]) -> Program:
    """All PMTs of a segment as one: a stream counts when any of them lists it."""
    if not said:
        return Program(tables=pmt_pids)
    merged: Program = said[0]
    moves: dict[int, int] = {}
    for before, program in pairwise(said):
        if program.pmt_pid != before.pmt_pid:
            detail = f"PMT on PID {program.pmt_pid}, was on {before.pmt_pid}"
            findings.append(
                Finding("PMT_PID_CHANGE", Severity.WARNING, None, program.pmt_pid, 1, detail, ONE)
            )
        if program.streams != before.streams:
            clash = any(merged.streams.get(p, t) != t for p, t in program.streams.items())
            severity = Severity.ERROR if clash else Severity.INFO
            detail = f"{describe(program)}, was {describe(before)}"
            findings.append(Finding("PMT_CHANGE", severity, pid=program.pmt_pid, detail=detail))
        moves |= _moves(before, program)
        merged = Program(
            merged.streams | {p: t for p, t in program.streams.items() if p not in merged.streams},
            program.pmt_pid,
            merged.formats | program.formats,
            merged.languages | program.languages,
        )
    return replace(merged, tables=pmt_pids, moves=moves)


def _moves(before: Program, program: Program) -> dict[int, int]:
    """Where the streams went that one table lists and the next one lists under another PID."""
    gone = [pid for pid in before.streams if pid not in program.streams]
    new = [pid for pid in program.streams if pid not in before.streams]
    moves: dict[int, int] = {}
    for pid in gone:
        kind, tongue = before.streams[pid], before.languages.get(pid)
        for to in new:
            same = program.streams[to] == kind and program.languages.get(to) == tongue
            if same and to not in moves.values():
                moves[pid] = to
                break
    return moves


def describe(program: Program) -> str:
    """The streams of a program for people, by PID."""
    return (
        " ".join(f"0x{pid:x}:0x{kind:02x}" for pid, kind in sorted(program.streams.items()))
        or "none"
    )


def _sections(packets: Packets, pid: int, findings: list[Finding]) -> Iterator[bytes]:
    """Sections of one PID whose CRC holds, each different one once."""
    index = _without_repeats(packets, np.flatnonzero((packets.pid == pid) & packets.payload))
    starts = np.flatnonzero(packets.unit_start[index])
    if not len(starts):
        return
    rows = packets.rows[index[starts], 4:]
    changed = np.zeros(len(starts), np.bool_)
    if len(starts) < len(index):  # sections that go on in other packets
        changed = np.diff(starts, append=len(index)) > 1
        changed[:-1] |= changed[1:]  # or end in front of the next one's beginning
    changed[0] = True
    words = rows.view(np.uint64)
    changed[1:] |= (words[1:] != words[:-1]).any(axis=1)
    seen: set[bytes] = set()
    for begin in starts[changed].tolist():
        for section in _assembled(packets, index[begin : begin + 1 + LONGEST // 183]):
            problem = _problem(section)
            if problem:
                id, detail = problem
                findings.append(Finding(id, Severity.WARNING, None, pid, 1, detail, "left out"))
                break  # nobody knows where the next one begins
            if section not in seen and section[5] & 1:  # current_next_indicator
                seen.add(section)
                yield section


def _without_repeats(packets: Packets, index: Index) -> Index:
    """Packets sent twice in a row would spoil a section that goes on in another packet."""
    if packets.unit_start[index].all():
        return index
    repeat = (packets.rows[index[1:]] == packets.rows[index[:-1]]).all(axis=1)
    kept: Index = index[np.append(True, ~repeat)]
    return kept


def _assembled(packets: Packets, index: Index) -> Iterator[bytes]:
    """The sections that begin in the first of these packets, also behind one another (2.4.4.1)."""
    first = packets.rows[index[0], packets.start[index[0]] :].tobytes()
    data = first[1 + first[0] :] if first else b""
    following = iter(index[1:].tolist())
    last = False
    while True:
        while not last and (len(data) < 3 or len(data) < _length(data)):
            at = next(following, None)
            if at is None:
                break
            more = packets.rows[at, packets.start[at] :].tobytes()
            last = bool(packets.unit_start[at])  # what ends before the next one's beginning
            data += more[1 : 1 + more[0]] if last else more
        section = data[: _length(data)] if len(data) >= 3 else data
        yield section
        data = data[len(section) :]
        if not data or data[0] == 0xFF:  # stuffing_byte
            return


def _length(section: bytes) -> int:
    return 3 + ((section[1] & 15) << 8 | section[2])


@lru_cache(maxsize=64)  # all segments of a recording say the same
def _problem(section: bytes) -> tuple[str, str] | None:
    if len(section) < 12 or len(section) < _length(section):
        return "PSI_LENGTH", f"section of {len(section)} bytes is cut short"
    if crc32_mpeg(section):
        return "PSI_CRC", "the checksum of the table does not hold"
    return None


def _pat(section: bytes) -> dict[int, int]:
    entries = struct.iter_unpack(">HH", section[8 : 8 + (len(section) - 12) // 4 * 4])
    return {number: pid & 0x1FFF for number, pid in entries if number}


def _pmt(section: bytes, pid: int) -> Program:
    streams: dict[int, int] = {}
    formats: dict[int, str] = {}
    languages: dict[int, str] = {}
    at, end = 12 + ((section[10] & 15) << 8 | section[11]), len(section) - 4
    while at + 5 <= end:
        kind, es_pid, info = struct.unpack_from(">BHH", section, at)
        streams[es_pid & 0x1FFF] = kind
        descriptors = section[at + 5 : min(end, at + 5 + (info & 0xFFF))]
        if text := _descriptor(descriptors, 10, 3):
            languages[es_pid & 0x1FFF] = text
        if text := _descriptor(descriptors, 5, 4) or _dvb(descriptors):
            formats[es_pid & 0x1FFF] = text
        at += 5 + (info & 0xFFF)
    return Program(streams, pid, formats, languages)


def _descriptor(descriptors: bytes, wanted: int, size: int) -> str:
    """The first bytes of a descriptor, empty if there is none: format_identifier (2.6.8, tag 5) or
    ISO_639_language_code (2.6.18, tag 10).
    """
    at = 0
    while at + 2 <= len(descriptors):
        tag, length = descriptors[at], descriptors[at + 1]
        if tag == wanted and size <= length <= len(descriptors) - at - 2:
            return descriptors[at + 2 : at + 2 + size].decode("latin-1")
        at += 2 + length
    return ""


# ETSI EN 300 468 Table 12, by tag
_DVB = {
    0x45: "VBI",
    0x46: "VBI",
    0x56: "teletext",
    0x59: "subtitles",
    0x6A: "AC-3",
    0x7A: "EAC3",
}


def _dvb(descriptors: bytes) -> str:
    """What a descriptor of DVB says of a private stream, empty if there is none."""
    at = 0
    while at + 2 <= len(descriptors):
        if descriptors[at] in _DVB:
            return _DVB[descriptors[at]]
        at += 2 + descriptors[at + 1]
    return ""


def tables(
    streams: Mapping[int, int],
    pcr_pid: int,
    counter: int = 0,
    languages: Mapping[int, str] = MappingProxyType({}),
) -> bytes:
    """One PAT packet and one PMT packet that announce exactly these streams; languages where there
    is room for all.
    """
    said = [_entry(kind, pid, languages.get(pid, "")) for pid, kind in streams.items()]
    if sum(map(len, said)) > ENTRIES:
        said = [_entry(kind, pid, "") for pid, kind in streams.items()]
    entries = b"".join(said)
    pmt_pid = next(pid for pid in range(0x1000, 0x1FFF) if pid not in streams)
    pat = _section(0, 1, struct.pack(">HH", 1, 0xE000 | pmt_pid))
    pmt = _section(2, 1, struct.pack(">HH", 0xE000 | pcr_pid, 0xF000) + entries)
    return _packet(PAT_PID, pat, counter) + _packet(pmt_pid, pmt, counter)


def _entry(kind: int, pid: int, language: str) -> bytes:
    """A stream in the PMT; one of our own types says so (registration_descriptor, 2.6.8)."""
    said = b"\5\4" + MARK.encode() if kind >= PRIVATE else b""
    said += b"\x0a\4" + language.encode() + b"\0" if language else b""
    return struct.pack(">BHH", kind, 0xE000 | pid, 0xF000 | len(said)) + said


def _section(table: int, number: int, body: bytes) -> bytes:
    head = struct.pack(">BHHBBB", table, 0xB000 | len(body) + 9, number, 0xC1, 0, 0) + body
    return head + struct.pack(">I", crc32_mpeg(head))


def _packet(pid: int, section: bytes, counter: int) -> bytes:
    head = struct.pack(">BHBB", 0x47, 0x4000 | pid, 0x10 | counter & 15, 0)
    return (head + section).ljust(PACKET, b"\xff")
