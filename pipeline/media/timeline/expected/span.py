"""What is missing before the first and after the last unit, by what the playlist promised.  Long:
a lane may begin and end with the recording, or inside it.

Times are ticks of 90 kHz unless they say seconds.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from msgspec import Struct

from pipeline.media.clock import HZ, MODULO, median
from pipeline.media.slots.segments import (
    Placed,
    Slot,
    complete,
    has_media,
    is_cut,
    opening,
    slots_between,
)
from pipeline.media.timeline.edges.stream_gaps import FEW
from pipeline.media.timeline.expected.extinf import allowance, exact, extinf_errors, tolerance
from pipeline.media.timeline.expected.slice_names import TOLERANCE, wall
from pipeline.media.timeline.expected.whole_span import (
    breaks_off,
    headless,
    hurt_before,
    media_end,
    whole_span,
)
from pipeline.media.track import Lane
from pipeline.model import Finding, Severity

NEARLY = 0.95  # of a picture
WHOLE_END = 3 * HZ // 25  # ticks an EXTINF may be wrong where every stream ends with a whole unit


class Closed(Struct, frozen=True):
    """A hole that takes no time any more."""

    segment: str  # behind it
    at: int  # the DTS that follows
    ticks: float  # its length before


class Promise(Struct, frozen=True):
    """When a lane should begin and end, in ticks of decoding time."""

    begin: float
    end: float
    late: bool = False  # it is known to begin later
    early: bool = False  # it is known to end earlier
    closed: tuple[Closed, ...] = ()  # holes inside that were closed
    within: tuple[int, int] = (0, -1)  # the first and the last segment placed that holds it
    silent: tuple[tuple[int, int], ...] = ()  # spans inside in which nothing was sent
    unsent: float = 0.0  # ticks in front of its first unit in which nothing was sent


class _Line(Struct, frozen=True, eq=False):
    """All segments in their places, the lanes they hold, and the slots of the playlist."""

    segments: Sequence[Placed]
    lanes: Sequence[Lane]
    slots: Sequence[Slot]

    @property
    def pauses(self) -> bool:
        """Of one user alone: a gap that the names show besides may be an absence."""
        return any(lane.pauses for lane in self.lanes)


def promises(
    segments: Sequence[Placed], lanes: Sequence[Lane], slots: Sequence[Slot]
) -> tuple[dict[int, Promise], list[Finding]]:
    """When every lane should begin and end, by PID, and findings about what is missing there."""
    first, last = segments[0], segments[-1]
    allowed = tolerance(segments, lanes) * HZ
    if not breaks_off(last, lanes):  # EXTINF alone says that something follows
        allowed = allowance(last, lanes) if exact(segments, lanes) else max(allowed, WHOLE_END)
    begin, end = whole_span(segments, lanes, slots)
    real_end = media_end(last, lanes)
    late = begin is not None and _begins_late(segments, lanes, begin)
    early = end is not None and (
        end - real_end > allowed + _lingering(segments, lanes) or _stops_short(segments, lanes, end)
    )
    begin = opening(first, lanes) if begin is None else begin
    end = real_end if end is None else end
    line = _Line(segments, lanes, slots)
    head, tail = _gone_before(begin, line), _gone_behind(end, line)
    promised = {}
    findings = []
    for lane in lanes:
        lag = _reordering(segments, lane)
        having = [n for n, s in enumerate(segments) if lane.pid in s.stamps]
        from_, to = having[0], having[-1]
        starts, comes_late = (
            (begin - head, bool(head) or late or hurt_before(first, lane))
            if from_ == 0
            else _comes_late(line, from_, lane, begin - head)
        )
        if from_ and not comes_late and segments[from_].stream(lane.pid).key_start is False:
            starts, comes_late = float(_first_shown(segments[from_])), True
            findings.append(_beheaded(segments[from_], lane))
        stops, ends_early = (
            (end + tail, bool(tail) or early or _hurt_after(last, lane))
            if to == len(segments) - 1
            else _ends_early(line, to, lane, end + tail, short=early)
        )
        silent = tuple(span for s in segments for span in s.silent.get(lane.pid, ()))
        unsent = _unsent(segments[: from_ + 1], lanes, lane, starts)
        promised[lane.pid] = Promise(
            *(starts - lag, stops - lag, comes_late, ends_early, (), (from_, to), silent), unsent
        )
    if late:
        detail = "the media begins later than the playlist promises"
        findings.append(Finding("PL_EXTINF", Severity.ERROR, first.slot.name, detail=detail))
    if early:
        findings.append(_said_early(last))
    return promised, findings


def _said_early(last: Placed) -> Finding:
    detail = "the media ends earlier than the playlist promises"
    if not last.slot.duration:
        detail = "the media is cut off; the others last longer, the playlist lacks this one"
    return Finding("PL_EXTINF", Severity.ERROR, last.slot.name, detail=detail)


def _gone_before(begin: float, line: _Line) -> float:
    """Ticks gone with the segments in front of the first one placed, which begins at ``begin``."""
    gone = _gone(line.slots[: line.segments[0].position])
    known = wall(line.segments, line.lanes) if gone and not line.pauses else None
    return _told(gone, [begin - known.place(s) for s in gone if s.utc is not None] if known else [])


def _gone_behind(end: float, line: _Line) -> float:
    """Ticks gone with the segments behind the last one placed, which ends at ``end``."""
    gone = _gone(line.slots[line.segments[-1].position + 1 :])
    known = wall(line.segments[::-1], line.lanes) if gone and not line.pauses else None
    return _told(gone, [known.until(s) - end for s in gone if s.utc is not None] if known else [])


def _gone(slots: Sequence[Slot]) -> list[Slot]:
    return [slot for slot in slots if slot.duration and not has_media(slot)]


def _told(gone: Sequence[Slot], by_names: Sequence[float]) -> float:
    """Ticks that these slots lasted: by EXTINF, or by slice names where they show a gap as well."""
    listed = sum(slot.duration or 0.0 for slot in gone) * HZ
    longest = max(by_names, default=0.0)
    return longest if TOLERANCE < longest - listed < MODULO else listed


def _real_begin(first: Placed, lanes: Sequence[Lane]) -> int:
    """A stream that begins with its first unit may begin later than the others; one without a key
    picture has lost its first.
    """
    lane = next(lane for lane in lanes if lane.pid in first.stamps)
    if first.stream(lane.pid).key_start is False:
        return first.presented(lane.pid)[0]
    return _first_shown(first)


def _first_shown(segment: Placed) -> int:
    """The earliest PTS of a segment."""
    return min(segment.presented(pid)[0] for pid in segment.stamps)


def _beheaded(segment: Placed, lane: Lane) -> Finding:
    detail = "video begins here, and with no key picture: its first pictures are missing"
    return Finding("NO_KEY_AT_START", Severity.ERROR, segment.slot.name, lane.pid, 1, detail)


def _begins_late(segments: Sequence[Placed], lanes: Sequence[Lane], begin: float) -> bool:
    """Whether the media begins later than promised; not if the EXTINF of a first segment with a key
    picture in front counts from when that is decoded, not shown.
    """
    first = segments[0]
    pictures = [x for x in lanes if x.pid in first.stamps and x.codec.kind == "video"]
    decoded = [abs(first.first(lane.pid) - begin) <= lane.unit / 2 for lane in pictures]
    counted = any(decoded) and not headless(first)
    return _real_begin(first, lanes) - begin > _late(segments, lanes) * HZ and not counted


def _late(segments: Sequence[Placed], lanes: Sequence[Lane]) -> float:
    """Seconds by which the first segment may begin later than promised, by the other segments.
    Recorders begin with a key picture: without one, pictures are missing in front.
    """
    others = segments[1:]
    if headless(segments[0]):
        off = [abs(o) for _, o in extinf_errors(others, lanes)]
        return max(0.1, 2 * median(off)) if off else 0.1
    return tolerance(others, lanes)


def _comes_late(line: _Line, at: int, lane: Lane, begin: float) -> tuple[float, bool]:
    """Where a lane that is first seen in a later segment may have begun, and whether it did.

    A stream may begin at any time; only where something is missing in front of it may it have begun
    in what is missing.
    """
    segments, lanes, slots = line.segments, line.lanes, line.slots
    before, segment = segments[at - 1], segments[at]
    if cut := [span for s in segments[:at] if (span := s.gone(lane.pid))]:
        return float(cut[0][0]), True
    if _begun_in_front(line, at, lane):
        return begin, True
    hurt = slots_between(slots, before, segment) or before.damaged or _is_cut_off(before, lane)
    if hurt and _first_start(lane, slots) != segment.position:
        unread = at == 1 and _span(before, lanes) < HZ  # too little is left of it to tell
        return (begin if unread else media_end(before, lanes) + _usual_wait(line, at, lane)), True
    begin = opening(segment, lanes)
    if lane.codec.kind == "audio":
        begin = min(segment.first(pid) for pid in segment.stamps)
    return float(begin), hurt_before(segment, lane)


def _is_cut_off(segment: Placed, lane: Lane) -> bool:
    """Whether a lane began in a segment that does not hold one whole unit of it."""
    streams = segment.slot.scan.streams if segment.slot.scan else {}
    return lane.pid in streams and streams[lane.pid].blank


def _usual_wait(line: _Line, at: int, lane: Lane) -> float:
    """Ticks by which this lane begins later in a segment than those in front of its first one, by
    the segments behind that; where there are none, as long as its first unit waits to be shown.
    """
    others = line.segments[at - 1].stamps.keys()
    later = [
        s for s in line.segments[at + 1 :] if lane.pid in s.stamps and others & s.stamps.keys()
    ]
    waits = [
        s.presented(lane.pid)[0] - min(s.presented(pid)[0] for pid in others & s.stamps.keys())
        for s in later
    ]
    return max(0.0, median(waits or [line.segments[at].stamps[lane.pid].wait]))


def _begun_in_front(line: _Line, at: int, lane: Lane) -> bool:
    """Whether a lane began in a segment that is gone in front of all others: the playlist says so,
    or says nothing, and all but the first few segments hold it.
    """
    front = line.segments[0].position
    gone = bool(_gone(line.slots[:front]))
    started = _first_start(lane, line.slots)
    if started is None:
        return gone and at < FEW
    return gone and started < front


def _unsent(segments: Sequence[Placed], lanes: Sequence[Lane], lane: Lane, begin: float) -> float:
    """Ticks that whole segments last, from ``begin`` on, which hold not one packet of a lane, in
    front of the last one, which does: it may have begun in what is gone, but lost nothing in them.
    """
    return sum(
        min(media_end(a, lanes), opening(b, lanes)) - opening(a, lanes)
        for a, b in pairwise(segments)
        if opening(a, lanes) >= begin and _holds_none(a, lane)
        if not (a.damaged or breaks_off(a, lanes))
    )


def _holds_none(segment: Placed, lane: Lane) -> bool:
    """Whether there is not one packet of a lane in a segment."""
    scan = segment.slot.scan
    return scan is not None and lane.pid not in scan.streams and lane.pid not in scan.through


def _first_start(lane: Lane, slots: Sequence[Slot]) -> int | None:
    """The position of the slot with which a stream begins by the playlist: a START stands in front
    of the first segment of every stream.
    """
    return next(
        (n for n, s in enumerate(slots) if any(e.kind == lane.codec.kind for e in s.events)), None
    )


def _ends_early(line: _Line, at: int, lane: Lane, end: float, *, short: bool) -> tuple[float, bool]:
    """The same for a lane that is not seen in the last segments, of which the last may be short."""
    segments, lanes = line.segments, line.lanes
    segment, after = segments[at], segments[at + 1]
    if cut := [span for s in segments[at + 1 :] if (span := s.gone(lane.pid))]:
        return float(cut[-1][1]), True
    unread = at + 2 == len(segments) and _span(after, lanes) < HZ  # too little is left to tell
    if unread and (after.damaged or short):
        return end, True
    gone = bool(slots_between(line.slots, segment, after)) or after.damaged
    return float(opening(after, lanes)), gone or _hurt_after(segment, lane)


def _span(segment: Placed, lanes: Sequence[Lane]) -> float:
    return media_end(segment, lanes) - opening(segment, lanes)


def _reordering(segments: Sequence[Placed], lane: Lane) -> float:
    """Ticks by which pictures are decoded before they are shown."""
    if lane.codec.kind == "audio":
        return 0.0
    having = [s for s in segments if lane.pid in s.stamps]
    return median([s.presented(lane.pid)[0] - s.first(lane.pid) for s in having])


def _lingering(segments: Sequence[Placed], lanes: Sequence[Lane]) -> float:
    """Ticks that the last picture may be shown longer than usual, where no sound shows its end."""
    lane = lanes[0]
    if lane.codec.kind == "audio" or len(segments[-1].stamps) > 1:
        return 0.0
    whole = [s.stamps[lane.pid][0] for s in segments if lane.pid in s.stamps and not s.damaged]
    steps = [int(np.diff(np.sort(pts[pts >= 0])).max()) for pts in whole if len(pts) > 1]
    return max(max(steps, default=0) - lane.unit, 0.0)


def _stops_short(segments: Sequence[Placed], lanes: Sequence[Lane], end: float) -> bool:
    """Whether the last picture does not end with a stuffed packet, and the sound ends early too, or
    the pictures by at least one.
    """
    last = segments[-1]
    video = next((lane for lane in lanes if lane.codec.kind == "video"), None)
    if video is None or video.pid not in last.stamps or complete(last.stream(video.pid)):
        return False
    others = [lane for lane in lanes if lane.pid in last.stamps and lane is not video]
    if any(last.end(lane) >= end - lane.unit / 2 for lane in others):  # which EXTINF is of
        return False
    for lane in lanes:
        if lane.pid not in last.stamps:
            continue
        usual = [
            placed.end(lane) - opening(placed, lanes) - placed.slot.duration * HZ
            for placed in segments[:-1]
            if lane.pid in placed.stamps and placed.slot.duration and not placed.damaged
        ]
        least = NEARLY * lane.unit if lane is video else HZ / 10
        if len(usual) >= 2 and last.end(lane) < end + min(usual) - least:
            return True
    return False


def _hurt_after(segment: Placed, lane: Lane) -> bool:
    """Whether something is wrong with a segment behind a lane's last unit."""
    scan = segment.slot.scan
    if scan is None or is_cut(segment):
        return True
    if any(segment.stream(pid).short for pid in segment.stamps):
        return True
    return scan.faults is not None and scan.faults[1] > segment.stream(lane.pid).rows[1]
