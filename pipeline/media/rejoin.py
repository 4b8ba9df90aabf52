"""Segments that were cut where no unit ends: what the next one holds of the last packet, or of a
PES that goes on through all of it, is given back (RFC 8216 section 3 allows to cut anywhere).
"""

from collections.abc import Sequence

import numpy as np

from pipeline.media.packets import PACKET, Bytes, columns, framing
from pipeline.media.placed import Slot


def missing_bytes(a: Slot, b: Slot) -> int:
    """How many bytes of the last packet of one segment the next one begins with."""
    if a.scan is None or b.scan is None or a.part != b.part:
        return 0
    trailing, leading = a.scan.ragged[1], b.scan.ragged[0]
    return leading if trailing and trailing + leading == PACKET else 0


def goes_through(a: Slot, b: Slot) -> tuple[int, ...]:
    """PIDs of which a PES that begins in one segment goes on through all of the next one."""
    if a.scan is None or b.scan is None or a.part != b.part:
        return ()
    last = {pid: a.scan.streams[pid].counters[1] for pid in beginning(a)}
    return tuple(
        pid
        for pid, (first, _, _) in b.scan.through.items()
        if pid in last and first == (last[pid] + 1) & 15
    )


def beginning(slot: Slot) -> list[int]:
    """PIDs of audio and video of which a PES begins in a segment."""
    streams = slot.scan.streams.items() if slot.scan else ()
    return [pid for pid, s in streams if s.codec and len(s.pts)]


def given_back(a: Bytes, b: Bytes, pids: Sequence[int]) -> tuple[Bytes, Bytes]:
    """Both segments, with the packets of these PIDs at the end of the first."""
    frame = framing(b)
    own = np.isin(columns(frame.rows).pid, pids)
    head = b[: frame.leading]
    rest = np.concatenate([head, frame.rows[~own].reshape(-1)])
    return np.concatenate([a, frame.rows[own].reshape(-1)]), rest
