"""Segments as files at hand: the only place that opens them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.errors import StorageError
from pipeline.media.clock import Bytes
from pipeline.media.containers.unwrap import Wrapping
from pipeline.media.ts.scan import Scan
from pipeline.model import Finding, StoredObject


@dataclass(frozen=True, slots=True, eq=False)
class Fetched:
    """One segment at hand.  ``path`` is None when there is nothing to read."""

    object: StoredObject
    path: Path
    scan: Scan
    sha256: str
    findings: tuple[Finding, ...] = ()


def read_span(path: Path, how: Wrapping) -> Bytes:
    """The part of a file that a wrapped segment lies in."""
    if path.stat().st_size != how.size:
        raise StorageError(f"{path}: changed while it was read; run again")
    data = np.empty(how.length, np.uint8)
    return data[: read_into(path, data, how.offset)]


def head(path: Path) -> bytes:
    """The first bytes of a file, by which it can be told what it is."""
    data = np.empty(4096, np.uint8)
    return data[: read_into(path, data)].tobytes()


def read_into(path: Path, buffer: Bytes, offset: int = 0) -> int:
    """Read until the buffer is full or the file ends; returns how much there was."""
    view, done = buffer.data, 0
    with path.open("rb", buffering=0) as file:
        file.seek(offset)
        while done < len(view) and (got := file.readinto(view[done:])):
            done += got
    return done
