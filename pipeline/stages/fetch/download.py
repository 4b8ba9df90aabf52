"""Segments of a store, downloaded in parallel into the spool, hashed and scanned."""

import hashlib
import secrets
import shutil
import threading
from collections.abc import Callable, Container, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from pipeline.errors import DiskFullError, NotFoundError, StorageError
from pipeline.media.clock import Bytes
from pipeline.media.ts.transport_stream import TransportStream
from pipeline.model import Finding, Severity, StoredObject
from pipeline.stages.fetch.fetched import Fetched, Look, bad, better, disk_error, scanned, sha256_of
from pipeline.stages.fetch.scan_notes import keep, kept
from pipeline.stages.segments import Buffer, read_into
from pipeline.storage import Storage

FETCHERS = 16
SPARE = 64 << 20  # bytes that must stay free beside what is fetched
TRIES = 4
Progress = Callable[[str, int], None]  # stage, bytes done since the last call


class _Arena(threading.local, Buffer):
    """A buffer for each thread, which reads every segment into its own."""


class _Way(Struct, frozen=True):
    """How objects come: from where, through which memory, and who is told of it."""

    storage: Storage
    arena: _Arena
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
    in turn, while others are on their way.
    """
    spool.mkdir(parents=True, exist_ok=True)
    wanted = sum(o.size for o in objects if not spooled(o, spool).exists())
    free = shutil.disk_usage(spool).free
    if wanted + SPARE > free:
        detail = f"{spool}: {free} bytes free, {wanted + SPARE} needed for the segments"
        raise DiskFullError(f"{detail}; free some or set --spool")
    way = _Way(storage, _Arena(), progress)

    def one(found: StoredObject) -> Fetched | None:
        path = spooled(found, spool)
        noted = kept(found, path)
        if noted is not None:
            progress("fetch", found.size)
            return noted
        fetched = _one(found, path, way)
        if ahead and fetched is not None:
            keep(fetched)
        return fetched

    with ThreadPoolExecutor(FETCHERS) as pool:
        brought: list[Fetched | None] = []
        for number, found in enumerate(pool.map(one, objects)):
            brought.append(found)
            if look is not None:
                look(number, found, None)
        fetched, digests_hold = _with_digests_judged(brought)

        def again(before: Fetched) -> Fetched:
            return _fetched_again(before, way, digests_hold=digests_hold)

        second = pool.map(again, [f for f in fetched if f is not None and bad(f, wrapped)])
        mended = {f.object.key: f for f in second}
    return [f and mended.get(f.object.key, f) for f in fetched]


def _fetched_again(before: Fetched, way: _Way, *, digests_hold: bool) -> Fetched:
    """A segment that is bad may have gone bad on its way; kept is what is whole."""
    path = before.path.with_suffix(".again")
    try:
        second = _again_and_again(before.object, path, replace(way, progress=lambda *_: None))
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


def _one(found: StoredObject, path: Path, way: _Way) -> Fetched | None:
    if path.exists() and path.stat().st_size == found.size:
        data = way.arena.room(found.size)
        if read_into(path, data) == found.size:
            again = _judge(found, path, data)
            errors = (f.severity == Severity.ERROR for f in (*again.scan.findings, *again.findings))
            if not any(errors):
                way.progress("fetch", found.size)
                return again
    try:
        return _again_and_again(found, path, way)
    except NotFoundError:
        return None


def _again_and_again(found: StoredObject, path: Path, way: _Way) -> Fetched:
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


def _get(found: StoredObject, path: Path, way: _Way) -> Fetched:
    data = way.arena.room(found.size)
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
    return _judge(found, path, data)


def _judge(found: StoredObject, path: Path, data: Bytes) -> Fetched:
    findings = []
    if found.etag is not None and _is_md5(found.etag):
        digest = hashlib.md5(data.data, usedforsecurity=False).hexdigest()
        if digest != found.etag.strip('"').lower():
            detail = f"MD5 {digest}, the store says {found.etag}"
            findings.append(Finding("SEG_ETAG", Severity.ERROR, found.name, detail=detail))
    return Fetched(
        found, path, scanned(found, TransportStream(data)), sha256_of(data), tuple(findings)
    )


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
