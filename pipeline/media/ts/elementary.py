"""The elementary stream in the packets of a track, without PES headers (ISO/IEC 13818-1 clause
2.4.3).
"""

from itertools import pairwise

import numpy as np

from pipeline.media.clock import Bytes, Index, Mask
from pipeline.media.ts.packets import PACKET, Packets
from pipeline.media.ts.pes import StreamPackets

BODY = PACKET - 4  # bytes behind the header of a packet


def stream_bytes(
    packets: Packets, t: StreamPackets, kept: Mask, before: bytes = b""
) -> tuple[Bytes, Index]:
    """Elementary stream of the kept packets behind what stands before, and where each PES of them
    begins in it.
    """
    index, at, length = t.index, t.starts, t.header[:, 8]
    if not kept.all():
        alive = kept[t.starts]
        at, length = (np.cumsum(kept) - 1)[t.starts[alive]], length[alive]
        index = index[kept]
    begins = packets.start[index].astype(np.intp)
    begins[at] += 9 + length
    for long in np.flatnonzero(begins > PACKET).tolist():  # a header longer than its first packet
        while begins[long] > PACKET:
            rest, begins[long] = begins[long] - PACKET, PACKET
            long = min(long + 1, len(begins) - 1)
            begins[long] += rest if begins[long] < PACKET else 0
    held = PACKET - begins
    offsets = np.cumsum(held)[at] - held[at] + len(before)
    return _payloads(packets.rows, index, begins, before), offsets


def _payloads(rows: Bytes, index: Index, begins: Index, before: bytes) -> Bytes:
    """All payloads as one.  From the last packet to the first, each is moved whole to where its
    payload ends: what that writes over in front belongs to packets that are still to come.
    """
    ends = len(before) + np.cumsum(PACKET - begins)
    front = len(before) + BODY
    es = np.empty(BODY + int(ends[-1] if len(ends) else len(before)), np.uint8)
    bodies = np.ndarray(len(rows), f"V{BODY}", rows.data, 4, rows.strides[:1])
    places = np.ndarray(len(es) - BODY + 1, f"V{BODY}", es, 0, (1,))  # one at every byte
    places[ends[::-1]] = bodies[index[::-1]]
    es[BODY:front] = np.frombuffer(before, np.uint8)
    return es[BODY:]


def first_bytes(packets: Packets, t: StreamPackets, ordinal: int) -> bytes:
    """What a PES has in its first packet, without its header."""
    row = t.index[t.starts[ordinal]]
    begin = int(packets.start[row]) + 9 + int(t.header[ordinal, 8])
    return packets.rows[row, begin:].tobytes()


def elementary(packets: Packets, t: StreamPackets, begin: int, end: int) -> bytes:
    """Elementary stream bytes of the packets ``begin`` to ``end`` of a track, the first a PES
    start.
    """
    flat = packets.rows.reshape(-1).data
    ends = ((t.index[begin:end] + 1) * PACKET).tolist()
    held = (PACKET - packets.start[t.index[begin:end]]).tolist()
    pieces = [flat[at - size : at] for at, size in zip(ends, held, strict=True)]
    first, last = t.starts.searchsorted((begin, end)).tolist()
    bounds = [*(t.starts[first:last] - begin).tolist(), len(pieces)]
    headers = (9 + t.header[first:last, 8].astype(np.intp)).tolist()
    data = [b"".join(pieces[a:b]) for a, b in pairwise(bounds)]
    return b"".join([one[header:] for one, header in zip(data, headers, strict=True)])
