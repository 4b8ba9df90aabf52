"""Whether every slot holds what it should: the bytes of another slot, another recording's slice, a
clock that steps out and back, a stream that is shifted against the others.

Asked of the scans before anything is placed.  Times are ticks of 90 kHz unless they say seconds.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from pipeline.media.absence import continues
from pipeline.media.formats import needs
from pipeline.media.lane import HZ
from pipeline.media.mpegts import Stream
from pipeline.media.neighbours import (
    Neighbours,
    between,
    emptied,
    end,
    first,
    length,
    neighbours,
    promised,
    signed_ticks,
    streams_of,
    unit,
)
from pipeline.media.packets import MODULO, Ticks, signed
from pipeline.media.placed import Slot, has_media
from pipeline.model import Finding, Severity

OUT = HZ  # a slot whose clock is further off than this from both its neighbours is out of line
APART = 2 * HZ // 5  # a stream is shifted by more than this, or it is not


def identified(slots: Sequence[Slot]) -> tuple[list[Slot], list[Finding]]:
    """The slots with what is really theirs.  What is not is taken out, and its slot stays empty;
    stamps that are shifted as one are set back.
    """
    kept, findings = _without_copies(list(slots))
    findings += _held_before(kept)
    there = [n for n, slot in enumerate(kept) if has_media(slot)]
    for number in (*there[1:-1], *there[:1], *there[1:][-1:]):  # both neighbours tell more than one
        found = neighbours(kept, number)
        slot, said = _in_line(kept, found)
        if not said:
            slot, said = _streams_together(kept, found)
        kept[number] = slot
        findings += said
    return kept, findings


def _without_copies(slots: list[Slot]) -> tuple[list[Slot], list[Finding]]:
    """Of the same bytes under several names the one stays whose neighbours fit best."""
    same: dict[object, list[int]] = {}
    for number, slot in enumerate(slots):
        if has_media(slot):
            same.setdefault(_fingerprint(slot), []).append(number)
    findings = []
    for numbers in same.values():
        if len({slots[n].name for n in numbers}) < 2:
            continue  # listed again: it promises nothing else
        misfits = {n: _misfit(slots, n, numbers) for n in numbers}
        stays = min(numbers, key=lambda n: (misfits[n], n))
        for number in numbers:
            if slots[number].name == slots[stays].name:
                continue
            slots[number], said = _copy(slots, number, stays, numbers)
            findings.append(said)
    return slots, findings


def _fingerprint(slot: Slot) -> object:
    """Stamps and edges make a segment unique."""
    assert slot.scan is not None
    streams = (stream for _, stream in sorted(slot.scan.streams.items()))
    return (
        slot.part,
        slot.scan.size,
        *((s.pids, s.packets, s.edges, s.dts.tobytes()) for s in streams),
    )


def _misfit(slots: Sequence[Slot], number: int, same: Sequence[int]) -> int:
    """Ticks by which a slot is off its neighbours, those that hold the same left aside."""
    others = [s if n == number or n not in same else emptied(s) for n, s in enumerate(slots)]
    found = neighbours(others, number)
    off = [min(map(abs, side.values())) for side in (found.since, found.until) if side]
    return sum(off) if off else OUT


def _copy(
    slots: Sequence[Slot], number: int, stays: int, same: Sequence[int]
) -> tuple[Slot, Finding]:
    """The slot without the bytes that belong elsewhere.  Its own promise stays open, unless its
    neighbours follow each other without room for it.
    """
    slot, other = slots[number], slots[stays].name
    found = neighbours(
        [s if n in (number, stays) or n not in same else emptied(s) for n, s in enumerate(slots)],
        number,
    )
    if found.before is not None and found.behind is not None:
        room = between(slots, found.before, found.behind)
        if room is not None and abs(room) < HZ * (slot.duration or 2.0) / 2:
            detail = f"holds the same as {other}, and nothing is missing where it is listed"
            said = Finding("SEG_DUP", Severity.WARNING, slot.name, detail=detail, repair="dropped")
            return replace(emptied(slot), needed=False), said
    detail = f"holds the bytes of {other}: what it should hold is missing"
    return emptied(slot), Finding("SEG_DUP", Severity.ERROR, slot.name, detail=detail)


def _held_before(slots: list[Slot]) -> list[Finding]:
    """A slice that also contains the next one: the same stamps, to the last of them."""
    findings = []
    there = [n for n, slot in enumerate(slots) if has_media(slot)]
    for a, b in pairwise(there):
        one, other = streams_of(slots[a]), streams_of(slots[b])
        twice = one.keys() == other.keys() and all(
            0 < len(other[p].dts) < len(one[p].dts)
            and np.array_equal(one[p].dts[-len(other[p].dts) :], other[p].dts)
            for p in other
        )
        if twice and slots[a].part == slots[b].part:
            detail = f"all it holds stands in {slots[a].name} as well"
            findings.append(
                Finding("SEG_DUP", Severity.WARNING, slots[b].name, None, 1, detail, "dropped")
            )
            both = (slots[a].duration or 0.0) + (slots[b].duration or 0.0)
            slots[a] = replace(slots[a], duration=both or None)
            slots[b] = replace(emptied(slots[b]), needed=False)
    return findings


def _in_line(slots: Sequence[Slot], found: Neighbours) -> tuple[Slot, list[Finding]]:
    """A clock that steps out and back again: a slice of another recording, unless every counter
    goes on through it, or each of its streams fits to a part of a unit.
    """
    slot = slots[found.here]
    if found.before is None or found.behind is None or not found.since or not found.until:
        return _of_other_format(slots, found)
    if slot.discontinuity or slots[found.behind].discontinuity:
        return slot, []
    if min(*found.since.values(), *found.until.values()) >= 0:
        return slot, []  # between its neighbours, however sparse
    room = _room(slots, found)
    if room is None or abs(room - length(slot)) > OUT:
        return slot, []
    off = [min(map(abs, side.values())) for side in (found.since, found.until)]
    over = -min(max(side.values()) for side in (found.since, found.until))
    near = min(off) <= OUT
    if near and (over <= 2 * APART or abs(room - length(slot)) > APART):
        return slot, []
    if _goes_on(slots, found):  # asks every other slot: only where something is wrong
        return slot, []
    if near:
        detail = f"its neighbours follow each other by the clock, and it reaches {over / HZ:.3f} s"
        return emptied(slot), [_foreign(slot, f"{detail} into one of them")]
    step = _step(slot, found)
    if _counted(slots, found) or _seamless(slot, found, step):
        detail = f"its clock is {step / HZ:+.3f} s off that of its neighbours, which it fits"
        said = Finding(
            "DTS_BACK", Severity.WARNING, slot.name, None, 1, detail, "set by its neighbours"
        )
        return _shifted(slot, dict.fromkeys(found.since, -step)), [said]
    detail = f"its clock is {step / HZ:+.3f} s off that of both its neighbours"
    return emptied(slot), [_foreign(slot, detail)]


def _room(slots: Sequence[Slot], found: Neighbours) -> int | None:
    """Ticks between its neighbours, without what EXTINF says of other slots that are empty."""
    assert found.before is not None
    assert found.behind is not None
    whole = between(slots, found.before, found.behind)
    empty = [n for n in range(found.before + 1, found.behind) if n != found.here]
    return whole and whole - promised(slots[n] for n in empty)


def _goes_on(slots: Sequence[Slot], found: Neighbours) -> bool:
    """Its clock goes on from another slot, or into one: it stands in the wrong place."""
    others = [n for n, s in enumerate(slots) if has_media(s) and n != found.here]
    gaps = [between(slots, n, found.here) for n in others if n != found.before]
    gaps += [between(slots, found.here, n) for n in others if n != found.behind]
    return any(gap is not None and abs(gap) <= APART for gap in gaps)


def _of_other_format(slots: Sequence[Slot], found: Neighbours) -> tuple[Slot, list[Finding]]:
    """At an end of the recording another format and another clock together tell."""
    slot = slots[found.here]
    beside = found.before if found.before is not None else found.behind
    off = found.since or found.until
    if beside is None or not off or min(map(abs, off.values())) <= OUT:
        return slot, []
    one, other = sorted((found.here, beside))
    few = sum(map(has_media, slots)) < 3  # which of two is another one?
    if few or slots[other].discontinuity:
        return slot, []
    if _names_agree(slots[one], slots[other], min(off.values(), key=abs)):
        return slot, []
    mine, usual = _formats(slot), _usual_formats(slots)
    if mine == usual or mine.keys() != usual.keys() or _formats(slots[beside]) != usual:
        return slot, []
    detail = "neither its clock nor its format go on from the others"
    return emptied(slot), [_foreign(slot, detail)]


def _names_agree(a: Slot, b: Slot, gap: int) -> bool:
    """The names tell of as long a gap between two slots as the clock does."""
    if a.utc is None or b.utc is None:
        return False
    return abs((b.utc - a.utc - (a.duration or 0.0)) * HZ - gap) <= OUT


def _usual_formats(slots: Sequence[Slot]) -> dict[str, Hashable]:
    """Those of most slots."""
    every = [_formats(slot) for slot in slots if has_media(slot)]
    return max(every, key=every.count)


def _foreign(slot: Slot, why: str) -> Finding:
    detail = f"{why}: it belongs to another recording"
    return Finding("SEG_FOREIGN", Severity.ERROR, slot.name, detail=detail)


def _counted(slots: Sequence[Slot], found: Neighbours) -> bool:
    """Every counter goes on over both its edges."""
    assert found.before is not None
    assert found.behind is not None
    edges = [(found.before, found.here), (found.here, found.behind)]
    edges = [(a, b) for a, b in edges if b == a + 1]  # what is missing breaks every counter
    pairs = [
        (streams_of(slots[a])[pid], streams_of(slots[b])[pid])
        for a, b in edges
        for pid in streams_of(slots[a]).keys() & streams_of(slots[b]).keys()
    ]
    return bool(pairs) and all(continues(a, b) for a, b in pairs)


def _step(slot: Slot, found: Neighbours) -> int:
    """By how much it is off: sound tells exactly, pictures may come at any time."""
    streams = streams_of(slot)
    sound = [ticks for pid, ticks in found.since.items() if _kind(streams[pid]) == "audio"]
    return (sound or [*found.since.values()])[0]


def _kind(stream: Stream) -> str:
    return stream.codec.kind if stream.codec else ""


def _seamless(slot: Slot, found: Neighbours, step: int) -> bool:
    """Sound and pictures both step by as much, and what lies between is as long as their place."""
    if len(found.since) < 2 or found.since.keys() != found.until.keys():
        return False
    off = [abs(since - step) for since in found.since.values()]
    off += [abs(until + step) for until in found.until.values()]
    return max(off) <= min(map(unit, streams_of(slot).values())) / 4


def _streams_together(slots: Sequence[Slot], found: Neighbours) -> tuple[Slot, list[Finding]]:
    """Sound and picture keep their distance: a stream that alone is off, at both ends by as much,
    goes back to the others.
    """
    slot = slots[found.here]
    moves = {}
    for pid in streams_of(slot):
        off = _off(slots, found, pid)
        others = [_off(slots, found, other) for other in streams_of(slot) if other != pid]
        if off is None and not _is_filled(slot, pid):
            off = _astray(slots, found, pid)
        elif off is not None and not _is_filled(slot, pid):
            off = None
        if off is not None and abs(off) > APART and others and all(o == 0 for o in others):
            moves[pid] = -off
    if not moves:
        return slot, []
    said = [
        Finding(
            "AV_SHIFT",
            Severity.WARNING,
            slot.name,
            pid,
            detail=f"its stamps are {-ticks / HZ:+.3f} s off the other streams, here alone",
            repair="set back",
        )
        for pid, ticks in moves.items()
    ]
    return _shifted(slot, moves), said


def _is_filled(slot: Slot, pid: int) -> bool:
    """A stream lasts as long as the others of its slot, without pauses: nothing of it is missing
    there, and where it should begin and end is known.
    """
    streams = streams_of(slot)
    lasts = {p: signed_ticks(end(s) - first(s)) for p, s in streams.items()}
    steps = signed(np.diff(streams[pid].dts[streams[pid].dts >= 0]))
    alike = all(abs(lasts[pid] - other) <= 2 * APART for other in lasts.values())
    return alike and int(steps.max(initial=0)) <= APART


def _off(slots: Sequence[Slot], found: Neighbours, pid: int) -> int | None:
    """Ticks by which a stream is off its neighbours as a whole; 0 where it is in its place, None
    where one end says something else than the other.
    """
    since, until = found.since.get(pid), found.until.get(pid)
    if since is not None and until is not None:
        if max(abs(since), abs(until)) <= APART:
            return 0
        return since if abs(since + until) <= _leeway(since) else None
    known = since if since is not None else until
    if known is None:
        return None
    if abs(known) <= APART:
        return 0
    off = known if since is not None else -known
    inner = since is None  # the ends of a recording may be anything
    apart, usual = _distances(slots, found.here, pid, at_end=inner)
    if apart is None:
        return None
    return off if abs(apart - usual - off) <= _leeway(off) else None


def _distances(
    slots: Sequence[Slot], here: int, pid: int, *, at_end: bool
) -> tuple[int | None, int]:
    """Of a stream from the others, in this slot and in most of the other slots; None where either
    is not known.
    """
    every = [_distance(slot, pid, at_end=at_end) for slot in slots]
    others = [d for n, d in enumerate(every) if n != here and d is not None]
    return (every[here], round(float(np.median(others)))) if others else (None, 0)


def _astray(slots: Sequence[Slot], found: Neighbours, pid: int) -> int | None:
    """Ticks by which a stream of few units reaches into a neighbour, if it fits between them where
    it stands in the other slots: as far from the beginning of the other streams.
    """
    since, until = found.since.get(pid), found.until.get(pid)
    apart, usual = _distances(slots, found.here, pid, at_end=False)
    if since is None or until is None or apart is None or min(since, until) >= -APART:
        return None
    off = apart - usual
    return off if min(since - off, until + off) >= -APART else None


def _leeway(off: int) -> float:
    """Ticks by which two witnesses of one shift may differ: not by as much as it is."""
    return min(APART, abs(off) / 4)


def _distance(slot: Slot, pid: int, *, at_end: bool) -> int | None:
    """Of a stream from the others of its slot, at one of its ends."""
    streams = streams_of(slot)
    ends = {p: end(s) if at_end else first(s) for p, s in streams.items()}
    others = [end for p, end in ends.items() if p != pid]
    if pid not in ends or not others:
        return None
    return signed_ticks(ends[pid] - others[0])


def _formats(slot: Slot) -> dict[str, Hashable]:
    found = {}
    for stream in streams_of(slot).values():
        if stream.codec and stream.config:
            found[stream.codec.kind] = needs(stream.codec, stream.config)
    return found


def _shifted(slot: Slot, moves: Mapping[int, int]) -> Slot:
    """The slot with the stamps of some streams moved."""
    assert slot.scan is not None
    streams = {
        pid: replace(s, pts=_moved(s.pts, moves[pid]), dts=_moved(s.dts, moves[pid]))
        if pid in moves
        else s
        for pid, s in slot.scan.streams.items()
    }
    return replace(slot, scan=replace(slot.scan, streams=streams))


def _moved(stamps: Ticks, ticks: int) -> Ticks:
    return np.where(stamps >= 0, (stamps + ticks) % MODULO, -1)
