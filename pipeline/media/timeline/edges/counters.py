"""How a writer counts: whether its continuity counters go on from segment to segment."""

from collections.abc import Sequence
from itertools import pairwise

from pipeline.media.slots.segments import (
    Placed,
)
from pipeline.media.track import Lane
from pipeline.media.ts.continuity import continues, moved
from pipeline.media.ts.scan import Stream

ENOUGH = 3  # edges at least, to show how a writer counts


def counters_go_on(
    segments: Sequence[Placed], lanes: Sequence[Lane], parts: Sequence[Sequence[Placed]] = ()
) -> bool:
    """Whether this writer's continuity counters go on from segment to segment, at half of the edges
    at least (RFC 8216 section 3 wants it without EXT-X-DISCONTINUITY).

    By chance one in 16 goes on; a writer that restarts begins with the same counter every time.
    Where a part is too short to show it, the other ``parts`` are looked at as well.
    """
    pairs = _edges(segments, lanes)
    if len(pairs) < ENOUGH and not _restarts(pairs):
        others = [_edges(part, lanes) for part in parts if part is not segments]
        pairs += [pair for edges in others if not _restarts(edges) for pair in edges]
    enough = len(pairs) >= ENOUGH and not _restarts(pairs)
    return enough and sum(continues(a, b) for a, b in pairs) * 2 >= len(pairs)


def begin_anew(segments: Sequence[Placed], lanes: Sequence[Lane]) -> bool:
    """Whether this writer begins to count anew in each segment, at most of the edges: a counter
    that goes on at one of them does so by chance.  Where a part is too short to show it, no.
    """
    pairs = _edges(segments, lanes)
    return len(pairs) >= ENOUGH and sum(continues(a, b) for a, b in pairs) * 2 < len(pairs)


def _edges(segments: Sequence[Placed], lanes: Sequence[Lane]) -> list[tuple[Stream, Stream]]:
    """Each stream on both sides of each edge between neighbours of a playlist."""
    pairs = [
        (a.stream(lane.pid), b.stream(lane.pid))
        for lane in lanes
        for a, b in pairwise(segments)
        if b.position == a.position + 1 and lane.pid in a.stamps and lane.pid in b.stamps
    ]
    return [(a, b) for a, b in pairs if not moved(a, b)]


def _restarts(pairs: Sequence[tuple[Stream, Stream]]) -> bool:
    return all(a.counters[0] == b.counters[0] for a, b in pairs)
