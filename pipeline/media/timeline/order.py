"""Segments listed twice or in the wrong order (RFC 8216 section 3)."""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from msgspec.structs import replace

from pipeline.media.clock import signed, signed_ticks
from pipeline.media.slots.segments import Placed, Slot, has_media
from pipeline.media.track import Lane
from pipeline.media.ts.continuity import continues
from pipeline.model import Finding, Severity

NEAR = 45000  # ticks: a smaller step is no gap
CLOSE = 9000  # ticks between two segments of which one follows the other
NAMES = "the UTC in their names"
CLOCK = "their clock"


def named_order(slots: Sequence[Slot]) -> list[int]:
    """The numbers of the slots, with those that hold nothing where the times in their names belong,
    as no clock says where that is.  The others stay as they are listed.
    """
    order = [*range(len(slots))]
    for part in {slot.part for slot in slots}:
        here = [n for n in order if slots[n].part == part]
        astray = _astray(slots, here)
        if astray:
            reached, keys = -math.inf, {}
            for n in here:
                utc = slots[n].utc
                if utc is not None and n not in astray:
                    reached = max(reached, utc)
                keys[n] = (utc or 0.0, True) if n in astray else (reached, False)
            for n, m in zip(here, sorted(here, key=keys.__getitem__), strict=True):
                order[n] = m
    return order


def _astray(slots: Sequence[Slot], numbers: Sequence[int]) -> set[int]:
    """Slots that hold nothing and by their names belong elsewhere: they fit neither between the
    nearest slots that hold something, nor among themselves.  Where those are out of order
    themselves, the clock of the names has stepped and says nothing.
    """
    found = set[int]()
    empty: list[int] = []
    before = -math.inf
    for n in [*numbers, None]:
        if n is not None and slots[n].utc is None:
            continue
        if n is not None and not has_media(slots[n]):
            empty.append(n)
            continue
        behind = math.inf if n is None else slots[n].utc or 0.0
        times = [slots[k].utc or 0.0 for k in empty]
        if before <= behind:
            passed = np.maximum.accumulate([before, *times])[1:] > times
            passed |= np.minimum.accumulate([behind, *times[::-1]])[1:][::-1] < times
            found |= {k for k, off in zip(empty, passed.tolist(), strict=True) if off}
        before, empty = behind, []
    return found


def without_copies(
    segments: list[Placed], lanes: Sequence[Lane]
) -> tuple[list[Placed], list[Finding]]:
    """Drop segments whose name is listed again, with a SEG_DUP for each.  The same bytes under
    another name are handled in :mod:`pipeline.media.slots.identity`.
    """
    seen: set[str] = set()
    findings = []
    kept = []
    for segment in segments:
        name = segment.slot.name
        if name in seen:
            detail = "listed again"
            said = Finding("SEG_DUP", Severity.WARNING, name, detail=detail, repair="dropped")
            findings.append(said)
        else:
            kept.append(segment)
        seen.add(name)
    return kept, findings


def in_order(segments: list[Placed], lanes: Sequence[Lane]) -> tuple[list[Placed], list[Finding]]:
    """The segments in the order of their names or their clock, if that leaves fewer breaks; with a
    PL_ORDER if it changes anything, or the names contradict the clock.
    """
    backs, gaps = _breaks(segments, lanes)
    breaks = backs + gaps
    named = [s.slot.utc for s in segments]
    by_name = None if None in named else sorted(segments, key=lambda s: (s.slot.utc, s.number))
    by_clock, linked = _by_clock(segments, lanes), _linked(segments, lanes) if breaks else segments
    for candidate, how in ((by_name, NAMES), (by_clock, CLOCK), (linked, CLOCK)):
        if candidate is None or candidate == segments:
            continue
        back, gap = _breaks(candidate, lanes)
        none = back == backs == len(segments) - 1  # a clock for each segment
        moved = sum(a is not b for a, b in zip(candidate, segments, strict=True))
        few = len(segments) > 2 * moved and not back
        sure = how == NAMES or back + gap == 0 or few or candidate is linked
        if (back + gap < breaks and back <= backs and sure) or (none and how == NAMES):
            detail = f"{moved} segments are not listed in the order of {how}"
            return _repositioned(candidate), [
                Finding(
                    "PL_ORDER", Severity.WARNING, detail=detail, repair="put in order", count=moved
                )
            ]
    if by_name not in (None, segments):
        detail = "the UTC in the names contradicts the order, the clock does not"
        return segments, [Finding("PL_ORDER", Severity.WARNING, detail=detail)]
    return segments, []


def fitting(segments: list[Placed], lanes: Sequence[Lane]) -> tuple[list[Placed], list[Finding]]:
    """Without segments that the playlist lacks and that overlap their neighbours by the clock; and
    a PL_ORPHAN for each that it lacks.
    """
    kept: list[Placed] = []
    findings = []
    for place, segment in enumerate(segments):
        if segment.slot.listed:
            kept.append(segment)
            continue
        after = next((s for s in segments[place + 1 :] if s.slot.listed), None)
        around = [after] if after else []
        # the clock is no witness here
        restarts = _overlap(kept[-1:], around, lanes) or any(s.slot.discontinuity for s in around)
        over = _overlap(kept[-1:], [segment], lanes) or _overlap([segment], around, lanes)
        chain = [*kept[-1:], segment, *around]
        whole = kept and all(_attached(a, b) for a, b in pairwise(chain))
        if over and not restarts and not whole:
            detail = "the playlist lacks it, and its clock says that another holds its time"
            said = Finding("PL_ORPHAN", Severity.WARNING, segment.slot.name, detail=detail)
        else:
            kept.append(segment)
            detail = "the playlist lacks it; its name and its clock fit a hole"
            said = Finding(
                "PL_ORPHAN",
                Severity.WARNING,
                segment.slot.name,
                detail=detail,
                repair="put in its place",
            )
        findings.append(said)
    return kept, findings


def _overlap(before: Sequence[Placed], after: Sequence[Placed], lanes: Sequence[Lane]) -> bool:
    """Whether one begins while the other lasts, on one clock: a longer step back is a restart."""
    for a, b in zip(before, after, strict=False):
        for lane in lanes:
            if lane.pid in a.stamps and lane.pid in b.stamps:
                step = signed_ticks(b.first(lane.pid) - a.last(lane.pid))
                both = a.last(lane.pid) - a.first(lane.pid) + b.last(lane.pid) - b.first(lane.pid)
                restarts = a.first(lane.pid) == b.first(lane.pid)  # a clock for each segment
                if -signed_ticks(both) <= step <= 0 and not restarts:
                    return True
    return False


def _attached(a: Placed, b: Placed) -> bool:
    """Whether every counter goes on from one to the other."""
    both = a.stamps.keys() & b.stamps.keys()
    return bool(both) and all(continues(a.stream(pid), b.stream(pid)) for pid in both)


def _repositioned(segments: list[Placed]) -> list[Placed]:
    """The same segments with positions that rise in this order."""
    positions = sorted(segment.position for segment in segments)
    return [replace(s, position=n) for s, n in zip(segments, positions, strict=True)]


def _by_clock(segments: list[Placed], lanes: Sequence[Lane]) -> list[Placed]:
    """Sorted by the first DTS, of a lane they all have if there is one, unwrapped around the first
    segment.
    """
    shared = [lane.pid for lane in lanes if all(lane.pid in s.stamps for s in segments)][:1]
    starts = [[s.first(pid) for pid in shared or s.stamps] for s in segments]
    reference = starts[0][0]
    first = [int(signed(np.array(times, np.int64) - reference).min()) for times in starts]
    return [segments[k] for k in np.argsort(first, kind="stable").tolist()]


def _linked(segments: list[Placed], lanes: Sequence[Lane]) -> list[Placed]:
    """Segments that follow each other by every stamp put together, where the first of them is
    listed; between such chains the clock may restart or something be missing.
    """
    lane = next((x for x in lanes if all(x.pid in s.stamps for s in segments)), None)
    if lane is None:
        return segments
    ends = [s.last(lane.pid) + round(s.stream(lane.pid).tail * lane.unit) for s in segments]
    places: dict[int, list[int]] = {}
    for n, segment in enumerate(segments):
        places.setdefault(segment.first(lane.pid) // CLOSE, []).append(n)
    followers = [
        [
            m
            for cell in (end // CLOSE - 1, end // CLOSE, end // CLOSE + 1)
            for m in places.get(cell, [])
            if m != n and _follows(segments[n], segments[m], lanes)
        ]
        for n, end in enumerate(ends)
    ]
    behind = {n: found[0] for n, found in enumerate(followers) if len(found) == 1}
    if len({*behind.values()}) < len(behind):
        return segments  # two go on in one
    chains = []
    for n in sorted({*range(len(segments))} - {*behind.values()}):
        chain = [n]
        while chain[-1] in behind:
            chain.append(behind[chain[-1]])
        chains.append(chain)
    chains.sort(key=min)
    if any(max(a) > min(b) for a, b in pairwise(chains)):
        return segments  # what lies between two that go on may be anything
    order = [n for chain in chains for n in chain]
    return [segments[n] for n in order] if len(order) == len(segments) else segments


def _follows(a: Placed, b: Placed, lanes: Sequence[Lane]) -> bool:
    """Whether ``b`` begins where ``a`` ends, in every stream that both have."""
    gaps = [
        b.first(x.pid) - a.last(x.pid) - a.stream(x.pid).tail * x.unit
        for x in lanes
        if x.pid in a.stamps and x.pid in b.stamps
    ]
    return bool(gaps) and max(map(abs, gaps)) <= CLOSE


def _breaks(segments: list[Placed], lanes: Sequence[Lane]) -> tuple[int, int]:
    """At how many edges a lane steps back, and at how many others all of them leave a gap: one may
    pause.
    """
    backs = gaps = 0
    for a, b in pairwise(segments):
        shared = [lane for lane in lanes if lane.pid in a.stamps and lane.pid in b.stamps]
        steps = [signed_ticks(b.first(lane.pid) - a.last(lane.pid)) for lane in shared]
        if any(step <= 0 for step in steps):
            backs += 1
        elif shared and all(
            step - a.stream(lane.pid).tail * lane.unit > NEAR
            for step, lane in zip(steps, shared, strict=True)
        ):
            gaps += 1
    return backs, gaps
