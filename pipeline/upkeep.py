"""How a process that works on recordings keeps its memory, and starts soon: light, for every start
pays for it.
"""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # malloc.h of glibc
KEPT = 32 << 20  # bytes: the largest M_MMAP_THRESHOLD that glibc takes on 64 bits
ARENAS = 2  # in which threads keep what was freed: no other one can use it

COLLECTED = 200_000  # new objects after which Python looks for cycles: more than a start makes


def keep_memory() -> None:
    """Have glibc hold on to what is freed: every segment needs as much again, and pages that the
    kernel has just taken back cost more than the work on them (mallopt(3)).
    """
    for parameter in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD):
        _called("mallopt", parameter, KEPT)
    _called("mallopt", M_ARENA_MAX, ARENAS)


def give_back_memory() -> None:
    """Let go of what is free after all: much is, and what comes needs other sizes.

    A full collection empties the lists of free tuples and the like, of which every one would hold
    a page; then glibc gives back what it has (malloc_trim(3)).
    """
    gc.collect()
    _called("malloc_trim", 0)


def _called(name: str, *values: int) -> None:
    """Call a function of glibc, where that is there."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes  # numpy needs it too

    function = getattr(ctypes.CDLL(None), name, None)
    if function is not None:
        function(*values)


def collect_seldom() -> None:
    """A segment is thousands of short-lived views of one buffer, and not one cycle: looking for
    cycles at every 700 of them costs a tenth of the work on it.
    """
    gc.set_threshold(COLLECTED)


def end_at_once() -> None:
    """Have Python look for no cycles when it ends: among all modules that takes longer than to
    convert a minute.
    """
    gc.freeze()


class _Later(ModuleType):
    """A module that is imported once something of it is used."""

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:  # it is used at once after all
            del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), name)


@contextmanager
def imported_later(*names: str) -> Iterator[None]:
    """What is imported meanwhile gets these modules when it first uses them: some libraries import
    at once what few of their functions need.  Everybody else imports them as ever.

    importlib.util.LazyLoader is of no use for this: the import statement itself asks a module that
    is there for its __spec__, and that loads it.
    """
    later = {name: _Later(name) for name in names if name not in sys.modules}
    sys.modules |= later
    try:
        yield
    finally:
        for name, module in later.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]
            package, _, last = name.rpartition(".")
            if package:  # where the import statement would have put it
                vars(import_module(package)).setdefault(last, module)
