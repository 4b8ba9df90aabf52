"""When a recording should begin and end by its playlist: EXTINF, and the segments beside the ends.

Times are ticks of 90 kHz unless they say seconds.
"""

from collections.abc import Sequence

from pipeline.media.clock import HZ, median
from pipeline.media.slots.segments import (
    Placed,
    Slot,
    complete,
    is_cut,
    opening,
    slots_between,
)
from pipeline.media.timeline.expected.extinf import adjacent
from pipeline.media.timeline.expected.slice_names import DOUBT, begins_whole
from pipeline.media.track import Lane


def whole_span(
    segments: Sequence[Placed], lanes: Sequence[Lane], slots: Sequence[Slot]
) -> tuple[float | None, float | None]:
    """Ticks at which the first segment should begin and the last one end, by EXTINF and their
    neighbours; None where nothing says.
    """
    first, last = segments[0], segments[-1]
    begin = end = None
    told = first.slot.duration if headless(first) or not _as_named(segments, lanes) else None
    if told and len(segments) > 1 and adjacent(first, segments[1]):
        begin = opening(segments[1], lanes) - told * HZ
        blameless = breaks_off(first, lanes) and begins_whole(segments[1])
        if _hurt_at_its_beginning(segments[1], lanes) or (segments[1].torn and not blameless):
            begin = min(begin, opening(first, lanes)) if first.damaged else None
    alone = len(segments) == 1 or not adjacent(first, segments[1])
    witness = alone or not breaks_off(first, lanes)  # its own end is left to tell
    if begin is None and told and headless(first) and witness:
        whole = media_end(first, lanes)
        begin = whole - told * HZ
        if first is last:
            return begin, whole
    if lasting := last.slot.duration or _usual_if_cut(segments, lanes):
        end = _start_of_last(segments, lanes, slots) + lasting * HZ
    return begin, end


def _as_named(segments: Sequence[Placed], lanes: Sequence[Lane]) -> bool:
    """Whether the first segment lasts until the next one begins as long as their names say: then an
    EXTINF that says otherwise is wrong.
    """
    first, then = segments[0], segments[1] if len(segments) > 1 else None
    if then is None or not adjacent(first, then):
        return False
    if first.slot.utc is None or then.slot.utc is None or then.torn or then.damaged:
        return False
    lasts = (opening(then, lanes) - opening(first, lanes)) / HZ
    return abs(then.slot.utc - first.slot.utc - lasts) <= DOUBT / HZ


def _usual_if_cut(segments: Sequence[Placed], lanes: Sequence[Lane]) -> float | None:
    """Seconds that the other segments usually last, where the last one is not listed and cut off
    inside a unit; else None.
    """
    last = segments[-1]
    told = [s.slot.duration for s in segments[:-1] if s.slot.duration]
    if last.slot.listed or not told or not breaks_off(last, lanes):
        return None
    return median(told)


def _start_of_last(
    segments: Sequence[Placed], lanes: Sequence[Lane], slots: Sequence[Slot]
) -> float:
    """Where the last segment begins: by its own stamps, or by the segment before where it may have
    lost its beginning.
    """
    last, before = segments[-1], segments[-2] if len(segments) > 1 else None
    own = opening(last, lanes)
    if before is None or before.damaged or before.slot.part != last.slot.part:
        return own
    lasting = [slot.duration for slot in (before.slot, *slots_between(slots, before, last))]
    if None in lasting:
        return own
    chained = opening(before, lanes) + sum(told or 0.0 for told in lasting) * HZ
    if lanes[0].pid not in last.stamps:
        return chained
    apart = last.slot.duration is not None and own - chained >= last.slot.duration * HZ
    return min(own, chained) if (last.damaged or last.torn) and not apart else own


def _hurt_at_its_beginning(segment: Placed, lanes: Sequence[Lane]) -> bool:
    """Whether something is wrong with a segment in front of the first unit of any stream."""
    having = [lane for lane in lanes if lane.pid in segment.stamps]
    return segment.damaged and any(hurt_before(segment, lane) for lane in having)


def breaks_off(segment: Placed, lanes: Sequence[Lane]) -> bool:
    """Whether a segment ends inside a unit."""
    streams = {x.codec.kind: segment.stream(x.pid) for x in lanes if x.pid in segment.stamps}
    video = streams.get("video")
    short = is_cut(segment) or any(stream.short for stream in streams.values())
    return short or (video is not None and not complete(video))


def headless(first: Placed) -> bool:
    """Whether a segment has pictures and does not begin with a key picture, or begins inside a unit
    of every stream.
    """
    streams = [first.stream(pid) for pid in first.stamps]
    return any(s.key_start is False for s in streams) or all(s.head for s in streams)


def hurt_before(segment: Placed, lane: Lane) -> bool:
    """Whether something is wrong with a segment in front of a lane's first unit."""
    if segment.stream(lane.pid).head:
        return True
    scan = segment.slot.scan
    first = segment.stream(lane.pid).rows[0]
    return scan is not None and scan.faults is not None and scan.faults[0] < first


def media_end(segment: Placed, lanes: Sequence[Lane]) -> float:
    """Ticks at which the last unit of any lane of a segment ends."""
    return max(segment.end(lane) for lane in lanes if lane.pid in segment.stamps)
