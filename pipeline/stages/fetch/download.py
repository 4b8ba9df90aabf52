"""Segments of a store, downloaded in parallel into the spool and hashed there; scanned in their
order, several at once, while others are on their way.
"""

import hashlib
import secrets
import shutil
from collections import deque
from collections.abc import Callable, Container, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from pipeline.errors import DiskFullError, NotFoundError, StorageError
from pipeline.media.clock import Bytes
from pipeline.media.ts.transport_stream import TransportStream, side_by_side
from pipeline.model import Finding, Severity, StoredObject
from pipeline.stages.fetch.fetched import (
    Fetched,
    Look,
    bad,
    better,
    disk_error,
    scanned,
    sha256_of,
)
from pipeline.stages.fetch.scan_notes import keep, kept
from pipeline.stages.segments import TOGETHER, read_into
from pipeline.storage import Storage

FETCHERS = 16
WINDOW = 24  # objects that may be on their way, or wait for those before them
HELD = 64 << 20  # bytes of these
SPARE = 64 << 20  # bytes that must stay free beside what is fetched
TRIES = 4
Progress = Callable[[str, int], None]  # stage, bytes done since the last call


class _Arrived(Struct, frozen=True, eq=False):
    """An object in the spool, hashed, and its bytes."""

    object: StoredObject
    path: Path
    data: Bytes
    sha256: str
    findings: tuple[Finding, ...]
    left: bool = False  # by an earlier run


_Item = _Arrived | Fetched | None  # None: the object is gone


class _Way(Struct, frozen=True):
    """How objects come: from where, to where, and who is told of it."""

    storage: Storage
    spool: Path
    progress: Progress


def download(
    objects: Sequence[StoredObject],
    storage: Storage,
    spool: Path,
    progress: Progress,
    *,
    wrapped: Container[str] = (),
    ahead: bool = False,
    look: Look | None = None,
) -> list[Fetched | None]:
    """Bring objects into the spool, hashed and scanned in the same read; None where one is gone.

    What an earlier run left whole is not fetched again, and not even read again where it was
    fetched ``ahead``: then what was found is kept beside it.  Safe to repeat after a crash at any
    time.  ``wrapped`` are keys of what is no transport stream yet.  ``look`` is given each object
    in turn, and may edit its packets, while others are on their way.
    """
    spool.mkdir(parents=True, exist_ok=True)
    _need_room(objects, spool)
    way = _Way(storage, spool, progress)
    brought: list[Fetched | None] = []
    with ThreadPoolExecutor(FETCHERS) as pool:
        for row in _rows(_arriving(objects, way, pool)):
            scans = _all_scanned(row, way)
            founds = [found for found, _ in scans]
            for found in founds if ahead else ():
                if found is not None:
                    keep(found)
            if look is not None:
                look(len(brought), founds, [stream for _, stream in scans])
            brought += founds
        fetched, digests_hold = _with_digests_judged(brought)

        def again(before: Fetched) -> Fetched:
            return _fetched_again(before, way, digests_hold=digests_hold)

        second = pool.map(again, [f for f in fetched if f is not None and bad(f, wrapped)])
        mended = {f.object.key: f for f in second}
    return [f and mended.get(f.object.key, f) for f in fetched]


def _need_room(objects: Sequence[StoredObject], spool: Path) -> None:
    wanted = sum(o.size for o in objects if not spooled(o, spool).exists())
    free = shutil.disk_usage(spool).free
    if wanted + SPARE > free:
        detail = f"{spool}: {free} bytes free, {wanted + SPARE} needed for the segments"
        raise DiskFullError(f"{detail}; free some or set --spool")


def _arriving(objects: Sequence[StoredObject], way: _Way, pool: Executor) -> Iterator[_Item]:
    """Each object in turn, while a bounded number of those behind it are fetched."""
    waiting: deque[tuple[int, Future[_Item]]] = deque()
    held = 0
    try:
        for found in objects:
            while waiting and (len(waiting) >= WINDOW or held + found.size > HELD):
                size, first = waiting.popleft()
                held -= size
                yield first.result()
            waiting.append((found.size, pool.submit(_one, found, way)))
            held += found.size
        while waiting:
            yield waiting.popleft()[1].result()
    finally:
        for _, one in waiting:
            one.cancel()


def _rows(items: Iterator[_Item]) -> Iterator[list[_Item]]:
    """As many in a row as are scanned at once."""
    row: list[_Item] = []
    size = 0
    for item in items:
        more = len(item.data) if isinstance(item, _Arrived) else 0
        if row and size + more > TOGETHER:
            yield row
            row, size = [], 0
        row.append(item)
        size += more
    if row:
        yield row


def _all_scanned(
    row: Sequence[_Item], way: _Way
) -> list[tuple[Fetched | None, TransportStream | None]]:
    """What was found in each, and its packets where they are in memory."""
    there = [item.data for item in row if isinstance(item, _Arrived)]
    together = there[0] if len(there) == 1 else np.concatenate([*there, np.empty(0, np.uint8)])
    streams = iter(side_by_side(together, [len(data) for data in there]))
    return [
        _scanned(item, next(streams), way) if isinstance(item, _Arrived) else (item, None)
        for item in row
    ]


def _scanned(
    arrived: _Arrived, stream: TransportStream, way: _Way
) -> tuple[Fetched | None, TransportStream | None]:
    """What was found in one; what an earlier run left is fetched again if that is bad."""
    scan = scanned(arrived.object, stream)
    found = Fetched(arrived.object, arrived.path, scan, arrived.sha256, arrived.findings)
    if not (arrived.left and bad(found)):
        return found, stream
    fresh = _fetched(arrived.object, arrived.path, way)
    return _scanned(fresh, TransportStream(fresh.data), way) if fresh else (None, None)


def _fetched_again(before: Fetched, way: _Way, *, digests_hold: bool) -> Fetched:
    """A segment that is bad may have gone bad on its way; kept is what is whole."""
    path = before.path.with_suffix(".again")
    silent = replace(way, progress=lambda *_: None)
    try:
        arrived = _again_and_again(before.object, path, silent)
        second, _ = _scanned(arrived, TransportStream(arrived.data), silent)
        assert second is not None
        chosen = better(before, second if digests_hold else replace(second, findings=()))
        if chosen is before:
            path.unlink(missing_ok=True)
            return before
        path.replace(before.path)
        return replace(chosen, path=before.path)
    except (NotFoundError, StorageError):
        return before


def spooled(found: StoredObject, spool: Path) -> Path:
    """A name made of everything the listing says, so that another version is another file."""
    identity = f"{found.key}\0{found.size}\0{found.etag}\0{found.modified}"
    return spool / f"{hashlib.sha256(identity.encode()).hexdigest()[:40]}.segment"


def _one(found: StoredObject, way: _Way) -> _Item:
    """An object that is here already, else fetched."""
    path = spooled(found, way.spool)
    noted = kept(found, path)
    if noted is not None:
        way.progress("fetch", found.size)
        return noted
    if path.exists() and path.stat().st_size == found.size:
        data = np.empty(found.size, np.uint8)
        here = _arrived(found, path, data[: read_into(path, data)], left=True)
        if len(here.data) == found.size and not here.findings:
            way.progress("fetch", found.size)
            return here
    return _fetched(found, path, way)


def _fetched(found: StoredObject, path: Path, way: _Way) -> _Arrived | None:
    try:
        return _again_and_again(found, path, way)
    except NotFoundError:
        return None


def _again_and_again(found: StoredObject, path: Path, way: _Way) -> _Arrived:
    from tenacity import (
        Retrying,
        retry_if_exception_type,
        stop_after_attempt,
        wait_random_exponential,
    )

    tries = Retrying(
        stop=stop_after_attempt(TRIES),
        wait=wait_random_exponential(multiplier=0.25, max=8),
        retry=retry_if_exception_type(StorageError),
        reraise=True,
    )
    return tries(_get, found, path, way)


def _get(found: StoredObject, path: Path, way: _Way) -> _Arrived:
    data = np.empty(found.size, np.uint8)
    part = path.with_suffix(f".{secrets.token_hex(8)}.part")  # two processes may fetch the same
    done = 0
    try:
        with part.open("wb") as file:
            for chunk in way.storage.open(found.key, etag=found.etag):
                if done + len(chunk) > found.size:
                    raise StorageError(
                        f"{way.storage.url(found.key)}: longer than the {found.size} listed"
                    )
                data[done : done + len(chunk)] = np.frombuffer(chunk, np.uint8)
                done += len(chunk)
                file.write(chunk)
        if done != found.size:
            raise StorageError(
                f"{way.storage.url(found.key)}: {done} bytes, the listing says {found.size}"
            )
        part.replace(path)
    except OSError as error:
        raise disk_error(error, part) from error
    finally:
        part.unlink(missing_ok=True)
    way.progress("fetch", done)
    return _arrived(found, path, data)


def _arrived(found: StoredObject, path: Path, data: Bytes, *, left: bool = False) -> _Arrived:
    """The bytes with their digest, held against the one the store has."""
    findings = []
    if found.etag is not None and _is_md5(found.etag):
        digest = hashlib.md5(data.data, usedforsecurity=False).hexdigest()
        if digest != found.etag.strip('"').lower():
            detail = f"MD5 {digest}, the store says {found.etag}"
            findings.append(Finding("SEG_ETAG", Severity.ERROR, found.name, detail=detail))
    return _Arrived(found, path, data, sha256_of(data), tuple(findings), left)


def _is_md5(etag: str) -> bool:
    """ETags of multipart or encrypted objects are something else."""
    text = etag.strip('"')
    return len(text) == 32 and all(c in "0123456789abcdefABCDEF" for c in text)


def _with_digests_judged(fetched: list[Fetched | None]) -> tuple[list[Fetched | None], bool]:
    """Where not one ETag is the MD5, this store's ETags are none; returns if they are."""
    present = [f for f in fetched if f is not None and f.object.etag and _is_md5(f.object.etag)]
    if len(present) > 1 and all(f.findings for f in present):
        return [f and replace(f, findings=()) for f in fetched], False
    return fetched, True
