"""Files that killed runs left: nothing tells whose media is in them, so any erasure takes all."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from pipeline.retention.plan import GuardError
from pipeline.storage import Storage
from pipeline.storage.oserrors import os_errors
from pipeline.storage.owners import lives
from pipeline.storage.temporaries import ABANDONED, temporaries


def find(stores: Mapping[str, Storage], spool: Path) -> list[Path]:
    """Temporary files in the spool and in folders whose process on this machine is gone."""
    roots = {spool, *(path for one in stores.values() if (path := one.path("")) is not None)}
    every = {path for root in roots if root.is_dir() for path in temporaries(root)}
    return sorted(path for path in every if not lives(int(path.name.split("-")[1])))


def remove(path: Path, now: float) -> None:
    """Remove one.  Safe to repeat.

    Raises ``GuardError`` for one that was written to within the last hour, as a process of another
    machine may be at work; ``now`` is in seconds since the epoch.
    """
    with os_errors(f"remove {path}"), suppress(FileNotFoundError):
        if now - path.stat().st_mtime < ABANDONED:
            said = "unfinished, and may hold media of it"
            raise GuardError(f"{path}: {said}; end what writes it, or run again in an hour")
        path.unlink()
