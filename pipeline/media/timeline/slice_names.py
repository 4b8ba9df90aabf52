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

TOLERANCE = HZ  # the slice names may differ from the media by so much
DOUBT = HZ // 10  # a larger gap is one, however much the names stray
NEAREST = 20  # segments beside a join whose names are asked: oscillators drift apart
AFRESH = 10 * HZ  # a clock is as low as that when it has restarted, or just passed its end


class Wall(Struct, frozen=True):
    """What the slice names of one side say."""

    offset: float  # from its time line to the wall clock
    spread: float  # by which the names usually stray from that
    grain: float = 0.0  # sound is cut at any time, and a slice begins with its next frame

    def holds(self, slot: Slot, begin: float, end: float) -> bool:
        """A segment that is not there would lie in this span of the time line."""
        if slot.utc is None:
            return False
        return begin - DOUBT <= self.place(slot) and self.until(slot) <= end + DOUBT

    def place(self, slot: Slot) -> float:
        """Where it would begin."""
        return (slot.utc or 0.0) * HZ - self.offset

    def until(self, slot: Slot) -> float:
        """Where it would end."""
        return self.place(slot) + (slot.duration or 0.0) * HZ


class Shift(Struct, frozen=True):
    """How far a part has to be moved; ``doubt`` is 0 where its clock itself goes on, None where
    nothing tells.
    """

    ticks: int
    doubt: float | None
    how: str


def wall(
    segments: Sequence[Placed],
    lanes: Sequence[Lane],
    lead: int | None = None,
    at: Placed | None = None,
) -> Wall | None:
    """The median over the names nearest to a join; ``segments`` begin there.

    ``lead`` is the position of their part's first segment; it is named after whatever began first,
    the others after a picture.  ``at`` is the segment for whose time it is asked: the first.
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
    """How fast names and time line part where clocks restart: such segments stand one behind the
    other, also if each lasts longer than it took.  The median over all pairs (Theil and Sen).
    """
    one, other = np.triu_indices(len(times), 1)
    apart = begins[other] - begins[one]
    slopes = (times[other] - times[one])[apart != 0] / apart[apart != 0]
    return median(slopes) if len(slopes) else 0.0


def _tells(segment: Placed, lanes: Sequence[Lane]) -> bool:
    """Its name is that of its first unit: it has not lost any that stood before."""
    if not begins_whole(segment):
        return False
    if _lost_its_end(segment):
        return True
    return not segment.damaged and not falls_short(segment, lanes)


def _lost_its_end(segment: Placed) -> bool:
    """And that is all that is wrong with it, as far as its packets tell."""
    scan = segment.slot.scan
    streams = [segment.stream(pid) for pid in segment.stamps]
    begun = scan is not None and not any(stream.head for stream in streams)
    return begun and not segment.damaged and any(stream.short for stream in streams)


def begins_whole(segment: Placed) -> bool:
    """With a key picture, as far as it has pictures; else its first ones may be missing."""
    return all(segment.stream(pid).key_start is not False for pid in segment.stamps)


def _grain(segment: Placed, lanes: Sequence[Lane]) -> float:
    """By how much a segment may begin beside the time it was cut at: pictures are cut at a key, and
    where these are missing, sound tells.
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
    """How far the newer part has to be moved on the time line of the older one."""
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
    """A clock that goes on within a second speaks for itself; else there is nothing to go by."""
    end = round(max(s.end(lane) for s in older for lane in lanes if lane.pid in s.stamps))
    behind = end - min(newer[0].presented(pid)[0] for pid in newer[0].stamps)
    apart = signed_ticks(by_clock - behind)
    if abs(apart) <= TOLERANCE:
        return Shift(behind + apart, 0.0, "by its clock, which goes on")
    return Shift(behind, None, "behind it, for nothing tells when it began")


def _beside(older: Sequence[Placed], newer: Placed) -> Placed:
    """The last segment that by its name began before the newer part did."""
    begun = newer.slot.utc or 0.0
    return next((s for s in older[::-1] if (s.slot.utc or 0.0) <= begun), older[-1])


def _last_run(older: Sequence[Placed]) -> Placed:
    """The segment with which the clock of the last one began."""
    return list(takewhile(lambda s: _same_clock(s, older[-1]), older[::-1]))[-1]


def _same_clock(a: Placed, b: Placed) -> bool:
    return signed_ticks(_clock(a) - _clock(b)) == 0


def _afresh(run: Placed, newer: Placed) -> bool:
    """The clock has passed 2^33 just now, or rather it restarted."""
    return _first_stamp(newer) < min(AFRESH, _first_stamp(run))


def _first_stamp(segment: Placed) -> int:
    return min(int(stream[stream >= 0][0]) for stream in _raw(segment))


def _raw(segment: Placed) -> list[Ticks]:
    return [segment.stream(pid).dts for pid in segment.stamps]


def _clock(segment: Placed) -> int:
    """From the stamps of a segment to its place."""
    pid, (pts, _) = next(iter(segment.stamps.items()))
    raw: Ticks = segment.stream(pid).pts
    both = (raw >= 0) & (pts >= 0)
    moved = pts[both] - raw[both]
    return int(moved[0]) + int(median(signed(moved - moved[0])))
