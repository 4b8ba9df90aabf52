"""Segments that go on in the next one, each rewritten with all that belongs to it (RFC 8216 section
3 allows to cut anywhere).
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from msgspec.structs import replace

from pipeline.media.clock import Bytes
from pipeline.media.slots.neighbours import streams_of
from pipeline.media.slots.rejoin import (
    beginning,
    begins_inside,
    given_back,
    goes_through,
    holds,
    holds_any_of,
    hurt,
    lasts_longer,
    may_overlap,
    missing_bytes,
    overlap,
    parted,
    reaches,
    same_packets,
    without_overlap,
)
from pipeline.media.slots.segments import Slot, has_media
from pipeline.media.ts.scan import scan
from pipeline.model import Finding, Severity
from pipeline.stages.segments import Folder, LocalSegment, read, slots_of, written


def rejoined(segments: Sequence[LocalSegment], folder: Folder) -> tuple[LocalSegment, ...]:
    """The segments, each with all that belongs to it; those rewritten lie in ``folder``.

    What had to be opened first (encrypted, another container) stays as it is: its content is never
    written to a file.  StorageError if a segment has changed since it was scanned.
    """
    asked = (missing_bytes, goes_through, may_overlap, holds)
    pairs = [*pairwise(slots_of(segments))]
    if not any(ask(a, b) for a, b in pairs for ask in asked):
        return tuple(segments)
    made = _Rejoined(segments, folder)
    made.complete_packets()
    made.part_overlaps()
    made.part_from_the_next()
    made.give_back()
    return tuple(made.new)


class _Rejoined:
    """Segments while they are rejoined, two neighbours at a time."""

    def __init__(self, segments: Sequence[LocalSegment], folder: Folder) -> None:
        self.new, self._given, self._folder = [*segments], segments, folder
        self._plain = {
            n for n, s in enumerate(segments) if s.path is not None and s.wrapping is None
        }
        self._followed = [n for n in sorted(self._plain) if n + 1 in self._plain]

    def _slot(self, number: int) -> Slot:
        return self.new[number].slot

    def _put(self, number: int, data: Bytes) -> None:
        slot = self._slot(number)
        slot = replace(slot, scan=scan(slot.name, data))
        path = self._folder() / f"{number}.rejoined"
        self.new[number] = written(self.new[number], slot, path, data)

    def _say(self, number: int, detail: str) -> None:
        """Add a SEG_DUP: bytes of the segment were left out."""
        slot = self._slot(number)
        assert slot.scan is not None
        said = Finding("SEG_DUP", Severity.WARNING, slot.name, None, 1, detail, "left out")
        told = replace(slot.scan, findings=(*slot.scan.findings, said))
        self.new[number] = replace(self.new[number], slot=replace(slot, scan=told))

    def complete_packets(self) -> None:
        """Move the rest of a packet at the beginning of a segment to the end of the one before."""
        for n in self._followed:
            if count := missing_bytes(self._slot(n), self._slot(n + 1)):
                behind = read(self.new[n + 1])
                self._put(n, np.concatenate([read(self.new[n]), behind[:count]]))
                self._put(n + 1, behind[count:])

    def part_overlaps(self) -> None:
        """Keep packets that stand at the end of one segment and at the beginning of the next only
        where EXTINF has room for them.
        """
        for n in self._followed:
            if not may_overlap(self._slot(n), self._slot(n + 1)):
                continue
            ahead, behind = read(self.new[n]), read(self.new[n + 1])
            pids = sorted({*streams_of(self._slot(n)), *streams_of(self._slot(n + 1))})
            count = overlap(ahead, behind, pids)
            if count and lasts_longer(self._slot(n)):
                self._put(n, without_overlap(ahead, pids, count, at_end=True))
                self._say(n, f"it ends with what {self._slot(n + 1).name} begins with")
            elif count:
                self._put(n + 1, without_overlap(behind, pids, count, at_end=False))
                self._say(n + 1, f"it begins with what {self._slot(n).name} ends with")

    def part_from_the_next(self) -> None:
        """Leave out of a segment what it also holds of the next one."""
        for n in [n for n in self._followed if holds(self._slot(n), self._slot(n + 1))]:
            one, other = self._slot(n), self._slot(n + 1)
            ahead, behind = parted(read(self.new[n]), one, other)
            if not same_packets(behind, read(self.new[n + 1])) or holds_any_of(behind, one, other):
                continue
            self._put(n, ahead)
            again, there = scan(self._slot(n + 1).name, behind), self._slot(n + 1).scan
            assert there is not None
            better = hurt(again) < hurt(there) + begins_inside(there)
            if better and reaches(again, there):
                self._put(n + 1, behind)
            self._say(n, f"it also holds what {self._slot(n + 1).name} does")

    def give_back(self) -> None:
        """Move packets of a PES that goes on through all of a segment to where the PES began."""
        holders: dict[int, int] = {}  # by PID: the last segment in which a PES of it begins
        for number in range(len(self.new)):
            if number not in self._plain:
                holders = {}
                continue
            for holder in sorted({*holders.values()}):
                own = {pid for pid, h in holders.items() if h == holder}
                if pids := own.intersection(goes_through(self._slot(holder), self._slot(number))):
                    both = read(self.new[holder]), read(self.new[number])
                    ahead, behind = given_back(*both, sorted(pids))
                    self._put(holder, ahead)
                    self._put(number, behind)
            emptied = self._slot(number).scan != self._given[number].slot.scan
            if holders and emptied and not has_media(self._slot(number)):
                _promise_together(self.new, max(holders.values()), number)
            holders |= dict.fromkeys(beginning(self._slot(number)), number)


def _promise_together(segments: list[LocalSegment], holder: int, number: int) -> None:
    """Give the EXTINF of a segment of which nothing is left to the one that holds its media now."""
    first, second = segments[holder].slot, segments[number].slot
    both = (first.duration or 0.0) + (second.duration or 0.0)
    segments[holder] = replace(segments[holder], slot=replace(first, duration=both or None))
    slot = replace(second, scan=None, needed=False)
    segments[number] = replace(segments[number], slot=slot)
