"""A stream that is absent from whole segments and comes again: lost, or never sent.

Nobody spoke, or the picture stood still, if every segment between is undamaged and the counter of
the stream's own packets goes on over all of them: had any been sent, packets would be missing.  By
chance it goes on one time in sixteen; pictures, which are seldom not sent, must have paused already
before the first of those segments, or still behind the last: a loss has the bounds of segments.
Or the playlist says that they were interrupted (EXT-X-AGORA-TRACK-EVENT, EVENT=START).
"""

from collections.abc import Iterator, Sequence, Set
from itertools import pairwise

from pipeline.media.clock import HZ
from pipeline.media.slots.segments import Placed, Slot, has_media
from pipeline.media.track import Lane
from pipeline.media.ts.continuity import continues, moved
from pipeline.model import Finding, Severity

Span = tuple[int, int]  # ticks
FEW = 2  # segments without the stream, besides one that is gone: no damage spares all else of them
AGREED = 1.0  # seconds between the time of a START and the unit it announces
PAUSE = HZ // 2  # ticks: streams of one segment seldom end so far apart


def never_sent(chain: Sequence[Placed], lane: Lane, slots: Sequence[Slot]) -> bool:
    """Whether the stream was not sent between the first and the last segment of ``chain``, which
    alone hold it; False where it may have been lost.
    """
    first, *away, last = chain
    a, b = first.stream(lane.pid), last.stream(lane.pid)
    gone = any(not has_media(slot) for slot in slots[first.position + 1 : last.position])
    torn = bool(a.short or b.head) or _is_cut(first)
    hurt = [segment for segment in away if segment.damaged]
    if moved(a, b):
        return False
    goes_on = continues(a, b) and not torn  # then only by chance
    if not (gone or torn or goes_on):  # what is gone, also of these two, may have held packets
        return False
    if (hurt or not goes_on) and len(away) - len(hurt) < FEW:
        return False
    if any(_holds(segment, lane) for segment in away):
        return False
    told = lane.codec.kind == "audio" or came_back(last, lane)
    return told or _pauses_inside(first, last, lane.pid)


def _is_cut(segment: Placed) -> bool:
    """Whether bytes are missing at the end of a segment."""
    return segment.slot.scan is not None and segment.slot.scan.cut


def came_back(segment: Placed, lane: Lane) -> bool:
    """Whether the playlist says (START) that a stream begins again with this segment, at the time
    its first unit has by the name of the segment, if the name has one.
    """
    times = [e.time for e in segment.slot.events if e.kind == lane.codec.kind]
    told = [time for time in times if time is not None]
    if segment.slot.utc is None:
        return bool(told)
    begun = min(segment.first(pid) for pid in segment.stamps)
    first = segment.slot.utc + (segment.first(lane.pid) - begun) / HZ
    return any(abs(time - first) <= AGREED for time in told)


def _pauses_inside(before: Placed, behind: Placed, pid: int) -> bool:
    """Whether the other streams of a segment go on after this one ended, or began before it."""
    ends = [before.last(other) for other in before.stamps if other != pid]
    begins = [behind.first(other) for other in behind.stamps if other != pid]
    early = bool(ends) and max(ends) - before.last(pid) > PAUSE
    return early or (bool(begins) and behind.first(pid) - min(begins) > PAUSE)


def silences(
    chain: Sequence[Placed], torn: Sequence[Set[int]], lane: Lane, lanes: Sequence[Lane]
) -> tuple[Span, ...]:
    """Spans in which nothing was sent: all the time between the first and the last segment of
    ``chain``, less what the other streams lack as well.

    ``torn`` are the PIDs of which media is missing in front of each segment of the chain.
    """
    at = round(chain[0].end(lane))
    found = []
    for (before, segment), lost in zip(pairwise(chain), torn[1:], strict=True):
        both = before.stamps.keys() & segment.stamps.keys()
        others = [x for x in lanes if x.pid in both and x is not lane]
        if others and lost >= {x.pid for x in others}:
            end = max(round(before.end(x)) for x in others)
            found.append((at, max(at, end)))
            at = max(at, min(segment.first(x.pid) for x in others))
    return (*found, (at, max(at, chain[-1].first(lane.pid))))


def said(chain: Sequence[Placed], lane: Lane, *, sent: bool) -> Iterator[Finding]:
    """An ES_ABSENT about the segments without the stream: a warning if it was not ``sent``, else an
    error for each that is not damaged anyway.
    """
    away = [segment for segment in chain[1:-1] if not _holds(segment, lane)]
    if not sent:
        detail = f"no {lane.codec.kind} here, and no packet of it is missing: none was sent"
        name, count = away[0].slot.name, len(away)
        yield Finding("ES_ABSENT", Severity.WARNING, name, lane.pid, count, detail)
        return
    for segment in away:
        if not segment.damaged:
            detail = f"no {lane.codec.kind} in this segment"
            yield Finding("ES_ABSENT", Severity.ERROR, segment.slot.name, lane.pid, detail=detail)


def _holds(segment: Placed, lane: Lane) -> bool:
    scan = segment.slot.scan
    return scan is not None and lane.pid in scan.streams and len(scan.streams[lane.pid].pts) > 0
