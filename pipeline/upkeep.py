"""How a process that works on recordings keeps its memory: light, for every start pays for it."""

import gc
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # malloc.h of glibc
KEPT = 32 << 20  # bytes: the largest M_MMAP_THRESHOLD that glibc takes on 64 bits
ARENAS = 2  # in which threads keep what was freed: no other one can use it

COLLECTED = 200_000  # new objects after which Python looks for cycles: more than a start makes


def keep_memory() -> None:
    """Have glibc hold on to what is freed: every segment needs as much again, and pages that the
    kernel has just taken back cost more than the work on them (mallopt(3)).
    """
    if not sys.platform.startswith("linux"):
        return
    import ctypes  # numpy needs it too

    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        for parameter in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD):
            library.mallopt(parameter, KEPT)
        library.mallopt(M_ARENA_MAX, ARENAS)


def collect_seldom() -> None:
    """A segment is thousands of short-lived views of one buffer, and not one cycle: looking for
    cycles at every 700 of them costs a tenth of the work on it.
    """
    gc.set_threshold(COLLECTED)
