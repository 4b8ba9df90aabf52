"""Where a failover part belongs in time: by its own clock if that goes on, else by the slice names
(docs/adr/0006).

Times are ticks of 90 kHz unless they say seconds.
"""

from collections.abc import Sequence
from itertools import islice, takewhile

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from pipeline.media.clock import HZ, Ticks, median, signed, signed_ticks
from pipeline.media.slots.segments import Placed, Slot, falls_short, opening
from pipeline.media.track import Lane

TOLERANCE = HZ  # ticks by which the slice names may differ from the media
DOUBT = HZ // 10  # ticks: a larger gap is one, however much the names stray
NEAREST = 20  # segments beside a join whose names are used: oscillators drift apart
AFRESH = 10 * HZ  # ticks: a clock is below that when it has restarted, or just wrapped


class Wall(Struct, frozen=True):
    """What the slice names on one side of a join say, in ticks."""

    offset: float  # from its time line to the wall clock (since the epoch)
    spread: float  # by which the names usually stray from that
    grain: float = 0.0  # sound is cut at any time, and a slice begins with its next frame

    def holds(self, slot: Slot, begin: float, end: float) -> bool:
        """Whether a segment that is not there would lie in this span of the time line."""
        if slot.utc is None:
            return False
        return begin - DOUBT <= self.place(slot) and self.until(slot) <= end + DOUBT

    def place(self, slot: Slot) -> float:
        """Where a segment would begin by its name; one without a time is taken for the epoch."""
        return (slot.utc or 0.0) * HZ - self.offset

    def until(self, slot: Slot) -> float:
        """Where a segment would end by its name and EXTINF."""
        return self.place(slot) + (slot.duration or 0.0) * HZ


class Shift(Struct, frozen=True):
    """How far a part has to be moved on the time line."""

    ticks: int
    doubt: float | None  # ticks it may be off: 0 where its clock itself goes on; None: unknown
    how: str  # it was found, for people


def wall(
    segments: Sequence[Placed],
    lanes: Sequence[Lane],
    lead: int | None = None,
    at: Placed | None = None,
) -> Wall | None:
    """The median over the names nearest to a join, at which ``segments`` begin; None where no name
    has a time.

    ``lead`` is the position of their part's first segment: it is named after whatever began first,
    the others after a picture.  ``at`` is the segment at whose time the offset is wanted, by
    default the first.
    """
    named = [s for s in segments if s.slot.utc is not None]
    named = [s for s in named if _tells(s, lanes)] or named
    part = segments[0].slot.part
    lead = min(s.position for s in segments if s.slot.part == part) if lead is None else lead
    offsets = [(s, _offset(s, lanes)) for s in named if s.slot.part == part]
    offsets = offsets or [(s, _offset(s, lanes)) for s in named]
    if not offsets:
        return None
    near = takewhile(lambda one: abs(one[1] - offsets[0][1]) <= TOLERANCE, offsets)
    asked = list(islice(near, NEAREST))
    asked = [one for one in asked if (one[0].slot.part, one[0].position) != (part, lead)] or asked
    times = np.array([offset for _, offset in asked])
    begins = np.array([opening(s, lanes) for s, _ in asked])
    if not all(_same_clock(s, asked[0][0]) for s, _ in asked):
        times -= _drift(times, begins) * (begins - opening(at or segments[0], lanes))
    middle = median(times)
    spread = median(np.abs(times - middle))
    return Wall(middle, spread, max(_grain(s, lanes) for s, _ in asked))


def _drift(times: NDArray[np.float64], begins: Ticks) -> float:
    """How fast names and time line drift apart, ticks per tick, where clocks restart: such segments
    stand one behind the other, even if each lasts longer than it took.  The median over all pairs
    (Theil and Sen).
    """
    one, other = np.triu_indices(len(times), 1)
    apart = begins[other] - begins[one]
    slopes = (times[other] - times[one])[apart != 0] / apart[apart != 0]
    return median(slopes) if len(slopes) else 0.0


def _tells(segment: Placed, lanes: Sequence[Lane]) -> bool:
    """Whether a segment's name is that of its first unit: it lost none in front."""
    if not begins_whole(segment):
        return False
    if _lost_its_end(segment):
        return True
    return not segment.damaged and not falls_short(segment, lanes)


def _lost_its_end(segment: Placed) -> bool:
    """Whether a segment lost its end and nothing else, as far as its packets show."""
    scan = segment.slot.scan
    streams = [segment.stream(pid) for pid in segment.stamps]
    begun = scan is not None and not any(stream.head for stream in streams)
    return begun and not segment.damaged and any(stream.short for stream in streams)


def begins_whole(segment: Placed) -> bool:
    """Whether a segment begins with a key picture, if it has pictures; else its first ones may be
    missing.
    """
    return all(segment.stream(pid).key_start is not False for pid in segment.stamps)


def _grain(segment: Placed, lanes: Sequence[Lane]) -> float:
    """Ticks by which a segment may begin later than it was cut: pictures are cut at a key picture,
    and where that is missing the first frame of sound counts.
    """
    having = [lane for lane in lanes if lane.pid in segment.stamps]
    if not begins_whole(segment):
        having.sort(key=lambda lane: segment.presented(lane.pid)[0])
    return having[0].unit if having[0].codec.kind == "audio" else 0.0


def _offset(segment: Placed, lanes: Sequence[Lane]) -> float:
    assert segment.slot.utc is not None
    if begins_whole(segment):
        return segment.slot.utc * HZ - opening(segment, lanes)
    return segment.slot.utc * HZ - min(segment.presented(pid)[0] for pid in segment.stamps)


def shift(older: Sequence[Placed], newer: Sequence[Placed], lanes: Sequence[Lane]) -> Shift:
    """How far the newer part has to be moved on the time line of the older one: by its clock if
    that goes on, else by the slice names, else to the end of the older part.
    """
    a, b = wall(older[::-1], lanes, at=_beside(older, newer[0])), wall(newer, lanes)
    by_clock = _clock(older[-1]) - _clock(newer[0])
    if a is None or b is None:
        return _without_names(older, newer, lanes, by_clock)
    by_names = b.offset - a.offset
    apart = signed_ticks(by_clock - round(by_names))
    run = _last_run(older)
    elapsed = opening(newer[0], lanes) + by_names - opening(run, lanes)
    if abs(apart) <= min(TOLERANCE, elapsed / 4) and not _afresh(run, newer[0]):
        return Shift(round(by_names) + apart, 0.0, "by its clock, which goes on")
    doubt = max(min(max(a.spread, b.spread), DOUBT), a.grain + b.grain)
    return Shift(round(by_names), doubt, "by the slice names")


def _without_names(
    older: Sequence[Placed], newer: Sequence[Placed], lanes: Sequence[Lane], by_clock: int
) -> Shift:
    """By the clock if it goes on to within a second; else there is nothing to go by."""
    end = round(max(s.end(lane) for s in older for lane in lanes if lane.pid in s.stamps))
    behind = end - min(newer[0].presented(pid)[0] for pid in newer[0].stamps)
    apart = signed_ticks(by_clock - behind)
    if abs(apart) <= TOLERANCE:
        return Shift(behind + apart, 0.0, "by its clock, which goes on")
    return Shift(behind, None, "behind it, for nothing tells when it began")


def _beside(older: Sequence[Placed], newer: Placed) -> Placed:
    """The last segment of the older part that by its name began before the newer part."""
    begun = newer.slot.utc or 0.0
    return next((s for s in older[::-1] if (s.slot.utc or 0.0) <= begun), older[-1])


def _last_run(older: Sequence[Placed]) -> Placed:
    """The segment with which the clock of the last one began."""
    return list(takewhile(lambda s: _same_clock(s, older[-1]), older[::-1]))[-1]


def _same_clock(a: Placed, b: Placed) -> bool:
    return signed_ticks(_clock(a) - _clock(b)) == 0


def _afresh(run: Placed, newer: Placed) -> bool:
    """Whether the clock restarted, or has just wrapped at 2^33."""
    return _first_stamp(newer) < min(AFRESH, _first_stamp(run))


def _first_stamp(segment: Placed) -> int:
    return min(int(stream[stream >= 0][0]) for stream in _raw(segment))


def _raw(segment: Placed) -> list[Ticks]:
    return [segment.stream(pid).dts for pid in segment.stamps]


def _clock(segment: Placed) -> int:
    """Ticks from the stamps of a segment to its place."""
    pid, (pts, _) = next(iter(segment.stamps.items()))
    raw: Ticks = segment.stream(pid).pts
    both = (raw >= 0) & (pts >= 0)
    moved = pts[both] - raw[both]
    return int(moved[0]) + int(median(signed(moved - moved[0])))
