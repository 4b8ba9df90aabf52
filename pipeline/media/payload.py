"""The elementary stream in the packets of one lane of a segment: what of it can be attributed, and
what is carried over to the next segment.
"""

import numpy as np

from pipeline.media.lane import Carried, Work
from pipeline.media.packets import PACKET, Bytes, Index, Mask, Ticks
from pipeline.media.pes import Track, stuffed


def payload_bytes(work: Work) -> int:
    """Bytes of the elementary stream in all packets of a lane, without PES headers."""
    t = work.track
    every = PACKET * len(t.index) - int(work.packets.start[t.index].sum(dtype=np.int64))
    return every - int(9 * len(t.starts) + t.header[:, 8].sum(dtype=np.int64))


def attributable(work: Work) -> tuple[Mask, frozenset[int]]:
    """Packets up to each break, and again from the next PES on; and the PES that lost bytes.

    Behind a break nobody knows whether a PES header was among the packets that are gone.
    """
    t = work.track
    kept = np.ones(len(t.index), np.bool_)
    for at in t.broken.tolist():
        following = t.starts[np.searchsorted(t.starts, at) :][:1]
        kept[at : int(following[0]) if len(following) else None] = False
    if work.torn or not len(t.starts):
        kept[: int(t.starts[0]) if len(t.starts) else None] = False
    damaged = np.searchsorted(t.starts, t.broken, side="left") - 1
    return kept, frozenset(damaged.tolist())


def unfinished(work: Work) -> frozenset[int]:
    """PES that lost bytes, without those that were whole before the packets that are gone."""
    t = work.track
    before = t.index[np.maximum(t.broken - 1, 0)]
    ended = [stuffed(work.packets.rows[row].tobytes()) for row in before.tolist()]
    begun = np.searchsorted(t.starts, t.broken, side="left") - 1
    return frozenset(begun[~np.array(ended, np.bool_)].tolist())


def extent(t: Track, ordinal: int) -> tuple[int, int]:
    """Positions of the packets of a PES: its first, and the one behind its last."""
    bounds = [*t.starts[ordinal : ordinal + 2].tolist(), len(t.index)]
    return bounds[0], bounds[1]


def stream_of(work: Work, kept: Mask, carried: Carried) -> tuple[bytearray, Index, Ticks, Ticks]:
    """Elementary stream of the kept packets behind what was carried, and where PES begin."""
    t = work.track
    index = t.index[kept]
    begins = work.packets.start[index].astype(np.intp)
    alive = kept[t.starts]
    place = np.cumsum(kept) - 1
    at = place[t.starts[alive]]
    begins[at] += 9 + t.header[alive, 8]
    for long in np.flatnonzero(begins > PACKET).tolist():  # a header longer than its first packet
        while begins[long] > PACKET:
            rest, begins[long] = begins[long] - PACKET, PACKET
            long = min(long + 1, len(begins) - 1)
            begins[long] += rest if begins[long] < PACKET else 0
    offsets = np.append(0, np.cumsum(PACKET - begins))
    es = joined_payload(work.packets.rows, index, begins, carried.data)
    pes = np.append(carried.offsets, offsets[at] + len(carried.data)).astype(np.intp)
    pts = np.append(carried.pts, work.pts[alive])
    dts = np.append(carried.dts, work.dts[alive])
    carried.data, carried.offsets = b"", carried.offsets[:0]
    carried.pts, carried.dts = carried.pts[:0], carried.dts[:0]
    return es, pes, pts, dts


def joined_payload(rows: Bytes, index: Index, begins: Index, carried: bytes) -> bytearray:
    """All payloads as one: whole 184-byte ones are taken in runs."""
    body = rows[index, 4:].reshape(-1).data
    special = np.flatnonzero(begins != 4)
    width = PACKET - 4
    starts = (special * width + begins[special] - 4).tolist()
    ends = (special * width).tolist()
    pieces = [body[a:b] for a, b in zip([0, *starts], [*ends, len(body)], strict=True)]
    return bytearray(b"").join([carried, *pieces])


def carry(
    es: bytearray, pes: Index, pts: Ticks, dts: Ticks, begin: int, carried: Carried
) -> bytearray:
    """Keep the stream from ``begin`` on for the next segment, and return what stands before it."""
    inside = pes >= begin
    carried.data = bytes(memoryview(es)[begin:])
    carried.offsets = pes[inside] - begin
    carried.pts, carried.dts = pts[inside], dts[inside]
    return es[:begin]
