"""Access units of an elementary stream, in the form in which MP4 stores them.

H.264 and H.265: every NAL unit behind its length in four bytes (ISO/IEC 14496-15 clause 5.3.4),
whatever start codes the stream used.  AAC: raw frames without their ADTS headers (ISO/IEC 14496-3
clause 1.A.2).  VP9, AV1 and Opus: as their containers have them.

Parameters everywhere: ``es`` is an elementary stream without PES headers, ``pes`` intp[PES] the
offsets in it where each PES begins, ``pts`` and ``dts`` int64[PES] their stamps, 90 kHz ticks, -1
for none.
"""

from itertools import pairwise

import numpy as np
from isal.isal_zlib import crc32
from msgspec import Struct, field
from msgspec.structs import replace
from numpy.typing import NDArray

from pipeline.media.clock import Bytes, Index, Mask, Ticks
from pipeline.media.es.adts import HEADER, Frames
from pipeline.media.es.audio_config import program_config
from pipeline.media.es.nal import AVC, Nals, NalSyntax, nals
from pipeline.media.malformed import Malformed

Sizes = NDArray[np.uint32]
ID_PCE = 5  # of a program_config_element (ISO/IEC 14496-3 Table 4.85)


def _none() -> Index:
    return np.empty(0, np.intp)


class Units(Struct, frozen=True, eq=False):
    """Access units in decoding order, one row each."""

    sizes: Sizes  # uint32[units], bytes as MP4 stores them
    pts: Ticks  # int64[units], 90 kHz ticks; -1 where the stream carries no stamp for the unit
    dts: Ticks  # the same
    digest: int  # CRC-32 of all units as MP4 stores them, one behind the other
    torn: Index  # rows in front of which media is missing
    cut: int = 0  # units that lost their end
    foreign: int = 0  # NAL units with forbidden_zero_bit set (H.264 clause 7.4.1)
    sets: frozenset[bytes] = frozenset()  # parameter sets that are not stored in the units
    data: memoryview | bytes = b""  # all as MP4 stores them
    taken: int = 0  # bytes of the elementary stream they were made of
    dropped: int = 0  # bytes of it that are in no unit
    spared: int = 0  # bytes of it that another part of the recording holds
    unfinished: bool = False  # these are the beginning of a unit behind the last one
    filled: Index = field(default_factory=_none)  # rows of silence that was put in
    ends: Index = field(default_factory=_none)  # in the elementary stream, where these are known

    @property
    def own(self) -> "Units":
        """The same without silence that was put in, and then without ``data``; the digest stays."""
        if not len(self.filled):
            return self
        real = np.ones(len(self.sizes), np.bool_)
        real[self.filled] = False
        torn = self.torn - np.searchsorted(self.filled, self.torn)
        sizes, pts, dts = self.sizes[real], self.pts[real], self.dts[real]
        return replace(
            self, sizes=sizes, pts=pts, dts=dts, torn=torn, filled=self.filled[:0], data=b""
        )


NO_UNITS = Units(
    np.empty(0, np.uint32), np.empty(0, np.int64), np.empty(0, np.int64), 0, np.empty(0, np.intp)
)


def owners(es: Bytes, pes: Index, syntax: NalSyntax) -> Index:
    """In which PES, intp[pictures], the first slice of each picture begins; -1 before the first."""
    found = nals(es, syntax)
    return np.searchsorted(pes, found.begin[found.pictures[1]] - 3, side="right") - 1


def video(
    es: Bytes,
    pes: Index,
    pts: Ticks,
    dts: Ticks,
    *,
    syntax: NalSyntax = AVC,
    found: Nals | None = None,
    in_place: bool = False,
) -> tuple[Units, list[bytes]]:
    """Units of a stream of H.264 or H.265, and every SPS in it; ``found`` are its NAL units where
    they are known already.  The stream may become the units where that is done ``in_place``.

    A stamp belongs to the first unit that commences in its PES (ISO/IEC 13818-1 clause 2.4.3.7).
    """
    found = found or nals(es, syntax)
    if not len(found.begin):
        return NO_UNITS, []
    lengths = (found.end - found.begin).astype(np.uint32)
    opens = np.flatnonzero(found.opens)
    stored = lengths + np.uint32(4)
    apart = frozenset[bytes]()
    if syntax.apart:
        away = np.isin(found.kind, list(syntax.sets))
        stored[away] = 0
        apart = frozenset(bytes(es[b:e]).rstrip(b"\0") for b, e in _spans(found, away))
    sizes = np.add.reduceat(stored, opens, dtype=np.uint32)
    stamped_pts, stamped_dts = assigned(found.begin[opens] - 3, pes, pts, dts)
    sets = [bytes(es[b:e]).rstrip(b"\0") for b, e in _spans(found, found.kind == syntax.sps)]
    foreign = int(np.count_nonzero(es[found.begin] & 0x80))
    first = int(found.begin[0]) - 3 if es[: int(found.begin[0]) - 3].any() else 0
    in_place &= bool(found.long.all())
    out, begin = (es, found.begin) if in_place else _with_long_codes(es, found)
    data = _stored(_with_lengths(out, begin, lengths), lengths, stored)
    digest = crc32(data)
    made = Units(
        sizes, stamped_pts, stamped_dts, digest, np.empty(0, np.intp), foreign=foreign, sets=apart
    )
    begins = found.begin[opens] - 3 - found.long[opens]
    ends = np.append(begins[1:], len(es))
    return replace(made, data=data, taken=len(es) - first, ends=ends), sets


def _stored(data: memoryview, lengths: Sizes, stored: Sizes) -> memoryview | bytes:
    """The units without what MP4 has in the sample entry alone."""
    if stored.all():
        return data
    ends = np.cumsum(lengths + np.uint32(4), dtype=np.int64)
    places = np.flatnonzero(stored).tolist()
    return b"".join(data[int(ends[p]) - int(stored[p]) : int(ends[p])] for p in places)


def _spans(found: Nals, which: Mask) -> list[tuple[int, int]]:
    return list(zip(found.begin[which].tolist(), found.end[which].tolist(), strict=True))


def assigned(begins: Index, pes: Index, pts: Ticks, dts: Ticks) -> tuple[Ticks, Ticks]:
    """PTS and DTS, int64[units], of units that begin at these offsets: the first that begins in a
    PES has its stamps, the others -1.
    """
    owner = np.searchsorted(pes, begins, side="right") - 1
    first = owner >= 0
    first[1:] &= owner[1:] != owner[:-1]
    if not len(pes):
        first[:] = False
        return np.full(len(begins), -1, np.int64), np.full(len(begins), -1, np.int64)
    return np.where(first, pts[owner], -1), np.where(first, dts[owner], -1)


def _with_long_codes(es: Bytes, found: Nals) -> tuple[Bytes, Index]:
    """A copy in which every start code has four bytes, and where the units begin in it."""
    short = ~found.long
    cuts = [0, *(found.begin[short] - 3).tolist(), len(es)]
    every = es.data
    out = bytearray(b"\0").join([every[a:b] for a, b in pairwise(cuts)])
    return np.frombuffer(out, np.uint8), found.begin + np.cumsum(short)


def _with_lengths(es: Bytes, begin: Index, lengths: Sizes) -> memoryview:
    """The units behind their lengths, which replace start codes of four bytes."""
    for place, shift in enumerate((24, 16, 8, 0)):
        es[begin - 4 + place] = lengths >> np.uint32(shift) & np.uint32(0xFF)
    return es[int(begin[0]) - 4 :].data


def audio(es: Bytes, found: Frames, pes: Index, pts: Ticks) -> Units:
    """Units of an AAC stream: the raw frames without headers and CRC."""
    stamped, _ = assigned(found.begin, pes, pts, pts)
    sizes = (found.length - found.header).astype(np.uint32)
    raw = np.ones(found.end, np.bool_)
    raw[(found.begin[:, None] + np.arange(HEADER)).reshape(-1)] = False
    checked = found.begin[found.header > HEADER]
    raw[(checked[:, None] + np.arange(HEADER, HEADER + 2)).reshape(-1)] = False
    data = es[: found.end][raw].data
    made = Units(sizes, stamped, stamped, crc32(data), np.empty(0, np.intp), data=data)
    return replace(made, taken=found.end, ends=found.begin + found.length)


def told_apart(made: Units) -> Units:
    """Units of the beginning of an AAC track whose channels only the stream says
    (channel_configuration 0): MP4 has the program_config_element in the sample entry (ISO/IEC
    14496-3 clause 1.6.2.1), and not in the first frame.  Malformed if that does not begin with one.
    """
    data = bytes(made.data)
    first = data[: int(made.sizes[0])]
    if not first or first[0] >> 5 != ID_PCE:
        raise Malformed("no program_config_element at the beginning")
    end = program_config(first, 3).end
    sizes = made.sizes.copy()
    sizes[0] -= end
    rest = data[end:]
    return replace(made, sizes=sizes, digest=crc32(rest), data=rest, sets=frozenset((first[:end],)))


def joined(a: Units, b: Units) -> Units:
    """The units ``a`` with ``b`` behind them.  Where they end in their streams is not known then,
    and what either lost is: what one dropped counts as the beginning of a unit only if all is.
    """
    rows = len(a.sizes)
    dropping = [one.unfinished for one in (a, b) if one.dropped]
    return Units(
        sizes=np.concatenate([a.sizes, b.sizes]),
        pts=np.concatenate([a.pts, b.pts]),
        dts=np.concatenate([a.dts, b.dts]),
        digest=crc32(b.data, a.digest),
        torn=np.append(a.torn, b.torn + rows),
        cut=a.cut + b.cut,
        foreign=a.foreign + b.foreign,
        sets=a.sets | b.sets,
        data=b"".join((a.data, b.data)),
        taken=a.taken + b.taken,
        dropped=a.dropped + b.dropped,
        spared=a.spared + b.spared,
        unfinished=all(dropping) if dropping else a.unfinished or b.unfinished,
        filled=np.append(a.filled, b.filled + rows),
    )


def framed(es: Bytes, pes: Index, pts: Ticks, dts: Ticks) -> Units:
    """Units of a stream of which every PES holds exactly one, as MP4 stores it."""
    sizes = np.diff(np.append(pes, len(es))).astype(np.uint32)
    data = es.data
    made = Units(sizes, pts, dts, crc32(data), np.empty(0, np.intp), data=data)
    return replace(made, taken=len(es))
