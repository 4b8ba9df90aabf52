"""Files that are not whole yet, under names that only this tool gives, each with its process."""

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

ABANDONED = 3600.0  # seconds after which one whose process is gone is removed

_NAME = re.compile(r"\.recpipe-\d+-[0-9a-f]+(\.receipt)?\.part")


def temporary(folder: Path) -> Path:
    """A new name in a folder, which is made if it is not there.

    Hidden, and without a suffix to guess a format from.  What killed processes left there goes.
    """
    with os_errors(f"make {folder}"):
        make_folder(folder)
        _sweep(folder)
    return folder / f".recpipe-{os.getpid()}-{secrets.token_hex(8)}.part"


def is_temporary(path: Path) -> bool:
    """Whether only this tool calls a file like that."""
    return _NAME.fullmatch(path.name) is not None


def temporaries(folder: Path) -> Iterator[Path]:
    """Every temporary file of ours in a folder and below it; links are not followed."""
    for path in folder.rglob(".recpipe-*.part"):
        if is_temporary(path) and not path.is_symlink():
            yield path


def make_folder(folder: Path) -> None:
    """With those above it, all of them on the disk."""
    new = [f for f in (folder, *folder.parents) if not f.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for made in reversed(new):
        sync(made.parent)


def sync(path: Path) -> None:
    """Bring a file, or the names in a folder, to the disk."""
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
    """Remove temporaries that a killed process left: its number is free and an hour has gone by."""
    for left in folder.glob(".recpipe-*.part"):
        owner = left.name.split("-")[1]
        with suppress(OSError):
            old = time.time() - left.stat().st_mtime > ABANDONED
            if owner.isdigit() and old and not lives(int(owner)):
                left.unlink()
