"""ADTS: AAC frames behind headers of their own (ISO/IEC 14496-3 clause 1.A.2, ISO/IEC 13818-7
clause 6.2).  The only place that knows its bits.

A stream's configuration is the fixed part of its headers, as :func:`fixed_part` has it.
"""

import re
from functools import lru_cache

import numpy as np
from msgspec import Struct

from pipeline.media.clock import HZ, Bytes, Index, Mask
from pipeline.media.es.audio_config import RATES, audio_object
from pipeline.media.malformed import Malformed

SAMPLES = 1024  # per channel of a frame
HEADER = 7  # bytes; two more where a CRC stands in it
LONGEST = 1 << 13  # bytes: aac_frame_length has 13 bits
# What a decoder needs of the first four bytes: syncword and layer, profile,
# sampling_frequency_index, channel_configuration.  ID, protection_absent, private_bit,
# original_copy and home say nothing of the sound.
_NEEDED = bytes((0xFF, 0xF6, 0xFD, 0xC0))
SIGNATURE = rb"\xff[\xf0\xf1\xf8\xf9]"  # pattern of the two bytes headers begin with
_HEADER = re.compile(SIGNATURE + rb".{5}", re.DOTALL)


class AdtsHeader(Struct, frozen=True):
    """What a header says of the sound."""

    object_type: int  # profile + 1 (ISO/IEC 14496-3 Table 1.17)
    rate: int  # Hz; for HE-AAC that of the core
    channels: int  # channel_configuration (Table 1.19): 7 means eight, 0 that the stream says

    @property
    def ticks(self) -> float:
        """Ticks of 90 kHz a frame lasts."""
        return SAMPLES * HZ / self.rate

    @property
    def fixed_part(self) -> bytes:
        """Its first four bytes, as MPEG-4 without CRC; ValueError for a rate not in the table."""
        profile, rate = self.object_type - 1, RATES.index(self.rate)
        return bytes(
            (0xFF, 0xF1, profile << 6 | rate << 2 | self.channels >> 2, (self.channels & 3) << 6)
        )


def read(head: bytes) -> AdtsHeader:
    """A header by its first four bytes, which :func:`fixed_part` has found to be one."""
    return _read(bytes(head[2:4]))


@lru_cache
def _read(bits: bytes) -> AdtsHeader:
    channels = (bits[0] & 1) << 2 | bits[1] >> 6
    return AdtsHeader((bits[0] >> 6) + 1, RATES[bits[0] >> 2 & 15], channels)


def of_asc(asc: bytes) -> AdtsHeader:
    """The header ADTS has where MP4 has this AudioSpecificConfig; Malformed if that is damaged or
    no ADTS header can express it.
    """
    kind, rate, channels = audio_object(asc)
    layout = {**{n: n for n in range(1, 7)}, 8: 7}.get(channels)
    if not 1 <= kind <= 4 or rate not in RATES or layout is None:
        detail = f"AAC of object type {kind}, {rate} Hz, {channels} channels"
        raise Malformed(f"{detail} has no ADTS header: not supported yet")
    return AdtsHeader(kind, rate, layout)


def fixed_part(es: bytes) -> bytes | None:
    """The fixed part, four bytes, of the header that ``es`` begins with, as MPEG-4 without CRC and
    with all bits cleared that say nothing of the sound; None if there is no header.
    """
    if len(es) < HEADER or not begins(es[:2], b"\xff\xf0") or es[2] >> 2 & 15 >= len(RATES):
        return None
    return bytes((0xFF, 0xF1, es[2] & _NEEDED[2], es[3] & _NEEDED[3]))


def first_fixed_part(es: bytes) -> bytes | None:
    """The fixed part of the first header, at any offset; None if there is none."""
    found = (fixed_part(header[0]) for header in _HEADER.finditer(es))
    return next((one for one in found if one), None)


def begins(head: bytes | bytearray, config: bytes) -> bool:
    """Whether bytes begin, as far as they go, a header of this configuration."""
    return all(not (a ^ b) & bits for a, b, bits in zip(head, config, _NEEDED, strict=False))


def goes_on(rest: bytes | bytearray, config: bytes) -> bool:
    """Whether these bytes may be the beginning of a frame that is longer than they are."""
    if not begins(rest[:4], config):
        return False
    return len(rest) < 6 or len(rest) < _length(rest, 0)


def _length(es: bytes | bytearray, at: int) -> int:
    """aac_frame_length of the header that stands there: bytes, with the header."""
    return (es[at + 3] & 3) << 11 | es[at + 4] << 3 | es[at + 5] >> 5


def framed(config: bytes, raw: bytes) -> bytes:
    """A raw frame behind a header of seven bytes; Malformed if it is too long for one."""
    size = len(raw) + HEADER
    if size >= LONGEST:
        most = LONGEST - 1 - HEADER
        raise Malformed(f"a frame of sound of {len(raw)} bytes, at most {most}")
    variable = (config[3] & 0xC0 | size >> 11, size >> 3 & 0xFF, (size & 7) << 5 | 0x1F, 0xFC)
    return config[:3] + bytes(variable) + raw


def raw(frame: bytes) -> bytes:
    """A frame without its header and CRC."""
    return frame[HEADER if frame[1] & 1 else HEADER + 2 :]


def count(es: bytes) -> int:
    """How many whole frames a PES has, from the first that begins in it."""
    found, at = 0, _first_frame(es)
    while at + HEADER <= len(es) and es[at] == 0xFF:
        length = _length(es, at)
        found += at + length <= len(es)
        at += max(length, HEADER)
    return found


def _first_frame(es: bytes) -> int:
    """Where a header stands behind whose frame another one like it, or the end, follows: a PES may
    begin inside a frame.
    """
    at = es.find(0xFF)
    while 0 < at <= min(len(es) - HEADER, LONGEST):
        header, then = fixed_part(es[at : at + HEADER]), at + _length(es, at)
        if header and at + HEADER < then <= len(es) and begins(es[then : then + 4], header):
            return at
        at = es.find(0xFF, at + 1)
    return 0


def alike(es: bytes, begin: int = 0, until: int | None = None) -> tuple[int, int]:
    """How many frames in a row have the fixed part of the first, and the offset behind the last;
    from the offset ``begin`` on, only frames that begin before ``until``.
    """
    config = fixed_part(es[begin : begin + HEADER])
    until = len(es) if until is None else until
    found, at = 0, begin
    while at < until and config is not None and fixed_part(es[at : at + HEADER]) == config:
        at += max(_length(es, at), HEADER)
        found += 1
    return found, at


def chain(es: bytes, config: bytes) -> list[tuple[int, int]]:
    """Offset and length with header, in bytes, of every frame of this configuration behind which
    another one or the end follows.
    """
    found: list[tuple[int, int]] = []
    at = 0
    while at + HEADER <= len(es):
        length = _length(es, at)
        after = es[at + length : at + length + 4]
        whole = begins(es[at : at + 4], config) and length > HEADER and at + length <= len(es)
        if whole and begins(after, config):
            found.append((at, length))
            at += length
            continue
        at = _next_header(es, at + 1, config)
    return found


def _next_header(es: bytes, at: int, config: bytes) -> int:
    """Where the next one may begin; the end if none does."""
    at = es.find(0xFF, at)
    while at >= 0 and not begins(es[at : at + 4], config):
        at = es.find(0xFF, at + 1)
    return at if at >= 0 else len(es)


def synced(heads: Bytes) -> Mask:
    """Which heads, uint8[n, 4], begin with a syncword (ISO/IEC 14496-3 clause 1.A.2.2.1)."""
    found: Mask = (heads[:, 0] == 0xFF) & (heads[:, 1] & 0xF6 == 0xF0)
    return found


def needed(heads: Bytes) -> Bytes:
    """Heads, uint8[n, 4], with only the bits that a decoder needs, the others cleared."""
    return heads & np.frombuffer(_NEEDED, np.uint8)


class Frames(Struct, frozen=True, eq=False):
    """ADTS frames in one unbroken chain from the first byte; all arrays are intp[frames], bytes."""

    begin: Index  # offsets
    length: Index  # with header
    header: Index  # bytes of each header: a CRC may come and go

    @property
    def end(self) -> int:
        """Offset of the first byte behind the last whole frame; 0 without one."""
        return int(self.begin[-1] + self.length[-1]) if len(self.begin) else 0


def frames(es: Bytes, config: bytes) -> Frames:
    """Whole frames of one configuration in uint8[bytes], from the first byte to where the chain
    ends.  Never raises for what the bytes hold.
    """
    begin = np.flatnonzero(es[: max(0, len(es) - 6)] == 0xFF)
    for place in (1, 2, 3):
        begin = begin[(es[begin + place] ^ config[place]) & _NEEDED[place] == 0]
    length = _lengths(es, begin)
    whole = length >= _headers(es, begin)
    begin, length = begin[whole], length[whole]
    if not _chained(begin, length, len(es)):
        begin = _walk(begin, length, len(es))
        length = _lengths(es, begin)
    return Frames(begin, length, _headers(es, begin))


def _headers(es: Bytes, begin: Index) -> Index:
    """Bytes of each header: the CRC stands in it where protection_absent is 0."""
    return np.where(es[begin + 1] & 1, HEADER, HEADER + 2)


def _lengths(es: Bytes, begin: Index) -> Index:
    high, middle, low = (es[begin + place].astype(np.intp) for place in (3, 4, 5))
    return (high & 3) << 11 | middle << 3 | low >> 5


def _chained(begin: Index, length: Index, size: int) -> bool:
    if not len(begin) or begin[0] != 0:
        return False
    ends = begin + length
    return int(ends[-1]) == size and bool((begin[1:] == ends[:-1]).all())


def _walk(begin: Index, length: Index, size: int) -> Index:
    """Follow the chain from the first byte; false sync words and a cut frame fall out."""
    following = dict(zip(begin.tolist(), (begin + length).tolist(), strict=True))
    at, chained = 0, []
    while at < following.get(at, 0) <= size:
        chained.append(at)
        at = following[at]
    return np.array(chained, np.intp)
