"""Where a part begins, and what that leaves of the part before: the overlap is cut once.

Times are ticks of 90 kHz unless they say seconds.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from pipeline.media.clock import HZ
from pipeline.media.slots.segments import Placed, opening
from pipeline.media.timeline.expected import slice_names as walls
from pipeline.media.track import Lane


class Start(Struct, frozen=True):
    """Where one lane of the newer part begins."""

    pts: int  # ticks, the earliest of the segment
    segment: Placed


def starts_of(newer: Sequence[Placed], lanes: Sequence[Lane]) -> dict[int, Start]:
    """Where each lane of a part begins, by PID; lanes that it does not hold are left out."""
    found = {}
    for lane in lanes:
        first = next((s for s in newer if lane.pid in s.stamps), None)
        if first is not None:
            found[lane.pid] = Start(first.presented(lane.pid)[0], first)
    return found


def without_overlap(
    older: Sequence[Placed], starts: Mapping[int, Start], lanes: Sequence[Lane]
) -> tuple[list[Placed], set[int]]:
    """The older part without the units that begin once the newer part has begun, and the numbers of
    the segments that lose any.
    """
    kept, touched = list(older), set[int]()
    for lane, start in ((lane, starts[lane.pid]) for lane in lanes if lane.pid in starts):
        having = [n for n, segment in enumerate(kept) if lane.pid in segment.stamps]
        cuts = [_first_beyond(kept[n], lane, start) for n in having]
        place = next((k for k, at in enumerate(cuts) if at is not None), len(cuts))
        beyond = having[place:]
        touched |= {kept[n].number for n in beyond}
        if beyond and (at := cuts[place] or 0) > kept[beyond[0]].first(lane.pid):
            kept[beyond[0]] = _until(kept[beyond[0]], lane, at, sets_the_end=lane is lanes[0])
            beyond = beyond[1:]
        elif beyond and place:
            last = having[place - 1]
            kept[last] = _ending(kept[last], kept[beyond[0]], lane.pid)
        for n in beyond:
            left = {pid: s for pid, s in kept[n].stamps.items() if pid != lane.pid}
            kept[n] = replace(kept[n], stamps=left)
    return kept, touched


def _until(segment: Placed, lane: Lane, at: int, *, sets_the_end: bool) -> Placed:
    """A segment without what is decoded from the tick ``at`` on.  One that lost its beginning keeps
    its EXTINF, which counts back from where it ended.
    """
    slot = segment.slot
    if sets_the_end and slot.duration and walls.begins_whole(segment):
        slot = replace(slot, duration=(at - opening(segment, [lane])) / HZ)
    until, whole = {**segment.until, lane.pid: at}, segment.whole | {lane.pid}
    return replace(segment, slot=slot, until=until, whole=whole)


def _ending(segment: Placed, left_out: Placed, pid: int) -> Placed:
    """The last segment of a stream; a unit that goes on in the one left out has lost its end."""
    cut = segment.cut | {pid} if left_out.stream(pid).head else segment.cut
    return replace(segment, whole=segment.whole | {pid}, cut=cut)


def _first_beyond(segment: Placed, lane: Lane, start: Start) -> int | None:
    """The DTS from which on nothing of a lane is kept, ticks; None if all of it is kept."""
    pts, dts = segment.stamps[lane.pid]
    limit = start.pts - lane.unit / 2
    if lane.codec.kind == "audio":
        last = segment.end(lane) - lane.unit  # where its last frame begins
        return max(round(limit), segment.first(lane.pid)) if last >= limit else None
    beyond = (dts >= 0) & (pts >= limit)
    return int(dts[np.argmax(beyond)]) if beyond.any() else None


def kept_end(segment: Placed, lane: Lane) -> float:
    """Ticks at which the last unit of a lane ends that is kept: of video in presentation, of audio
    in decoding order.
    """
    until = segment.until.get(lane.pid)
    if until is None:
        return segment.end(lane)
    pts, dts = segment.stamps[lane.pid]
    kept = (dts >= 0) & (dts < until)
    if lane.codec.kind == "video":
        return float(pts[kept].max()) + lane.unit
    last = int(dts[kept].max())
    return min(segment.end(lane), last + float(np.ceil((until - last) / lane.unit)) * lane.unit)
