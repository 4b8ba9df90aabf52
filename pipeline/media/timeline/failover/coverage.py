"""Segments that are gone, but of whose time other parts of the recording hold everything."""

from collections.abc import Iterator, Sequence

from pipeline.media.clock import HZ
from pipeline.media.slots.segments import Placed, Slot, has_media, opening
from pipeline.media.timeline.expected.slice_names import DOUBT, NEAREST, wall
from pipeline.media.timeline.failover.overlap import kept_end
from pipeline.media.track import Lane


def held(
    segments: Sequence[Placed], lanes: Sequence[Lane], slots: Sequence[Slot]
) -> Iterator[tuple[str, str]]:
    """Names of segments whose whole part is gone, each with the part that holds its time instead;
    by slice names and EXTINF, on the time line of the other parts.
    """
    there = {segment.slot.part for segment in segments}
    for slot in slots:
        if slot.part in there or has_media(slot) or slot.utc is None or not slot.duration:
            continue
        named = [s for s in segments if s.slot.utc is not None]
        near = sorted(named, key=lambda s: abs((s.slot.utc or 0.0) - (slot.utc or 0.0)))[:NEAREST]
        names = wall(near, lanes) if near else None
        if names is None:
            continue
        begin = slot.utc * HZ - names.offset
        holder = _holder(segments, lanes, begin, begin + slot.duration * HZ)
        if holder is not None:
            yield slot.name, holder


def _holder(
    segments: Sequence[Placed], lanes: Sequence[Lane], begin: float, end: float
) -> str | None:
    """The part that holds the beginning of a span (ticks), if all of it is there in every lane."""
    at, found = begin, None
    for segment in segments:
        first = opening(segment, lanes)
        last = min(kept_end(segment, lane) for lane in lanes if lane.pid in segment.stamps)
        whole = not segment.damaged and all(lane.pid in segment.stamps for lane in lanes)
        if whole and first <= at + DOUBT and last > at:
            at, found = last, found or segment.slot.part
    return found if at >= end - DOUBT else None
