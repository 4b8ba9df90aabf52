"""The wall clock of a recording: what was recorded, with what of it has no time in the result.

A result may lack time that passed: holes that were closed, and what is lost before its first and
behind its last unit.  On the axis they have their length.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from pipeline.model import Hole, Report

STEPS = (  # seconds between two ticks that people count in
    *(0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0),
    *(3600.0, 7200.0, 14400.0, 21600.0, 43200.0, 86400.0),
)
NEAR = 0.5  # seconds by which the closed holes of two tracks at one place are apart


class Axis(Struct, frozen=True):
    """Seconds from the first moment that was to be recorded, up to ``length``."""

    length: float = 0.0
    lead: float = 0.0  # seconds that are lost before the result begins
    closed: tuple[tuple[float, float], ...] = ()  # seconds of the result, and how long it was
    begin: str | None = None  # when it begins (ISO 8601, UTC); None: no name tells

    def of(self, at: float) -> float:
        """Where a moment of the result stands; one at a closed hole stands in front of it."""
        passed = sum(length for start, length in self.closed if start + NEAR / 5 < at)
        return min(max(self.lead + at + passed, 0.0), self.length)

    def back(self, seconds: float) -> float:
        """The moment of the result at a place of the axis: the next one where there is none."""
        at = seconds - self.lead
        for start, length in self.closed:
            if start < at:
                at = max(start, at - length)
        return max(at, 0.0)

    def share(self, seconds: float) -> float:
        """A place on the axis in percent of its length."""
        return round(100 * min(max(seconds / self.length, 0.0), 1.0), 4) if self.length else 0.0

    @property
    def breaks(self) -> list[list[float]]:
        """Pairs of a place on the axis and the moment of the result there; even in between."""
        points = [[0.0, 0.0], [self.lead, 0.0]]
        for start, length in self.closed:
            place = self.of(start)
            points += [[place, start], [place + length, start]]
        end = points[-1][1] + self.length - points[-1][0]
        return [*points, [self.length, end]]


class Tick(Struct, frozen=True):
    """One mark of the axis with its label."""

    at: float  # seconds of the axis
    label: str


def axis(report: Report) -> Axis:
    """That of a report."""
    tracks = report.coverage.tracks if report.coverage else ()
    lead, tail = 0.0, 0.0
    for track in tracks:
        first = min((b for b in track.begin if b is not None), default=0.0)
        last = max((e for e in track.end if e is not None), default=report.duration)
        lead = max(lead, track.before + track.unsent - max(first, 0.0))
        tail = max(tail, last + track.behind - report.duration if track.behind else 0.0)
    closed = _closed(report.holes)
    length = lead + report.duration + sum(one for _, one in closed) + tail
    return Axis(length, lead, closed, _earlier(report.started, lead))


def _closed(holes: Iterable[Hole]) -> tuple[tuple[float, float], ...]:
    """Holes without time in the result, those of several tracks at one place once."""
    found = sorted((hole.start, hole.length) for hole in holes if hole.became == "closed")
    merged: list[tuple[float, float]] = []
    for start, length in found:
        if merged and start - merged[-1][0] < NEAR:
            merged[-1] = merged[-1][0], max(merged[-1][1], length)
        else:
            merged.append((start, length))
    return tuple(merged)


def moment(told: str | None) -> datetime | None:
    """A time of a receipt (ISO 8601, UTC); None for what is none."""
    try:
        return datetime.fromisoformat(told).astimezone(UTC) if told else None
    except (ValueError, OverflowError):
        return None


def _earlier(told: str | None, seconds: float) -> str | None:
    at = moment(told)
    try:
        return (at - timedelta(seconds=seconds)).isoformat() if at else None
    except OverflowError:
        return None


def ticks(on: Axis, most: int = 7) -> list[Tick]:
    """At most so many marks in steps that people count in: times of day where they are known."""
    if not on.length:
        return []
    step = next((s for s in STEPS if on.length / s <= most - 1), STEPS[-1])
    while on.length / step > most - 1:
        step *= 2
    begin = moment(on.begin)
    midnight = begin.replace(hour=0, minute=0, second=0, microsecond=0) if begin else None
    into = (begin - midnight).total_seconds() if begin and midnight else 0.0
    first = -into % step
    places = [first + step * n for n in range(most) if first + step * n <= on.length]
    return [Tick(at, _label(into + at, step, daily=begin is not None)) for at in places]


def _label(seconds: float, step: float, *, daily: bool) -> str:
    """``9:05``, ``9:05:30`` or ``9:05:30.5``; without a clock from the beginning on."""
    whole = round(seconds, 1) % 86400 if daily else round(seconds, 1)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(int(minutes), 60)
    if step >= 60:
        return f"{hours}:{minutes:02}"
    return (
        f"{hours}:{minutes:02}:{rest:04.1f}" if step < 1 else f"{hours}:{minutes:02}:{rest:02.0f}"
    )


def outside(
    begin: float, end: float, spans: Iterable[tuple[float, float]]
) -> list[tuple[float, float]]:
    """What is left of a stretch without some spans, in order."""
    left, at = [], begin
    for first, last in sorted(spans):
        if first > at:
            left.append((at, min(first, end)))
        at = max(at, last)
    return [pair for pair in [*left, (at, end)] if pair[1] > pair[0]]


def merged(spans: Iterable[tuple[float, float]], near: float) -> list[tuple[float, float]]:
    """Spans with those closer to each other than ``near`` seconds as one, in order."""
    found: list[tuple[float, float]] = []
    for begin, end in sorted(spans):
        if found and begin - found[-1][1] <= near:
            found[-1] = found[-1][0], max(found[-1][1], end)
        else:
            found.append((begin, end))
    return found
