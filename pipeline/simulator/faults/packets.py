"""What networks and recorders do to the packets of slices.  Long: a short function for each."""

from collections import Counter
from collections.abc import Callable, Collection
from itertools import pairwise

from msgspec.structs import replace

from pipeline.errors import UsageError
from pipeline.simulator.faults.fault_context import Case
from pipeline.simulator.recorder.mux import NULL, SIZE
from pipeline.simulator.recorder.values import Packet, RecordedPart, Segment

BLOCK = 64 << 10  # bytes
RANGE = 40  # packets
ROUND = 16  # packets after which a continuity counter has its value again
PES_HEADER = 20  # payload bytes to leave alone, so that damage is inside the picture itself

Packets = tuple[Packet, ...]


def trunc_188_midpes(part: RecordedPart, case: Case) -> RecordedPart:
    """A slice ends at the border of a packet, inside a picture or a PES of sound."""

    def cut(segment: Segment) -> Packets:
        at = len(segment.packets) * 3 // 5
        while at < len(segment.packets) - 1 and segment.packets[at].starts:
            at += 1
        return segment.packets[:at]

    return _packets(part, case, cut)


def trunc_at_pes(part: RecordedPart, case: Case) -> RecordedPart:
    """A slice ends too early, behind a whole PES: nothing of it is torn."""

    def cut(segment: Segment) -> Packets:
        at = len(segment.packets) * 3 // 5
        while at < len(segment.packets) - 1 and not segment.packets[at].starts:
            at += 1
        return segment.packets[:at]

    return _packets(part, case, cut)


def head_cut(part: RecordedPart, case: Case) -> RecordedPart:
    """The first two fifths of a slice are missing, up to the border of a packet."""
    return _packets(part, case, lambda s: s.packets[len(s.packets) * 2 // 5 :])


def lost_5_packets(part: RecordedPart, case: Case) -> RecordedPart:
    """Five packets in a row are missing inside a slice."""
    return _packets(part, case, lambda segment: _dropped(segment, _run(segment, case, 5)))


def lost_16_video_packets(part: RecordedPart, case: Case) -> RecordedPart:
    """Sixteen packets of one picture: the continuity counter comes round to where it was."""

    def drop(segment: Segment) -> Packets:
        inside = _inside_a_picture(segment, case, 17)
        return _dropped(segment, inside[:16])

    return _packets(part, case, drop)


def lost_16_audio_packets(part: RecordedPart, case: Case) -> RecordedPart:
    """Sixteen packets of sound in a row: the continuity counter comes round to where it was."""

    def drop(segment: Segment) -> Packets:
        sound = _sound(segment, case, ROUND + 2)
        begin = case.dice.randrange(1, len(sound) - ROUND)
        return _dropped(segment, sound[begin : begin + ROUND])

    return _packets(part, case, drop)


def lost_sound_pes(part: RecordedPart, case: Case) -> RecordedPart:
    """A whole PES of sound is missing, one of sixteen packets if there is any (long_sound_pes)."""

    def drop(segment: Segment) -> Packets:
        sound = _sound(segment, case, 3)
        begins = [at for at, k in enumerate(sound) if segment.packets[k].starts]
        found = [sound[a:b] for a, b in pairwise(begins)][1:]
        if not found:
            raise UsageError(f"{case.fault}: {segment.name} has too little sound")
        full = [pes for pes in found if len(pes) == ROUND]
        return _dropped(segment, case.dice.choice(full or found))

    return _packets(part, case, drop)


def sound_garbage(part: RecordedPart, case: Case) -> RecordedPart:
    """From the middle of a slice on, what its packets of sound hold is no sound."""

    def spoil(segment: Segment) -> Packets:
        sound = _sound(segment, case, 4)
        half = sound[len(sound) // 2 :]
        return _changed(segment, half, lambda _, p: _spoilt(p, case))

    return _packets(part, case, spoil)


def bitflip_header(part: RecordedPart, case: Case) -> RecordedPart:
    """Bits of three packet headers are flipped."""

    def flip(segment: Segment) -> Packets:
        media = [k for k, p in enumerate(segment.packets) if p.units]
        masks = (0x40000000, 0x00800000, 0x00000005)  # sync byte, transport error, counter
        hit = dict(zip(case.dice.sample(media, len(masks)), masks, strict=True))
        return _changed(segment, hit.keys(), lambda k, p: _masked(p, hit[k]))

    return _packets(part, case, flip)


def bitflip_video_payload(part: RecordedPart, case: Case) -> RecordedPart:
    """Bits inside a picture are flipped; nothing of the transport is."""

    def flip(segment: Segment) -> Packets:
        (hit,) = _inside_a_picture(segment, case, 3)[1:2]
        return _changed(segment, {hit}, lambda _, p: _flipped(p, case))

    return _packets(part, case, flip)


def zero_filled_64k(part: RecordedPart, case: Case) -> RecordedPart:
    """A block of 64 KiB, or a third of the slice if that is less, holds zeros."""

    def fill(segment: Segment) -> Packets:
        count = len(segment.packets)
        length = min(BLOCK // SIZE, count // 3)
        begin = case.dice.randrange(count // 3, count // 2)
        hit = range(begin, begin + length)
        return _changed(segment, hit, lambda _, p: replace(p, data=bytes(SIZE), intact=False))

    return _packets(part, case, fill)


def seg_without_key(part: RecordedPart, case: Case) -> RecordedPart:
    """The first key picture of a slice is missing."""

    def drop(segment: Segment) -> Packets:
        first = next((n for n, u in enumerate(segment.units) if u.key), None)
        if first is None:
            raise UsageError(f"{case.fault}: there are no pictures")
        return _dropped(segment, _of(segment, {first}))

    return _packets(part, case, drop, inner=True)


def starts_without_key(part: RecordedPart, case: Case) -> RecordedPart:
    """The first ten pictures are missing, or fewer: the rest of a group of pictures is left."""
    segment = part.segments[0]
    pictures = [n for n, u in enumerate(segment.units) if u.stream == "video"]
    group = [n for n in pictures[1:] if segment.units[n].key]
    first = [n for n in pictures if not group or n < group[0]][:-1][:10]
    if not first:
        raise UsageError(f"{case.fault}: there are no pictures")
    cut = replace(segment, packets=_dropped(segment, _of(segment, set(first))))
    return part.with_segment(0, cut)


def audio_missing_one_seg(part: RecordedPart, case: Case) -> RecordedPart:
    """All sound of one slice is missing."""

    def drop(segment: Segment) -> Packets:
        sound = {n for n, u in enumerate(segment.units) if u.stream == "audio"}
        return _dropped(segment, _of(segment, sound))

    return _packets(part, case, drop)


def video_missing_one_seg(part: RecordedPart, case: Case) -> RecordedPart:
    """All pictures of one slice are missing."""

    def drop(segment: Segment) -> Packets:
        pictures = {n for n, u in enumerate(segment.units) if u.stream == "video"}
        return _dropped(segment, _of(segment, pictures))

    return _packets(part, case, drop)


def psi_missing_in_seg(part: RecordedPart, case: Case) -> RecordedPart:
    """A slice has no tables (PAT, PMT)."""
    return _packets(part, case, lambda s: tuple(p for p in s.packets if p.units), inner=True)


def psi_missing_in_first(part: RecordedPart, case: Case) -> RecordedPart:
    """The first slice has no tables."""
    segment = part.segments[0]
    media = tuple(p for p in segment.packets if p.units)
    return part.with_segment(0, replace(segment, packets=media))


def scrambled_bits(part: RecordedPart, case: Case) -> RecordedPart:
    """A stretch of packets is marked as scrambled."""

    def mark(segment: Segment) -> Packets:
        media = [k for k, p in enumerate(segment.packets) if p.units]
        begin = len(media) // 3
        hit = media[begin : begin + max(2, len(media) // 10)]
        return _changed(segment, hit, lambda _, p: _masked(p, 0x000000C0))

    return _packets(part, case, mark)


def null_packets_added(part: RecordedPart, case: Case) -> RecordedPart:
    """Null packets stand in between, as from a constant bit rate."""
    null = Packet(bytes((0x47, NULL >> 8, NULL & 0xFF, 0x10)).ljust(SIZE, b"\xff"))
    return _packets(part, case, lambda s: tuple(q for p in s.packets for q in (p, null)), free=True)


def legal_dup_packet(part: RecordedPart, case: Case) -> RecordedPart:
    """Packets are sent twice, which is allowed."""
    return _packets(part, case, lambda s: _repeated(s, case, 2), free=True)


def triple_packet(part: RecordedPart, case: Case) -> RecordedPart:
    """A packet is sent three times, which is not."""
    return _packets(part, case, lambda s: _repeated(s, case, 3), free=True)


def resent_packets(part: RecordedPart, case: Case) -> RecordedPart:
    """Forty packets or some more are sent again behind themselves; no counter comes round."""

    def again(segment: Segment) -> Packets:
        run = _run(segment, case, RANGE)
        while any(n % 16 == 0 for n in Counter(segment.packets[k].pid for k in run).values()):
            if run.stop == len(segment.packets):
                raise UsageError(f"{case.fault}: {segment.name} has too few packets; name a longer")
            run = range(run.start, run.stop + 1)
        copied = segment.packets[run.start : run.stop]
        return (*segment.packets[: run.stop], *copied, *segment.packets[run.stop :])

    return _packets(part, case, again, free=True)


def resent_16_packets(part: RecordedPart, case: Case) -> RecordedPart:
    """Sixteen packets of a picture are sent once more behind themselves; no counter tells."""

    def again(segment: Segment) -> Packets:
        inside = _inside_a_picture(segment, case, ROUND + 1)[:ROUND]
        copied = tuple(segment.packets[k] for k in inside)
        behind = inside[-1] + 1
        return (*segment.packets[:behind], *copied, *segment.packets[behind:])

    return _packets(part, case, again, free=True)


def _packets(
    part: RecordedPart,
    case: Case,
    change: Callable[[Segment], Packets],
    *,
    inner: bool = False,
    free: bool = False,
) -> RecordedPart:
    """One segment with other packets; what takes nothing away leaves it ``free`` for more."""
    n = case.pick(part, inner=inner)
    segment = part.segments[n]
    if not segment.packets:
        raise UsageError(f"{case.fault}: {segment.name} is no transport stream any more")
    made = part.with_segment(n, replace(segment, packets=change(segment)))
    return replace(made, touched=part.touched) if free else made


def _dropped(segment: Segment, which: Collection[int]) -> Packets:
    out = set(which)
    return tuple(p for k, p in enumerate(segment.packets) if k not in out)


def _changed(
    segment: Segment, which: Collection[int], change: Callable[[int, Packet], Packet]
) -> Packets:
    return tuple(change(k, p) if k in which else p for k, p in enumerate(segment.packets))


def _of(segment: Segment, units: Collection[int]) -> list[int]:
    """Packets that carry one of these units."""
    return [k for k, p in enumerate(segment.packets) if any(n in units for n in p.units)]


def _run(segment: Segment, case: Case, length: int) -> range:
    """As many packets in a row, away from both ends."""
    count = len(segment.packets)
    begin = case.dice.randrange(count // 4, max(count // 4 + 1, count * 3 // 4 - length))
    return range(begin, min(begin + length, count))


def _inside_a_picture(segment: Segment, case: Case, length: int) -> list[int]:
    """Packets of one picture that has so many, without its first."""
    large = [
        n for n, u in enumerate(segment.units) if u.stream == "video" and segment.needs[n] > length
    ]
    if not large:
        raise UsageError(f"{case.fault}: no picture has {length} packets; record a larger --size")
    return _of(segment, {case.dice.choice(large)})[1:]


def _sound(segment: Segment, case: Case, least: int) -> list[int]:
    """Packets that carry sound."""
    found = _of(segment, {n for n, u in enumerate(segment.units) if u.stream == "audio"})
    if len(found) < least:
        raise UsageError(f"{case.fault}: {segment.name} has too little sound")
    return found


def _spoilt(packet: Packet, case: Case) -> Packet:
    """The same header, or that of a PES as well, and chance behind it."""
    at = 4 + (1 + packet.data[4] if packet.data[3] & 0x20 else 0)
    at += PES_HEADER if packet.starts else 0
    data = packet.data[:at] + case.dice.randbytes(SIZE)
    return replace(packet, data=data[:SIZE], intact=False)


def _masked(packet: Packet, mask: int) -> Packet:
    header = int.from_bytes(packet.data[:4], "big") ^ mask
    return replace(packet, data=header.to_bytes(4, "big") + packet.data[4:], intact=False)


def _flipped(packet: Packet, case: Case) -> Packet:
    data = bytearray(packet.data)
    for at in case.dice.sample(range(PES_HEADER, SIZE), 20):
        data[at] ^= 1 << case.dice.randrange(8)
    return replace(packet, data=bytes(data), intact=False)


def _repeated(segment: Segment, case: Case, times: int) -> Packets:
    media = [k for k, p in enumerate(segment.packets) if p.units and not p.starts]
    which = set(case.dice.sample(media, min(3, len(media))))
    return tuple(
        p
        for k, packet in enumerate(segment.packets)
        for p in [packet] * (times if k in which else 1)
    )
