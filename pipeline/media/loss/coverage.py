"""Where the media of each track is shown in the result: what a report is drawn from.

Times are seconds from the beginning of the result, to the millisecond.
"""

from collections.abc import Sequence

from pipeline.media.clock import BASE, HZ
from pipeline.media.loss.holes import Stretch, beyond, span
from pipeline.media.timeline.expected.span import Promise
from pipeline.media.track import Lane
from pipeline.model import Coverage, TrackCoverage


def covered(lane: Lane, stretches: Sequence[Stretch], promised: Promise) -> TrackCoverage:
    """One track; ``stretches`` are its units in each segment that has a place."""
    spans = [_shown(lane, stretch) for stretch in stretches]
    before, behind = beyond(lane, stretches, promised)
    return TrackCoverage(
        lane.codec.kind,
        lane.pid,
        before=round(before / HZ, 3),
        behind=round(behind / HZ, 3),
        begin=tuple(one and one[0] for one in spans),
        end=tuple(one and one[1] for one in spans),
        unsent=round(promised.unsent / HZ, 3) if before else 0.0,
    )


def _shown(lane: Lane, stretch: Stretch) -> tuple[float, float] | None:
    """When what it holds is shown: pictures are decoded earlier than that."""
    units = stretch.units
    stamped = (units.dts >= 0) & (units.pts >= 0)
    if not stamped.any():
        return None
    begin, end = span(lane, [stretch])
    wait = float(units.pts[stamped].min() - units.dts[stamped].min())
    return round((begin + wait - BASE) / HZ, 3), round((end + wait - BASE) / HZ, 3)


def together(parts: Sequence[tuple[float, Coverage]]) -> Coverage:
    """Those of several files as one; each begins so many seconds from the beginning."""
    segments = tuple(name for _, one in parts for name in one.segments)
    tracks = {(track.track, track.pid): track for _, one in parts for track in one.tracks}
    return Coverage(segments, tuple(_joined(track, parts) for track in tracks.values()))


def _joined(track: TrackCoverage, parts: Sequence[tuple[float, Coverage]]) -> TrackCoverage:
    begin: list[float | None] = []
    end: list[float | None] = []
    before = behind = unsent = 0.0
    for number, (at, one) in enumerate(parts):
        own = next((t for t in one.tracks if (t.track, t.pid) == (track.track, track.pid)), None)
        nothing = (None,) * len(one.segments)
        begin += [_later(seconds, at) for seconds in (own.begin if own else nothing)]
        end += [_later(seconds, at) for seconds in (own.end if own else nothing)]
        if own and not number:
            before, unsent = own.before, own.unsent
        if own and number == len(parts) - 1:
            behind = own.behind
    return TrackCoverage(
        track.track, track.pid, before, behind, tuple(begin), tuple(end), unsent=unsent
    )


def _later(seconds: float | None, by: float) -> float | None:
    return None if seconds is None else round(seconds + by, 3)
