"""How regularly the units of a track follow each other: what a gap has to be held against.

Times are ticks of 90 kHz.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from msgspec import Struct

from pipeline.media.clock import HZ, Ticks, median, quantile, signed
from pipeline.media.slots.segments import GAP, Placed
from pipeline.media.track import Lane

SILENCE = HZ // 10  # a longer pause of the sound inside a segment is a loss, whatever it is like
SEEN = 0.02  # share of steps that may be irregular without a track being so
NEARLY = 0.95  # of a unit: what is missing leaves room for whole ones
ONCE = 16  # packets after which the continuity counter is what it was (2.4.3.3)


class Pace(Struct, frozen=True):
    """The steps of one track, seen inside segments and at the borders between them."""

    steady: bool  # units follow each other at equal distance
    longest: int  # step from unit to unit inside a segment
    stray: float  # how far stamps inside a segment are from where the units before them end
    border: float | None  # the same between segments, in most of them; None: too few tell
    packets: float  # transport packets for each unit

    def gap(self, lane: Lane) -> float:
        """The longest gap between two units that is none."""
        if lane.codec.kind == "video" and not self.steady:
            return 1.5 * self.longest
        stray = min(2 * self.stray, max(SILENCE, 3 * lane.unit))
        if self.border is None:
            return max(SILENCE, 3 * lane.unit)
        return max(stray, self.border + NEARLY * lane.unit)

    def hides(self, lane: Lane, gap: float) -> bool:
        """As many packets may be missing in a gap as the continuity counter cannot tell from none:
        sixteen, or a few times as many.
        """
        gone = self.packets * gap / lane.unit
        return ONCE / 2 < gone < ONCE * (8 if lane.codec.kind == "audio" else 4)


def pace(segments: Sequence[Placed], lane: Lane) -> Pace:
    """What segments on one time line tell of one of their tracks."""
    having = [s for s in segments if lane.pid in s.stamps]
    steps = np.concatenate([_steps(s, lane.pid) for s in having])
    times = np.maximum(np.round(steps / lane.unit), 1) if lane.codec.kind == "audio" else 1.0
    away = np.abs(steps - times * lane.unit)
    spread = quantile(away, 1 - SEEN) if len(away) else 0.0
    units = sum(float(s.last(lane.pid) - s.first(lane.pid)) / lane.unit + 1 for s in having)
    return Pace(
        steady=spread <= lane.unit / 4,
        longest=int(steps.max(initial=0)),
        stray=median(away) if len(away) else 0.0,
        border=_border(having, lane),
        packets=sum(s.stream(lane.pid).packets for s in having) / max(units, 1.0),
    )


def _steps(segment: Placed, pid: int) -> Ticks:
    dts = segment.stamps[pid][1]
    return signed(np.diff(dts[dts >= 0]))


def _border(having: Sequence[Placed], lane: Lane) -> float | None:
    """Where at least three borders tell.  A loss or two do not move the median of many; of few they
    may be most, and no writer leaves out as much.
    """
    gaps = [
        abs(b.first(lane.pid) - decoded_end(a, lane))
        for a, b in pairwise(having)
        if b.position == a.position + 1 and b.slot.part == a.slot.part
    ]
    return min(median(gaps), GAP) if len(gaps) >= 3 else None


def decoded_end(segment: Placed, lane: Lane) -> float:
    """Where the last unit of a lane ends, in decoding time."""
    return segment.last(lane.pid) + segment.stream(lane.pid).tail * lane.unit
