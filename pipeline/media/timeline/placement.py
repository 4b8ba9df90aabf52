"""Where every segment of a part belongs in time, from witnesses that are compared in one place.

What is missing between segments is found later, by :mod:`pipeline.media.timeline.edges`, once
everything has its place.  Times are ticks of 90 kHz unless they say seconds.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise, takewhile

import numpy as np
from msgspec.structs import replace

from pipeline.media.clock import BASE, HZ, MODULO, median, signed, signed_ticks
from pipeline.media.slots.segments import (
    GAP,
    Placed,
    Slot,
    as_long_as_slots,
    opening,
    promise_is_kept,
    shortfall,
    slots_between,
)
from pipeline.media.timeline.expected.numbering import left_out
from pipeline.media.timeline.expected.slice_names import DOUBT, NEAREST, begins_whole, wall
from pipeline.media.timeline.witnesses import Witnesses, said
from pipeline.media.track import Lane
from pipeline.media.ts.continuity import continues, moved
from pipeline.model import Finding


class Placer:
    """Places segments one after the other, from ``BASE`` on, and knows where each lane ended; what
    is placed and found is in ``placed`` and ``findings``.
    """

    def __init__(
        self, lanes: Sequence[Lane], slots: Sequence[Slot], *, counters_go_on: bool, exact: bool
    ) -> None:
        """``exact`` is whether EXTINF is right to the millisecond, as far as the clock shows."""
        self.placed: list[Placed] = []
        self.findings: list[Finding] = []
        self._lanes = lanes
        self._slots = slots
        self._counters_go_on = counters_go_on
        self._exact = exact
        self._numbers = left_out(slots)
        self._offset = self._lead = 0
        self._last: dict[int, int] = {}  # by PID, in new time: the last PTS
        self._begin: dict[int, float] = {}  # and the last unit, of which a PES may hold several
        self._end: dict[int, float] = {}
        self._decoded: dict[int, float] = {}  # when the last unit is decoded
        self._overruled = (
            0.0  # seconds of the clock that the names did not believe at the last edge
        )
        self._over: dict[int, float] = {}  # ticks of sound there are twice, where slices are padded

    def place(self, segment: Placed, following: Sequence[Placed] = ()) -> None:
        """Give one segment its times, behind the one placed before.  ``following`` are the next
        segments, as witnesses.
        """
        if not self.placed:
            self._lead = segment.position
            begins = [segment.presented(pid)[0] for pid in segment.stamps]
            self._offset = BASE - spread(begins)[0]
        else:
            pushed = self._choose_offset(self.placed[-1], segment, following)
            segment = replace(segment, pushed=pushed) if pushed else segment
        for lane in self._lanes:
            if lane.pid in segment.stamps:
                segment = self._shifted(segment, lane)
        self.placed.append(segment)

    def _new_first(self, segment: Placed, pid: int) -> int:
        """The segment's earliest PTS in the result with the present offset."""
        last = self._last.get(pid, max(self._last.values(), default=0))
        first = segment.presented(pid)[0]
        step = (first + self._offset - last + MODULO // 2) % MODULO - MODULO // 2
        return last + step

    def _back(self, before: Placed, segment: Placed, pid: int, shown: float) -> float:
        """Ticks by which a clock goes back in DTS as well as in PTS (``shown``): only one of them
        does where pictures wait longer than before, or a PES holds several units.
        """
        if pid not in before.stamps:
            return shown
        wait = segment.presented(pid)[0] - segment.first(pid)
        return min(shown, self._decoded[pid] + wait - self._new_first(segment, pid))

    def _ends(self, before: Placed, segment: Placed) -> tuple[dict[int, float], dict[int, float]]:
        """Where the last units of the segment's streams begin and end.

        Streams that the segment before does not hold are judged by those that it does.
        """
        shared = segment.stamps.keys() & before.stamps.keys()
        if shared:
            return {p: self._begin[p] for p in shared}, {p: self._end[p] for p in shared}
        end = max(self._end.values())
        return dict.fromkeys(segment.stamps, end - GAP), dict.fromkeys(segment.stamps, end)

    def _choose_offset(self, before: Placed, segment: Placed, following: Sequence[Placed]) -> int:
        """Choose the offset of a segment: by the clock if other witnesses agree, else by them.
        Returns the ticks by which the segment is later than its clock.
        """
        lasts, ends = self._ends(before, segment)
        firsts = {pid: self._new_first(segment, pid) for pid in ends}
        backs = [self._back(before, segment, pid, lasts[pid] - firsts[pid]) for pid in ends]
        gone = slots_between(self._slots, before, segment)
        clock = min(firsts[pid] - end for pid, end in ends.items()) / HZ
        seen = Witnesses(
            back=max(backs) / HZ,
            clock=clock,
            listed=sum(slot.duration or 0.0 for slot in gone),
            gone=bool(gone),
            announced=segment.slot.discontinuity,
            hurt=before.damaged or segment.damaged,
            short=self._shortfall(before, segment) / HZ,
            seamless=self._is_seamless(before, segment, clock),
            lacks=shortfall(before, self._lanes) / HZ,
            rest=self._rest(before) / HZ,
            exact=self._exact,
            numbered=self._left_out(before, segment),
        )
        broken = not gone and self._breaks(before, segment)  # or what is gone broke them
        overruled, self._overruled = self._overruled, 0.0
        agreed = seen.back < 0 and seen.clock_agrees and not broken
        if agreed and not overruled:
            return 0
        seen = replace(seen, names=self._gap_by_walls(segment, following, seen.clock))
        if seen.clock_is_right or (agreed and not seen.names_return_to(seen.clock + overruled)):
            return 0
        offset = self._offset
        padded = self._padded(seen) if seen.back >= 0 else {}
        self._join(segment, {p: end - padded.get(p, 0.0) for p, end in ends.items()})
        seen = replace(seen, rest=min(seen.rest, self._ahead(before, segment) / HZ))
        pushed = 0
        if 0 <= seen.back * HZ <= GAP:
            pushed = signed_ticks(self._offset - offset)
        elif not (gone or seen.hurt):
            pushed = self._room(before, segment)
        self._offset += round(seen.wait * HZ)
        self._overruled = seen.overruled
        self._leave_out(before, segment, padded)
        self.findings.append(said(segment, seen))
        return pushed

    def _rest(self, before: Placed) -> float:
        """Ticks by which a segment with pictures is shorter than its EXTINF, which counts from
        picture to picture; for sound alone it says less.
        """
        shown = any(x.codec.kind == "video" for x in self._lanes if x.pid in before.stamps)
        return shortfall(before, self._lanes) if shown and begins_whole(before) else 0.0

    def _ahead(self, before: Placed, segment: Placed) -> float:
        """Ticks by which the segment begins earlier with the present offset than EXTINF says of the
        one before: sound may leave no room for it there.
        """
        pid = next(iter(segment.stamps))
        wait = signed_ticks(opening(segment, self._lanes) - segment.presented(pid)[0])
        lasts = self._new_first(segment, pid) + wait - opening(before, self._lanes)
        return max(0.0, (before.slot.duration or 0.0) * HZ - lasts)

    def _left_out(self, before: Placed, segment: Placed) -> float:
        """Seconds that slots last whose numbers the names leave out between two neighbours."""
        count = self._numbers.get(segment.position, 0)
        if not count or before.slot.utc is not None or segment.position != before.position + 1:
            return 0.0
        told = [slot.duration for slot in self._slots if slot.duration]
        return count * median(told or [0.0])

    def _breaks(self, before: Placed, segment: Placed) -> bool:
        """Whether packets are missing: then a clock that goes on may have restarted by chance."""
        shared = before.stamps.keys() & segment.stamps.keys()
        pairs = [(before.stream(pid), segment.stream(pid)) for pid in shared]
        return self._counters_go_on and not any(continues(a, b) or moved(a, b) for a, b in pairs)

    def _shortfall(self, before: Placed, segment: Placed) -> float:
        """Ticks of media that the names may stand for and that is not there; also of the segment
        before, if it lost its beginning.
        """
        lost = 0.0 if begins_whole(before) else shortfall(before, self._lanes)
        return shortfall(segment, self._lanes) + lost

    def _is_seamless(self, before: Placed, segment: Placed, gap: float) -> bool:
        """Whether no packet and no promised second is missing between two segments.  The counter of
        one stream alone goes on by chance one time in sixteen: it says nothing of a gap (seconds)
        as long as a slot.
        """
        shared = before.stamps.keys() & segment.stamps.keys()
        counted = all(continues(before.stream(pid), segment.stream(pid)) for pid in shared)
        sure = len(shared) > 1 or not as_long_as_slots(gap, self._slots)
        kept = all(promise_is_kept(s, self._lanes) for s in (before, segment))
        return self._counters_go_on and counted and sure and kept and begins_whole(segment)

    def _gap_by_walls(
        self, segment: Placed, following: Sequence[Placed], gap: float
    ) -> tuple[float, float] | None:
        """Seconds without media in front of a segment by the names on both sides of it, and by how
        much these usually stray.
        """
        pairs = pairwise([segment, *following])
        own = [later for _, later in takewhile(lambda pair: _share_a_clock(*pair), pairs)]
        a = wall(self.placed[: -NEAREST - 1 : -1], self._lanes, self._lead)
        b = wall([segment, *own], self._lanes, self._lead)
        if a is None or b is None:
            return None
        step = signed(np.array(round(b.offset - a.offset) - self._offset, np.int64))
        return gap + int(step) / HZ, max(a.spread, b.spread, DOUBT) / HZ

    def _join(self, segment: Placed, ends: Mapping[int, float]) -> None:
        """Set the smallest offset with which no lane overlaps in presentation; sound and picture
        keep their distance.
        """
        wanted = [int(np.ceil(end)) - segment.presented(pid)[0] for pid, end in ends.items()]
        spread = signed(np.array(wanted, np.int64) - wanted[0])
        self._offset = wanted[0] + int(spread.max())

    def _room(self, before: Placed, segment: Placed) -> int:
        """Ticks without pictures that only make room for sound: in front of the seam pictures are
        there as long as EXTINF promised, and behind it they begin with a key picture.
        """
        lane, promised = self._lanes[0], before.slot.duration
        shared = lane.pid in before.stamps and lane.pid in segment.stamps
        if lane.codec.kind == "audio" or not shared or not promised or before.slot.rounded:
            return 0
        end = self._end[lane.pid]
        short = promised * HZ - (end - before.presented(lane.pid)[0])
        if short > lane.unit / 2 or not begins_whole(segment):
            return 0
        return max(0, round(self._new_first(segment, lane.pid) - end))

    def _padded(self, seen: Witnesses) -> dict[int, float]:
        """Ticks, by PID, by which sound may overlap where every segment was encoded by itself: Opus
        pads its last packet and begins with a pre-skip (RFC 7845 section 4.2).  At most as much as
        the names show.
        """
        overlap = max(0.0, (seen.wait - seen.names[0]) * HZ) if seen.names else 0.0
        return {x.pid: min(overlap, x.unit + x.lead) for x in self._lanes if x.lead}

    def _leave_out(self, before: Placed, segment: Placed, padded: Mapping[int, float]) -> None:
        """Leave out the last packet of sound if the next segment begins before it is half over; the
        rest of an overlap is carried to the next segment.
        """
        until = dict(before.until)
        for lane in self._lanes:
            if lane.pid not in padded.keys() & before.stamps.keys() & segment.stamps.keys():
                continue
            over = self._over.get(lane.pid, 0.0)
            over += max(0.0, self._end[lane.pid] - self._new_first(segment, lane.pid))
            if over > lane.unit / 2:
                until[lane.pid] = before.last(lane.pid)
                over -= lane.unit
            self._over[lane.pid] = over
        self.placed[-1] = replace(before, until=until)

    def _shifted(self, segment: Placed, lane: Lane) -> Placed:
        stamps = segment.stamps[lane.pid]
        moved = stamps.around(segment.presented(lane.pid)[0], self._new_first(segment, lane.pid))
        segment = replace(segment, stamps={**segment.stamps, lane.pid: moved})
        last, end = segment.presented(lane.pid)[1], segment.end(lane)
        more = max(segment.stream(lane.pid).tail - 1, 0) * lane.unit
        self._last[lane.pid] = last
        self._begin[lane.pid], self._end[lane.pid] = last + more, end
        self._decoded[lane.pid] = segment.last(lane.pid) + more
        return segment


def _share_a_clock(before: Placed, segment: Placed) -> bool:
    """Whether nothing says that the clock begins again between two segments without a place."""
    shared = before.stamps.keys() & segment.stamps.keys()
    back = any(signed_ticks(segment.first(pid) - before.first(pid)) < 0 for pid in shared)
    return not (back or segment.slot.discontinuity)


def spread(firsts: Sequence[int]) -> tuple[int, int]:
    """The earliest of some stamps, which may lie on both sides of a wrap of the 33-bit clock, and
    the ticks from it to the latest.
    """
    steps = [signed_ticks(first - firsts[0]) for first in firsts]
    return firsts[0] + min(steps), max(steps) - min(steps)
