"""``recpipe``, also as ``python -m pipeline``."""

import os
import signal
import time
from types import FrameType

from pipeline.upkeep import collect_seldom, end_at_once, keep_memory

PATIENCE = 1.0  # seconds: a terminal and a wrapper may both send the same Ctrl-C


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


def main() -> None:
    """Run the command and leave with its exit code."""
    keep_memory()
    collect_seldom()
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
    try:
        cli.main(prog_name="recpipe")
    finally:
        end_at_once()


if __name__ == "__main__":
    main()
