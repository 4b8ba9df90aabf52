"""Headers of PES, ADTS and pictures: some bits are wrong, and some are only unusual."""

import re
from collections.abc import Callable

from msgspec.structs import replace

from pipeline.errors import UsageError
from pipeline.simulator.faults.fault_context import Case, with_units
from pipeline.simulator.recorder.mux import split
from pipeline.simulator.recorder.values import STREAMS, RecordedPart, Segment, Unit

SECTIONS = {0x1F0: 0x86, 0x1F1: 0x05}  # SCTE 35, and private sections
LONG = 21  # frames of sound that fill 16 packets or nearly so
SPS = re.compile(rb"\x00\x00\x01[\x27\x47\x67]..(.)", re.DOTALL)  # profile, constraints, level_idc
HIGH = b"\x28\x29"  # levels 4 and 4.1
TOO_MUCH = 200  # bytes


def flipped_start_code(part: RecordedPart, case: Case) -> RecordedPart:
    """One bit of the start code of a PES is flipped: of a picture, or of sound."""
    return _flipped(part, case, range(3))


def flipped_stream_id(part: RecordedPart, case: Case) -> RecordedPart:
    """One bit of the stream_id of a PES is flipped: of a picture, or of sound."""
    return _flipped(part, case, range(3, 4))


def wrong_pes_length(part: RecordedPart, case: Case) -> RecordedPart:
    """A PES of sound says that it is longer than it is; all of it is there."""

    def longer(pes: bytearray) -> None:
        length = int.from_bytes(pes[4:6], "big") + TOO_MUCH
        pes[4:6] = length.to_bytes(2, "big")

    n = case.pick(part)
    segment = part.segments[n]
    return part.with_segment(n, in_header(segment, head(segment, case, "audio"), longer))


def adts_bits(part: RecordedPart, case: Case) -> RecordedPart:
    """In one slice, bits of ADTS headers differ that mean nothing to a decoder."""
    n = case.pick(part)
    at, bit = case.dice.choice(((1, 0x08), (2, 0x02), (3, 0x20), (3, 0x10)))

    def other(unit: Unit) -> Unit:
        data = bytearray(unit.data)
        data[at] ^= bit  # MPEG-2, private, original, home
        return replace(unit, data=bytes(data))

    return _units(part, case, n, other, stream="audio")


def level_change(part: RecordedPart, case: Case) -> RecordedPart:
    """In one slice the parameter set of the pictures names another level; nothing else differs."""

    def other(unit: Unit) -> Unit:
        found = SPS.search(unit.data)
        if found is None:
            return unit
        level = next(HIGH[k : k + 1] for k in range(2) if HIGH[k : k + 1] != found[1])
        data = unit.data[: found.start(1)] + level + unit.data[found.end(1) :]
        return replace(unit, data=data)

    return _units(part, case, case.pick(part, inner=True), other, stream="video")


def early_delimiters(part: RecordedPart, case: Case) -> RecordedPart:
    """The access unit delimiter of each picture stands at the end of the PES before it."""
    pictures = [u for s in part.segments for u in s.units if u.stream == "video"]
    if not pictures:
        raise UsageError(f"{case.fault}: there are no pictures")
    behind = dict(zip(map(id, pictures), (split(u.data)[0] for u in pictures[1:]), strict=False))

    def moved(unit: Unit) -> Unit:
        data = unit.data if unit is pictures[0] else b"".join(split(unit.data)[1:])
        return replace(unit, data=data + behind.get(id(unit), b""))

    changed = {}
    for n, segment in enumerate(part.segments):
        units = tuple(moved(u) for u in segment.units if u.stream == "video")
        changed[n] = with_units(segment, "video", units)
    return replace(part.with_segments(changed), touched=part.touched)


def nal_per_pes(part: RecordedPart, case: Case) -> RecordedPart:
    """Each NAL unit is a PES of its own, with the stamp of its picture."""
    return _laid_out(part, divided=True)


def long_sound_pes(part: RecordedPart, case: Case) -> RecordedPart:
    """A PES of sound holds nearly half a second, in about sixteen packets."""
    return _laid_out(part, frames=LONG)


def counters_anew(part: RecordedPart, case: Case) -> RecordedPart:
    """The continuity counters restart in each slice."""
    return _laid_out(part, restarts=True)


def section_streams(part: RecordedPart, case: Case) -> RecordedPart:
    """The PMT lists PIDs with sections beside sound and pictures: SCTE 35, and private ones."""
    return _laid_out(part, sections=SECTIONS)


def adts_as_mpeg_audio(part: RecordedPart, case: Case) -> RecordedPart:
    """The PMT says MPEG audio, and the sound is AAC behind ADTS headers."""
    kind = int(case.word("0x03", "0x04"), 16)
    types = {**part.segments[0].layout.types, "audio": kind}
    return _laid_out(part, types=types)


def head(segment: Segment, case: Case, stream: str) -> int:
    """The index of a packet in which a PES of a stream begins, not near either end.

    Raises ``UsageError`` if there is too little of the stream.
    """
    pid = segment.layout.pids[stream]
    begins = [k for k, p in enumerate(segment.packets) if p.starts and p.pid == pid and p.units]
    if len(begins) < 4:
        raise UsageError(f"{case.fault}: {segment.name} has too little {stream}")
    return case.dice.choice(begins[1:-2])


def in_header(segment: Segment, number: int, change: Callable[[bytearray], None]) -> Segment:
    """The segment with a change, in place, to the PES that begins in packet ``number``."""
    packet = segment.packets[number]
    at = 4 + (1 + packet.data[4] if packet.data[3] & 0x20 else 0)
    pes = bytearray(packet.data[at:])
    change(pes)
    made = replace(packet, data=packet.data[:at] + bytes(pes))
    packets = (*segment.packets[:number], made, *segment.packets[number + 1 :])
    return replace(segment, packets=packets)


def _flipped(part: RecordedPart, case: Case, where: range) -> RecordedPart:
    stream = case.word(*STREAMS)
    n = replace(case, argument=None).pick(part)
    segment = part.segments[n]
    at, bit = case.dice.choice(where), 1 << case.dice.randrange(8)

    def flip(pes: bytearray) -> None:
        pes[at] ^= bit

    return part.with_segment(n, in_header(segment, head(segment, case, stream), flip))


def _units(
    part: RecordedPart, case: Case, n: int, change: Callable[[Unit], Unit], *, stream: str
) -> RecordedPart:
    units = tuple(change(u) for u in part.segments[n].units if u.stream == stream)
    if not units:
        raise UsageError(f"{case.fault}: there is no {stream}")
    return part.with_segment(n, with_units(part.segments[n], stream, units))


def _laid_out(part: RecordedPart, **changed: object) -> RecordedPart:
    """Every slice, multiplexed in another way."""
    made = {}
    for n, segment in enumerate(part.segments):
        layout = replace(segment.layout, **changed)
        made[n] = replace(segment, layout=layout)
    return replace(part.with_segments(made), touched=part.touched)
