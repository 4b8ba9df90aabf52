"""Segments of a folder, read and scanned where they lie."""

from collections.abc import Callable, Container, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from itertools import accumulate, pairwise
from pathlib import Path

import numpy as np
from msgspec import Struct

from pipeline.media.clock import Bytes
from pipeline.media.ts.transport_stream import TransportStream, side_by_side
from pipeline.model import StoredObject
from pipeline.stages.fetch.fetched import (
    LARGEST,
    Fetched,
    Look,
    bad,
    better,
    scanned,
    sha256_of,
)
from pipeline.stages.segments import TOGETHER, read_into
from pipeline.storage import Storage
from pipeline.storage.oserrors import os_errors

Progress = Callable[[str, int], None]  # stage, bytes done since the last call

AHEAD = 2  # rows of files that are read and hashed while one is looked at


class _File(Struct, frozen=True):
    """An object, and where it lies."""

    object: StoredObject
    path: Path


def in_place(objects: Sequence[StoredObject], storage: Storage) -> bool:
    """The objects can be read where they lie."""
    return not objects or storage.path(objects[0].key) is not None


def scan_in_place(
    objects: Sequence[StoredObject],
    storage: Storage,
    progress: Progress,
    *,
    wrapped: Container[str] = (),
    look: Look | None = None,
) -> list[Fetched]:
    """Scan the files of a folder where they lie, while another core reads the next ones and hashes
    the same bytes.  ``look`` is given each in turn, and may edit it once it is hashed.
    """
    files = [_File(found, _path(found, storage)) for found in objects]
    done: list[Fetched] = []
    with ThreadPoolExecutor(1) as other:
        for group, data, sizes, digests in _read_ahead(files, other):
            streams = side_by_side(data, sizes)
            scans = [scanned(f.object, s) for f, s in zip(group, streams, strict=True)]
            every = zip(group, scans, digests.result(), strict=True)
            founds = [Fetched(f.object, f.path, scan, sha256) for f, scan, sha256 in every]
            if look is not None:
                look(len(done), founds, streams)
            done += founds
            for size in sizes:
                progress("inspect", size)
    return [_read_again(one) if bad(one, wrapped) else one for one in done]


def _read_ahead(
    files: Sequence[_File], other: Executor
) -> Iterator[tuple[list[_File], Bytes, list[int], Future[list[str]]]]:
    """Some files after the other, their bytes, how many each has, and their digests, while the next
    ones are read and hashed: who is to edit them waits for no digest.

    Every row has memory of its own: who looks at it may keep it for as long as ffmpeg takes.
    """
    groups = [*_grouped(files)]
    ahead = [_begun(group, other) for group in groups[:AHEAD]]
    for turn, group in enumerate(groups, AHEAD):
        reading, digests = ahead.pop(0)
        data, sizes = reading.result()
        ahead += [_begun(behind, other) for behind in groups[turn : turn + 1]]
        yield group, data, sizes, digests


def _begun(
    group: Sequence[_File], other: Executor
) -> tuple[Future[tuple[Bytes, list[int]]], Future[list[str]]]:
    """Bytes and digests of files, which ``other`` reads and hashes one after the other."""
    reading = other.submit(_read, group)
    return reading, other.submit(_digests, reading)


def _digests(reading: Future[tuple[Bytes, list[int]]]) -> list[str]:
    data, sizes = reading.result()
    bounds = pairwise(accumulate(sizes, initial=0))
    return [sha256_of(data[begin:end]) for begin, end in bounds]


def _grouped(files: Sequence[_File]) -> Iterator[list[_File]]:
    """As many in a row as are read at once."""
    group: list[_File] = []
    size = 0
    for file in files:
        if group and size + file.object.size > TOGETHER:
            yield group
            group, size = [], 0
        group.append(file)
        size += file.object.size
    if group:
        yield group


def _path(found: StoredObject, storage: Storage) -> Path:
    path = storage.path(found.key)
    assert path is not None
    return path


def _read(files: Sequence[_File]) -> tuple[Bytes, list[int]]:
    """Their bytes, one behind the other, and how many each has."""
    room = np.empty(sum(min(file.object.size, LARGEST) for file in files), np.uint8)
    sizes, end = [], 0
    for file in files:
        here = room[end:][: min(file.object.size, LARGEST)]
        with os_errors(f"read {file.path}"):
            sizes.append(read_into(file.path, here))
        end += sizes[-1]
    return room[:end], sizes


def _read_again(before: Fetched) -> Fetched:
    """A file read again: a network drive may have given something else."""
    data, _ = _read([_File(before.object, before.path)])
    result = scanned(before.object, TransportStream(data))
    return better(before, Fetched(before.object, before.path, result, sha256_of(data)))
