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
        self._whose = set[int]()  # threads that have a turn

    @contextmanager
    def turn(self, waiting: Callable[[], None]) -> Iterator[None]:
        """Wait until one more may.  ``waiting`` is called again and again meanwhile; what it raises
        ends the wait.
        """
        if self._free is None:
            yield
            return
        self._take(waiting)
        try:
            yield
        finally:
            self._give()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Let others do it meanwhile, if this thread may, and wait for a turn again."""
        if threading.get_ident() not in self._whose:
            yield
            return
        self._give()
        try:
            yield
        finally:
            self._take(_patiently)

    def _take(self, waiting: Callable[[], None]) -> None:
        with self._changed:
            while not self._free:
                waiting()
                self._changed.wait(timeout=run.AWAKE)
            self._free -= 1
            self._whose.add(threading.get_ident())

    def _give(self) -> None:
        with self._changed:
            assert self._free is not None
            self._free += 1
            self._whose.discard(threading.get_ident())
            self._changed.notify()


def _patiently() -> None:
    """Whoever has a turn will end, and so will the wait."""


class Turns(Struct, frozen=True, eq=False):
    """What recordings side by side take turns at; with the defaults nobody waits."""

    working: Limit = Limit()  # on a recording; not while it waits for others to be muxed with
    remuxing: Limit = Limit()
    encoding: Limit = Limit()
    crowded: bool = False  # there are more of them than may be remuxed at once

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Let others work and remux meanwhile.  Turns are taken again in the order they were taken
        first, as no two recordings may wait for each other.
        """
        with self.remuxing.aside(), self.working.aside():
            yield


def turns(jobs: int, encodes: int | None = None, *, processors: int | None = None) -> Turns:
    """For so many recordings at once: as many are remuxed as there are processors, and one encoded
    for every ``PROCESSORS_EACH`` of them unless ``encodes`` says how many.
    """
    count = processors or os.cpu_count() or 1
    most = encodes or max(1, count // PROCESSORS_EACH)
    return Turns(Limit(jobs), Limit(count), Limit(most), crowded=jobs > count)
