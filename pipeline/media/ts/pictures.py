"""Pictures and the PES that carry them, where not every PES holds one: several pictures in a PES,
several PES for a picture.
"""

import numpy as np

from pipeline.media.clock import Index, Mask, Ticks
from pipeline.media.es.codecs import Codec
from pipeline.media.es.nal import nals
from pipeline.media.ts.elementary import elementary, stream_bytes
from pipeline.media.ts.packets import Packets
from pipeline.media.ts.pes import StreamPackets


def held(packets: Packets, t: StreamPackets, codec: Codec | None) -> Index | None:
    """How many pictures begin in each PES; None where each holds one, as nearly always.

    That is seen by the stamps and by a PES in the middle.
    """
    if codec is None or codec.nal is None or not len(t.starts):
        return None
    middle = (len(t.starts) - 1) // 2  # the last one may go on in the next segment
    end = int(t.starts[middle + 1]) if middle + 1 < len(t.starts) else len(t.index)
    one = codec.count(elementary(packets, t, int(t.starts[middle]), end)) == 1
    if one and (t.dts >= 0).all() and not repeated(t.pts, t.dts).any():
        return None
    es, pes = stream_bytes(packets, t, np.ones(len(t.index), np.bool_))
    found = nals(es, codec.nal)
    owner = np.searchsorted(pes, found.begin[found.pictures[0]] - 3, side="right") - 1
    counts: Index = np.bincount(owner[owner >= 0], minlength=len(pes))
    return counts


def repeated(pts: Ticks, dts: Ticks) -> Mask:
    """PES with the same stamps as the last ones before."""
    found = np.zeros(len(dts), np.bool_)
    known = np.flatnonzero(dts >= 0)
    same = (dts[known[1:]] == dts[known[:-1]]) & (pts[known[1:]] == pts[known[:-1]])
    found[known[1:][same]] = True
    return found


def said_once(t: StreamPackets, counts: Index | None) -> tuple[Ticks, Ticks]:
    """PTS and DTS without those of PES that go on with a picture and tell its stamps again."""
    if counts is None:
        return t.pts, t.dts
    again = repeated(t.pts, t.dts) & (counts == 0)
    return np.where(again, -1, t.pts), np.where(again, -1, t.dts)
