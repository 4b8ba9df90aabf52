"""Holes that are to be filled: which units are needed, and where they go.

Only holes between segments can be filled: in front of the first unit of a segment.  What is missing
inside a segment stays a hole.  Times are ticks of 90 kHz on the time line of the plan.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from msgspec import Struct

from pipeline.media.clock import BASE, HZ, Ticks
from pipeline.media.loss.holes import Stretch, holes_at, line
from pipeline.media.slots.segments import GAP, Placed
from pipeline.media.track import Lane

BLOCK = 60 * HZ  # ticks of media made at a time


class Fill(Struct, frozen=True, eq=False):
    """The units one lane needs in front of a placed segment."""

    pid: int
    before: int  # index of the placed segment
    pts: Ticks  # int64[units]
    dts: Ticks  # int64[units]


class EncodedUnits(Struct, frozen=True, eq=False):
    """Encoded units of one lane as a transport stream carries them; the first can follow the last,
    so that they may be repeated.
    """

    units: tuple[bytes, ...]
    own: bool = False  # they have parameter sets of their own


class Block(Struct, frozen=True, eq=False):
    """Units of one lane to be written together, with a stamp each."""

    units: list[bytes]
    pts: Ticks  # int64[units]
    dts: Ticks  # int64[units]


def wanted(lane: Lane, stretches: Sequence[Stretch]) -> Iterator[Fill]:
    """The units that would fill each hole of a lane; it has a stretch for each placed segment."""
    on = line(stretches, lane)
    for place in holes_at(on, lane):
        before = int(on.owner[place])
        behind, ahead = stretches[before].units, stretches[int(on.owner[place - 1])].units
        times = behind.dts if lane.codec.kind == "video" else behind.pts
        first = int(on.begin[place])
        if ahead is behind or times[0] != first:
            continue
        start = float(on.end[place - 1])
        rest = 0.5 if lane.codec.kind == "video" else 1e-3  # the last frame must fit in whole
        count = int((first - start) / lane.unit + rest)
        dts = np.round(start + np.arange(count) * lane.unit).astype(np.int64)
        pts = dts + int(behind.pts[0] - times[0])
        free = pts > ahead.pts.max()  # what was cut may have shown a picture early
        if free.any():
            yield Fill(lane.pid, before, pts[free], dts[free])


def opening(lane: Lane, placed: Sequence[Placed]) -> Fill | None:
    """One picture at the beginning of a recording whose pictures begin late; None where none is
    needed.

    Where pictures are reordered it is shown a tick after it is decoded: a decoder that expects a
    delay of one picture does not accept one that is shown at once.
    """
    having = [p for p in placed if lane.pid in p.stamps]
    first = next((p.presented(lane.pid)[0] for p in having), BASE)
    if lane.codec.kind != "video" or first - BASE <= GAP:
        return None
    reordered = any((p.stamps[lane.pid][0] != p.stamps[lane.pid][1]).any() for p in having)
    at = np.array([BASE], np.int64)
    return Fill(lane.pid, 0, at + int(reordered), at)


def pauses(lane: Lane, placed: Sequence[Placed]) -> Iterator[Fill]:
    """One picture at the beginning of each span in which a camera was off between two segments."""
    if lane.codec.kind != "video":
        return
    for before, segment in enumerate(placed):
        for begin, end in segment.silent.get(lane.pid, ()):
            if end - begin > GAP:
                at = np.array([begin], np.int64)
                yield Fill(lane.pid, before, at + 1, at)


def blocks(fills: Sequence[Fill], made: Mapping[int, EncodedUnits]) -> Iterator[dict[int, Block]]:
    """The units of all lanes by PID, one minute at a time; those in ``made`` are repeated as often
    as needed.
    """
    if not fills:
        return
    begin = min(int(fill.dts[0]) for fill in fills)
    end = max(int(fill.dts[-1]) for fill in fills)
    for start in range(begin, end + 1, BLOCK):
        found = {}
        for fill in fills:
            which = np.flatnonzero((fill.dts >= start) & (fill.dts < start + BLOCK))
            units = made[fill.pid].units
            if len(which):
                es = [units[n % len(units)] for n in which.tolist()]
                found[fill.pid] = Block(es, fill.pts[which], fill.dts[which])
        yield found
