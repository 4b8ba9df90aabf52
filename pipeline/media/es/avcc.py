"""avcC and hvcC: the parameter sets of H.264 and H.265 in the sample entry of MP4 (ISO/IEC 14496-15
clauses 5.3.3 and 8.3.3).
"""

from collections.abc import Collection, Iterator, Sequence

from msgspec import Struct

from pipeline.media.es.nal import AVC
from pipeline.media.es.sps import depths
from pipeline.media.malformed import Malformed

MOST_SPS, MOST_PPS = 31, 255  # in an avcC: 5 bits, 8 bits


class Record(Struct, frozen=True):
    """What avcC or hvcC holds."""

    sets: tuple[bytes, ...]  # NAL units; of hvcC with SEI among them
    width: int  # bytes of the length in front of each NAL unit of a sample


def read_avcc(avcc: bytes) -> Record:
    """The SPS, then the PPS of an avcC (clause 5.3.3.1); Malformed if it is none or cut short."""
    if len(avcc) < 7 or avcc[0] != 1:
        raise Malformed(f"avcC: {len(avcc)} bytes that begin {avcc[:1].hex()}, expected 7 and 01")
    sets: list[bytes] = []
    at = 5
    for mask in (0x1F, 0xFF):
        count = avcc[at] & mask if at < len(avcc) else 256
        found = list(_units("avcC", avcc, at + 1, count))
        sets += found
        at += 1 + sum(2 + len(unit) for unit in found)
    return Record(tuple(sets), avcc[4] % 4 + 1)


def read_hvcc(hvcc: bytes) -> Record:
    """Parameter sets and SEI of an hvcC (clause 8.3.3.1); Malformed if it is none or cut short."""
    if len(hvcc) < 23 or hvcc[0] != 1:
        raise Malformed(f"hvcC: {len(hvcc)} bytes that begin {hvcc[:1].hex()}, expected 23 and 01")
    sets: list[bytes] = []
    at = 23
    for _ in range(hvcc[22]):
        count = int.from_bytes(hvcc[at + 1 : at + 3], "big")
        found = list(_units("hvcC", hvcc, at + 3, count))
        sets += found
        at += 3 + sum(2 + len(unit) for unit in found)
    return Record(tuple(sets), hvcc[21] % 4 + 1)


def _units(box: str, data: bytes, at: int, count: int) -> Iterator[bytes]:
    """``count`` NAL units, each behind its length of 16 bits."""
    for _ in range(count):
        length = int.from_bytes(data[at : at + 2], "big")
        unit = data[at + 2 : at + 2 + length]
        if not length or len(unit) < length:
            raise Malformed(f"{box}: parameter set of {length} bytes at {at} of {len(data)}")
        yield unit
        at += 2 + length


def avcc(config: bytes, sets: Sequence[bytes]) -> bytes:
    """The avcC of an SPS, which comes first, and all SPS and PPS among these NAL units (ISO/IEC
    14496-15 clause 5.3.3.1); lengths in samples have four bytes.  Of what has no room there, or
    cannot be read, nothing is written: a decoder tells.
    """
    own = _fitting([config, *(one for one in sets if AVC.kind(one) == AVC.sps)], MOST_SPS)
    other = _fitting([one for one in sets if AVC.kind(one) == AVC.pps], MOST_PPS)
    sps = b"".join(len(one).to_bytes(2, "big") + one for one in own)
    pps = b"".join(len(one).to_bytes(2, "big") + one for one in other)
    head = bytes((1, *config[1:4].ljust(3, b"\0"), 0xFF, 0xE0 | len(own)))
    try:
        high = depths(config)
    except ValueError:
        high = b""
    return head + sps + bytes((len(other),)) + pps + high


def _fitting(sets: Sequence[bytes], most: int) -> list[bytes]:
    """Each once, as many and as long as avcC can hold."""
    return [one for one in dict.fromkeys(sets) if len(one) < 1 << 16][:most]


def same_avcc(told: bytes, config: bytes, sets: Collection[bytes]) -> bool:
    """Whether the avcC of a result, ``told``, holds this SPS and all these sets.  Malformed
    if it cannot be read.
    """
    return {config, *sets} <= _ended(read_avcc(told).sets)


def same_hvcc(told: bytes, config: bytes, sets: Collection[bytes]) -> bool:
    """The same of an hvcC."""
    return {config, *sets} <= _ended(read_hvcc(told).sets)


def _ended(sets: Sequence[bytes]) -> set[bytes]:
    """Without zeros behind them: no NAL unit ends with one (H.264 clause 7.4.1)."""
    return {one.rstrip(b"\0") for one in sets}
