"""What time it was: the wall clock of a recording, by the names of its segments."""

from bisect import bisect_left
from collections.abc import Sequence
from datetime import UTC, datetime
from statistics import median

from msgspec import Struct

from pipeline.media.clock import BASE, HZ
from pipeline.media.slots.segments import Placed

FIRST = 5  # segments whose names tell when it all began: one may stray, or have lost its beginning
NEAR = 0.05  # seconds: where a segment begins, the one before has ended


class WallClock(Struct, frozen=True):
    """Where segments begin in the result (seconds), and when they were recorded (since 1970)."""

    begins: tuple[float, ...] = ()
    times: tuple[float, ...] = ()

    def at(self, seconds: float) -> float | None:
        """Seconds since 1970 at a moment of the result, by the segment in front of it."""
        if not self.begins:
            return None
        n = bisect_left(self.begins, seconds - NEAR) - 1
        if n >= 0:
            return self.times[n] + seconds - self.begins[n]
        apart = [t - b for t, b in zip(self.times[:FIRST], self.begins[:FIRST], strict=True)]
        return median(apart) + seconds


def wall_clock(placed: Sequence[Placed]) -> WallClock:
    """The clock of segments in their places; an empty one where no name tells a time."""
    told = [(_begin(segment), segment.slot.utc) for segment in placed]
    known = [(begin, utc) for begin, utc in told if utc is not None]
    return WallClock(tuple(begin for begin, _ in known), tuple(utc for _, utc in known))


def _begin(segment: Placed) -> float:
    return (min(segment.presented(pid)[0] for pid in segment.stamps) - BASE) / HZ


def iso(time: float | None) -> str | None:
    """As ISO 8601 writes it, to the millisecond."""
    if time is None:
        return None
    told = datetime.fromtimestamp(round(time, 3), UTC).isoformat(timespec="milliseconds")
    return told.replace("+00:00", "Z")


def for_people(told: str) -> str:
    """A time of :func:`iso`, to the second."""
    return f"{told[:19].replace('T', ' ')} UTC"
