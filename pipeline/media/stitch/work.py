"""One track inside one segment while it is stitched, and what goes over from segment to segment."""

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct, field
from msgspec.structs import replace

from pipeline.media.clock import Index, Ticks
from pipeline.media.es.access_units import Units
from pipeline.media.track import Lane
from pipeline.media.ts.packets import Packets
from pipeline.media.ts.pes import StreamPackets
from pipeline.model import Finding

if TYPE_CHECKING:
    from pipeline.media.stitch.silence import Quiet


def _no_ticks() -> Ticks:
    return np.empty(0, np.int64)


def _no_places() -> Index:
    return np.empty(0, np.intp)


class CarryOver(Struct, eq=False):
    """What a lane carries from segment to segment: bytes of a unit that is not whole yet."""

    lane: Lane
    counter: int = 0  # the next continuity_counter
    started: bool = False  # a unit came out
    next: float = -math.inf  # ticks: where its last frame of sound ended
    data: bytes = b""
    opening: bytes = b""  # NAL units that open a picture of which nothing is there yet
    offsets: Index = field(default_factory=_no_places)  # of PES inside the data
    pts: Ticks = field(default_factory=_no_ticks)
    dts: Ticks = field(default_factory=_no_ticks)
    quiet: "Quiet | None" = None  # where its sound pauses, silence is put in

    def copied(self) -> "CarryOver":
        """The same, apart from what becomes of it."""
        return replace(self, quiet=self.quiet and replace(self.quiet))


class TrackInSegment(Struct, eq=False):
    """One lane inside one segment, with the new stamps of every PES, -1 for none."""

    name: str
    carried: CarryOver
    packets: Packets
    track: StreamPackets
    pts: Ticks
    dts: Ticks
    torn: bool
    joined: bool
    cut: bool
    whole: bool
    faults: Index  # rows where any stream lost something
    until: int | None = None  # units from this decoding time on belong to another part
    findings: list[Finding] = field(default_factory=list)
    inserts: list[tuple[int, bytes]] = field(default_factory=list)  # packets in front of a row
    added: int = 0  # bytes put into a unit that no packet held
    unfinished: bool = False  # it ends inside a frame, and nothing else is wrong with it

    @property
    def lane(self) -> Lane:
        """The lane it is a part of."""
        return self.carried.lane


def torn_units(made: Units, work: TrackInSegment, ordinals: Iterable[int] = ()) -> Index:
    """The first unit at or behind every place where media may be missing; gaps decide if it is.

    ``ordinals`` are PES in front of which something is known to be gone.
    """
    t = work.track
    near = np.searchsorted(t.index[t.starts], work.faults).tolist()
    where = np.flatnonzero(made.dts >= 0)
    stamped = made.dts[where]
    found = [0] if work.torn and len(made.sizes) else []
    for ordinal in {*ordinals, *near}:
        later = work.dts[ordinal:][work.dts[ordinal:] >= 0][:1]
        at = np.searchsorted(stamped, later)
        found += where[at[at < len(where)]].tolist()
    return np.array(sorted({*found}), np.intp)
