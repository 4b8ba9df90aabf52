"""What became of the seam of two parts, and whether media is missing at it.

Times are ticks of 90 kHz unless they say seconds.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from pipeline.media.clock import HZ
from pipeline.media.slots.segments import Placed
from pipeline.media.timeline.expected import slice_names as walls
from pipeline.media.timeline.expected.slice_names import Shift
from pipeline.media.timeline.failover.covered import Joined
from pipeline.media.timeline.failover.overlap import Start, kept_end
from pipeline.media.track import NOTHING, Lane
from pipeline.model import Finding, Severity


class Seam(Struct, frozen=True, eq=False):
    """Where the older part ends and each lane of the newer part begins."""

    older: Sequence[Placed]
    starts: Mapping[int, Start]  # by PID
    overlap: float  # ticks that were cut from the older part
    shift: Shift  # by which the newer one was moved

    @property
    def first(self) -> Placed:
        """The first segment of the newer part."""
        return min(self.starts.values(), key=lambda start: start.segment.position).segment

    @property
    def parts(self) -> tuple[str, str]:
        """Names of the older and the newer part."""
        return self.older[-1].slot.part, self.first.slot.part


def half(lanes: Sequence[Lane]) -> float:
    """Ticks of half the longest unit: what is nearer than that is the same moment."""
    return max(lane.unit for lane in lanes) / 2


def sew(joined: Joined, seam: Seam) -> None:
    """Add a PL_PARTS for the seam to ``joined``, and mark the segments torn at which media is
    missing.
    """
    first, (old, new), overlap = seam.first, seam.parts, seam.overlap
    gaps, torn = _gaps(joined, seam)
    if not gaps:
        joined.covered.head[first.slot.name] = old
    what = _what(gaps, seam)
    repair = None if gaps else f"joined, the overlap cut from {old}" if overlap > 0 else "joined"
    severity = Severity.ERROR if gaps else Severity.WARNING
    detail = f"{what}; {new} is placed {seam.shift.how}"
    joined.findings.append(Finding("PL_PARTS", severity, first.slot.name, None, 1, detail, repair))
    joined.joins.append((first.number, what))
    segments = [replace(s, torn=NOTHING, missing={}) if s is first else s for s in joined.segments]
    joined.segments = [
        replace(s, torn=s.torn | torn[s.number]) if s.number in torn else s for s in segments
    ]


def _gaps(joined: Joined, seam: Seam) -> tuple[dict[str, float], dict[int, frozenset[int]]]:
    """Seconds missing at a seam by kind of lane, and the PIDs torn there by number of the segment:
    of those, only a gap between units counts as lost.
    """
    gaps = {}
    torn: dict[int, frozenset[int]] = {}
    older, newer = seam.older, joined.segments[len(seam.older) :]
    beside = [*older[-walls.NEAREST :], *newer[: walls.NEAREST]]
    for lane in joined.lanes:
        before = next((s for s in reversed(older) if lane.pid in s.stamps), None)
        start = seam.starts.get(lane.pid)
        if before is None or start is None:
            continue
        gap, doubt = start.pts - kept_end(before, lane), seam.shift.doubt
        if doubt is None or gap > max(half(joined.lanes), doubt, _pause(beside, lane)):
            gaps[lane.codec.kind] = gap / HZ
        elif not (start.segment.stream(lane.pid).head or _hurt(before, joined)):
            continue
        number = start.segment.number
        torn[number] = torn.get(number, NOTHING) | {lane.pid}
    return gaps, torn


def _pause(beside: Sequence[Placed], lane: Lane) -> float:
    """Ticks a stream may be absent without a loss: sound less than a frame, as each part has a grid
    of its own; pictures that come at irregular times half as long again as they ever were.
    """
    if lane.codec.kind == "audio":
        return lane.unit - 1.0
    near = [s for s in beside if lane.pid in s.stamps and not s.damaged]
    shown = [np.sort(pts[pts >= 0]) for pts in (s.stamps[lane.pid][0] for s in near)]
    longest = max((int(np.diff(pts).max()) for pts in shown if len(pts) > 1), default=0)
    irregular = longest > 1.5 * lane.unit
    return 1.5 * longest if irregular else longest - lane.unit / 2


def _hurt(segment: Placed, joined: Joined) -> bool:
    """Whether a segment is damaged in front of the seam."""
    return segment.damaged and segment.slot.name not in joined.covered.tail


def _what(gaps: Mapping[str, float], seam: Seam) -> str:
    old, new = seam.parts
    if seam.shift.doubt is None:
        return f"{new} goes on after {old}: nothing tells how much is missing between them"
    if gaps:
        return f"{max(gaps.values()):.3f} s without {' and '.join(gaps)} between {old} and {new}"
    if seam.overlap > 0:
        return f"{new} begins {seam.overlap / HZ:.3f} s before {old} ends"
    return f"{new} begins where {old} ends"
