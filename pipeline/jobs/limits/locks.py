"""One process at a time per result, on one machine: the second waits, then finds the work done."""

import contextlib
import fcntl
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from pipeline.errors import BusyError
from pipeline.storage.oserrors import os_errors


@contextlib.contextmanager
def locked(spool: Path, name: str, *, wait: bool = True) -> Iterator[None]:
    """Hold the lock of a name.  The kernel frees it however the holder ends.

    Without waiting, BusyError if another process holds it.
    """
    if not wait:
        with locked_at_once(spool, name) as ours:
            if not ours:
                raise BusyError(f"{name}: another process is at it; run again later")
            yield
        return
    with _file(spool, name) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def locked_at_once(spool: Path, name: str) -> Iterator[bool]:
    """The same without waiting: False where somebody else holds it."""
    with _file(spool, name) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _file(spool: Path, name: str) -> TextIO:
    folder = spool / "locks"
    with os_errors(f"lock in {folder}"):
        folder.mkdir(parents=True, exist_ok=True)
        return (folder / hashlib.sha256(name.encode()).hexdigest()[:32]).open("w")
