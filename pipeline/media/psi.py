"""Program specific information: PAT and PMT sections, read and written (ISO/IEC 13818-1 clause
2.4.4).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from pipeline.media.packets import PACKET, Packets
from pipeline.model import Finding, Severity

PAT_PID = 0
LONGEST = 1021 + 3  # bytes of a PAT or PMT section (2.4.4.5)


@dataclass(frozen=True, slots=True)
class Program:
    """What the tables of one segment say; ``streams`` maps elementary PID to stream_type (Table
    2-34).
    """

    streams: dict[int, int] = field(default_factory=dict)
    pmt_pid: int | None = None
    formats: dict[int, str] = field(
        default_factory=dict
    )  # registration descriptor of private streams


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
    programs: dict[int, int] = {}
    for section in _sections(packets, PAT_PID, findings):
        if section[0] == 0:
            programs |= _pat(section)
    if len(programs) > 1:
        detail = f"{len(programs)} programs, a recording has one"
        findings.append(Finding("PAT_PROGRAMS", Severity.ERROR, pid=PAT_PID, detail=detail))
    for pmt_pid in programs.values():
        program = _pmts(packets, pmt_pid, findings)
        if program is not None:
            return program, findings
    return Program(), findings


def _pmts(packets: Packets, pid: int, findings: list[Finding]) -> Program | None:
    """All PMTs of a PID as one: a stream counts when any of them lists it."""
    found: list[Program] = []
    for section in _sections(packets, pid, findings):
        if section[0] == 2:
            found.append(_pmt(section, pid))
    if not found:
        return None
    for program in found[1:]:
        if program.streams != found[0].streams:
            detail = f"{describe(program)}, was {describe(found[0])}"
            findings.append(Finding("PMT_CHANGE", Severity.ERROR, pid=pid, detail=detail))
    streams = {p: t for program in found for p, t in program.streams.items()}
    formats = {p: t for program in found for p, t in program.formats.items()}
    return Program(streams, pid, formats)


def describe(program: Program) -> str:
    """The streams of a program for people, by PID."""
    return (
        " ".join(f"0x{pid:x}:0x{kind:02x}" for pid, kind in sorted(program.streams.items()))
        or "none"
    )


def _sections(packets: Packets, pid: int, findings: list[Finding]) -> Iterator[bytes]:
    """Sections of one PID whose CRC holds, each different one once."""
    index = np.flatnonzero((packets.pid == pid) & packets.payload)
    starts = np.flatnonzero(packets.unit_start[index])
    if not len(starts):
        return
    rows = packets.rows[index[starts], 4:]
    changed = np.zeros(len(starts), np.bool_)
    if len(starts) < len(index):  # sections that go on in other packets
        changed = np.diff(starts, append=len(index)) > 1
    changed[0] = True
    words = rows.view(np.uint64)
    changed[1:] |= (words[1:] != words[:-1]).any(axis=1)
    seen: set[bytes] = set()
    for begin in starts[changed].tolist():
        section = _assemble(packets, index[begin : begin + 1 + LONGEST // 183])
        problem = _problem(section)
        if problem:
            findings.append(Finding(problem[0], Severity.ERROR, pid=pid, detail=problem[1]))
        elif section not in seen and section[5] & 1:  # current_next_indicator
            seen.add(section)
            yield section


def _assemble(packets: Packets, index: np.ndarray) -> bytes:
    first = packets.rows[index[0], packets.start[index[0]] :].tobytes()
    section = first[1 + first[0] :] if first else b""
    for at in index[1:]:
        if len(section) >= 3 and len(section) >= _length(section):
            break
        section += packets.rows[at, packets.start[at] :].tobytes()
    return section[: _length(section)] if len(section) >= 3 else section


def _length(section: bytes) -> int:
    return 3 + ((section[1] & 15) << 8 | section[2])


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
    at, end = 12 + ((section[10] & 15) << 8 | section[11]), len(section) - 4
    while at + 5 <= end:
        kind, es_pid, info = struct.unpack_from(">BHH", section, at)
        streams[es_pid & 0x1FFF] = kind
        formats[es_pid & 0x1FFF] = _registration(
            section[at + 5 : min(end, at + 5 + (info & 0xFFF))]
        )
        at += 5 + (info & 0xFFF)
    return Program(streams, pid, {p: f for p, f in formats.items() if f})


def _registration(descriptors: bytes) -> str:
    """format_identifier of a registration descriptor (2.6.8), empty if there is none."""
    at = 0
    while at + 2 <= len(descriptors):
        tag, length = descriptors[at], descriptors[at + 1]
        if tag == 5 and length >= 4:
            return descriptors[at + 2 : at + 6].decode("latin-1")
        at += 2 + length
    return ""


def tables(streams: dict[int, int], pcr_pid: int, counter: int = 0) -> bytes:
    """One PAT packet and one PMT packet that announce exactly these streams."""
    entries = b"".join(struct.pack(">BHH", t, 0xE000 | p, 0xF000) for p, t in streams.items())
    pmt_pid = next(pid for pid in range(0x1000, 0x1FFF) if pid not in streams)
    pat = _section(0, 1, struct.pack(">HH", 1, 0xE000 | pmt_pid))
    pmt = _section(2, 1, struct.pack(">HH", 0xE000 | pcr_pid, 0xF000) + entries)
    return _packet(PAT_PID, pat, counter) + _packet(pmt_pid, pmt, counter)


def _section(table: int, number: int, body: bytes) -> bytes:
    head = struct.pack(">BHHBBB", table, 0xB000 | len(body) + 9, number, 0xC1, 0, 0) + body
    return head + struct.pack(">I", crc32_mpeg(head))


def _packet(pid: int, section: bytes, counter: int) -> bytes:
    head = struct.pack(">BHBB", 0x47, 0x4000 | pid, 0x10 | counter & 15, 0)
    return (head + section).ljust(PACKET, b"\xff")
