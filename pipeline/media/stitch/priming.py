"""The first units of a stream that begins late, shown to the muxer ahead of everything.

A muxer learns at the beginning of its input how each stream is coded.  Looking far ahead for one
that begins an hour later would cost as much memory as that hour has bytes.  So it is shown units of
that stream first, and drops them again by their stamps: so few ticks that they lie before the
recording on every clock a muxer may count them with.
"""

from itertools import pairwise

import numpy as np

from pipeline.media.clock import Bytes
from pipeline.media.es.adts import LONGEST, chain
from pipeline.media.es.nal import nal_units, nals
from pipeline.media.track import Lane
from pipeline.media.ts.elementary import elementary
from pipeline.media.ts.packets import PACKET, columns, framing
from pipeline.media.ts.pes import track
from pipeline.media.ts.writing.packetize import audio_pes, packetize, video_pes

INTRODUCED = 1000  # ticks of any clock: what is shown before is dropped
TIMES = 3  # a parser hands out a picture when the next one begins
ENOUGH = 16  # frames of sound


def introduction(data: Bytes, lane: Lane, pids: tuple[int, ...]) -> bytes:
    """Packets to write before a stream begins that is first found in this segment."""
    packets = columns(framing(data).rows)
    t = track(packets, *pids)
    es = elementary(packets, t, int(t.starts[0]), len(t.index))
    shown = _picture(es, lane) if lane.codec.kind == "video" else _sound(es, lane)
    counter = -sum(-(-len(one) // (PACKET - 4)) for one in shown) & 15  # the stream begins with 0
    out = []
    for one in shown:
        packed, counter = packetize(lane.pid, one, counter)
        out.append(packed)
    return b"".join(out)


def _picture(es: bytes, lane: Lane) -> list[bytes]:
    """The first picture that carries the parameters, with those of all that follow."""
    assert lane.codec.nal is not None
    found = nals(np.frombuffer(es, np.uint8), lane.codec.nal)
    bounds = [*(found.begin - 3)[found.opens].tolist(), len(es)]
    pictures = (es[a:b] for a, b in pairwise(bounds))
    first = next((picture for picture in pictures if lane.codec.config(picture)), es)
    own = nal_units(first)
    more = [one for one in lane.sets if one not in own and not lane.inside]
    first = b"".join(b"\0\0\0\1" + one for one in more) + first
    return [video_pes(first, n) for n in range(TIMES)]


def _sound(es: bytes, lane: Lane) -> list[bytes]:
    """The first frames, wherever they begin; each with its own stamp, for the parser would count
    the times of others far beyond it.
    """
    es = es[: ENOUGH * LONGEST]
    frames = [es[at : at + length] for at, length in chain(es, lane.config)]
    return [audio_pes(frame, n) for n, frame in enumerate(frames[:ENOUGH])]
