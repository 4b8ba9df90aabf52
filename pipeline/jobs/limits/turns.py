"""Recordings take turns at what one machine does only so many times at once: remuxing, which takes
a processor, and encoding, which takes all of them.

Whoever encodes waits for nothing else meanwhile, so no two recordings can wait for each other.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from msgspec import Struct

from pipeline.muxing import run

PROCESSORS_EACH = 4  # of an encoder: more than that it does not use well for pictures of calls


class Limit:
    """How many may do something at the same time; None is any number.  Shared by threads."""

    def __init__(self, most: int | None = None) -> None:
        self._free = most
        self._changed = threading.Condition()

    @contextmanager
    def turn(self, waiting: Callable[[], None]) -> Iterator[None]:
        """Wait until one more may.  ``waiting`` is called again and again meanwhile; what it raises
        ends the wait.
        """
        if self._free is None:
            yield
            return
        with self._changed:
            while not self._free:
                waiting()
                self._changed.wait(timeout=run.AWAKE)
            self._free -= 1
        try:
            yield
        finally:
            with self._changed:
                self._free += 1
                self._changed.notify()


class Turns(Struct, frozen=True, eq=False):
    """What recordings side by side take turns at; with the defaults nobody waits."""

    remuxing: Limit = Limit()
    encoding: Limit = Limit()
    crowded: bool = False  # there are more of them than may be remuxed at once


def turns(jobs: int, encodes: int | None = None, *, processors: int | None = None) -> Turns:
    """For so many recordings at once: as many are remuxed as there are processors, and one encoded
    for every ``PROCESSORS_EACH`` of them unless ``encodes`` says how many.
    """
    count = processors or os.cpu_count() or 1
    most = encodes or max(1, count // PROCESSORS_EACH)
    return Turns(Limit(count), Limit(most), crowded=jobs > count)
