"""Slots of one recording whose bytes, stamps or format may be changed."""

import numpy as np
from msgspec.structs import replace

from pipeline.media.slots.segments import Slot
from pipeline.media.ts.scan import scan
from pipeline.model import Severity
from tests import ts

S = 96_000  # ticks of a segment: 16 pictures, 50 frames of sound
SECONDS = S / 90_000


def data(start: int, **options: object) -> bytes:
    return ts.segment(start=start, pictures=16, **options)


def slots(*datas: bytes | None) -> list[Slot]:
    """Slots of a writer that counts anew in each, unless the data were made otherwise."""
    return [
        Slot(f"{n}.ts", d and scan(f"{n}.ts", np.frombuffer(d, np.uint8)), SECONDS)
        for n, d in enumerate(datas)
    ]


def run(count: int = 5, **options: object) -> list[bytes]:
    return [data(S * (n + 1), **options) for n in range(count)]


def counted(starts: list[int]) -> list[bytes]:
    """Segments of a writer whose counters go on."""
    counters: dict[int, int] = {}
    return [data(start, counters=counters) for start in starts]


def said(made: tuple) -> list[tuple[str, Severity, str | None]]:
    return [(f.id, f.severity, f.segment) for f in made[1]]


def held(made: tuple) -> list[bool]:
    return [slot.scan is not None for slot in made[0]]


def shifted(slot: Slot, pid: int, ticks: int) -> Slot:
    """One stream of a slot with other stamps than it had."""
    assert slot.scan is not None
    stream = slot.scan.streams[pid]
    moved = replace(stream, pts=stream.pts + ticks, dts=stream.dts + ticks)
    streams = {**slot.scan.streams, pid: moved}
    return replace(slot, scan=replace(slot.scan, streams=streams))


def of_format(slot: Slot, config: bytes) -> Slot:
    """Its sound in another format than it had."""
    assert slot.scan is not None
    stream = replace(slot.scan.streams[ts.AUDIO], config=config)
    return replace(slot, scan=replace(slot.scan, streams={**slot.scan.streams, ts.AUDIO: stream}))


def first(slot: Slot, pid: int) -> int:
    assert slot.scan is not None
    return int(slot.scan.streams[pid].dts[0])
