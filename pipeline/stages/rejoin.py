"""Segments that go on in the next one, each written anew with all that belongs to it."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from pipeline.media.clock import Bytes
from pipeline.media.slots.rejoin import (
    beginning,
    begins_inside,
    given_back,
    goes_through,
    holds,
    hurt,
    missing_bytes,
    parted,
    same_packets,
)
from pipeline.media.slots.segments import Slot, has_media
from pipeline.media.ts.scan import scan
from pipeline.model import Finding, Severity
from pipeline.stages.segments import LocalSegment, read, slots_of, written


def rejoined(segments: Sequence[LocalSegment], folder: Path) -> tuple[LocalSegment, ...]:
    """The segments, each with all that belongs to it; those written anew lie in ``folder``.

    What had to be opened first (encrypted, another container) stays as it is: nothing of that is
    ever written.
    """
    pairs = [*pairwise(slots_of(segments))]
    if not any(missing_bytes(a, b) or goes_through(a, b) or holds(a, b) for a, b in pairs):
        return tuple(segments)
    new = list(segments)

    def put(number: int, data: Bytes) -> None:
        slot = new[number].slot
        slot = replace(slot, scan=scan(slot.name, data))
        new[number] = written(new[number], slot, folder / f"{number}.rejoined", data)

    plain = {n for n, s in enumerate(segments) if s.path is not None and s.wrapping is None}
    followed = [n for n in sorted(plain) if n + 1 in plain]
    for number in followed:
        if count := missing_bytes(new[number].slot, new[number + 1].slot):
            behind = read(new[number + 1])
            put(number, np.concatenate([read(new[number]), behind[:count]]))
            put(number + 1, behind[count:])
    for number in (n for n in followed if holds(new[n].slot, new[n + 1].slot)):
        ahead, behind = parted(read(new[number]), new[number].slot, new[number + 1].slot)
        if not same_packets(behind, read(new[number + 1])):
            continue
        put(number, ahead)
        follower = new[number + 1].slot
        again, there = scan(follower.name, behind), follower.scan
        if there is not None and hurt(again) < hurt(there) + begins_inside(there):
            put(number + 1, behind)
        slot = _said(new[number].slot, new[number + 1].slot.name)
        new[number] = replace(new[number], slot=slot)
    holders: dict[int, int] = {}  # by PID: the last segment in which a PES of it begins
    for number in range(len(new)):
        if number not in plain:
            holders = {}
            continue
        for holder in sorted({*holders.values()}):
            own = {pid for pid, h in holders.items() if h == holder}
            if pids := own.intersection(goes_through(new[holder].slot, new[number].slot)):
                ahead, behind = given_back(read(new[holder]), read(new[number]), sorted(pids))
                put(holder, ahead)
                put(number, behind)
        emptied = new[number].slot.scan != segments[number].slot.scan
        if holders and emptied and not has_media(new[number].slot):
            _promise_together(new, max(holders.values()), number)
        holders |= dict.fromkeys(beginning(new[number].slot), number)
    return tuple(new)


def _said(slot: Slot, other: str) -> Slot:
    """The slot with a finding that it held another one."""
    assert slot.scan is not None
    detail, repair = f"it also holds what {other} does", "left out"
    said = Finding("SEG_DUP", Severity.WARNING, slot.name, None, 1, detail, repair)
    return replace(slot, scan=replace(slot.scan, findings=(*slot.scan.findings, said)))


def _promise_together(segments: list[LocalSegment], holder: int, number: int) -> None:
    """A segment of which nothing is left promised what the one before it holds now."""
    first, second = segments[holder].slot, segments[number].slot
    both = (first.duration or 0.0) + (second.duration or 0.0)
    segments[holder] = replace(segments[holder], slot=replace(first, duration=both or None))
    slot = replace(second, scan=None, needed=False)
    segments[number] = replace(segments[number], slot=slot)
