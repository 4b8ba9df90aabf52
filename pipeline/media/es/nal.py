"""NAL units of a byte stream (H.264 Annex B), or behind their lengths (ISO/IEC 14496-15): where
they begin and end, their types, and which open an access unit.

A whole stream is read into columns (:func:`nals`), the beginning of a PES into the units themselves
(:func:`nal_units`): for so few bytes numpy takes longer to start than plain Python to finish.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from pipeline.media.clock import Bytes, Index, Mask
from pipeline.media.malformed import Malformed


class NalSyntax(Struct, frozen=True):
    """How the first bytes of a NAL unit are read; all types are nal_unit_type."""

    header: int  # bytes in front of the payload
    shift: int  # of the first byte, to nal_unit_type
    mask: int  # of the bits that are nal_unit_type, after the shift
    delimiter: int  # type that only opens an access unit
    pictures: tuple[int, int]  # types of coded slices
    openers: frozenset[int]  # types that open an access unit once a picture stands before them
    first: int  # the byte whose top bit marks the first slice of a picture
    key: frozenset[int]  # types that only a key picture has
    sets: frozenset[int]  # parameter sets
    sps: int
    pps: int
    numbered: bool = False  # a slice says at which macroblock it begins
    apart: bool = False  # MP4 has parameter sets in the sample entry alone

    def kind(self, unit: bytes) -> int:
        """nal_unit_type of a unit; IndexError if it is empty."""
        return unit[0] >> self.shift & self.mask

    def kinds(self, first: Bytes) -> NDArray[np.uint8]:
        """nal_unit_type of many units, uint8[n], by the first byte of each."""
        return first >> np.uint8(self.shift) & np.uint8(self.mask)

    def is_picture(self, unit: bytes) -> bool:
        """Whether a unit is a coded slice of a picture."""
        return self.pictures[0] <= self.kind(unit) <= self.pictures[1]


# H.264 clauses 7.3.1 and 7.4.1.2.3: first_mb_in_slice 0 is one bit, 1
AVC = NalSyntax(
    1,
    0,
    31,
    9,
    (1, 5),
    frozenset({6, 7, 8, 9}),
    1,
    frozenset({5, 7}),
    frozenset({7, 8}),
    7,
    8,
    numbered=True,
)
# H.265 clauses 7.3.1.2 and 7.4.2.4.4: first_slice_segment_in_pic_flag.  Ends of a sequence (36, 37)
# close a picture; for a decoder it is the same that they open the next one, as ffmpeg has it.
HEVC_NAL = NalSyntax(
    2,
    1,
    63,
    35,
    (0, 31),
    frozenset({*range(32, 38), 39, *range(41, 45), *range(48, 56)}),
    2,
    frozenset({*range(16, 24), 33}),
    frozenset({32, 33, 34}),
    33,
    34,
    apart=True,
)
HEVC_INSIDE = replace(HEVC_NAL, apart=False)


class Nals(Struct, frozen=True, eq=False):
    """NAL units of a byte stream as columns, one row per unit; offsets are bytes in the stream."""

    begin: Index  # behind the start code
    end: Index  # in front of the next start code
    long: Mask  # the start code is preceded by a zero byte
    kind: NDArray[np.uint8]  # nal_unit_type
    picture: Mask  # coded slices
    opens: Mask  # first units of an access unit

    @property
    def pictures(self) -> tuple[Index, Index]:
        """Of every access unit that has a picture: the row of its first unit, and that of its first
        slice; intp[pictures] both.
        """
        opens, slices = np.flatnonzero(self.opens), np.flatnonzero(self.picture)
        nth = np.searchsorted(slices, opens)
        there = nth < np.append(nth[1:], len(slices))
        return opens[there], slices[nth[there]]

    def until(self, end: int) -> "Nals":
        """The units that begin before the offset ``end``; the last one ends there."""
        count = int(np.searchsorted(self.begin, end))
        ends = self.end[:count].copy()
        ends[-1:] = end
        kinds = self.long[:count], self.kind[:count], self.picture[:count], self.opens[:count]
        return Nals(self.begin[:count], ends, *kinds)


def nals(es: Bytes, syntax: NalSyntax = AVC) -> Nals:
    """NAL units of uint8[bytes] by start codes (H.264 Annex B), and where access units begin (H.264
    clause 7.4.1.2.3, H.265 clause 7.4.2.4.4).  Never raises for what the bytes hold.
    """
    codes = start_codes(es)
    codes = codes[codes + 3 < len(es)]
    long = (codes > 0) & (es[codes - 1] == 0)
    begin = codes + 3
    end = np.full(len(codes), len(es), np.intp)
    end[:-1] = codes[1:] - long[1:]
    kind = syntax.kinds(es[begin])
    low, high = syntax.pictures
    picture = (kind >= low) & (kind <= high)
    leading = among(syntax, syntax.openers)[kind]
    first = picture & (es[np.minimum(begin + syntax.first, len(es) - 1)] & 0x80 != 0)
    if syntax.numbered and (picture & ~first).any():
        first |= _beginning_again(es, begin, picture)
    return Nals(begin, end, long, kind, picture, _openings(picture, leading, first))


def start_codes(es: Bytes) -> Index:
    """Offsets, intp[codes] and rising, where 00 00 01 stands.  Two bytes are compared at a time:
    every code has either two zeros or a zero and the one at an even offset.
    """
    pairs = es[: len(es) // 2 * 2].view(np.uint16)
    even = np.flatnonzero(pairs & _ZERO_AND_BIT == 0) * 2
    one = es[even + 1] == 1
    zeros, ones = even[~one], even[one]
    zeros, ones = zeros[zeros + 2 < len(es)], ones[ones > 0]
    found: Index = np.concatenate([zeros[es[zeros + 2] == 1], ones[es[ones - 1] == 0] - 1])
    found.sort()
    return found


_ZERO_AND_BIT = np.frombuffer(b"\xff\xfe", np.uint16)[0]  # of 00 00 and 00 01 nothing is left


def _beginning_again(es: Bytes, begin: Index, picture: Mask) -> Mask:
    """Slices whose first macroblock is not behind that of the slice before: the first one of their
    picture is gone (H.264 clause 7.4.3, first_mb_in_slice).
    """
    at = np.flatnonzero(picture)
    places = np.minimum(begin[at, None] + np.arange(1, 5), len(es) - 1)
    words = es[places].astype(np.int64) @ np.array((1 << 24, 1 << 16, 1 << 8, 1), np.int64)
    zeros = 31 - np.floor(np.log2(np.maximum(words, 1))).astype(np.int64)  # of ue(v), clause 9.1
    first_mb = words >> np.maximum(0, 31 - 2 * zeros)
    again = np.zeros(len(begin), np.bool_)
    again[at[1:]] = first_mb[1:] <= first_mb[:-1]
    return again


@lru_cache
def among(syntax: NalSyntax, types: frozenset[int]) -> Mask:
    """For every nal_unit_type whether it is one of these: bool[types of the syntax]."""
    return np.isin(np.arange(syntax.mask + 1), list(types))


def _openings(picture: Mask, leading: Mask, first: Mask) -> Mask:
    """A unit opens an access unit if it can only stand first and a picture stands before it."""
    count = len(picture)
    if not count:
        return np.zeros(0, np.bool_)
    may_open = leading | first
    # Since the last opening there must have been a picture.
    place = np.arange(count)
    last_picture = np.maximum.accumulate(np.where(picture, place, -1))
    last_opener = np.maximum.accumulate(np.where(leading, place, -1))
    before_picture = np.append(-1, last_picture[:-1])
    before_opener = np.append(-1, last_opener[:-1])
    opens = may_open & (before_picture >= 0) & (before_picture > before_opener)
    opens[0] = True
    return opens


def nal_units(es: bytes) -> list[bytes]:
    """NAL units of a byte stream, from the first start code on, without zeros at their ends."""
    return [unit.rstrip(b"\0") for unit in re.split(rb"\x00\x00\x01", es)[1:]]


def length_prefixed(sample: bytes, width: int = 4) -> Iterator[tuple[int, int]]:
    """Offsets where the NAL units of a sample begin and end (ISO/IEC 14496-15 clause 5.3.4.2), each
    behind its length in ``width`` bytes; Malformed at a length of 0 or behind the sample's end.
    """
    at = 0
    while at < len(sample):
        length = int.from_bytes(sample[at : at + width], "big")
        end = at + width + length
        if not length or end > len(sample):
            raise Malformed(f"a NAL unit of {length} bytes at {at} of a sample of {len(sample)}")
        yield at + width, end
        at = end


def first_sps(es: bytes, syntax: NalSyntax) -> bytes | None:
    """The first sequence parameter set of a byte stream; None without one."""
    return next((unit for kind, unit in _kinds(es, syntax) if kind == syntax.sps), None)


def pictures(es: bytes, syntax: NalSyntax) -> int:
    """How many pictures begin in a PES; one that only goes on in it counts where it is alone."""
    slices = [unit for _, unit in _kinds(es, syntax) if syntax.is_picture(unit)]
    firsts = sum(unit[syntax.first : syntax.first + 1] >= b"\x80" for unit in slices)
    return max(firsts, min(1, len(slices)))


def is_key(es: bytes, syntax: NalSyntax) -> bool:
    """Whether an access unit has a NAL unit that only key pictures have."""
    return any(kind in syntax.key for kind, _ in _kinds(es, syntax))


def _kinds(es: bytes, syntax: NalSyntax) -> list[tuple[int, bytes]]:
    """NAL units of a byte stream with their types."""
    return [(syntax.kind(unit), unit) for unit in nal_units(es) if unit]
