"""Segments of parts from nothing, with the names a recorder gives them."""

import numpy as np

from pipeline.media.slots.segments import Placed, Slot
from pipeline.media.slots.stamps import Stamps
from pipeline.media.stitch.stitcher import Stitched, Stitcher
from pipeline.media.timeline.plan import Plan, plan
from pipeline.media.timeline.tracks import choose
from pipeline.media.track import Lane
from pipeline.media.ts.scan import scan
from tests import ts

S = 96_000  # ticks of a segment: 16 pictures, 50 frames of sound
SECONDS = S / 90_000
UTC = 1_772_442_002.12


def slot(
    part: str,
    start: float,
    *,
    clock: int = 0,
    utc: float | None = None,
    there: bool = True,
    lost: int = 0,
    **options: object,
) -> Slot:
    """One segment that begins so many segments after the recording did, by its name as well.

    It has ``lost`` that many of its first pictures.
    """
    name = f"{part}-{start:g}.ts"
    data = ts.segment(start=int(S * (start + 1)) + clock, pictures=16, **options)
    data = ts.headless(data, lost)
    found = scan(name, np.frombuffer(data, np.uint8)) if there else None
    began = UTC + start * SECONDS if utc is None else utc
    return Slot(name, found, SECONDS, utc=began or None, part=part)


def placed(slots: list[Slot]) -> tuple[list[Placed], list[Lane]]:
    """Segments at the times their own clock tells, and their lanes."""
    lanes, _ = choose([s.scan for s in slots])
    found = [
        Placed(s, n, {p: Stamps.of(x.pts, x.dts) for p, x in s.scan.streams.items()}, n)
        for n, s in enumerate(slots)
    ]
    return found, lanes


def stitched(*datas: bytes) -> tuple[Plan, list[Stitched], bytes]:
    """Plan and stitch segments; the last is all that was written, tables included."""
    slots = [
        Slot(f"{n}.ts", scan(f"{n}.ts", np.frombuffer(data, np.uint8)), SECONDS)
        for n, data in enumerate(datas)
    ]
    made = plan(slots)
    stitcher = Stitcher(made.lanes)
    parts = [
        stitcher.add(
            placed.slot.name,
            np.frombuffer(bytearray(datas[placed.number]), np.uint8),
            placed.times,
            placed.edges,
        )
        for placed in made.placed
    ]
    chunks = [chunk for part in parts for chunk in part.chunks]
    return made, parts, b"".join([stitcher.tables(), *chunks])
