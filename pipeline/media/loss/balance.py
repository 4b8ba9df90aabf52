"""What must balance in the account of a track.  Long: every second promised, and every byte of it.

Times are seconds from the beginning of the result.
"""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from pipeline.media.clock import BASE, HZ, median
from pipeline.media.loss.holes import Stretch, beyond, span
from pipeline.media.slots.segments import Placed, Slot
from pipeline.media.timeline.edges.counters import counters_go_on
from pipeline.media.timeline.expected.span import Promise
from pipeline.media.track import Lane
from pipeline.media.ts.continuity import continues
from pipeline.model import AccountEntry, Finding, Hole, Severity

LEAST = 0.1  # seconds that EXTINF may be off
UNITS = 3  # access units that EXTINF may be off, at the edges of a slot
ROUNDED = 0.6  # seconds that EXTINF may be off where it is in whole seconds
ROUNDING = 1e-5  # seconds: where a hole begins is rounded
STRAY = 0.25  # seconds that the names of slices may be off

NOT_BEGUN = "it begins later"
ENDED = "it has ended"
STAYS = "a picture stays"
NOT_SENT = "none was sent: its counter goes on"
NO_GAP = "by its time stamps nothing is missing"
NOTHING_FOLLOWS = "nothing follows that could tell"
USUAL = frozenset({None, NOT_BEGUN, ENDED, STAYS})  # reasons that are not worth a row


class TrackSlots(Struct, frozen=True, eq=False):
    """One lane on its time line."""

    lane: Lane
    slots: Sequence[Slot]
    placed: Mapping[int, Placed]  # by position in the playlist
    spans: Mapping[int, tuple[float, float]]  # by position: where its units begin and end
    holding: Sequence[int]  # these positions, in order
    longest: float  # step in seconds from one of its units to the next
    counted: bool  # its counters go on from segment to segment

    def front(self, position: int) -> int | None:
        """Position of the nearest slot in front that holds units; None without one."""
        at = bisect_left(self.holding, position)
        return self.holding[at - 1] if at else None

    def behind(self, position: int) -> int | None:
        """Position of the nearest slot behind that holds units; None without one."""
        at = bisect_right(self.holding, position)
        return self.holding[at] if at < len(self.holding) else None


def track(
    lane: Lane, placed: Sequence[Placed], slots: Sequence[Slot], stretches: Sequence[Stretch]
) -> TrackSlots:
    """The time line of a lane; ``stretches`` are its units in each placed segment."""
    spans, longest = {}, 0
    for segment, stretch in zip(placed, stretches, strict=True):
        known = stretch.units.dts[stretch.units.dts >= 0]
        if len(known):
            begin, end = span(lane, [stretch])
            spans[segment.position] = (begin - BASE) / HZ, (end - BASE) / HZ
            longest = max(longest, int(np.diff(known).max(initial=0)))
    positions = {segment.position: segment for segment in placed}
    counted = counters_go_on(placed, [lane])
    return TrackSlots(lane, slots, positions, spans, sorted(spans), longest / HZ, counted)


# Time: promised - delivered = lost + excepted, of which some was closed.


def booked(
    on: TrackSlots,
    entries: Sequence[AccountEntry],
    holes: Sequence[Hole],
    ends: tuple[float, float],
) -> list[AccountEntry]:
    """The entries with what is lost, in the slots that promised it; ``ends`` are the seconds
    missing before the first unit and behind the last one.
    """
    lost: Counter[int] = Counter()
    closed: Counter[int] = Counter()
    places = {segment.slot.name: position for position, segment in on.placed.items()}
    for hole in holes:
        shares = _shares(on, entries, places[hole.segment], hole)
        lost.update(shares)
        closed.update(shares if hole.became == "closed" else {})
    first, last = (on.holding[0], on.holding[-1]) if on.holding else (0, 0)
    in_front, behind = range(first - 1, -1, -1), range(last + 1, len(entries))
    lost.update(_spread(entries, _gone_first(on, in_front), first, ends[0]))
    lost.update(_spread(entries, _gone_first(on, behind), last, ends[1]))
    return [
        replace(e, lost=round(lost[n], 6), closed=round(closed[n], 6))
        for n, e in enumerate(entries)
    ]


def within(hole: Hole, begin: float) -> bool:
    """Whether a hole lies inside its segment, whose first unit begins at ``begin``."""
    return hole.start > begin + ROUNDING


def _shares(
    on: TrackSlots, entries: Sequence[AccountEntry], position: int, hole: Hole
) -> dict[int, float]:
    """Seconds of a hole by position: first what empty slots promised, then what the slot in front
    of them lacks; what no slot promised lies in front of the segment behind.
    """
    begin = on.spans.get(position, (hole.start, 0.0))[0]
    if within(hole, begin):
        return {position: hole.length}
    front = on.front(position)
    empty = range(position - 1, -1 if front is None else front, -1)
    shares = _spread(entries, _gone_first(on, empty), position, hole.length)
    if front is not None:
        short = _lacking(entries[front])
        own = min(shares[position], short if short > allowed(on.lane, entries) else 0.0)
        shares |= {position: shares[position] - own, front: own}
    return shares


def _gone_first(on: TrackSlots, positions: Iterable[int]) -> list[int]:
    """Slots without a unit of the lane: in front those that are not there at all."""
    return sorted(positions, key=lambda n: n in on.placed)


def _spread(
    entries: Sequence[AccountEntry], empty: Sequence[int], rest_at: int, seconds: float
) -> dict[int, float]:
    """Seconds by position: as much as each ``empty`` slot promised, and the rest at ``rest_at``."""
    shares: dict[int, float] = {}
    for position in empty:
        shares[position] = min(seconds, entries[position].promised or 0.0)
        seconds -= shares[position]
    return {**shares, rest_at: seconds}


def _lacking(entry: AccountEntry) -> float:
    """Seconds that are promised, not delivered and not lost."""
    return (entry.promised or 0.0) - entry.delivered - entry.lost if entry.promised else 0.0


def allowed(lane: Lane, entries: Sequence[AccountEntry]) -> float:
    """Seconds by which EXTINF may differ from what a slot holds: a few units, what this playlist is
    usually off, and half a second where it rounds.
    """
    off = [abs(_lacking(e)) for e in entries if e.promised and e.units]
    whole = all((e.promised or 0.0).is_integer() for e in entries)
    usual = 2 * median(off) if off else 0.0
    return max(LEAST, UNITS * lane.unit / HZ, usual, ROUNDED if whole else 0.0)


def by_segment(holes: Iterable[Hole]) -> Mapping[str, Sequence[Hole]]:
    """Holes by the segment behind them, or that they are in."""
    found: dict[str, list[Hole]] = defaultdict(list)
    for hole in holes:
        found[hole.segment].append(hole)
    return found


def explained(
    on: TrackSlots,
    entries: Sequence[AccountEntry],
    holes: Sequence[Hole],
    promised: Promise,
    elsewhere: Mapping[str, str],
) -> list[AccountEntry]:
    """The entries with the reason why a slot does not hold all it promised although nothing is
    lost, or the seconds that are ``unexplained``; ``elsewhere`` has reasons by name.
    """
    most = allowed(on.lane, entries)
    behind = by_segment(holes)
    found = []
    for position, entry in enumerate(entries):
        rest = _lacking(entry)
        if rest <= most:
            found.append(entry)
            continue
        gaps = [*_gaps(on, position, behind, promised)]
        reason = elsewhere.get(entry.slot) or _reason(on, position, gaps, most)
        if reason is None:
            apart = round(min(rest, max(gap.open for gap in gaps)), 6)
            found.append(replace(entry, unexplained=apart))
        else:
            found.append(replace(entry, excepted=round(rest, 6), reason=reason))
    return found


class _Gap(Struct, frozen=True):
    """What lies between the units of two slots."""

    before: int
    behind: int
    open: float  # seconds by the time stamps that are neither lost nor silent
    silent: float  # seconds in which nothing was sent


def _gaps(
    on: TrackSlots, position: int, holes: Mapping[str, Sequence[Hole]], promised: Promise
) -> Iterator[_Gap]:
    """In front of a slot and behind it; one around it where it holds nothing."""
    here = [position] if position in on.spans else []
    around = [on.front(position), *here, on.behind(position)]
    for a, b in pairwise(around):
        if a is None or b is None:
            continue
        end, begin = on.spans[a][1], on.spans[b][0]
        own = holes.get(on.placed[b].slot.name, ())
        lost = sum(hole.length for hole in own if end - ROUNDING < hole.start < begin)
        spans = [((x - BASE) / HZ, (y - BASE) / HZ) for x, y in promised.silent]
        silent = sum(max(0.0, min(y, begin) - max(x, end)) for x, y in spans)
        yield _Gap(a, b, begin - end - lost - silent, silent)


def _reason(on: TrackSlots, position: int, gaps: Sequence[_Gap], most: float) -> str | None:
    """Why nothing is missing although EXTINF says so, None if it may be: two witnesses are needed,
    and time stamps or counters may contradict.
    """
    if not on.holding or position < on.holding[0]:
        return NOT_BEGUN
    if position > on.holding[-1]:
        return ENDED
    if position in on.placed and on.lane.pid in on.placed[position].until:
        return f"{on.placed[position].slot.part} goes on with another part"
    wide = [gap for gap in gaps if gap.open > most]
    if not wide and any(gap.silent > 0 for gap in gaps):
        return NOT_SENT
    if not wide:
        return NOTHING_FOLLOWS if position == on.holding[-1] else NO_GAP
    if on.counted and all(_goes_on(on, gap) for gap in wide):
        return NOT_SENT
    if on.lane.codec.kind == "video" and all(gap.open <= 1.5 * on.longest for gap in wide):
        return STAYS
    return None


def _goes_on(on: TrackSlots, gap: _Gap) -> bool:
    """Whether no packet is missing between two neighbours; what is listed again between them does
    not part them.
    """
    between = {slot.name for slot in on.slots[gap.before + 1 : gap.behind]}
    if between and not between <= {segment.slot.name for segment in on.placed.values()}:
        return False
    a, b = on.placed[gap.before].stream(on.lane.pid), on.placed[gap.behind].stream(on.lane.pid)
    return continues(a, b)


def at_both_ends(
    lane: Lane, stretches: Sequence[Stretch], promised: Promise
) -> tuple[float, float]:
    """Seconds that are missing before the first unit, and behind the last one."""
    late, early = beyond(lane, stretches, promised)
    return late / HZ, early / HZ


# Bytes: what its packets carry = what units were made of + dropped + aside.


def payload(slot: Slot, pid: int) -> int:
    """Bytes of the elementary stream in the packets of a slot, also if it was put aside."""
    scan = slot.scan or slot.aside
    if scan is None:
        return 0
    if pid in scan.streams:
        return scan.streams[pid].payload
    return scan.through[pid][2] if pid in scan.through else 0


def loose_bytes(entries: Sequence[AccountEntry]) -> int:
    """Bytes of the packets that are in no unit and not accounted for, 0 if all balances; below 0:
    units hold bytes that no packet carried.
    """
    return sum(e.payload - e.taken - e.dropped - e.aside for e in entries)


def unbalanced(lane: Lane, entries: Sequence[AccountEntry]) -> Iterator[Finding]:
    """An ES_BYTES if the bytes of a track do not balance with its units."""
    if loose := loose_bytes(entries):
        what = "are in no unit, and nothing says why" if loose > 0 else "more than packets carried"
        detail = f"{abs(loose)} bytes of {lane.codec.kind} {what}"
        yield Finding("ES_BYTES", Severity.ERROR, pid=lane.pid, detail=detail)


# Who says that something is missing.


def witnessed(on: TrackSlots, entries: Sequence[AccountEntry]) -> list[AccountEntry]:
    """The entries with the witnesses that say something is missing, each by itself."""
    most = allowed(on.lane, entries)
    return [
        replace(e, witnesses=tuple(_witnesses(on, n, e, most))) if noted(e) else e
        for n, e in enumerate(entries)
    ]


def noted(entry: AccountEntry) -> bool:
    """Whether an entry has something to report."""
    return entry.short or entry.aside > 0 or entry.filled > 0 or entry.reason not in USUAL


def _witnesses(on: TrackSlots, position: int, entry: AccountEntry, most: float) -> Iterator[str]:
    if (entry.promised or 0.0) - entry.delivered > most:
        yield "EXTINF"
    named = _named(on.slots, position)
    if named is not None and named - entry.delivered > max(most, STRAY):
        yield "slice names"
    nothing = Promise(0.0, 0.0)
    if any(gap.open > most for gap in _gaps(on, position, {}, nothing)):
        yield "time stamps"
    if entry.packets:
        yield "counters"
    if entry.cut or entry.dropped:
        yield "units"
    if any(event.kind == entry.track for event in on.slots[position].events) and position:
        yield "START"


def _named(slots: Sequence[Slot], position: int) -> float | None:
    """Seconds from one slice to the next of its part by their names; None where they do not say."""
    here = slots[position]
    later = [s.utc for s in slots[position + 1 :][:1] if s.part == here.part]
    if here.utc is None or not later or later[0] is None:
        return None
    return later[0] - here.utc
