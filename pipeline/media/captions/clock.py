"""From the wall clock, and from the clock of the slices, to the clock of a result.

The names of slices say when each began, but may be off by a quarter of a second: so many of them
are asked.  Where Agora's TRACK-EVENT says when sound or pictures began, that is right: with
``enableNTPtimestamp`` it is the time that captions have as well.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from statistics import median

from msgspec import Struct
from msgspec.structs import replace

from pipeline.media.clock import BASE, HZ
from pipeline.media.slots.segments import Placed
from pipeline.media.timeline.plan import Plan

WRAP = 1 << 33  # ticks at which the clock of a transport stream begins again
APART = 0.5  # seconds: time was left out between two segments
AROUND = 20  # segments in front and behind that are asked as well
FARTHEST = 3600.0  # seconds by which TRACK-EVENT is believed to differ from names


class ResultClock(Struct, frozen=True):
    """Where segments begin in a result, and what time it was; all in seconds.

    The three tuples are of equal length, but ``zero`` is empty where no name has a time.
    """

    begins: tuple[float, ...] = (0.0,)  # of the result
    closed: tuple[float, ...] = (0.0,)  # of holes that were closed in front of each
    zero: tuple[float, ...] = ()  # since the epoch, when no hole had been closed yet, at 0
    seconds: float = 0.0  # length of the result
    first: int | None = None  # stamp of its first unit as it was recorded, ticks
    began: float | None = None  # since the epoch, if all began before this result does

    def at(self, time: float) -> float:
        """Seconds of the result at a moment of the wall clock (seconds since the epoch)."""
        n = _last(self._times, time)
        whole = self._whole[n + 1 : n + 2]
        return self._in_result(min([time - self.zero[n], *whole]))

    def since_begin(self, seconds: float) -> float:
        """Seconds of the result so long after the beginning."""
        return self._in_result(seconds) if self.began is None else self.at(self.began + seconds)

    def at_stamp(self, ticks: int, first: int) -> float:
        """Seconds of the result at a stamp of the slices' clock (90 kHz, 33 bits) that began with
        ``first``.
        """
        apart = (ticks - first + WRAP // 2) % WRAP - WRAP // 2
        return self._in_result(apart / HZ)

    def _in_result(self, seconds: float) -> float:
        """From when nothing had been closed; what was closed has no length."""
        n = _last(self._whole, seconds)
        return min([seconds - self.closed[n], *self.begins[n + 1 : n + 2]])

    @property
    def _whole(self) -> list[float]:
        return [begin + closed for begin, closed in zip(self.begins, self.closed, strict=True)]

    @property
    def _times(self) -> list[float]:
        return [whole + zero for whole, zero in zip(self._whole, self.zero, strict=True)]


def _last(rising: Sequence[float], value: float) -> int:
    """The last one that is not above a value, or the first."""
    return max(0, bisect_right(rising, value) - 1)


def result_clock(plan: Plan, began: float | None = None) -> ResultClock:
    """The clock of what is made of a plan; ``began`` is when its session did."""
    begins = [(min(p.presented(pid)[0] for pid in p.stamps) - BASE) / HZ for p in plan.placed]
    closed = _closed(plan)
    zero = _zero(plan.placed, [b + c for b, c in zip(begins, closed, strict=True)])
    seconds, first = (plan.end - BASE) / HZ, _first(plan)
    clock = ResultClock(tuple(begins), closed, tuple(zero), seconds, first, began)
    shift = _by_events(plan, clock) if zero else 0.0
    return replace(clock, zero=tuple(one + shift for one in zero))


def _closed(plan: Plan) -> tuple[float, ...]:
    """Seconds of holes that were closed in front of each segment."""
    holes = {hole.segment: hole.ticks for one in plan.promised.values() for hole in one.closed}
    return tuple(accumulate(holes.get(placed.slot.name, 0.0) / HZ for placed in plan.placed))


def _zero(placed: Sequence[Placed], whole: Sequence[float]) -> list[float]:
    """When the beginning was, by the name of each segment and of its neighbours, as far as no time
    was left out in between; a segment without a time has that of the one before.
    """
    told = [(n, p.slot.utc - whole[n]) for n, p in enumerate(placed) if p.slot.utc is not None]
    if not told:
        return []
    steady = dict(zip((n for n, _ in told), _steady([zero for _, zero in told]), strict=True))
    first = next(iter(steady.values()))
    return list(accumulate((steady.get(n) for n in range(len(placed))), _known, initial=first))[1:]


def _known(before: float, own: float | None) -> float:
    return before if own is None else own


def _steady(told: Sequence[float]) -> Iterator[float]:
    for n, own in enumerate(told):
        near = told[max(0, n - AROUND) : n + AROUND + 1]
        yield median(one for one in near if abs(one - own) <= APART)


def _by_events(plan: Plan, clock: ResultClock) -> float:
    """By how much TRACK-EVENT is ahead of the names of slices: of sound, else of pictures."""
    kinds = {lane.pid: lane.codec.kind for lane in plan.lanes}
    for kind in ("audio", "video"):
        pids = [pid for pid, of in kinds.items() if of == kind]
        ahead = [
            shift
            for n, placed in enumerate(plan.placed)
            for shift in _told(placed, kind, pids, clock.zero[n] + clock.closed[n])
        ]
        if ahead:
            return median(ahead)
    return 0.0


def _told(placed: Placed, kind: str, pids: Sequence[int], zero: float) -> Iterator[float]:
    """What the first event of a kind in front of a segment says; ``zero`` is when 0 was."""
    own = [placed.presented(pid)[0] for pid in pids if pid in placed.stamps]
    times = [event.time for event in placed.slot.events if event.kind == kind]
    if own and times and times[0] is not None:
        shift = times[0] - (min(own) - BASE) / HZ - zero
        if abs(shift) <= FARTHEST:
            yield shift


def _first(plan: Plan) -> int | None:
    """The stamp that stands at 0, as it was recorded."""
    if not plan.placed:
        return None
    placed = plan.placed[0]
    pid = min(placed.stamps, key=lambda one: placed.presented(one)[0])
    told = placed.stream(pid).pts
    at = int((told >= 0).argmax())
    moved = int(placed.stamps[pid][0][at]) - BASE
    return (int(told[at]) - moved) % WRAP
