"""One process at a time per result, on one machine: the second waits, then finds the work done."""

import contextlib
import fcntl
import hashlib
from collections.abc import Iterator
from pathlib import Path

from pipeline.storage.oserrors import os_errors


@contextlib.contextmanager
def locked(spool: Path, name: str) -> Iterator[None]:
    """Hold the lock of a name.  The kernel frees it however the holder ends."""
    folder = spool / "locks"
    with os_errors(f"lock in {folder}"):
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / hashlib.sha256(name.encode()).hexdigest()[:32]).open("w")
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
