"""A segment in which some streams are other ones now, and the rest the very packets it had."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np

from pipeline.media.clock import MODULO, Bytes, signed
from pipeline.media.ts import psi
from pipeline.media.ts.elementary import elementary
from pipeline.media.ts.packets import Packets, columns, framing
from pipeline.media.ts.pes import track, untrusted
from pipeline.media.ts.writing import mux as transport
from pipeline.media.ts.writing.mux import Sample

Blocks = list[tuple[int, int, Bytes]]


def spliced(
    data: Bytes, kept: Mapping[int, tuple[int, int]], made: Sequence[transport.MuxStream]
) -> Bytes:
    """The segment rewritten.  ``kept``: PIDs that stay, with the PID and stream_type they get."""
    packets = columns(framing(data).rows)
    types = dict(kept.values())
    types |= {stream.pid: stream.codec.stream_type for stream in made}
    blocks: Blocks = []
    for pid, (new_pid, _) in kept.items():
        blocks += _kept(packets, pid, new_pid)
    for stream in made:
        blocks += transport.blocks(stream)
    tables = np.frombuffer(psi.tables(types, min(types)), np.uint8)
    return np.concatenate([tables, *(rows.reshape(-1) for rows in _in_order(blocks))])


def _in_order(blocks: Blocks) -> Iterator[Bytes]:
    """By decoding time across streams; inside each as they were, whatever their stamps say."""
    base = next((dts for dts, _, _ in blocks if dts >= 0), 0)
    clocks: dict[int, int] = {}
    keyed = []
    for dts, pid, rows in blocks:
        before = clocks.get(pid, -MODULO)
        clock = int(signed(np.array([dts - base], np.int64))[0]) if dts >= 0 else before
        clocks[pid] = max(before, clock)
        keyed.append((clocks[pid], rows))
    yield from (rows for _, rows in sorted(keyed, key=lambda pair: pair[0]))


def _kept(packets: Packets, pid: int, new_pid: int) -> Blocks:
    """The packets of a stream, PES by PES; breaks of its counter stay where they are, and what must
    not be trusted, which tells of others.
    """
    t = track(packets, pid)
    index = np.union1d(t.index, untrusted(packets, pid))
    blocks: Blocks = []
    bounds = [0, *np.searchsorted(index, t.index[t.starts]).tolist(), len(index)]
    for place, (begin, end) in enumerate(pairwise(bounds)):
        rows = packets.rows[index[begin:end]].copy()
        rows[:, 1] = rows[:, 1] & 0xE0 | new_pid >> 8
        rows[:, 2] = new_pid & 0xFF
        blocks.append((int(t.dts[place - 1]) if place else -1, new_pid, rows))
    return blocks


def samples(data: Bytes, pid: int) -> list[Sample]:
    """What the PES of a stream hold, with their stamps; those without a stamp are left out."""
    packets = columns(framing(data).rows)
    t = track(packets, pid)
    bounds = [*t.starts.tolist(), len(t.index)]
    return [
        Sample(int(t.pts[k]), int(t.dts[k]), elementary(packets, t, bounds[k], bounds[k + 1]))
        for k in range(len(t.starts))
        if t.pts[k] >= 0
    ]
