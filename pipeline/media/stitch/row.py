"""Clean segments that stand in a row, stitched as one: what is made of them is parted again."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from isal.isal_zlib import crc32
from msgspec.structs import replace

from pipeline.media.clock import Index, Mask
from pipeline.media.es.access_units import Units
from pipeline.media.slots.segments import Placed
from pipeline.media.stitch.work import CarryOver, TrackInSegment
from pipeline.media.track import Edges
from pipeline.media.ts.transport_stream import SideBySide


def clean(placed: Sequence[Placed]) -> bool:
    """Whether nothing is known of any edge of some segments but where the last one ends, and all
    hold the streams of the first one, under the same PIDs.
    """
    same = all(
        p.stamps.keys() == placed[0].stamps.keys()
        and all(own == (pid,) for pid, own in p.pids.items())
        for p in placed
    )
    *inner, last = [p.edges for p in placed]
    return same and all(edges == Edges() for edges in (*inner, replace(last, whole=frozenset())))


def work_of(row: SideBySide, placed: Sequence[Placed], carried: CarryOver) -> TrackInSegment | None:
    """One lane of all segments as if they were one; None where it was not followed as one, or
    these are not the bytes that were planned with.
    """
    pid = carried.lane.pid
    track = row.track(pid)
    pts, dts = (np.concatenate([p.stamps[pid][n] for p in placed]) for n in (0, 1))
    if track is None or len(pts) != len(track.starts):
        return None
    return TrackInSegment(
        placed[0].slot.name,
        carried,
        row.together,
        track,
        pts,
        dts,
        torn=False,
        joined=False,
        cut=False,
        whole=pid in placed[-1].whole,
        faults=row.together.bad,
    )


def parted(work: TrackInSegment, kept: Mask, made: Units, bounds: Index) -> list[Units] | None:
    """The units of each segment; ``bounds`` are where these end in the elementary stream.  None
    where anything but reading was done, or a picture reaches over an edge.
    """
    if not (kept.all() and _is_plain(work, made)):
        return None
    lasts = np.searchsorted(made.ends, bounds, side="right")
    if not (np.diff(lasts, prepend=0) > 0).all():
        return None
    ends = made.ends[lasts - 1]
    if work.lane.codec.kind == "video" and not np.array_equal(ends, bounds):
        return None
    stored = np.append(0, np.cumsum(made.sizes, dtype=np.int64))
    taken = np.diff(ends, prepend=0).tolist()
    found = []
    for (a, b), own in zip(pairwise([0, *lasts.tolist()]), taken, strict=True):
        data = memoryview(made.data)[int(stored[a]) : int(stored[b])]
        sizes, pts, dts = made.sizes[a:b], made.pts[a:b], made.dts[a:b]
        part = replace(made, sizes=sizes, pts=pts, dts=dts, data=data, taken=own)
        found.append(replace(part, digest=crc32(data), ends=made.ends[:0]))
    return found


def _is_plain(work: TrackInSegment, made: Units) -> bool:
    """Whether a lane came out as it was: nothing found, put in, left out or rewritten."""
    special = work.findings or work.inserts or work.added or made.cut or made.foreign or made.sets
    left = made.dropped or made.spared or made.unfinished
    known = len(made.ends) == len(made.sizes) and not (len(made.torn) or len(made.filled))
    return known and not special and not left
