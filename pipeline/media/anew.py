"""Pictures whose PES have no room for a decoding time of their own, in PES that have."""

from itertools import pairwise

import numpy as np

from pipeline.media.lane import Carried, Lane, Work
from pipeline.media.packets import Index, Mask
from pipeline.media.rewrite import packetize, video_pes


def lacks_room(work: Work, kept: Mask) -> bool:
    """A PES that is kept carries a PTS alone, and is to be decoded at another time (2.4.3.7)."""
    flags = work.track.header[:, 7] >> 6
    apart = (flags == 2) & (work.pts >= 0) & (work.pts != work.dts)
    return bool((apart & kept[work.track.starts]).any())


def written_anew(
    work: Work, lane: Lane, carried: Carried, kept: Mask, es: bytearray, pes: Index
) -> None:
    """Put new packets in the place of all that are kept.  ``pes`` are the offsets of the PES in
    ``es``, the last ones those that are kept.
    """
    t = work.track
    alive = np.flatnonzero(kept[t.starts])
    first = int(t.starts[0]) if len(t.starts) else len(t.index)
    for place in np.flatnonzero(kept[:first]).tolist():  # the end of a PES begun before
        row = work.packets.rows[t.index[place]]
        head = bytes((0x47, lane.pid >> 8, lane.pid & 0xFF, row[3] & 0xF0 | carried.counter))
        work.inserts.append((int(t.index[place]), head + row[4:].tobytes()))
        carried.counter = carried.counter + 1 & 15
    bounds = [*pes[len(pes) - len(alive) :].tolist(), len(es)]
    for ordinal, (begin, end) in zip(alive.tolist(), pairwise(bounds), strict=True):
        stamps = int(work.pts[ordinal]), int(work.dts[ordinal])
        one = video_pes(bytes(memoryview(es)[begin:end]), *stamps)
        made, carried.counter = packetize(lane.pid, one, carried.counter)
        work.inserts.append((int(t.index[t.starts[ordinal]]), made))
    kept[:] = False
