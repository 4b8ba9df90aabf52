"""How regularly the units of a track follow each other: what a gap is compared with.

Times are ticks of 90 kHz.
"""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from pipeline.media.clock import HZ, Ticks, median, signed
from pipeline.media.distribution import Distribution
from pipeline.media.slots.segments import GAP, Placed
from pipeline.media.track import Lane

SILENCE = HZ // 10  # ticks: a longer pause of the sound inside a segment is a loss in any case
SEEN = 0.02  # share of steps that may be irregular in a regular track
NEARLY = 0.95  # of a unit: what is missing leaves room for whole ones
ONCE = 16  # packets after which the continuity counter repeats (ISO/IEC 13818-1 clause 2.4.3.3)


class Pace(Struct, frozen=True):
    """The steps of one track inside segments and at the borders between them, in ticks."""

    steady: bool  # units follow each other at equal distance
    longest: int  # step from unit to unit inside a segment
    stray: float  # how far stamps inside a segment are from where the units before them end
    border: float | None  # the same between segments, the median; None: too few to say
    packets: float  # transport packets for each unit

    def gap(self, lane: Lane) -> float:
        """The most ticks between two units that are not yet a gap."""
        if lane.codec.kind == "video" and not self.steady:
            return 1.5 * self.longest
        stray = min(2 * self.stray, max(SILENCE, 3 * lane.unit))
        if self.border is None:
            return max(SILENCE, 3 * lane.unit)
        return max(stray, self.border + NEARLY * lane.unit)

    def hides(self, lane: Lane, gap: float) -> bool:
        """Whether as many packets may be missing in a gap (ticks) as the continuity counter cannot
        show: 16, or a few times as many (ISO/IEC 13818-1 clause 2.4.3.3).
        """
        gone = self.packets * gap / lane.unit
        return ONCE / 2 < gone < ONCE * (8 if lane.codec.kind == "audio" else 4)


def pace(segments: Sequence[Placed], lane: Lane) -> Pace:
    """How regular one track of these segments is; they stand on one time line."""
    having = [s for s in segments if lane.pid in s.stamps]
    steps = Distribution.of(_steps(s, lane.pid) for s in having)
    away = steps.map(partial(_away, lane=lane))
    spread = away.quantile(1 - SEEN) if len(away) else 0.0
    units = sum(float(s.last(lane.pid) - s.first(lane.pid)) / lane.unit + 1 for s in having)
    return Pace(
        steady=spread <= lane.unit / 4,
        longest=int(steps.values.max(initial=0)),
        stray=away.median if len(away) else 0.0,
        border=_border(having, lane),
        packets=sum(s.stream(lane.pid).packets for s in having) / max(units, 1.0),
    )


def _away(steps: Ticks, lane: Lane) -> NDArray[np.float64]:
    """How far each step is from one unit; of sound from as many units as it may be."""
    times = np.maximum(np.round(steps / lane.unit), 1) if lane.codec.kind == "audio" else 1.0
    away: NDArray[np.float64] = np.abs(steps - times * lane.unit)
    return away


def _steps(segment: Placed, pid: int) -> Ticks:
    dts = segment.stamps[pid][1]
    return signed(np.diff(dts[dts >= 0]))


def _border(having: Sequence[Placed], lane: Lane) -> float | None:
    """The median gap at borders, of three at least.  A loss or two do not move the median of many;
    of few they may be most, and no writer leaves out more than ``GAP``.
    """
    gaps = [
        abs(b.first(lane.pid) - decoded_end(a, lane))
        for a, b in pairwise(having)
        if b.position == a.position + 1 and b.slot.part == a.slot.part
    ]
    return min(median(gaps), GAP) if len(gaps) >= 3 else None


def decoded_end(segment: Placed, lane: Lane) -> float:
    """Ticks at which the last unit of a lane ends, in decoding time."""
    return segment.last(lane.pid) + segment.stream(lane.pid).tail * lane.unit
