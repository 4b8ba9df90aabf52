"""Slices that the playlist lacks, put among those it lists by the UTC in their names."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import takewhile

from msgspec.structs import replace

from pipeline.model import Finding, Listed, Severity

STRAY = 0.25  # seconds by which the names of slices may be off
ROUNDED = 0.5  # seconds by which an EXTINF in whole seconds may be (RFC 8216 section 4.3.2.1)


def with_orphans(
    segments: list[Listed], orphans: Sequence[Listed]
) -> tuple[list[Listed], list[Finding]]:
    """Put slices that the playlist lacks among the others if it has nothing at their UTC."""
    held = sorted((s.utc, _lasts(s)) for s in segments if s.object and s.utc is not None)
    together, findings = list(segments), []
    for orphan in orphans if held else ():
        assert orphan.object is not None
        utc = orphan.utc or 0.0
        last = bisect_right(held, (utc + STRAY, math.inf)) - 1
        if orphan.object.size and (last < 0 or utc > held[last][0] + held[last][1] - STRAY):
            place = _place_by_name(together, utc)
            together.insert(place, _like(together[max(place - 1, 0)], orphan))
        else:
            what = "another holds its time" if orphan.object.size else "it is empty"
            detail = f"the playlist lacks it; {what}"
            findings.append(Finding("PL_ORPHAN", Severity.WARNING, orphan.name, detail=detail))
    return together, findings


def _lasts(listed: Listed) -> float:
    """Seconds that a slice takes at least, by its EXTINF."""
    return listed.segment.duration - (ROUNDED if listed.segment.rounded else 0.0)


def _place_by_name(segments: Sequence[Listed], utc: float) -> int:
    """Behind the slice that began last before this UTC: names need not rise, a clock may be set."""
    named = [(s.utc, n) for n, s in enumerate(segments) if s.utc is not None]
    earlier = [began for began, _ in named if began <= utc]
    if not earlier:
        return min(named)[1]
    latest = max(earlier)
    place = next(n for began, n in named if began == latest)
    return place + len([*takewhile(lambda s: s.utc == latest, segments[place:])])


def _like(neighbour: Listed, orphan: Listed) -> Listed:
    """The slice with the key and initialisation section of its neighbour."""
    key, init = neighbour.segment.key, neighbour.segment.init
    wrapped = replace(orphan, segment=replace(orphan.segment, key=key, init=init))
    return replace(wrapped, key=neighbour.key, init=neighbour.init, init_key=neighbour.init_key)
