"""PES headers in which one field cannot be right (ISO/IEC 13818-1 clause 2.4.3.7)."""

import numpy as np

from pipeline.media.clock import Bytes, Index, Mask
from pipeline.media.es.adts import synced
from pipeline.media.ts.packets import PREFIX, PREFIX_MASK

STREAM_ID, FLAGS, LENGTH = 3, 7, 8  # offsets in a PES header
START = np.array((0, 0, 1), np.uint8)  # packet_start_code_prefix
FIELDS = (0, 1, 2, STREAM_ID, FLAGS, LENGTH)  # bytes that may be put right
WIDTH = 24  # bytes: the longest plain header and how its payload begins
# PES_header_data_length by PTS_DTS_flags, where nothing else is told
PLAIN = np.array((0, 0, 5, 10))
MARKERS = np.array((1, 0, 1, 0, 1), np.uint8)  # bits of a stamp that are always set


def begun(header: Bytes) -> Mask:
    """Which of ``(k, 24)`` bytes begin a PES.  A start code with one wrong bit is one, where a unit
    begins behind the header.
    """
    marked = header[:, 6] & 0xC0 == 0x80
    found: Mask = marked & (header.view(np.uint32)[:, 0] & PREFIX_MASK == PREFIX)
    doubted = np.flatnonzero(marked & ~found)
    if len(doubted):
        single = np.unpackbits(header[doubted, :3] ^ START, axis=1).sum(axis=1) == 1
        found[doubted] = single & _begins(header, doubted, header[doubted, LENGTH])
    return found


def plain(header: Bytes) -> bool:
    """All ``(k, 24)`` bytes begin alike, and each header is as long as its flags call for: whatever
    others stand beside them, nothing is to be put right.
    """
    first = header.view(np.uint32)[:, 0]
    needed = PLAIN[header[:, FLAGS] >> 6]
    return bool((first == first[:1]).all() and (header[:, LENGTH] == needed).all())


def put_right(header: Bytes) -> tuple[Bytes, Mask]:
    """``(k, 24)`` bytes from the beginning of every PES of one stream, and which were put right: a
    start code that is none, a stream_id that is not that of the stream, flags that deny the stamps
    there are, and a header length behind which no unit begins, where one begins behind the length
    that the flags call for.
    """
    wrong = np.zeros(len(header), np.bool_)
    if not len(header):
        return header, wrong
    usual = int(np.bincount(header[:, STREAM_ID]).argmax())
    right = np.array([*START, usual], np.uint8).view(np.uint32)
    stray = header.view(np.uint32)[:, 0] != right
    needed = PLAIN[header[:, FLAGS] >> 6]
    odd = np.flatnonzero((header[:, LENGTH] != needed) & (header[:, FLAGS] & 0x3F == 0))
    if not (len(odd) or stray.any()):  # as nearly always
        return header, wrong
    denied, flags = _denied(header, odd)
    needed[denied] = header[denied, LENGTH]
    long = _too_long(header, needed, np.setdiff1d(odd, denied))
    if not (stray.any() or len(long) or len(denied)):
        return header, wrong
    header = header.copy()
    header[denied, FLAGS] = flags
    wrong[denied] = True
    header[stray, :3] = START
    header[stray, STREAM_ID] = usual
    header[long, LENGTH] = needed[long]
    wrong[long] = True
    return header, wrong | stray


def _denied(header: Bytes, asked: Index) -> tuple[Index, Bytes]:
    """Of some headers those that hold other stamps than their PTS_DTS_flags say and nothing
    besides, and the flags for these.
    """
    size, fields = header[asked, LENGTH], header[asked, 9:19].reshape(-1, 2, 5)
    pts, dts = ((fields & MARKERS) == MARKERS).all(axis=2).T
    prefix = fields[:, :, 0] >> 4
    both = pts & dts & (size == 10) & (prefix == (3, 1)).all(axis=1)
    told = both | (pts & (size == 5) & (prefix[:, 0] == 2))
    told &= 2 * np.count_nonzero(told) <= len(header)  # else so they are written
    return asked[told], np.where(both[told], 0xC0, 0x80).astype(np.uint8)


def _too_long(header: Bytes, needed: Index, asked: Index) -> Index:
    """Of some headers those behind whose length no unit begins, where one begins behind what their
    flags call for.
    """
    asked = asked[~_stuffed(header[asked], needed[asked])]
    told, meant = header[asked, LENGTH], needed[asked]
    long: Index = asked[~_begins(header, asked, told) & _begins(header, asked, meant)]
    return long


def _stuffed(header: Bytes, needed: Index) -> Mask:
    """What stands behind the stamps is stuffing, all of it 0xFF."""
    place = np.arange(WIDTH)
    inside = (place >= 9 + needed[:, None]) & (place < 9 + header[:, LENGTH, None].astype(np.intp))
    found: Mask = inside.any(axis=1) & (~inside | (header == 0xFF)).all(axis=1)
    return found


def _begins(header: Bytes, which: Index, lengths: Index) -> Mask:
    """An access unit begins behind so many bytes of header: a start code (H.264 Annex B), or an
    ADTS syncword.
    """
    at = 9 + lengths.astype(np.intp)
    inside = at + 4 <= WIDTH
    place = np.minimum(at, WIDTH - 4)[:, None] + np.arange(4)
    four = header[which[:, None], place]
    code = (four[:, 0] | four[:, 1]) == 0
    code &= (four[:, 2] == 1) | ((four[:, 2] == 0) & (four[:, 3] == 1))
    found: Mask = inside & (code | synced(four))
    return found
