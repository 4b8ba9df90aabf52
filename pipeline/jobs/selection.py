"""Which recordings are meant, and how many of them."""

import threading
import time
from collections.abc import Callable
from fnmatch import fnmatchcase

from msgspec import Struct

from pipeline.model import Recording, StoredObject


class Selection(Struct, frozen=True):
    """What was chosen of all that a source holds.  Ages are in seconds.

    A pattern speaks of the key of the playlist below the source, of its last part, or of the id; a
    star stands for anything, slashes too.
    """

    include: tuple[str, ...] = ()  # any of these; without one, all
    exclude: tuple[str, ...] = ()  # and none of these
    min_age: float | None = None
    max_age: float | None = None

    def takes(self, recording: Recording, now: float) -> bool:
        """Whether a recording is meant, ``now`` in seconds since 1970."""
        names = _names(recording)
        if self.include and not _matches(names, self.include):
            return False
        if _matches(names, self.exclude):
            return False
        age = now - changed(recording)
        too_young = self.min_age is not None and age < self.min_age
        too_old = self.max_age is not None and age > self.max_age
        return not (too_young or too_old)


EVERYTHING = Selection()


def changed(recording: Recording) -> float:
    """When its playlists, or its only file, were last written."""
    return max((found.modified for found in _mains(recording)), default=0.0)


def _mains(recording: Recording) -> list[StoredObject]:
    found = [p for part in recording.parts for p in (part.playlist, *part.copies) if p]
    return found or [one for part in recording.parts for one in part.objects.values()]


def _names(recording: Recording) -> set[str]:
    keys = {found.key for found in _mains(recording)}
    return {recording.id, *keys, *(key.rpartition("/")[2] for key in keys)}


def _matches(names: set[str], patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns for name in names)


class Budget(Struct, frozen=True):
    """How much one run may do; None is no limit."""

    results: int | None = None
    seconds: float | None = None  # after which nothing is begun
    size: float | None = None  # bytes read of sources, after which nothing is begun


NO_LIMIT = Budget()


class Allowance:
    """What is left of a budget, shared by the threads of one run."""

    def __init__(self, budget: Budget, clock: Callable[[], float] = time.monotonic) -> None:
        self._left, self._busy = budget.results, 0
        self._size, self._clock = budget.size, clock
        self._until = clock() + budget.seconds if budget.seconds is not None else None
        self._changed = threading.Condition()

    @property
    def waits(self) -> bool:
        """Whether :meth:`take` would wait for what becomes of something that was begun."""
        return self._left == 0 and self._busy > 0 and not self._ended()

    def read(self, count: int) -> None:
        """So many bytes were read of sources."""
        if self._size is not None:
            with self._changed:
                self._size -= count

    def _ended(self) -> bool:
        late = self._until is not None and self._clock() >= self._until
        return late or (self._size is not None and self._size <= 0)

    def take(self) -> bool:
        """Wait for a place; False when all are used up, or nothing more may be begun."""
        if self._ended():
            return False
        if self._left is None:
            return True
        with self._changed:
            self._changed.wait_for(lambda: self._left or not self._busy)
            if not self._left or self._ended():
                return False
            self._left -= 1
            self._busy += 1
            return True

    def give(self, *, used: bool) -> None:
        """What was begun has ended; a place that led to nothing is free again."""
        if self._left is None:
            return
        with self._changed:
            self._busy -= 1
            self._left += not used
            self._changed.notify_all()
