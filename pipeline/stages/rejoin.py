"""Segments that go on in the next one, each written anew with all that belongs to it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.media.clock import Bytes
from pipeline.media.containers.unwrap import Wrapping
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


def rejoined(
    slots: Sequence[Slot],
    paths: Mapping[int, Path],
    wrapped: Mapping[int, Wrapping],
    folder: Path,
) -> tuple[list[Slot], dict[int, Path]]:
    """The slots and their files; those that were written anew lie in ``folder``.

    What had to be opened first (encrypted, another container) stays as it is: nothing of that is
    ever written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    new, files = list(slots), dict(paths)

    def put(number: int, data: Bytes) -> None:
        files[number] = folder / f"{number}.rejoined"
        data.tofile(files[number])
        new[number] = replace(new[number], scan=scan(new[number].name, data))

    def read(number: int) -> Bytes:
        return np.fromfile(files[number], np.uint8)

    plain = [n for n in range(len(slots)) if n in paths and n not in wrapped]
    for number in (n for n in plain if n + 1 in plain):
        if count := missing_bytes(new[number], new[number + 1]):
            behind = read(number + 1)
            put(number, np.concatenate([read(number), behind[:count]]))
            put(number + 1, behind[count:])
    for number in (n for n in plain if n + 1 in plain and holds(new[n], new[n + 1])):
        ahead, behind = parted(read(number), new[number], new[number + 1])
        if not same_packets(behind, read(number + 1)):
            continue
        put(number, ahead)
        again, there = scan(new[number + 1].name, behind), new[number + 1].scan
        if there is not None and hurt(again) < hurt(there) + begins_inside(there):
            put(number + 1, behind)
        new[number] = _said(new[number], new[number + 1].name)
    holders: dict[int, int] = {}  # by PID: the last segment in which a PES of it begins
    for number in range(len(slots)):
        if number not in plain:
            holders = {}
            continue
        for holder in sorted({*holders.values()}):
            own = {pid for pid, h in holders.items() if h == holder}
            if pids := own.intersection(goes_through(new[holder], new[number])):
                ahead, behind = given_back(read(holder), read(number), sorted(pids))
                put(holder, ahead)
                put(number, behind)
        if holders and not has_media(new[number]) and new[number].scan != slots[number].scan:
            _promise_together(new, max(holders.values()), number)
        holders |= dict.fromkeys(beginning(new[number]), number)
    return new, files


def _said(slot: Slot, other: str) -> Slot:
    """The slot with a finding that it held another one."""
    assert slot.scan is not None
    detail, repair = f"it also holds what {other} does", "left out"
    said = Finding("SEG_DUP", Severity.WARNING, slot.name, None, 1, detail, repair)
    return replace(slot, scan=replace(slot.scan, findings=(*slot.scan.findings, said)))


def _promise_together(slots: list[Slot], holder: int, number: int) -> None:
    """A segment of which nothing is left promised what the one before it holds now."""
    both = (slots[holder].duration or 0.0) + (slots[number].duration or 0.0)
    slots[holder] = replace(slots[holder], duration=both or None)
    slots[number] = replace(slots[number], scan=None, needed=False)
