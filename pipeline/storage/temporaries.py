"""Files that are not whole yet: their names, given by this tool alone, hold a process's number."""

import errno
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pipeline.storage.oserrors import os_errors
from pipeline.storage.owners import lives

ABANDONED = 3600.0  # seconds after which a file is removed whose process is gone

_NAME = re.compile(r"\.recpipe-\d+-[0-9a-f]+(\.receipt)?\.part")


def temporary(folder: Path) -> Path:
    """A new name in a folder, which is made if it is not there.

    Hidden, and with a suffix that no format has.  Temporary files of killed processes are removed.
    """
    with os_errors(f"make {folder}"):
        make_folder(folder)
        _sweep(folder)
    return folder / f".recpipe-{os.getpid()}-{secrets.token_hex(8)}.part"


def is_temporary(path: Path) -> bool:
    """Whether a file has a name that only this tool gives."""
    return _NAME.fullmatch(path.name) is not None


def temporaries(folder: Path) -> Iterator[Path]:
    """Every temporary file of ours in a folder and below it; links are not followed."""
    for path in folder.rglob(".recpipe-*.part"):
        if is_temporary(path) and not path.is_symlink():
            yield path


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, and sync them to the disk.  Raises ``OSError``."""
    new = [f for f in (folder, *folder.parents) if not f.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for made in reversed(new):
        sync(made.parent)


def sync(path: Path) -> None:
    """Bring a file, or the names in a folder, to the disk (POSIX fsync()).  Raises ``OSError``."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        # some network and FUSE file systems cannot sync a folder
        if error.errno != errno.EINVAL or not path.is_dir():
            raise
    finally:
        os.close(handle)


def _sweep(folder: Path) -> None:
    """Remove what a killed process left: its number is free, and an hour has gone by."""
    for left in folder.glob(".recpipe-*.part"):
        owner = left.name.split("-")[1]
        with suppress(OSError):
            old = time.time() - left.stat().st_mtime > ABANDONED
            if owner.isdigit() and old and not lives(int(owner)):
                left.unlink()
