"""How much one run may do: results, seconds, bytes read."""

import threading
import time
from collections.abc import Callable

from msgspec import Struct


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
