"""Units as transport packets (ISO/IEC 13818-1 clause 2.4) that know which units they carry."""

import re
import struct
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import pairwise

from msgspec.structs import replace

from pipeline.simulator.recorder.values import HZ, Layout, Packet, RecordedPart, Segment, Unit

SIZE = 188  # bytes of a packet
NULL = 0x1FFF  # PID of null packets
DELAY = HZ // 2  # ticks by which the clock (PCR) is behind the time stamps
STREAM_ID = {"video": 0xE0, "audio": 0xC0}
PRIVATE = 0xC0  # table_id of a private section

Counters = dict[int, int]  # the next continuity_counter by PID


def muxed(part: RecordedPart) -> RecordedPart:
    """The part with the packets of every segment."""
    return replace(part, segments=tuple(mux_all(part.segments)))


def mux_all(segments: Iterable[Segment]) -> Iterator[Segment]:
    """Each segment with its packets, if it has none yet; counters continue from slice to slice."""
    counters: Counters = {}
    for segment in segments:
        done = segment.needs or segment.packets or segment.content is not None
        yield segment if done else mux(segment, {} if segment.layout.restarts else counters)


def mux(segment: Segment, counters: Counters) -> Segment:
    """The segment with its packets; ``counters`` are updated."""
    layout = segment.layout
    clocked = next((s for s in layout.streams if s in layout.pids), "video")
    made: list[Packet] = []
    first = True
    for numbers in sorted(_groups(segment), key=lambda ns: segment.units[ns[0]].time):
        unit = segment.units[numbers[0]]
        if first or unit.key:
            made += _tables(layout, counters, len(made))
            first = False
        stamp = segment.clock + unit.time + unit.off
        pcr = segment.clock + unit.time - DELAY if unit.stream == clocked else None
        for number, (es, held) in enumerate(_bodies(segment, numbers)):
            made += _cut(
                layout.pids[unit.stream],
                pes(STREAM_ID[unit.stream], es, stamp, unit.lead),
                counters,
                units=held,
                serial=len(made),
                pcr=None if number else pcr,
                key=unit.key and not number,
            )
    made = made or _tables(layout, counters, 0)
    needs = Counter(number for packet in made for number in packet.units)
    counts = tuple(needs[number] for number in range(len(segment.units)))
    return replace(segment, packets=tuple(made), needs=counts)


def _groups(segment: Segment) -> Iterator[list[int]]:
    """What becomes one PES each: a picture, or a few frames in a row."""
    units, count = segment.units, segment.layout.frames
    frames = [n for n, unit in enumerate(units) if unit.stream == "audio"]
    yield from ([n] for n, unit in enumerate(units) if unit.stream == "video")
    yield from (frames[at : at + count] for at in range(0, len(frames), count))


def _bodies(segment: Segment, numbers: list[int]) -> Iterator[tuple[bytes, list[tuple[int, int]]]]:
    """The payload of one PES, or of several in a row, and which units it holds up to which byte."""
    units = [segment.units[n] for n in numbers]
    if segment.layout.divided and units[0].stream == "video":
        for nal in split(units[0].data):
            yield nal, [(numbers[0], len(nal))]
    else:
        yield b"".join(unit.data for unit in units), _where(units, numbers)


def split(data: bytes) -> list[bytes]:
    """NAL units with their start codes (ISO/IEC 14496-10 annex B)."""
    starts = [found.start() for found in re.finditer(rb"\x00?\x00\x00\x01", data)]
    return [data[begin:end] for begin, end in pairwise([*starts, len(data)])]


def _where(units: list[Unit], numbers: list[int]) -> list[tuple[int, int]]:
    """Number of each unit, and how many bytes of it and those before there are."""
    ends, end = [], 0
    for unit, number in zip(units, numbers, strict=True):
        end += len(unit.data)
        ends.append((number, end))
    return ends


def _cut(
    pid: int,
    data: bytes,
    counters: Counters,
    *,
    units: list[tuple[int, int]],
    serial: int = 0,
    pcr: int | None = None,
    key: bool = False,
) -> Iterator[Packet]:
    """One PES or section over as many packets as it takes."""
    head = len(data) - (units[-1][1] if units else len(data))
    at, begin = 0, True
    while at < len(data):
        made, taken = _packet(pid, data[at:], counters, begin=begin, pcr=pcr, key=key)
        span = (at - head, at - head + taken)
        carried, before = [], 0
        for number, end in units:
            stamped = begin and number == units[0][0]
            if stamped or (span[0] < end and span[1] > before):
                carried.append(number)
            before = end
        yield Packet(made, tuple(carried), serial)
        at, begin, pcr, key, serial = at + taken, False, None, False, serial + 1


def _packet(
    pid: int, data: bytes, counters: Counters, *, begin: bool, pcr: int | None, key: bool
) -> tuple[bytes, int]:
    """One packet, and how many bytes it took; the rest of it is stuffing."""
    field = b""
    if pcr is not None or key:
        base = (pcr or 0) % (1 << 33)
        stamp = struct.pack(">IH", base >> 1, (base & 1) << 15 | 0x7E00) if pcr is not None else b""
        field = bytes((key << 6 | (pcr is not None) << 4,)) + stamp
    room = SIZE - 4 - (len(field) + 1 if field else 0)
    payload = data[:room]
    spare = room - len(payload)
    adaptation = b""
    if field:
        adaptation = bytes((len(field) + spare,)) + field + b"\xff" * spare
    elif spare == 1:
        adaptation = b"\0"
    elif spare:
        adaptation = bytes((spare - 1, 0)) + b"\xff" * (spare - 2)
    counter = counters.get(pid, 0)
    counters[pid] = counter + 1 & 15
    control = 0x30 if adaptation else 0x10
    head = struct.pack(">BHB", 0x47, begin << 14 | pid, control | counter)
    return head + adaptation + payload, len(payload)


def _tables(layout: Layout, counters: Counters, serial: int) -> list[Packet]:
    pat = section(0, 1, struct.pack(">HH", 1, 0xE000 | layout.pmt))
    announced = [s for s in ("video", "audio") if s in layout.streams]
    clock = layout.pids[announced[0]] if announced else NULL
    body = struct.pack(">HH", 0xE000 | clock, 0xF000)
    for stream in announced:
        body += struct.pack(">BHH", layout.types[stream], 0xE000 | layout.pids[stream], 0xF000)
    for pid, stream_type in layout.sections.items():
        body += struct.pack(">BHH", stream_type, 0xE000 | pid, 0xF000)
    private = [(pid, section(PRIVATE, pid, bytes(24))) for pid in layout.sections]
    made: list[Packet] = []
    for pid, table in ((0, pat), (layout.pmt, section(2, 1, body)), *private):
        padded = (b"\0" + table).ljust(SIZE - 4, b"\xff")
        made += list(_cut(pid, padded, counters, units=[], serial=serial + len(made)))
    return made


def pes(stream_id: int, es: bytes, stamp: int, lead: int | None = None) -> bytes:
    """A PES packet with a PTS, and a DTS ``lead`` ticks earlier if there is one.

    Only video leaves PES_packet_length open (clause 2.4.3.7).
    """
    if lead is None:
        flags, stamps = 0x80, stamped(stamp, 2)
    else:
        flags, stamps = 0xC0, stamped(stamp, 3) + stamped(stamp - lead, 1)
    length = 0 if stream_id == STREAM_ID["video"] else 3 + len(stamps) + len(es)
    head = struct.pack(">BHBBB", stream_id, length, 0x80, flags, len(stamps))
    return b"\0\0\1" + head + stamps + es


def stamped(stamp: int, prefix: int) -> bytes:
    """A time stamp of 33 bits behind the four bits that tell PTS from DTS (clause 2.4.3.7)."""
    value = stamp % (1 << 33)
    bits = prefix << 36 | (value >> 30) << 33 | (value >> 15 & 0x7FFF) << 17
    return (bits | (value & 0x7FFF) << 1 | 1 << 32 | 1 << 16 | 1).to_bytes(5, "big")


def section(table: int, number: int, body: bytes) -> bytes:
    """A long section with its CRC (clause 2.4.4.11); ``number`` is the table_id_extension."""
    data = struct.pack(">BHHBBB", table, 0xB000 | 9 + len(body), number, 0xC1, 0, 0) + body
    return data + struct.pack(">I", _crc32(data))


def _crc32(data: Iterable[int]) -> int:
    """CRC_32 of annex A."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc & 0x80000000 else 0)) & 0xFFFFFFFF
    return crc
