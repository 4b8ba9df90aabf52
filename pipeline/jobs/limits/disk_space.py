"""Room on the disk for a result."""

import shutil
from pathlib import Path

from pipeline.errors import DiskFullError

SPARE = 16 << 20  # bytes beside the result that must be free


def free_bytes(folder: Path) -> int:
    """What may still be written on the disk of a folder."""
    return shutil.disk_usage(folder).free


def need(folder: Path, size: int) -> None:
    """DiskFullError unless so many bytes fit."""
    free = free_bytes(folder)
    if size + SPARE > free:
        raise DiskFullError(f"{folder}: {free} bytes free, {size + SPARE} needed for the result")


def is_full(folder: Path) -> bool:
    """Whether what was written may have been cut short."""
    return free_bytes(folder) < SPARE
