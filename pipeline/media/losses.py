"""How much of each track is missing, measured on the access units themselves."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.media.ends import Promise
from pipeline.media.lane import BASE, HZ, Lane
from pipeline.media.packets import Index, Ticks
from pipeline.media.placed import GAP
from pipeline.media.units import Units
from pipeline.model import Finding, Hole, Severity

SILENCE = HZ // 10  # a longer pause of the sound inside a segment is a loss
DRIFT = HZ // 10  # 0.1 s between the time stamps and the samples of an audio track


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """The units of one lane in one segment."""

    segment: str
    units: Units
    made: bool = False  # to fill the hole in front of the segment


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """Stamped units of a lane in order: when each begins, and when the last unit before the next
    one ends.
    """

    begin: Ticks
    end: np.ndarray  # float ticks; one fewer than begin
    torn: Index  # positions in ``begin`` in front of which media is missing
    owner: Index  # the stretch of each


def line(stretches: Sequence[Stretch], lane: Lane) -> Line:
    """Put the units of a lane on its time line."""
    empty = np.empty(0, np.int64)
    times = [s.units.dts if lane.codec.kind == "video" else s.units.pts for s in stretches]
    counts = np.array([len(t) for t in times], np.int64)
    first = np.append(0, np.cumsum(counts))
    all_times = np.concatenate([empty, *times])
    at = np.flatnonzero(all_times >= 0)
    begin = all_times[at]
    end = begin[:-1] + np.diff(at) * lane.unit
    torn = np.concatenate(
        [empty, *(s.units.torn + o for s, o in zip(stretches, first, strict=False))]
    )
    places = np.unique(np.searchsorted(at, torn))
    owner = np.searchsorted(first, at, side="right") - 1
    return Line(begin, end, places[(places > 0) & (places < len(begin))], owner)


def holes(
    lane: Lane, stretches: Sequence[Stretch], silent: Sequence[tuple[int, int]] = ()
) -> list[Hole]:
    """Spans between units where media is missing; in those that are ``silent`` nothing was sent."""
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
    """What is left of a span without others, which are in order."""
    at, end = whole
    for a, b in spans:
        if a < end and b > at:
            yield at, float(a)
            at = float(b)
    yield at, end


def holes_at(on: Line, lane: Lane) -> list[int]:
    """Positions in a line in front of which a hole is."""
    places = np.union1d(on.torn, _silences(on, lane))
    wide = on.begin[places] - on.end[places - 1] > lane.unit / 2
    return [int(place) for place in places[wide]]


def closed_holes(lane: Lane, promised: Promise) -> list[Hole]:
    """Holes of which nothing is left but the place."""
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
    """Gaps inside a segment: sound never pauses, so a loss of 16 packets shows in nothing else."""
    if lane.codec.kind == "video":
        return np.empty(0, np.intp)
    gaps = on.begin[1:] - on.end
    inner = on.owner[1:] == on.owner[:-1]
    return np.flatnonzero(inner & (gaps > max(_pause(lane), 3 * lane.unit))) + 1


def _pause(lane: Lane) -> int:
    """Ticks a lane may be silent by itself.  Opus leaves silence out, at most 0.4 s of it in a row
    (DTX).
    """
    return SILENCE if lane.codec.name == "aac" else GAP


def lost_ticks(
    lane: Lane, found: Sequence[Hole], stretches: Sequence[Stretch], promised: Promise
) -> float:
    """Holes, units that lost their end, and what is missing at both ends."""
    cut = sum(s.units.cut for s in stretches)
    inside = sum(hole.length for hole in found if hole.became != "closed") * HZ
    closed = sum(hole.ticks for hole in promised.closed)
    return inside + cut * lane.unit + sum(beyond(lane, stretches, promised)) + closed


def beyond(lane: Lane, stretches: Sequence[Stretch], promised: Promise) -> tuple[float, float]:
    """Ticks that are missing before the first unit of a lane and behind its last one."""
    begin, end = span(lane, stretches)
    first, last = promised.within
    late = promised.late or not len(stretches[first].units.sizes)
    early = promised.early or not len(stretches[last].units.sizes)
    missing = (begin - promised.begin if late else 0.0, promised.end - end if early else 0.0)
    before, behind = (ticks if ticks > lane.unit / 2 else 0.0 for ticks in missing)
    return before, behind


def span(lane: Lane, stretches: Sequence[Stretch]) -> tuple[float, float]:
    """Decoding time of the first unit, and of the end of the last."""
    times = np.concatenate([s.units.dts for s in stretches])
    at = np.flatnonzero(times >= 0)
    if not len(at):
        return float(BASE), float(BASE)
    first = float(times[at[0]]) - int(at[0]) * lane.unit
    return first, float(times[at[-1]]) + (len(times) - int(at[-1])) * lane.unit


def irregularities(lane: Lane, stretches: Sequence[Stretch]) -> Iterator[Finding]:
    """Gaps the writer itself left, and a clock that runs apart from the samples."""
    on = line(stretches, lane)
    gaps = on.begin[1:] - on.end
    own = np.ones(len(gaps), np.bool_)
    own[on.torn - 1] = False
    inner = own & (on.owner[1:] == on.owner[:-1])
    video = lane.codec.kind == "video"
    wide = np.flatnonzero(inner & (gaps > max(_pause(lane), 3 * lane.unit)))
    severity = Severity.INFO if video else Severity.ERROR
    for place in wide.tolist():
        segment = stretches[on.owner[place + 1]].segment
        detail = f"{gaps[place] / HZ:.3f} s without {lane.codec.kind} inside this segment"
        yield Finding("DTS_GAP", severity, segment, lane.pid, detail=detail)
    slow = own & (np.abs(gaps) <= SILENCE)
    drift = float(gaps[slow].sum()) if lane.codec.name == "aac" else 0.0
    if abs(drift) > DRIFT:
        of_each = np.bincount(on.owner[1:][slow], gaps[slow], len(stretches))
        worst = int(np.argmax(np.abs(of_each)))
        detail = f"time stamps run {drift / HZ:+.3f} s against the samples over the recording"
        detail += f", {of_each[worst] / HZ:+.3f} s of it in {stretches[worst].segment}"
        yield Finding("AUDIO_CLOCK", Severity.WARNING, pid=lane.pid, detail=detail)
