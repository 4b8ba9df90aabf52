"""How much of each track is missing, measured on the access units themselves.

Times are ticks of 90 kHz on the time line of the plan, which begins at ``BASE``, unless they say
seconds.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from pipeline.media.clock import BASE, HZ, Index, Mask, Ticks
from pipeline.media.es.access_units import Units
from pipeline.media.timeline.expected.span import Promise
from pipeline.media.track import Lane
from pipeline.media.ts.packets import PACKET
from pipeline.media.ts.repeats import ROUND
from pipeline.model import Finding, Hole, Severity

SILENCE = HZ // 10  # ticks: a longer pause of the sound inside a segment is a loss
RARE = 4  # steps of a steady track that are irregular, at most
ENOUGH = 50  # steps at least, to show that a track is steady
NEAR = 12  # pictures on both sides that show how large the missing ones were
PAYLOAD = PACKET - 4  # bytes of a transport packet without its header
MOST = 8  # rounds of 16 packets that may be missing at once
TOGETHER = 256  # stretches that are looked at together: all of them would be as large as the file
DRIFT = HZ // 10  # ticks between the time stamps and the samples of an audio track


_NO_UNITS = np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.uint32)


class Stretch(Struct, frozen=True, eq=False):
    """The units of one lane in one segment."""

    segment: str
    units: Units
    made: bool = False  # to fill the hole in front of the segment

    @property
    def own(self) -> "Stretch":
        """The units that the segment held, without those that were put in."""
        return replace(self, units=self.units.own) if len(self.units.filled) else self

    @property
    def filled(self) -> int:
        """How many units no segment held."""
        return len(self.units.sizes) if self.made else len(self.units.filled)


class Line(Struct, frozen=True, eq=False):
    """The n stamped units of a lane in order: when each begins, and when the last unit before the
    next stamped one ends.
    """

    begin: Ticks  # int64[n]: DTS of pictures, PTS of sound
    end: np.ndarray  # float64[n - 1]: end of what lies in front of unit 1, 2, ...
    torn: Index  # positions in ``begin`` in front of which media is missing
    owner: NDArray[np.int32]  # int32[n]: index of the stretch of each
    sizes: NDArray[np.uint32]  # uint32[n]: bytes of each
    cut: Mask  # bool[stretches]: units that lost bytes are counted there already


def line(stretches: Sequence[Stretch], lane: Lane) -> Line:
    """The units of a lane on its time line; units without a stamp follow the one before."""
    video = lane.codec.kind == "video"
    counts = np.array([len(s.units.dts) for s in stretches], np.int64)
    first = np.append(0, np.cumsum(counts))
    parts = [
        _stamped(stretches[n : n + TOGETHER], first[n : n + TOGETHER + 1], video=video)
        for n in range(0, len(stretches), TOGETHER)
    ]
    at, begin, sizes = map(np.concatenate, zip(_NO_UNITS, *parts, strict=True))
    end = begin[:-1] + np.diff(at) * lane.unit
    torn = np.concatenate(
        [
            _NO_UNITS[0],
            *(s.units.torn + o for s, o in zip(stretches, first, strict=False)),
            first[1:][[bool(s.units.dropped) for s in stretches]],  # what was dropped may be media
        ]
    )
    places = np.flatnonzero(np.bincount(np.searchsorted(at, torn)))  # each once, in order
    owner = np.searchsorted(first[1:], at, side="right").astype(np.int32)
    cut = np.array([s.units.cut > 0 for s in stretches], np.bool_)
    return Line(begin, end, places[(places > 0) & (places < len(begin))], owner, sizes, cut)


def _stamped(
    stretches: Sequence[Stretch], first: Index, *, video: bool
) -> tuple[Index, Ticks, NDArray[np.uint32]]:
    """Number, time and size of the stamped units of some stretches; ``first`` are the numbers of
    the first unit of each.
    """
    times = np.concatenate([s.units.dts if video else s.units.pts for s in stretches])
    at = np.flatnonzero(times >= 0)
    return at + first[0], times[at], np.concatenate([s.units.sizes for s in stretches])[at]


def holes(
    lane: Lane, stretches: Sequence[Stretch], silent: Sequence[tuple[int, int]] = ()
) -> list[Hole]:
    """Spans between units where media is missing, in seconds from the beginning of the result;
    without the ``silent`` spans (ticks), in which nothing was sent.
    """
    on = line(stretches, lane)
    found = []
    for place in holes_at(on, lane):
        segment = stretches[on.owner[place]].segment
        whole = float(on.end[place - 1]), float(on.begin[place])
        for start, end in _outside(whole, silent):
            if end - start > lane.unit / 2:
                at, length = round((start - BASE) / HZ, 6), round((end - start) / HZ, 6)
                found.append(Hole(lane.codec.kind, at, length, segment))
    return found


def _outside(
    whole: tuple[float, float], spans: Sequence[tuple[int, int]]
) -> Iterator[tuple[float, float]]:
    """What is left of a span without ``spans``, which are in order."""
    at, end = whole
    for a, b in spans:
        if a < end and b > at:
            yield at, float(a)
            at = float(b)
    yield at, end


def holes_at(on: Line, lane: Lane) -> list[int]:
    """Positions in a line in front of which there is a hole, rising."""
    places = np.flatnonzero(np.bincount(np.concatenate([on.torn, _silences(on, lane)])))
    wide = on.begin[places] - on.end[places - 1] > lane.unit / 2
    return [int(place) for place in places[wide]]


def closed_holes(lane: Lane, promised: Promise) -> list[Hole]:
    """Holes that were closed: they have a place and their former length, and take no time."""
    return [
        Hole(
            lane.codec.kind,
            round((hole.at - BASE) / HZ, 6),
            round(hole.ticks / HZ, 6),
            hole.segment,
            became="closed",
        )
        for hole in promised.closed
    ]


def _silences(on: Line, lane: Lane) -> Index:
    """Positions behind gaps inside a segment that only a loss can leave: sound never pauses, and
    of units at equal distance a few are missing only with the packets they were in.
    """
    if lane.pauses:  # one user may be silent for less than a slice: only packets tell of a loss
        return np.empty(0, np.intp)
    gaps = on.begin[1:] - on.end
    inner = on.owner[1:] == on.owner[:-1]
    found = inner & (gaps > lane.unit / 2) & ~on.cut[on.owner[1:]]
    steady = np.count_nonzero(np.abs(gaps) <= lane.unit / 4) >= max(len(gaps) - RARE, ENOUGH)
    for place in np.flatnonzero(found).tolist():
        found[place] = steady and _hides(on, place, lane)
    if lane.codec.kind == "audio":
        found |= inner & (gaps > max(_pause(lane), 3 * lane.unit))
    return np.flatnonzero(found) + 1


def _hides(on: Line, place: int, lane: Lane) -> bool:
    """Whether the pictures that a gap has room for would fill 16 packets, or a few times as many,
    which no continuity counter shows (ISO/IEC 13818-1 clause 2.4.3.3).
    """
    near = on.sizes[max(0, place - NEAR) : place + NEAR]
    room = (on.begin[place + 1] - on.end[place]) / lane.unit
    packets = float(near.mean()) / PAYLOAD * room
    return bool(ROUND / 2 < packets < MOST * ROUND)


def _pause(lane: Lane) -> int:
    """Ticks a lane may be silent by itself."""
    return max(SILENCE, lane.codec.longest_silence)


def lost_ticks(
    lane: Lane, found: Sequence[Hole], stretches: Sequence[Stretch], promised: Promise
) -> float:
    """Ticks lost of a lane: holes, units that lost their end, and what is missing at both ends."""
    cut = sum(s.units.cut for s in stretches)
    inside = sum(hole.length for hole in found if hole.became != "closed") * HZ
    closed = sum(hole.ticks for hole in promised.closed)
    return inside + cut * lane.unit + sum(beyond(lane, stretches, promised)) + closed


def beyond(lane: Lane, stretches: Sequence[Stretch], promised: Promise) -> tuple[float, float]:
    """Ticks that are missing before the first unit of a lane and behind its last one."""
    begin, end = span(lane, stretches)
    first, last = promised.within
    late = promised.late or _lost_some(stretches[first].units)
    early = promised.early or _lost_some(stretches[last].units)
    in_front = begin - promised.begin - promised.unsent
    missing = (in_front if late else 0.0, promised.end - end if early else 0.0)
    before, behind = (ticks if ticks > lane.unit / 2 else 0.0 for ticks in missing)
    return before, behind


def _lost_some(units: Units) -> bool:
    return not len(units.sizes) or units.dropped > 0


def span(lane: Lane, stretches: Sequence[Stretch]) -> tuple[float, float]:
    """DTS of the first unit of a lane, and of the end of its last; ``BASE`` twice without any."""
    begin, before = _nearest([s.units.dts for s in stretches])
    end, behind = _nearest([s.units.dts[::-1] for s in reversed(stretches)])
    if begin is None or end is None:
        return float(BASE), float(BASE)
    return begin - before * lane.unit, end + (behind + 1) * lane.unit


def _nearest(times: Iterable[Ticks]) -> tuple[float | None, int]:
    """The first time that is known, and how many units are in front of it."""
    before = 0
    for some in times:
        known = np.flatnonzero(some >= 0)
        if len(known):
            return float(some[known[0]]), before + int(known[0])
        before += len(some)
    return None, before


def irregularities(lane: Lane, stretches: Sequence[Stretch]) -> Iterator[Finding]:
    """A DTS_GAP for each gap inside a segment, an error where it is a loss; an AUDIO_CLOCK where
    stamps and samples drift apart by more than ``DRIFT``.
    """
    on = line(stretches, lane)
    gaps = on.begin[1:] - on.end
    own = np.ones(len(gaps), np.bool_)
    own[on.torn - 1] = False
    inner = own & (on.owner[1:] == on.owner[:-1])
    lost = {int(place) - 1 for place in _silences(on, lane)}
    wide = np.flatnonzero(inner & (gaps > max(_pause(lane), 3 * lane.unit)))
    for place in sorted({*wide.tolist(), *(lost - {int(at) - 1 for at in on.torn})}):
        severity = Severity.ERROR if place in lost else Severity.INFO
        segment = stretches[on.owner[place + 1]].segment
        detail = f"{gaps[place] / HZ:.3f} s without {lane.codec.kind} inside this segment"
        yield Finding("DTS_GAP", severity, segment, lane.pid, detail=detail)
    slow = own & (np.abs(gaps) <= SILENCE)
    exact = lane.codec.unit_ticks(lane.config) is not None
    drift = float(gaps[slow].sum()) if exact else 0.0
    if abs(drift) > DRIFT:
        of_each = np.bincount(on.owner[1:][slow], gaps[slow], len(stretches))
        worst = int(np.argmax(np.abs(of_each)))
        detail = f"time stamps run {drift / HZ:+.3f} s against the samples over the recording"
        detail += f", {of_each[worst] / HZ:+.3f} s of it in {stretches[worst].segment}"
        yield Finding("AUDIO_CLOCK", Severity.WARNING, pid=lane.pid, detail=detail)
