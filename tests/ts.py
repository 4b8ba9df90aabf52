"""Transport streams from nothing: packets, tables, PES, H.264, AAC, whole segments.

Everything is written from the standards and shares no code with the package.  The same arguments
give the same bytes.  What :func:`segment` makes can be decoded: grey pictures and silence.
"""

import functools
import itertools
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence

PACKET = 188
VIDEO, AUDIO, PMT, NULL = 0x100, 0x101, 0x1000, 0x1FFF
H264, HEVC, AAC = 0x1B, 0x24, 0x0F  # stream_type
HZ = 90_000
PICTURE = 6000  # ticks: 15 pictures a second
FRAME = 1920  # ticks: 1024 samples of 48 kHz
START = 126_000  # where ffmpeg begins

RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)

# pictures of 16x16, as x264 writes them
SPS = bytes.fromhex("6742c00aa6117b011000000300100000030140f1226118")
PPS = bytes.fromhex("68c8420392c8")
AUD = bytes.fromhex("09f0")
IDR = bytes.fromhex(
    "6588820ae18981543d976e9b75554656169a30600c61a8502064a9483636cc5a22b248129f1cfd0a6e3b4134"
)


# --- packets -----------------------------------------------------------------------------------


def packet(
    pid: int,
    payload: bytes,
    counter: int,
    *,
    start: bool = False,
    pcr: int | None = None,
    discontinuity: bool = False,
    key: bool = False,
) -> bytes:
    """One packet; what the payload does not fill is stuffing in the adaptation field."""
    flags = discontinuity << 7 | key << 6 | (pcr is not None) << 4
    field = b"" if pcr is None else struct.pack(">IH", pcr >> 1, (pcr & 1) << 15 | 0x7E00)
    spare = PACKET - 4 - len(payload)
    if flags or spare > 1:
        stuffing = spare - 2 - len(field)
        if stuffing < 0:
            raise ValueError(f"{len(payload)} bytes do not fit")
        field = bytes((spare - 1, flags)) + field + b"\xff" * stuffing
    else:
        field = bytes(spare)  # a length of 0, or no field
    control = (bool(field) << 5) | (bool(payload) << 4)
    head = struct.pack(">BHB", 0x47, start << 14 | pid, control | counter & 15)
    return head + field + payload


def packets(
    pid: int,
    unit: bytes,
    counter: int,
    *,
    pcr: int | None = None,
    discontinuity: bool = False,
    key: bool = False,
) -> list[bytes]:
    """A PES or section over as many packets as it takes; the extras belong to the first."""
    room = 184 - (2 + 6 * (pcr is not None) if pcr is not None or discontinuity or key else 0)
    first = packet(
        pid, unit[:room], counter, start=True, pcr=pcr, discontinuity=discontinuity, key=key
    )
    rest = (unit[at : at + 184] for at in range(room, len(unit), 184))
    return [first, *(packet(pid, piece, counter + n) for n, piece in enumerate(rest, 1))]


# --- tables ------------------------------------------------------------------------------------


def crc32(data: bytes) -> int:
    """ISO/IEC 13818-1 Annex A, bit by bit."""
    crc = 0xFFFFFFFF
    for byte in data:
        for bit in range(7, -1, -1):
            top = crc >> 31 ^ byte >> bit & 1
            crc = crc << 1 & 0xFFFFFFFF ^ (0x04C11DB7 if top else 0)
    return crc


def section(
    table: int, number: int, body: bytes, *, version: int = 0, current: bool = True
) -> bytes:
    """A long section with its checksum (2.4.4.11)."""
    head = struct.pack(
        ">BHHBBB", table, 0xB000 | 9 + len(body), number, 0xC0 | version << 1 | current, 0, 0
    )
    return head + body + struct.pack(">I", crc32(head + body))


def pat(programs: Mapping[int, int] | None = None) -> bytes:
    """A PAT of programs by number: the PID of each PMT."""
    programs = {1: PMT} if programs is None else programs
    return section(0, 1, b"".join(struct.pack(">HH", n, 0xE000 | p) for n, p in programs.items()))


def pmt(
    streams: Mapping[int, int],
    *,
    pcr_pid: int = VIDEO,
    descriptors: Mapping[int, bytes] | None = None,
    info: bytes = b"",
    version: int = 0,
    current: bool = True,
) -> bytes:
    """A PMT of streams: the stream_type by PID."""
    body = struct.pack(">HH", 0xE000 | pcr_pid, 0xF000 | len(info)) + info
    for pid, kind in streams.items():
        said = (descriptors or {}).get(pid, b"")
        body += struct.pack(">BHH", kind, 0xE000 | pid, 0xF000 | len(said)) + said
    return section(2, 1, body, version=version, current=current)


def table_packets(pid: int, table: bytes, counter: int = 0, *, pointer: bytes = b"") -> list[bytes]:
    """A section over as many packets as it takes; ``pointer`` bytes stand in front of it."""
    unit = bytes((len(pointer),)) + pointer + table
    return packets(pid, unit + b"\xff" * (-len(unit) % 184), counter)


# --- elementary streams ------------------------------------------------------------------------


def stamp(value: int, prefix: int) -> bytes:
    """A PTS or DTS field (2.4.3.7)."""
    value %= 1 << 33
    bits = f"{prefix:04b}{value >> 30:03b}1{value >> 15 & 0x7FFF:015b}1{value & 0x7FFF:015b}1"
    return int(bits, 2).to_bytes(5, "big")


def pes(stream_id: int, es: bytes, pts: int | None = None, dts: int | None = None) -> bytes:
    """A PES packet; only video leaves its length open."""
    if pts is None:
        flags, fields = 0x00, b""
    elif dts is None:
        flags, fields = 0x80, stamp(pts, 2)
    else:
        flags, fields = 0xC0, stamp(pts, 3) + stamp(dts, 1)
    length = 0 if 0xE0 <= stream_id <= 0xEF else 3 + len(fields) + len(es)
    return (
        b"\0\0\1" + struct.pack(">BHBBB", stream_id, length, 0x80, flags, len(fields)) + fields + es
    )


@functools.lru_cache(8192)  # most tests ask for the same
def noise(size: int, seed: int = 0) -> bytes:
    """Bytes that look like compressed media, without 0x00, 0x47 and 0xFF."""
    state = (seed * 2654435761 + 12345) & 0xFFFFFFFF
    out = bytearray()
    while len(out) < size:
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        out += bytes((state >> 24,)) if state >> 24 not in (0, 0x47, 0xFF) else b""
    return bytes(out)


def nal(kind: int, size: int = 60, *, first_mb: int = 0, seed: int = 0) -> bytes:
    """An H.264 unit of noise; a slice begins at the macroblock ``first_mb``, up to 6."""
    return bytes((0x60 | kind, (0x88, 0x4C, 0x6C, 0x24, 0x2C, 0x34, 0x3C)[first_mb])) + noise(
        size - 2, seed
    )


def sei(size: int, seed: int = 0) -> bytes:
    """An SEI message of noise (H.264 clause D.1.7), by which equal pictures can be told apart."""
    more, rest = divmod(16 + size, 255)
    return b"\x06\x05" + b"\xff" * more + bytes((rest,)) + noise(16 + size, seed) + b"\x80"


def annex_b(nals: Iterable[bytes], codes: Sequence[int] = (4,)) -> bytes:
    """NAL units behind start codes of 3 or 4 bytes; the last length is that of all that follow."""
    lengths = itertools.chain(codes, itertools.repeat(codes[-1]))
    return b"".join(b"\1".rjust(n, b"\0") + unit for n, unit in zip(lengths, nals, strict=False))


def picture_nals(
    number: int = 0, *, aud: bool = True, slices: int = 1, size: int = 60, seed: int = 0
) -> list[bytes]:
    """The units of a picture ``number`` after its key picture, an SEI of ``size`` bytes among them.

    A picture of more than one slice cannot be decoded: it has but one macroblock.
    """
    frame = bytes((0x41, 0x9A | number >> 4 & 1, number << 4 & 0xF0 | 12, 0x19, 0xD4))
    one = IDR if number == 0 else frame
    more = [nal(one[0] & 31, first_mb=n, seed=seed + n) for n in range(1, slices)]
    return [AUD] * aud + [SPS, PPS] * (number == 0) + [sei(size, seed), one, *more]


def access_unit(
    number: int = 0,
    *,
    aud: bool = True,
    slices: int = 1,
    size: int = 60,
    seed: int = 0,
    codes: Sequence[int] = (4,),
) -> bytes:
    """One picture as a byte stream: the units of :func:`picture_nals` behind start codes."""
    return annex_b(picture_nals(number, aud=aud, slices=slices, size=size, seed=seed), codes)


@functools.lru_cache(8192)
def silence(size: int, seed: int = 0) -> bytes:
    """A silent mono AAC frame of 20 to 275 bytes, mostly a fill element (ISO/IEC 14496-3)."""
    channel = f"000 0000 {100:08b} 0 00 0 000000 0 0 0 0"
    fill = "".join(f"{byte:08b}" for byte in b"\0" + noise(size - 7, seed))
    bits = f"{channel} 110 1111 {size - 20:08b} {fill} 111 0".replace(" ", "")
    return int(bits, 2).to_bytes(size, "big")


def adts_frame(
    payload: bytes,
    *,
    rate: int = 48000,
    channels: int = 1,
    crc: bool = False,
    length: int | None = None,
) -> bytes:
    """An AAC LC frame behind its ADTS header; ``length`` is what the header says if it lies."""
    size = (9 if crc else 7) + len(payload) if length is None else length
    bits = f"{0xFFF:012b} 0 00 {not crc:b} 01 {RATES.index(rate):04b} 0 {channels:03b} 0000"
    bits = f"{bits} {size:013b} {0x7FF:011b} 00".replace(" ", "")
    return int(bits, 2).to_bytes(7, "big") + b"\xc5\xa3" * crc + payload


# --- segments ----------------------------------------------------------------------------------


def segment(
    *,
    start: int = START,
    pictures: int = 15,
    gop: int = 15,
    size: int = 300,
    frames_per_pes: int = 4,
    delay: int | None = None,
    video: int | None = VIDEO,
    audio: int | None = AUDIO,
    pmt_pid: int = PMT,
    counters: dict[int, int] | None = None,
    codes: Sequence[int] = (4,),
) -> bytes:
    """A segment of ``pictures`` at 15 Hz from DTS ``start`` on, beside them mono AAC of 48 kHz.

    Video carries a DTS as well where its PTS is a ``delay`` later.

    Segments follow one another without a gap when each starts where the last one ended and all
    share the ``counters`` (the next continuity_counter by PID), which are updated.
    """
    counters = {} if counters is None else counters
    streams = {pid: kind for pid, kind in ((video, H264), (audio, AAC)) if pid is not None}
    first = video if video is not None else audio
    out: list[bytes] = []
    for pid, table in ((0, pat({1: pmt_pid})), (pmt_pid, pmt(streams, pcr_pid=first or NULL))):
        out += _counted(counters, pid, table_packets(pid, table))
    units: list[tuple[int, int, bytes, bool]] = []
    if video is not None:
        times = range(start, start + pictures * PICTURE, PICTURE)
        units += _pictures(video, times, gop, delay, size, codes)
    if audio is not None:
        # on a grid from tick 0 on, so that segments fit together
        times = range(-(-start // FRAME) * FRAME, start + pictures * PICTURE, FRAME)
        units += _sound(audio, times, frames_per_pes)
    for dts, pid, unit, key in sorted(units):
        pcr = (dts - HZ // 2) % (1 << 33) if pid == first else None
        out += _counted(counters, pid, packets(pid, unit, 0, pcr=pcr, key=key))
    return b"".join(out)


def _counted(counters: dict[int, int], pid: int, made: Iterable[bytes]) -> Iterator[bytes]:
    for one in made:
        counter = counters.get(pid, 0)
        counters[pid] = counter + 1 & 15
        yield one[:3] + bytes((one[3] & 0xF0 | counter,)) + one[4:]


def _pictures(
    pid: int, times: Sequence[int], gop: int, delay: int | None, size: int, codes: Sequence[int]
) -> Iterator[tuple[int, int, bytes, bool]]:
    for n, dts in enumerate(times):
        es = access_unit(n % gop, size=size + 7 * (n % 5), seed=dts, codes=codes)
        stamps = (dts,) if delay is None else (dts + delay, dts)
        yield dts, pid, pes(0xE0, es, *stamps), n % gop == 0


def _sound(
    pid: int, times: Sequence[int], frames_per_pes: int
) -> Iterator[tuple[int, int, bytes, bool]]:
    for at in range(0, len(times), frames_per_pes):
        group = times[at : at + frames_per_pes]
        es = b"".join(adts_frame(silence(40 + t // FRAME % 9, seed=t)) for t in group)
        yield group[0], pid, pes(0xC0, es, group[0]), False


def headless(data: bytes, pictures: int = 1) -> bytes:
    """A segment without its first pictures; its sound stays."""
    made = [data[at : at + PACKET] for at in range(0, len(data), PACKET)]
    seen, kept = 0, []
    for one in made:
        video = (one[1] & 0x1F) << 8 | one[2] == VIDEO
        seen += video and bool(one[1] & 0x40)
        kept += [one] if not video or seen > pictures else []
    return b"".join(kept)
