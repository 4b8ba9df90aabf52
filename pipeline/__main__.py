"""``recpipe``, also as ``python -m pipeline``."""

import gc
import os
import signal
import sys
import time
from types import FrameType

PATIENCE = 1.0  # seconds: a terminal and a wrapper may both send the same Ctrl-C
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h of glibc
KEPT = 32 << 20  # bytes: the largest M_MMAP_THRESHOLD that glibc takes on 64 bits

COLLECTED = 200_000  # new objects after which Python looks for cycles: more than a start makes


class _Stop:
    """The first signal unwinds everything; a later Ctrl-C does not wait for that."""

    def __init__(self) -> None:
        self._since: float | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self._since is None:
            self._since = time.monotonic()
            raise KeyboardInterrupt
        if number == signal.SIGINT and time.monotonic() - self._since > PATIENCE:
            os._exit(130)


def _keep_memory() -> None:
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


def _collect_seldom() -> None:
    """A segment is thousands of short-lived views of one buffer, and not one cycle: looking for
    cycles at every 700 of them costs a tenth of the work on it.
    """
    gc.set_threshold(COLLECTED)


def main() -> None:
    """Run the command and leave with its exit code."""
    _keep_memory()
    _collect_seldom()
    stop = _Stop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # as nohup and & ask for
            signal.signal(number, stop)
    try:
        from pipeline.config import one_thread_for_algebra

        one_thread_for_algebra()
        from pipeline.cli.app import cli
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    cli.main(prog_name="recpipe")


if __name__ == "__main__":
    main()
