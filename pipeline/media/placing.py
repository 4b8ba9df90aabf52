"""Places segments one behind the other, and says what is missing between them."""

from collections.abc import Mapping, Sequence, Set
from itertools import pairwise

import numpy as np

from pipeline.media import absence
from pipeline.media.absence import continues, moved
from pipeline.media.lane import BASE, HZ, Lane
from pipeline.media.mpegts import Stream
from pipeline.media.packets import MODULO, signed
from pipeline.media.placed import GAP, Placed, Slot, complete, has_media, opening
from pipeline.media.walls import DOUBT, NEAREST, wall
from pipeline.model import Finding, OnLoss, Severity

TOLERANCE = 1.0  # seconds the slice clock may differ from the media
ENOUGH = 3  # edges that tell how a writer counts


class Placer:
    """Places segments one after the other; knows where each lane ended."""

    def __init__(
        self,
        lanes: Sequence[Lane],
        slots: Sequence[Slot],
        on_loss: OnLoss,
        counters_go_on: bool,
    ) -> None:
        self.findings: list[Finding] = []
        self.closed: list[tuple[Placed, int, float]] = []  # holes closed in front: PID, ticks
        self._lanes = lanes
        self._slots = slots
        self._close = on_loss is OnLoss.CLOSE
        self._counters_go_on = counters_go_on
        self._offset = self._lead = 0
        self._before: Placed | None = None
        self._recent: list[Placed] = []  # the last ones placed
        self._chains: dict[int, list[Placed]] = {}  # by PID: who held it last, and those since
        self._last: dict[int, int] = {}  # by PID, in new time
        self._end: dict[int, float] = {}
        self._longest: dict[int, int] = {}  # longest step inside a segment without a loss

    def place(self, segment: Placed, following: Sequence[Placed] = ()) -> None:
        """Give one segment its times, and say what is missing in front of it.

        ``following`` are the next ones, as witnesses.
        """
        before = self._before
        if before is None:
            self._lead = segment.position
            self._offset = BASE - spread([segment.first(pid) for pid in segment.stamps])[0]
        else:
            self._choose_offset(before, segment, following)
            self._examine_edge(before, segment)
        new = segment.stamps.keys() - self._last.keys()
        segment.torn |= {pid for pid in new if self._torn_head(segment, pid)}
        for lane in self._lanes:
            if lane.pid in segment.stamps:
                self._shift(segment, lane)
        for lane in self._lanes:
            self._examine_absence(segment, lane)
        self._before = segment
        self._recent = [*self._recent[1 - NEAREST :], segment]

    def _examine_absence(self, segment: Placed, lane: Lane) -> None:
        """Whether a stream that comes again was lost meanwhile."""
        chain = self._chains.setdefault(lane.pid, [])
        if lane.pid not in segment.stamps:
            chain += [segment] if chain else []
            return
        if len(chain) > 1:
            chain.append(segment)
            sent = not (self._counters_go_on and absence.never_sent(chain, lane, self._slots))
            self.findings += absence.said(chain, lane, sent=sent)
            if not sent:
                silent = absence.silences(chain, lane, self._lanes)
                segment.silent[lane.pid] = silent
                if len(silent) == 1:
                    segment.torn.discard(lane.pid)
        self._chains[lane.pid] = [segment]

    def _torn_head(self, segment: Placed, pid: int) -> bool:
        if head := segment.stream(pid).head:
            detail = f"{head} bytes stand before the first PES: the stream begins inside a unit"
            self.findings.append(
                Finding("PES_START", Severity.ERROR, segment.slot.name, pid, detail=detail)
            )
        return head > 0

    def _new_first(self, segment: Placed, pid: int) -> int:
        """Where the segment's first unit comes to stand with the present offset."""
        last = self._last.get(pid, max(self._last.values(), default=0))
        step = (segment.first(pid) + self._offset - last + MODULO // 2) % MODULO - MODULO // 2
        return last + step

    def _ends(self, before: Placed, segment: Placed) -> tuple[dict[int, float], dict[int, float]]:
        """Where the last units of the segment's streams begin and end.

        Streams that the segment before does not hold are judged by those that it does.
        """
        shared = segment.stamps.keys() & before.stamps.keys()
        if shared:
            return {p: self._last[p] for p in shared}, {p: self._end[p] for p in shared}
        end = max(self._end.values())
        return dict.fromkeys(segment.stamps, end - GAP), dict.fromkeys(segment.stamps, end)

    def _choose_offset(self, before: Placed, segment: Placed, following: Sequence[Placed]) -> None:
        """Where the clock is no witness for what lies between two segments, the names are."""
        lasts, ends = self._ends(before, segment)
        firsts = {pid: self._new_first(segment, pid) for pid in ends}
        back = max(lasts[pid] - firsts[pid] for pid in ends) / HZ
        gap = min(firsts[pid] - end for pid, end in ends.items()) / HZ
        gone = self._slots_between(before, segment)
        missing = sum(slot.duration or 0.0 for slot in gone)
        off = abs(gap - missing) if gone else gap
        agreed = off <= (TOLERANCE if gone else GAP / HZ) and not segment.slot.discontinuity
        if back < 0 and agreed and not self._breaks(before, segment):
            return
        found = self._gap_by_walls(segment, following, gap)
        if back < 0 and (found is None or abs(found[0] - gap) <= TOLERANCE):
            return
        by_names, doubt = found or (missing, DOUBT / HZ)
        if gone or before.damaged or segment.damaged:
            wait = missing if abs(by_names - missing) <= doubt else max(by_names, 0.0)
        else:
            wait = by_names if by_names > TOLERANCE else 0.0
        self._join(segment, ends)
        if back >= 0:
            how = (
                f"placed {wait:.3f} s later" if wait and not self._close else "joined without a gap"
            )
            detail = f"the clock goes back by {back:.3f} s"
            self._say("DTS_BACK", Severity.WARNING, segment, detail, how)
        else:
            detail = f"the clock steps by {gap:.3f} s, the slice names say {by_names:.3f} s"
            self._say("DTS_GAP", Severity.WARNING, segment, detail, "placed by the slice names")
        self._wait(segment, wait)

    def _breaks(self, before: Placed, segment: Placed) -> bool:
        """Packets are missing: a clock that goes on may have begun anew by chance."""
        shared = before.stamps.keys() & segment.stamps.keys()
        pairs = [(before.stream(pid), segment.stream(pid)) for pid in shared]
        return self._counters_go_on and not any(continues(a, b) or moved(a, b) for a, b in pairs)

    def _gap_by_walls(
        self, segment: Placed, following: Sequence[Placed], gap: float
    ) -> tuple[float, float] | None:
        """Seconds without media in front of a segment by the names on both sides of it, and by how
        much these usually stray.
        """
        a = wall(self._recent[::-1], self._lanes, self._lead)
        b = wall([segment, *following], self._lanes, self._lead)
        if a is None or b is None:
            return None
        step = signed(np.array(round(b.offset - a.offset) - self._offset, np.int64))
        return gap + int(step) / HZ, max(a.spread, b.spread, DOUBT) / HZ

    def _gap_by_names(self, before: Placed, segment: Placed) -> float | None:
        """Seconds without media between two segments according to the UTC in their names."""
        if before.slot.utc is None or segment.slot.utc is None:
            return None
        begin = min(before.first(pid) for pid in before.stamps)
        end = max(self._end[lane.pid] for lane in self._lanes if lane.pid in before.stamps)
        return segment.slot.utc - before.slot.utc - (end - begin) / HZ

    def _join(self, segment: Placed, ends: Mapping[int, float]) -> None:
        """The smallest offset that lets no lane overlap: sound and picture keep their distance."""
        wanted = [int(np.ceil(end)) - segment.first(pid) for pid, end in ends.items()]
        spread = signed(np.array(wanted, np.int64) - wanted[0])
        self._offset = wanted[0] + int(spread.max())

    def _wait(self, segment: Placed, seconds: float) -> None:
        if seconds > 0:
            if self._close:
                self._take_away(segment, seconds * HZ)
            else:
                self._offset += round(seconds * HZ)
            if seconds > TOLERANCE:
                segment.torn |= set(segment.stamps)
                if not self._between(segment):
                    detail = f"{seconds:.3f} s without media in front of this segment"
                    self._say("DTS_GAP", Severity.ERROR, segment, detail)

    def _take_away(self, segment: Placed, ticks: float) -> None:
        """A hole that is closed is lost all the same."""
        self.closed += [(segment, pid, ticks) for pid in segment.stamps]

    def _between(self, segment: Placed) -> Sequence[Slot]:
        assert self._before is not None
        return self._slots_between(self._before, segment)

    def _slots_between(self, before: Placed, segment: Placed) -> Sequence[Slot]:
        return [s for s in self._slots[before.position + 1 : segment.position] if not has_media(s)]

    def _examine_edge(self, before: Placed, segment: Placed) -> None:
        """Decide for every lane whether media is missing between two segments."""
        gaps = {
            pid: self._new_first(segment, pid) - self._end[pid]
            for pid in segment.stamps
            if pid in self._end
        }
        adjacent = not self._between(segment)
        if not adjacent or _cut(before):
            segment.torn |= set(gaps)
        segment.torn |= {pid for pid in gaps if pid not in before.stamps}
        if adjacent:
            for pid in before.stamps.keys() & segment.stamps.keys():
                self._examine_counters(before, segment, pid)
        self._examine_gaps(before, segment, gaps)
        self._end_torn(before, segment.torn, adjacent=adjacent)
        if adjacent:
            self._end_here(before, before.stamps.keys() - segment.stamps.keys())
        closable = [gap for pid, gap in gaps.items() if pid in segment.torn]
        if self._close and len(closable) == len(gaps) and closable and min(closable) > 0:
            self._offset -= int(min(closable))
            self._take_away(segment, int(min(closable)))

    def _end_torn(self, before: Placed, torn: Set[int], *, adjacent: bool) -> None:
        """Where nothing follows, a stream must end whole; what does not lost its end."""
        for pid in before.stamps:
            if pid in torn:
                before.whole.add(pid)
                if adjacent and not complete(before.stream(pid)):
                    before.cut.add(pid)

    def close(self) -> None:
        """Nothing follows the last segment."""
        if self._before is not None:
            self._end_here(self._before, self._before.stamps.keys())

    def _end_here(self, last: Placed, pids: Set[int]) -> None:
        """Streams that the next segment does not hold must end whole as well."""
        last.whole |= pids
        short = [pid for pid in pids if last.stream(pid).short]
        for pid in short:
            self._say("PES_SIZE", Severity.ERROR, last, _lacks(last.stream(pid)), pid=pid)
        if short or _cut(last):
            self._end_torn(last, pids, adjacent=True)

    def _examine_counters(self, before: Placed, segment: Placed, pid: int) -> None:
        a, b = before.stream(pid), segment.stream(pid)
        if continues(a, b) or b.free_start:
            if b.head:
                before.joined.add(pid)
            elif a.short:
                segment.torn.add(pid)
                self._say("PES_SIZE", Severity.ERROR, before, _lacks(a), pid=pid)
            return
        if pid not in segment.torn and not (before.damaged or segment.damaged):
            if a.short:
                self._say("PES_SIZE", Severity.ERROR, before, _lacks(a), pid=pid)
            elif b.head or self._should_go_on(a, b, segment):
                detail = f"counter {b.counters[0]} after {a.counters[1]}: packets are missing"
                blamed = before if _falls_short(before, self._lanes) else segment
                self._say("CC_EDGE", Severity.ERROR, blamed, detail, pid=pid)
        if a.short or b.head or self._should_go_on(a, b, segment):
            segment.torn.add(pid)

    def _should_go_on(self, a: Stream, b: Stream, segment: Placed) -> bool:
        """A counter that does not go on tells of a loss; each PID has its own."""
        return self._counters_go_on and not segment.slot.discontinuity and not moved(a, b)

    def _examine_gaps(self, before: Placed, segment: Placed, gaps: Mapping[int, float]) -> None:
        """Silence that nothing explains yet."""
        hurt = before.damaged or segment.damaged
        for lane in self._lanes:
            gap = gaps.get(lane.pid, 0.0)
            if lane.pid in segment.torn:
                continue
            if hurt and gap > lane.unit / 2:
                segment.torn.add(lane.pid)
            elif gap > GAP:
                self._explain(before, segment, lane, gaps)
            elif self._lacks_its_key(segment, lane, gap):
                segment.torn.add(lane.pid)
                detail = f"{gap / HZ:.3f} s without video where the key picture should be"
                self._say("DTS_GAP", Severity.ERROR, segment, detail, pid=lane.pid)

    def _lacks_its_key(self, segment: Placed, lane: Lane, gap: float) -> bool:
        """Pictures never were so far apart, and in front of these there is no key picture."""
        if lane.pid not in segment.stamps or segment.stream(lane.pid).key_start is not False:
            return False
        return gap > lane.unit / 2 and gap + lane.unit > 1.5 * self._longest.get(lane.pid, 0)

    def _explain(
        self, before: Placed, segment: Placed, lane: Lane, gaps: Mapping[int, float]
    ) -> None:
        """A gap between two sound segments: the writer's own, a step of the clock, or a loss."""
        gap = gaps[lane.pid]
        by_names = self._gap_by_names(before, segment)
        sparse = lane.codec.kind == "video" and gap <= 1.5 * self._longest.get(lane.pid, 0)
        alone = any(other <= GAP for other in gaps.values())
        a, b = before.stream(lane.pid), segment.stream(lane.pid)
        if sparse or (alone and continues(a, b) and not moved(a, b)):
            detail = f"{gap / HZ:.3f} s without {lane.codec.kind} between two segments"
            self._say("DTS_GAP", Severity.INFO, segment, detail, pid=lane.pid)
        elif (
            by_names is not None
            and by_names < min(TOLERANCE, gap / HZ / 2)
            and not _falls_short(segment, self._lanes)
        ):
            detail = f"{gap / HZ:.3f} s by the clock, {by_names:.3f} s by the slice names"
            self._say("DTS_GAP", Severity.WARNING, segment, detail, pid=lane.pid)
        else:
            segment.torn.add(lane.pid)
            short = _falls_short(before, self._lanes)
            where = "at the end of" if short else "in front of"
            detail = f"{gap / HZ:.3f} s without {lane.codec.kind} {where} this segment"
            blamed = before if short else segment
            self._say("DTS_GAP", Severity.ERROR, blamed, detail, pid=lane.pid)

    def _shift(self, segment: Placed, lane: Lane) -> None:
        pts, dts = segment.stamps[lane.pid]
        new_first = self._new_first(segment, lane.pid)
        base = segment.first(lane.pid)
        steps = np.diff(dts[dts >= 0])
        longest = int(signed(steps).max(initial=0))
        self._longest[lane.pid] = max(self._longest.get(lane.pid, 0), longest)
        segment.stamps[lane.pid] = (
            np.where(pts >= 0, new_first + signed(pts - base), -1),
            np.where(dts >= 0, new_first + signed(dts - base), -1),
        )
        self._last[lane.pid] = segment.last(lane.pid)
        self._end[lane.pid] = segment.last(lane.pid) + segment.stream(lane.pid).tail * lane.unit

    def _say(
        self,
        id: str,
        severity: Severity,
        segment: Placed,
        detail: str,
        repair: str | None = None,
        *,
        pid: int | None = None,
    ) -> None:
        self.findings.append(Finding(id, severity, segment.slot.name, pid, 1, detail, repair))


def spread(firsts: Sequence[int]) -> tuple[int, int]:
    """The first of some stamps, which may lie on both sides of a wrap of the clock, and the ticks
    from it to the last.
    """
    steps = signed(np.array(firsts, np.int64) - firsts[0])
    return firsts[0] + int(steps.min()), int(np.ptp(steps))


def _cut(segment: Placed) -> bool:
    return segment.slot.scan is not None and segment.slot.scan.cut


def _falls_short(segment: Placed, lanes: Sequence[Lane]) -> bool:
    """A segment ends earlier than its EXTINF says."""
    if not segment.slot.duration:
        return False
    end = max(segment.end(lane) for lane in lanes if lane.pid in segment.stamps)
    return end - opening(segment, lanes) < segment.slot.duration * HZ - HZ / 10


def _lacks(stream: Stream) -> str:
    return f"its last PES lacks {stream.short} bytes"


def counters_go_on(
    segments: Sequence[Placed], lanes: Sequence[Lane], parts: Sequence[Sequence[Placed]] = ()
) -> bool:
    """Whether this writer's continuity counters go on from segment to segment: half of them do.

    By chance one in 16 does; a writer that begins anew begins with the same counter every time.
    Where a part is too short to tell, the others are asked as well.
    """
    pairs = _edges(segments, lanes)
    if len(pairs) < ENOUGH and not _anew(pairs):
        others = [_edges(part, lanes) for part in parts if part is not segments]
        pairs += [pair for edges in others if not _anew(edges) for pair in edges]
    enough = len(pairs) >= ENOUGH and not _anew(pairs)
    return enough and sum(continues(a, b) for a, b in pairs) * 2 >= len(pairs)


def _edges(segments: Sequence[Placed], lanes: Sequence[Lane]) -> list[tuple[Stream, Stream]]:
    """What stands on both sides of each edge between neighbours of a playlist."""
    pairs = [
        (a.stream(lane.pid), b.stream(lane.pid))
        for lane in lanes
        for a, b in pairwise(segments)
        if b.position == a.position + 1 and lane.pid in a.stamps and lane.pid in b.stamps
    ]
    return [(a, b) for a, b in pairs if not moved(a, b)]


def _anew(pairs: Sequence[tuple[Stream, Stream]]) -> bool:
    return all(a.counters[0] == b.counters[0] for a, b in pairs)
