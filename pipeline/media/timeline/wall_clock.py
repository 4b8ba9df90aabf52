"""What time it was: the wall clock of a recording, by the names of its segments."""

from bisect import bisect_left
from collections.abc import Sequence
from datetime import UTC, datetime
from statistics import median

from msgspec import Struct

from pipeline.media.clock import BASE, HZ
from pipeline.media.slots.segments import Placed

FIRST = 5  # segments whose names say when it all began: one may stray, or have lost its beginning
NEAR = 0.05  # seconds: where a segment begins, the one before has ended


class WallClock(Struct, frozen=True):
    """Where segments begin in the result, and when they were recorded; both of equal length."""

    begins: tuple[float, ...] = ()  # seconds from the beginning of the result
    times: tuple[float, ...] = ()  # seconds since the epoch

    def at(self, seconds: float) -> float | None:
        """Seconds since the epoch at a moment of the result (seconds), by the segment in front of
        it; None where no name has a time.
        """
        if not self.begins:
            return None
        n = bisect_left(self.begins, seconds - NEAR) - 1
        if n >= 0:
            return self.times[n] + seconds - self.begins[n]
        apart = [t - b for t, b in zip(self.times[:FIRST], self.begins[:FIRST], strict=True)]
        return median(apart) + seconds


def wall_clock(placed: Sequence[Placed]) -> WallClock:
    """The clock of segments in their places; an empty one where no name has a time."""
    told = [(_begin(segment), segment.slot.utc) for segment in placed]
    known = [(begin, utc) for begin, utc in told if utc is not None]
    return WallClock(tuple(begin for begin, _ in known), tuple(utc for _, utc in known))


def _begin(segment: Placed) -> float:
    return (min(segment.presented(pid)[0] for pid in segment.stamps) - BASE) / HZ


def iso(time: float | None) -> str | None:
    """Seconds since the epoch as ISO 8601 in UTC, to the millisecond; None stays None."""
    if time is None:
        return None
    told = datetime.fromtimestamp(round(time, 3), UTC).isoformat(timespec="milliseconds")
    return told.replace("+00:00", "Z")


def for_people(told: str) -> str:
    """A time written by :func:`iso`, to the second: "2024-01-31 12:00:00 UTC"."""
    return f"{told[:19].replace('T', ' ')} UTC"
