"""What must come out: the fate of every unit, from the packets that are left of it."""

import enum
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tests.trial import transport
from tests.trial.recordings import ALTERED, NUMBERS, SUSPECT, TRACKS, Recording, Slice, Unit
from tests.trial.transport import HZ, Ints, Rows


class Fate(enum.Enum):
    """What is left of a unit."""

    WHOLE = "must be in the result"
    SPARE = "may be in the result; if it is not, something is lost"
    EXCUSED = "nobody can know that it is missing"
    GONE = "cannot be in the result"


@dataclass(frozen=True)
class Expected:
    """A unit, its fate and its time."""

    unit: Unit
    fate: Fate
    time: float  # seconds
    duration: float
    astray: bool  # its stamp was wrong by more than anyone can ignore


@dataclass(frozen=True)
class Truth:
    """What must come out of one recording."""

    expected: tuple[Expected, ...]
    altered: dict[int, int]  # digest as it is now to digest as it was: flipped bits of media
    loose: frozenset[int]
    pending: bool
    doubts: tuple[str, ...]
    maybe: dict[str, float]  # seconds of a track that may be taken for lost
    claimed: float  # seconds of foreign media that may be taken for the recording's own


def told(made: Recording) -> Truth:
    """The truth about a recording as it lies there now."""
    found = _found(made)
    expected = []
    for track in made.tracks:
        own = sorted((u for u in made.units if u.track == track), key=lambda u: u.ticks)
        for unit, ticks in zip(own, _durations(own, made), strict=True):
            fate = found.get(unit.digest, Fate.GONE)
            if fate is not Fate.WHOLE and (_excused(made, unit) or unit.digest in made.blind):
                fate = Fate.EXCUSED
            astray = (unit.slot, track) in made.astray
            expected.append(Expected(unit, fate, unit.ticks / HZ, ticks / HZ, astray))
    pending = not made.ended or made.cut_text is not None
    return Truth(
        tuple(expected),
        _altered(made),
        frozenset(made.loose),
        pending,
        tuple(made.doubts),
        {
            track: made.maybe.get(track, 0.0) + _unsent(made, expected, track)
            for track in made.tracks
        },
        made.claimed,
    )


def _unsent(made: Recording, expected: list[Expected], track: str) -> float:
    """Seconds in which a track was not sent, in slots that are gone or damaged: lost, for all
    that anyone can know.
    """
    damaged = {e.unit.slot for e in expected if e.fate is not Fate.WHOLE}
    damaged |= {s.number for s in made.slots if s.slice is None or not len(s.slice.data)}
    silent = made.unsent & {(number, track) for number in damaged}
    between = sum(s.seconds for s in made.slots if (s.number, track) in silent)
    return between + _ragged(expected).get(track, 0.0)


def _ragged(expected: list[Expected]) -> dict[str, float]:
    """How much later a track begins, and earlier it ends, than the recording: lost, for all
    that anyone can know, if anything is lost there.
    """
    begin = min(e.time for e in expected)
    end = max(e.time + e.duration for e in expected)
    found = {}
    for track in {e.unit.track for e in expected}:
        own = [e for e in expected if e.unit.track == track]
        late = min(e.time for e in own) - begin
        early = end - max(e.time + e.duration for e in own)
        broken = [e.fate is not Fate.WHOLE for e in expected]
        found[track] = late * broken[0] + early * broken[-1]
    return found


def _durations(units: list[Unit], made: Recording) -> list[float]:
    if not units:
        return []
    if units[0].track == "audio":
        return [1024 * HZ / made.stream.rate] * len(units)
    steps = [float(b.ticks - a.ticks) for a, b in pairwise(units)]
    return [*steps, float(np.median(steps)) if steps else 0.0]


def _excused(made: Recording, unit: Unit) -> bool:
    slot, track = unit.slot, unit.track
    beside = {(slot - 1, track), (slot + 1, track)} & made.unsent  # it may as well begin later
    return bool(beside) or slot in _edges(made) or (slot, track) in made.mute


def _edges(made: Recording) -> set[int]:
    """First and last slots that are gone together with their lines, or whose files nobody can
    know to be of this recording.
    """
    by_number = sorted((s for s in made.slots if s.number >= 0), key=lambda s: s.number)
    found: set[int] = set()
    for order in (by_number, by_number[::-1]):
        for slot in order:
            if slot.listed or (slot.slice is not None and made.clock):
                break
            found.add(slot.number)
    return found


def _found(made: Recording) -> dict[int, Fate]:
    best: dict[int, Fate] = {}
    named = made.named()
    order = list(Fate)
    for slot in made.slots:
        if slot.slice is None:
            continue
        reach = Fate.WHOLE if slot.name in named or _known(made) else Fate.SPARE
        for digest, fate in _in_file(made, slot.slice).items():
            fate = max(fate, reach, key=order.index)
            best[digest] = min(fate, best.get(digest, Fate.GONE), key=order.index)
    return best


def _known(made: Recording) -> bool:
    """Whether anyone can know that a file belongs to a recording whose playlist lacks it."""
    return made.clock and made.cut_text is None


def _in_file(made: Recording, file: Slice) -> dict[int, Fate]:
    units = defaultdict(list)
    for unit in made.units:
        units[unit.track].append(unit)
    found: dict[int, Fate] = {}
    for track in made.tracks:
        found |= _of_track(file, track, units[track])
    return found


def _of_track(file: Slice, track: str, units: list[Unit]) -> dict[int, Fate]:
    own = file.of(track)
    if not len(own):
        return {}
    pids = transport.pids(file.data)
    rows = np.flatnonzero(np.isin(pids, pids[own]) & (transport.payload(file.data) < 188))
    rows = np.union1d(rows, own)
    numbers = np.where(
        file.origin[rows] // NUMBERS == TRACKS.index(track), file.origin[rows] % NUMBERS, -1
    )
    fresh = np.concatenate([[True], (numbers[1:] != numbers[:-1]) | (numbers[1:] < 0)])
    numbers, states = numbers[fresh], file.state[rows][fresh]
    places: dict[int, list[int]] = defaultdict(list)
    for place, number in enumerate(numbers.tolist()):
        places[number].append(place)
    return {
        unit.digest: _fate(unit, numbers, states, places)
        for unit in units
        if unit.first in places or unit.last in places
    }


def _fate(unit: Unit, numbers: Ints, states: Ints, places: dict[int, list[int]]) -> Fate:
    needed = range(unit.first, unit.last + 1)
    if not all(n in places for n in needed):
        return Fate.GONE
    fates = []
    for place in places[unit.first]:
        if np.array_equal(numbers[place : place + len(needed)], needed):
            following = numbers[place + len(needed)] if place + len(needed) < len(numbers) else None
            grown = following is not None and unit.first < following <= unit.last
            headless = unit.head not in places
            damaged = (states[place : place + len(needed)] == SUSPECT).any()
            suspect = grown or headless or damaged
            fates.append(Fate.SPARE if suspect else Fate.WHOLE)
    return min(fates, key=list(Fate).index) if fates else Fate.SPARE


def _altered(made: Recording) -> dict[int, int]:
    """Units in which bits of the media were flipped, or that lost packets without a trace."""
    found: dict[int, int] = {}
    for slot in made.slots:
        if slot.slice is not None and (made.blind or (slot.slice.state == ALTERED).any()):
            for track in made.tracks:
                found |= _altered_in(made, slot.slice, track)
    known = {u.digest for u in made.units}
    return {now: was for now, was in found.items() if now not in known}


def _altered_in(made: Recording, file: Slice, track: str) -> dict[int, int]:
    """As the bytes of each PES are now, up to the next one."""
    own = file.of(track)
    heads = defaultdict(list)
    for unit in made.units:
        if unit.track == track:
            heads[unit.head].append(unit)
    found: dict[int, int] = {}
    starts = transport.payload(file.data)
    for rows in np.split(own, np.flatnonzero(file.data[own, 1] & 0x40))[1:]:
        units = heads[int(file.origin[rows[0]]) % NUMBERS]
        blind = any(u.digest in made.blind for u in units)
        if blind or (file.state[rows] == ALTERED).any():
            now = _now(file, rows, starts, track)
            found |= {n: u.digest for n, u in zip(now, units, strict=False)}
    return found


def _now(file: Slice, rows: Rows, starts: Ints, track: str) -> list[int]:
    content, _ = transport.bytes_of(file.data, rows, starts)
    body = content[9 + content[8] :] if len(content) > 9 else b""
    if track == "video":
        return [hash(transport.picture(body))]
    return [hash(transport.raw(body[a:b])) for a, b in transport.frames(body)]
