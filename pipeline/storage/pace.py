"""Stores that are read no faster than a given rate."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, cast

from pipeline.errors import UsageError
from pipeline.storage import Storage

SLOWEST = 64 << 10  # bytes a second: below, stores end a connection on which nothing is read
PIECE = 64 << 10  # bytes that are handed on at once


class Pace:
    """A rate in bytes a second, shared by all threads.

    Raises ``UsageError`` for a rate below :data:`SLOWEST`.
    """

    def __init__(
        self,
        rate: float,
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if rate < SLOWEST:
            raise UsageError(f"--bwlimit: {rate:.0f} bytes a second, expected at least {SLOWEST}")
        self._rate, self._now, self._sleep = rate, now, sleep
        self._free = now()
        self._lock = threading.Lock()

    def wait(self, count: int) -> None:
        """Sleep until ``count`` more bytes are allowed."""
        with self._lock:
            now = self._now()
            self._free = max(self._free, now) + count / self._rate
            pause = self._free - now
        self._sleep(pause)


class Paced:
    """A store whose objects are read at that rate; everything else is done by the store itself."""

    def __init__(self, storage: Storage, pace: Pace) -> None:
        self._storage, self._pace = storage, pace

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    def open(self, key: str, *, etag: str | None = None) -> Iterator[bytes]:
        """The bytes in chunks of :data:`PIECE`, so that a reader can be interrupted in between."""
        for chunk in self._storage.open(key, etag=etag):
            for at in range(0, len(chunk), PIECE):
                piece = chunk[at : at + PIECE]
                self._pace.wait(len(piece))
                yield piece


Opener = Callable[[str], tuple[Storage, str]]


def paced(opened: Opener, rate: float) -> Opener:
    """An opener whose stores share ``rate`` bytes a second; local folders are not slowed down.

    Raises ``UsageError`` for a rate below :data:`SLOWEST`.
    """
    pace = Pace(rate)

    def open_paced(location: str) -> tuple[Storage, str]:
        storage, key = opened(location)
        if storage.path("") is not None:
            return storage, key
        return cast(Storage, Paced(storage, pace)), key

    return open_paced
