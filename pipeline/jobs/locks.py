"""One process at a time per result, on one machine: the second waits, then finds the work done."""

import contextlib
import fcntl
import hashlib
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import BusyError
from pipeline.storage.oserrors import os_errors


@contextlib.contextmanager
def locked(spool: Path, name: str, *, wait: bool = True) -> Iterator[None]:
    """Hold the lock of a name.  The kernel frees it however the holder ends.

    Without waiting, BusyError if another process holds it.
    """
    folder = spool / "locks"
    with os_errors(f"lock in {folder}"):
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / hashlib.sha256(name.encode()).hexdigest()[:32]).open("w")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise BusyError(f"{name}: another process is at it; run again later") from None
        yield
