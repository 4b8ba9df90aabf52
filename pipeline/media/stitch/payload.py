"""The elementary stream in the packets of one lane of a segment: what of it can be attributed, and
what is carried over to the next segment.
"""

import numpy as np
from msgspec import Struct

from pipeline.media.clock import Bytes, Index, Mask, Ticks
from pipeline.media.stitch.work import CarryOver, TrackInSegment
from pipeline.media.ts.elementary import stream_bytes
from pipeline.media.ts.packets import PACKET
from pipeline.media.ts.pes import StreamPackets, stuffed


def payload_bytes(work: TrackInSegment) -> int:
    """Bytes of the elementary stream in all packets of a lane, without PES headers."""
    t = work.track
    every = PACKET * len(t.index) - int(work.packets.start[t.index].sum(dtype=np.int64))
    return every - int(9 * len(t.starts) + t.header[:, 8].sum(dtype=np.int64))


def attributable(work: TrackInSegment) -> tuple[Mask, frozenset[int]]:
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


def unfinished(work: TrackInSegment) -> frozenset[int]:
    """PES that lost bytes, without those that were whole before the packets that are gone."""
    t = work.track
    before = t.index[np.maximum(t.broken - 1, 0)]
    ended = [stuffed(work.packets.rows[row].tobytes()) for row in before.tolist()]
    begun = np.searchsorted(t.starts, t.broken, side="left") - 1
    return frozenset(begun[~np.array(ended, np.bool_)].tolist())


def extent(t: StreamPackets, ordinal: int) -> tuple[int, int]:
    """Positions of the packets of a PES: its first, and the one behind its last."""
    bounds = [*t.starts[ordinal : ordinal + 2].tolist(), len(t.index)]
    return bounds[0], bounds[1]


class Flow(Struct, eq=False):
    """An elementary stream on its way through a segment, and the PES it comes in."""

    es: Bytes  # nobody else's
    pes: Index  # where each begins
    pts: Ticks  # its stamps, -1 for none
    dts: Ticks
    rows: Index  # the packet each begins in
    sent: int = 0  # bytes at its beginning that the muxer was given with the last segment
    left_out: int = 0  # NAL units that no reader takes for one
    guessed: int = 0  # pictures that are shown where there is room

    def end_at(self, end: int) -> None:
        """Leave out what stands behind."""
        inside = self.pes < end
        self.es = self.es[:end]
        self.pes, self.rows = self.pes[inside], self.rows[inside]
        self.pts, self.dts = self.pts[inside], self.dts[inside]


def stream_of(work: TrackInSegment, kept: Mask) -> Flow:
    """Elementary stream of the kept packets behind what was carried, and where PES begin."""
    index, starts = work.track.index, work.track.starts
    alive = kept[starts]
    es, at = stream_bytes(work.packets, work.track, kept, work.carried.data)
    pts, dts, rows = work.pts[alive], work.dts[alive], index[starts[alive]]
    if not work.carried.data and not len(work.carried.offsets):
        return Flow(es, at, pts, dts, rows)
    flow = Flow(
        es,
        pes=np.append(work.carried.offsets, at).astype(np.intp),
        pts=np.append(work.carried.pts, pts),
        dts=np.append(work.carried.dts, dts),
        rows=np.append(np.zeros(len(work.carried.offsets), np.intp), rows),
        sent=len(work.carried.data),
    )
    work.carried.data, work.carried.offsets = b"", work.carried.offsets[:0]
    work.carried.pts, work.carried.dts = work.carried.pts[:0], work.carried.dts[:0]
    return flow


def carry(flow: Flow, begin: int, carried: CarryOver) -> None:
    """Keep the stream from ``begin`` on for the next segment."""
    inside = flow.pes >= begin
    carried.data = flow.es[begin:].tobytes()
    carried.offsets = flow.pes[inside] - begin
    carried.pts, carried.dts = flow.pts[inside], flow.dts[inside]
    flow.end_at(begin)
