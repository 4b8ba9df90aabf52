"""Numbers of the page of the throughput, and where bars stand.  Pure."""

import math
from collections.abc import Sequence
from statistics import quantiles

from msgspec import Struct

from pipeline.ledger.browsing import Result
from pipeline.ledger.measures import Timed
from pipeline.model import Verdict

HOUR = 3600.0  # seconds
HOURS = 48
WIDTH, HEIGHT, BASE, TOP = 1152, 222, 192, 30  # units of the drawing
STEP = WIDTH / HOURS
LABELS = 6  # hours between two labels


class Day(Struct, frozen=True):
    """What was published, added up; seconds and bytes."""

    count: int
    degraded: int
    seconds: float
    bytes: int
    lost: float


class Hour(Struct, frozen=True):
    """One bar: degraded recordings on top of whole ones."""

    begin: float  # seconds since the epoch
    good: int
    bad: int
    x: float
    good_y: float
    good_height: float
    bad_y: float
    bad_height: float
    label: str


class Bars(Struct, frozen=True):
    """All of them, and the size of the drawing."""

    hours: tuple[Hour, ...]
    most: int
    width: int = WIDTH
    height: int = HEIGHT
    base: int = BASE
    step: float = STEP


class Stage(Struct, frozen=True):
    """How long one stage took, in seconds: at most so long in half, and in nine of ten cases."""

    name: str
    half: float
    most: float
    longest: float


def day(results: Sequence[Result]) -> Day:
    """Of these results."""
    return Day(
        count=len(results),
        degraded=sum(one.verdict == Verdict.DEGRADED.value for one in results),
        seconds=sum(one.duration or 0.0 for one in results),
        bytes=sum(one.size or 0 for one in results),
        lost=sum(max(one.lost_video or 0.0, one.lost_audio or 0.0) for one in results),
    )


def bars(results: Sequence[Result], now: float) -> Bars:
    """One for each of the last hours of the clock, the one that is going on at the end."""
    first = math.floor(now / HOUR) - HOURS + 1
    good, bad = [0] * HOURS, [0] * HOURS
    for one in results:
        n = math.floor(one.at / HOUR) - first
        if 0 <= n < HOURS:
            (bad if one.verdict == Verdict.DEGRADED.value else good)[n] += 1
    most = max(map(sum, zip(good, bad, strict=True)))
    scale = (BASE - TOP) / max(most, 1)
    hours = [
        _hour((first + n) * HOUR, n, good=good[n], bad=bad[n], scale=scale) for n in range(HOURS)
    ]
    return Bars(tuple(hours), most)


def _hour(begin: float, n: int, *, good: int, bad: int, scale: float) -> Hour:
    low, high = round(good * scale, 2), round(bad * scale, 2)
    of_day = int(begin // HOUR) % 24
    return Hour(
        begin=begin,
        good=good,
        bad=bad,
        x=n * STEP,
        good_y=BASE - low,
        good_height=low,
        bad_y=BASE - low - high,
        bad_height=high,
        label=f"{of_day:02}:00" if of_day % LABELS == 0 else "",
    )


def stages(timed: Sequence[Timed]) -> list[Stage]:
    """In the order in which they come."""
    took: dict[str, list[float]] = {}
    for one in timed:
        for name, seconds in one.timings.items():
            took.setdefault(name, []).append(seconds)
    return [_stage(name, sorted(seconds)) for name, seconds in took.items()]


def _stage(name: str, seconds: Sequence[float]) -> Stage:
    if len(seconds) == 1:
        return Stage(name, seconds[0], seconds[0], seconds[0])
    tenths = quantiles(seconds, n=10, method="inclusive")
    return Stage(name, tenths[4], tenths[8], seconds[-1])
