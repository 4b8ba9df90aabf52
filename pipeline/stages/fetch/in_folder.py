"""Segments of a folder, read and scanned where they lie."""

from collections.abc import Callable, Container, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from pipeline.media.clock import Bytes
from pipeline.media.ts.scan import Scan
from pipeline.media.ts.transport_stream import TransportStream
from pipeline.model import StoredObject
from pipeline.stages.fetch.fetched import LARGEST, Fetched, Look, bad, better, scanned, sha256_of
from pipeline.stages.segments import Buffer, read_into
from pipeline.storage import Storage
from pipeline.storage.oserrors import os_errors

BUFFERS = 4  # segments that may be on their way: being read, looked at, waiting, being written
Progress = Callable[[str, int], None]  # stage, bytes done since the last call


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
    """Scan the files of a folder where they lie, while another core reads the next one and hashes
    the same bytes.  ``look`` is given each in turn, and may edit it once it is hashed.
    """
    arenas = [Buffer() for _ in range(BUFFERS)]
    paths = [_path(found, storage) for found in objects]
    fetched: list[tuple[StoredObject, Path, Scan, Future[str]]] = []
    # One thread works in order: a buffer is filled again only when it is hashed.
    with ThreadPoolExecutor(1) as other:
        ahead = [
            other.submit(_read, *one, arenas[0]) for one in zip(objects[:1], paths[:1], strict=True)
        ]
        for turn, (found, path) in enumerate(zip(objects, paths, strict=True), 1):
            data = ahead.pop().result()
            if turn < len(paths):
                ahead.append(
                    other.submit(_read, objects[turn], paths[turn], arenas[turn % BUFFERS])
                )
            digest = other.submit(sha256_of, data)
            stream = TransportStream(data)
            scan = scanned(found, stream)
            fetched.append((found, path, scan, digest))
            if look is not None:
                look(turn - 1, Fetched(found, path, scan, digest.result()), stream)
            progress("inspect", len(data))
        done = [Fetched(o, path, result, digest.result()) for o, path, result, digest in fetched]
    return [_read_again(one, arenas[0]) if bad(one, wrapped) else one for one in done]


def _path(found: StoredObject, storage: Storage) -> Path:
    path = storage.path(found.key)
    assert path is not None
    return path


def _read(found: StoredObject, path: Path, arena: Buffer) -> Bytes:
    with os_errors(f"read {path}"):
        data = arena.room(min(found.size, LARGEST))
        return data[: read_into(path, data)]


def _read_again(before: Fetched, arena: Buffer) -> Fetched:
    """A file read anew: a network drive may have given something else."""
    data = _read(before.object, before.path, arena)
    result = scanned(before.object, TransportStream(data))
    return better(before, Fetched(before.object, before.path, result, sha256_of(data)))
