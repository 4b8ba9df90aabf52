"""Sound and picture keep their distance: a stream that is shifted against the others of its slot.

Times are ticks of 90 kHz.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec.structs import replace

from pipeline.media.clock import HZ, MODULO, Ticks, median, signed_ticks
from pipeline.media.slots.neighbours import Neighbours, kind_of, streams_of
from pipeline.media.slots.segments import Slot
from pipeline.media.ts.scan import Stream
from pipeline.model import Finding, Severity

USUAL = HZ // 10  # ticks by which the distance of two streams differs from slot to slot
OUT = HZ  # ticks: where all streams are further off than this, the clock is another one
APART = 2 * HZ // 5  # a stream is shifted by more than this, or it is not


def together(slots: Sequence[Slot], found: Neighbours) -> tuple[Slot, list[Finding]]:
    """The slot with each stream set back that alone is off its neighbours, at both ends by as much;
    and an AV_SHIFT for each.
    """
    slot, found = slots[found.here], _on_one_clock(slots, found)
    moves = {}
    for pid in streams_of(slot):
        off = _off(slots, found, pid)
        if not is_filled(slot, pid) and not _as_much(found, pid):
            off = _astray(slots, found, pid) if off is None else None
        if off is None:
            off = _outside(slot, found, pid)
        if off is not None and abs(off) > APART and _alone(slots, found, pid, off):
            moves[pid] = -as_promised(slots, found, pid, off)
    if len(moves) > 1 and len(moves) == len(streams_of(slot)):
        del moves[min(moves)]  # each is off the others: one of them stays
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
    return shifted(slot, moves), said


def _on_one_clock(slots: Sequence[Slot], found: Neighbours) -> Neighbours:
    """Without the sides where another clock begins, as EXT-X-DISCONTINUITY announces: several
    streams are all far off there, which says nothing of one of them.
    """
    sides = ((found.here, found.since), (found.behind, found.until))
    since, until = ({} if _begins_again(slots, first, off) else off for first, off in sides)
    return replace(found, since=since, until=until)


def _begins_again(slots: Sequence[Slot], first: int | None, off: Mapping[int, int]) -> bool:
    if first is None or not slots[first].discontinuity:
        return False
    return len(off) > 1 and min(map(abs, off.values())) > OUT


def _alone(slots: Sequence[Slot], found: Neighbours, pid: int, off: int) -> bool:
    """Whether all other streams keep their place.  One that neither neighbour holds is, if the
    stream is off it by as much as it is off its own neighbours.
    """
    others = [other for other in streams_of(slots[found.here]) if other != pid]
    for other in others:
        if other in found.since or other in found.until:
            if not _keeps_its_place(found, other):
                return False
            continue
        apart, usual = _distances(slots, found.here, pid, at_end=False)
        if apart is None or abs(apart - usual - off) > leeway(off):
            return False
    return bool(others)


def _keeps_its_place(found: Neighbours, pid: int) -> bool:
    """Whether a stream goes on from one neighbour or into the other: so the clock of the slot is
    theirs, whatever is wrong at its other end.
    """
    return any(abs(side[pid]) <= APART for side in (found.since, found.until) if pid in side)


def as_promised(slots: Sequence[Slot], found: Neighbours, pid: int, off: int) -> int:
    """The ticks ``off`` by which a stream is late, to the tick where EXTINF gives them: it counts
    from picture to picture, and nothing else says how long the last picture of a slot is shown.
    """
    if kind_of(streams_of(slots[found.here])[pid]) != "video":
        return off
    for one, other in ((found.before, found.here), (found.here, found.behind)):
        told = _strays(slots, one, other, pid)
        if told is not None:
            late = told if other == found.here else -told
            return late if abs(late - off) <= APART else off
    return off


def _strays(slots: Sequence[Slot], one: int | None, other: int | None, pid: int) -> int | None:
    """Ticks by which the pictures of a slot begin later than the EXTINF of the one before says;
    None where it does not say so.
    """
    if one is None or other != one + 1 or pid not in streams_of(slots[one]):
        return None
    slot, following = slots[one], streams_of(slots[other]).get(pid)
    if not slot.duration or slot.rounded or following is None:
        return None
    begins = _shown(streams_of(slot)[pid]) + round(HZ * slot.duration)
    return signed_ticks(_shown(following) - begins)


def _shown(stream: Stream) -> int:
    """PTS of the first picture in decoding order."""
    return int(stream.pts[int(np.argmax(stream.dts >= 0))])


def _as_much(found: Neighbours, pid: int) -> bool:
    """Whether a stream is off by as much at both ends, whatever pauses it has."""
    since, until = found.since.get(pid), found.until.get(pid)
    return since is not None and until is not None and abs(since + until) <= USUAL


def is_filled(slot: Slot, pid: int) -> bool:
    """Whether a stream lasts as long as the others of its slot, without pauses: then nothing of it
    is missing, and where it should begin and end is known.
    """
    streams = streams_of(slot)
    lasts = {p: signed_ticks(s.end - s.first) for p, s in streams.items()}
    alike = all(abs(lasts[pid] - other) <= 2 * APART for other in lasts.values())
    return alike and int(streams[pid].steps.max(initial=0)) <= APART


def _off(slots: Sequence[Slot], found: Neighbours, pid: int) -> int | None:
    """Ticks by which a stream is off its neighbours as a whole; 0 where it is in its place, None
    where its two ends contradict each other.
    """
    since, until = found.since.get(pid), found.until.get(pid)
    if since is not None and until is not None:
        if max(abs(since), abs(until)) <= APART:
            return 0
        return since if abs(since + until) <= leeway(since) else None
    known = since if since is not None else until
    if known is None:
        return None
    if abs(known) <= APART:
        return 0
    off = known if since is not None else -known
    inner = since is None  # the ends of a recording may be anything
    apart, usual = _distances(slots, found.here, pid, at_end=inner)
    outer, outside = _distances(slots, found.here, pid, at_end=not inner)
    if apart is None or outer is None or abs(outer - outside) <= USUAL:  # it lacks its inner end
        return None
    return off if abs(apart - usual - off) <= leeway(off) else None


def _distances(
    slots: Sequence[Slot], here: int, pid: int, *, at_end: bool
) -> tuple[int | None, int]:
    """Distance of a stream from the others, in this slot and the median of the other slots; None
    and 0 where no other slot has one.
    """
    every = [_distance(slot, pid, at_end=at_end) for slot in slots]
    others = [d for n, d in enumerate(every) if n != here and d is not None]
    return (every[here], round(median(others))) if others else (None, 0)


def _outside(slot: Slot, found: Neighbours, pid: int) -> int | None:
    """Ticks by which a stream that no neighbour holds begins beside the others, if all of it lies
    outside the time that the slot has by EXTINF.
    """
    streams = streams_of(slot)
    others = [s for other, s in streams.items() if other != pid]
    if pid in found.since or pid in found.until or not others or not slot.duration:
        return None
    off = signed_ticks(streams[pid].first - others[0].first)
    lasts = signed_ticks(streams[pid].end - streams[pid].first)
    beyond = off > slot.duration * HZ + APART or off + lasts < -APART
    return off if beyond else None


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


def leeway(off: int) -> float:
    """Ticks by which two witnesses of one shift may differ: not by as much as it is."""
    return min(APART, abs(off) / 4)


def _distance(slot: Slot, pid: int, *, at_end: bool) -> int | None:
    """Distance of a stream from the others of its slot, at one of its ends; None without others."""
    streams = streams_of(slot)
    ends = {p: s.end if at_end else s.first for p, s in streams.items()}
    others = [end for p, end in ends.items() if p != pid]
    if pid not in ends or not others:
        return None
    return signed_ticks(ends[pid] - others[0])


def shifted(slot: Slot, moves: Mapping[int, int]) -> Slot:
    """The slot with the stamps of some streams moved; ``moves`` are ticks by PID, and the result
    stays within 33 bits.
    """
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
