"""Samples of another container written as a transport stream, so that they go down the same way.

Every sample is a PES of its own, but sound in an even beat shares one.  Counters begin at 0 in each
segment; the last PES never ends a packet full, so that it is known to be whole.
"""

from collections.abc import Sequence
from itertools import accumulate

import numpy as np
from msgspec import Struct

from pipeline.media.clock import MODULO, Bytes
from pipeline.media.es.codecs import Codec
from pipeline.media.ts import psi
from pipeline.media.ts.packets import PACKET
from pipeline.media.ts.time_fields import stamp_fields

ROOM = PACKET - 4  # payload of a packet
FIRST_PID = {"video": 0x100, "audio": 0x110}  # streams of a kind are numbered from here


class Sample(Struct, frozen=True):
    """What one PES holds: stamps in ticks of 90 kHz, and its elementary stream."""

    pts: int
    dts: int
    data: bytes


class MuxStream(Struct, frozen=True):
    """One elementary stream of a segment, in decoding order."""

    pid: int
    codec: Codec
    samples: Sequence[Sample]


def write(streams: Sequence[MuxStream]) -> Bytes:
    """The segment: tables, then the PES of all streams in the order of decoding."""
    types = {stream.pid: stream.codec.stream_type for stream in streams}
    if not types:
        return np.empty(0, np.uint8)
    tables = psi.tables(types, min(types))
    made: list[tuple[int, int, Bytes]] = []
    for stream in streams:
        own = blocks(stream)
        clocks = accumulate((dts for dts, _, _ in own), max)  # as they are, whatever stamps say
        made += [(clock, pid, rows) for clock, (_, pid, rows) in zip(clocks, own, strict=True)]
    made.sort(key=lambda block: block[:2])
    return np.concatenate(
        [np.frombuffer(tables, np.uint8), *(rows.reshape(-1) for _, _, rows in made)]
    )


def blocks(stream: MuxStream) -> list[tuple[int, int, Bytes]]:
    """The packets of every PES with its decoding time."""
    identity = 0xE0 if stream.codec.kind == "video" else 0xC0
    made = [_packets(stream.pid, pes(identity, sample)) for sample in stream.samples]
    if made and len(made[-1]) == 1:  # only a second packet shows that a PES is whole
        made[-1] = _packets(stream.pid, pes(identity, stream.samples[-1], stuffing=ROOM))
    if made and sum(map(len, made)) % 16 == 0:
        # else the next segment, which begins at 0, would look as if nothing were missing before it
        made[0] = _packets(stream.pid, pes(identity, stream.samples[0], stuffing=ROOM))
    counter = 0
    for rows in made:
        rows[:, 3] |= ((counter + np.arange(len(rows))) & 15).astype(np.uint8)
        counter += len(rows)
    return [(s.dts, stream.pid, rows) for s, rows in zip(stream.samples, made, strict=True)]


def pes(identity: int, sample: Sample, stuffing: int = 0) -> bytes:
    """A PES packet (2.4.3.6); its header is stuffed where its last packet would be full."""
    stamps = [(sample.pts, 2)]
    if sample.dts != sample.pts:
        stamps = [(sample.pts, 3), (sample.dts, 1)]
    fields = b"".join(
        stamp_fields(np.array([value % MODULO], np.int64), prefix).tobytes()
        for value, prefix in stamps
    )
    if (9 + len(fields) + stuffing + len(sample.data)) % ROOM == 0:
        stuffing += 1
    inner = 3 + len(fields) + stuffing + len(sample.data)
    length = inner if identity < 0xE0 and inner < 65536 else 0
    head = bytes((0, 0, 1, identity, length >> 8, length & 0xFF, 0x80, len(stamps) + 1 << 6))
    return head + bytes((len(fields) + stuffing,)) + fields + b"\xff" * stuffing + sample.data


def _packets(pid: int, unit: bytes) -> Bytes:
    """A PES as transport packets, the last one stuffed (2.4.3.3)."""
    data = np.frombuffer(unit, np.uint8)
    full, rest = divmod(len(data), ROOM)
    count = full + 1
    rows = np.empty((count, PACKET), np.uint8)
    rows[:, 0] = 0x47
    rows[:, 1] = pid >> 8
    rows[0, 1] |= 0x40
    rows[:, 2] = pid & 0xFF
    rows[:, 3] = 0x10
    rows[:full, 4:] = data[: full * ROOM].reshape(full, ROOM)
    last = rows[-1]
    spare = ROOM - rest
    last[3] |= 0x20
    last[4] = spare - 1
    last[5 : 4 + spare] = 0xFF
    if spare > 1:
        last[5] = 0
    last[4 + spare :] = data[full * ROOM :]
    return rows
