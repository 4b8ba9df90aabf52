"""How often each value occurs: what a very long recording's steps are judged by, without keeping
each of them.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

BLOCK = 1 << 16  # values that are counted at once


class Distribution(Struct, frozen=True, eq=False):
    """Different values in rising order, and how often each one occurs."""

    values: NDArray[Any]
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, parts: Iterable[NDArray[Any]]) -> "Distribution":
        """Of all values of some arrays, of which there is one at least; there must be no NaN."""
        found: Distribution | None = None
        waiting: list[NDArray[Any]] = []
        count = 0
        for part in parts:
            waiting.append(part)
            count += len(part)
            if count >= BLOCK:
                found = _with(found, waiting)
                waiting, count = [], 0
        return _with(found, waiting) if waiting or found is None else found

    def __len__(self) -> int:
        return int(self.counts.sum())

    def map(self, change: Callable[[NDArray[Any]], NDArray[Any]]) -> "Distribution":
        """With ``change`` made to every value."""
        return _counted(change(self.values), self.counts)

    def above(self, least: float) -> "Distribution":
        """Of the values above ``least`` alone."""
        kept = self.values > least
        return Distribution(self.values[kept], self.counts[kept])

    @property
    def median(self) -> float:
        """The middle value, or the mean of the two in the middle; there must be one."""
        middle = len(self) // 2
        low, high = self._at(middle - 1 + len(self) % 2), self._at(middle)
        return float(low + high) / 2

    def quantile(self, share: float) -> float:
        """The value below which a share (0 to 1) of the values lies, interpolated linearly between
        two; there must be one.
        """
        last = len(self) - 1
        place = share * last
        low, high = self._at(int(place)), self._at(min(int(place) + 1, last))
        return float(low + (high - low) * (place - int(place)))

    def _at(self, place: int) -> Any:
        """The value at a place in the rising order of all."""
        return self.values[np.searchsorted(self.counts.cumsum(), place, side="right")]


def _with(found: Distribution | None, parts: list[NDArray[Any]]) -> Distribution:
    values = np.concatenate(parts)
    counts = np.ones(len(values), np.int64)
    if found is None:
        return _counted(values, counts)
    every = np.concatenate([found.values, values])
    return _counted(every, np.concatenate([found.counts, counts]))


def _counted(values: NDArray[Any], counts: NDArray[np.int64]) -> Distribution:
    """Values that may be told several times, each once."""
    order = np.argsort(values, kind="stable")
    values, counts = values[order], counts[order]
    first = np.flatnonzero(np.append(True, values[1:] != values[:-1])[: len(values)])
    return Distribution(values[first], np.add.reduceat(counts, first) if len(first) else counts)
