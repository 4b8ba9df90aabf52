"""Segments become local files, scanned: read in place from a folder, downloaded in parallel from a
store.
"""

import hashlib
import json
import secrets
import shutil
import threading
from collections.abc import Callable, Container, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np

from pipeline.errors import DiskFullError, NotFoundError, StorageError
from pipeline.media.clock import Bytes
from pipeline.media.ts import scan_cache
from pipeline.media.ts.scan import Scan, scan
from pipeline.model import Finding, Inventory, Listed, Severity, SourceFile, StoredObject
from pipeline.stages.segments import Buffer, LocalSegment, listed_as_wrapped, read_into, slot_of
from pipeline.storage import Storage
from pipeline.storage.oserrors import os_errors
from pipeline.version import VERSION

FETCHERS = 16
LARGEST = 1 << 31  # bytes of one segment; Agora cuts at 50 MB
SPARE = 64 << 20  # bytes that must stay free beside what is fetched
TRIES = 4
KEPT = ".scan"  # beside a segment of the spool: what was found in it
Progress = Callable[[str, int], None]  # stage, bytes done since the last call


@dataclass(frozen=True, slots=True, eq=False)
class Fetched:
    """One object at hand, which one segment of the playlist names, or several."""

    object: StoredObject
    path: Path
    scan: Scan
    sha256: str
    findings: tuple[Finding, ...] = ()


def fetch(
    inventory: Inventory, storage: Storage, spool: Path, progress: Progress
) -> tuple[LocalSegment, ...]:
    """Every segment listed; those that are there with their file, hashed and scanned."""
    there = [(found, s) for s in inventory.segments if (found := s.object)]
    objects = list({found.key: found for found, _ in there}.values())
    wrapped = {found.key for found, s in there if listed_as_wrapped(s)}
    at_hand: Sequence[Fetched | None]
    if in_place(objects, storage):
        at_hand = scan_in_place(objects, storage, progress, wrapped)
    else:
        at_hand = download(objects, storage, spool, progress, wrapped)
    names = {found.key: s.segment.uri for found, s in there}
    by_key = {f.object.key: _called(f, names[f.object.key]) for f in at_hand if f}
    return tuple(_local(s, by_key) for s in inventory.segments)


def in_place(objects: Sequence[StoredObject], storage: Storage) -> bool:
    """The objects can be read where they lie."""
    return not objects or storage.path(objects[0].key) is not None


def _local(listed: Listed, at_hand: Mapping[str, Fetched]) -> LocalSegment:
    found = at_hand.get(listed.object.key) if listed.object else None
    if found is not None:
        slot = slot_of(listed, found.scan)
        return LocalSegment(listed, slot, found.path, found.sha256, findings=found.findings)
    gone: tuple[Finding, ...] = ()
    if listed.object:
        detail = "listed, but gone when it was to be read"
        gone = (Finding("SEG_MISSING", Severity.ERROR, listed.name, detail=detail),)
    return LocalSegment(listed, slot_of(listed, None), findings=gone)


def _called(fetched: Fetched, name: str) -> Fetched:
    """The same under the name its recording has for it, which may have folders in it."""
    if fetched.scan.name == name:
        return fetched
    scan = replace(fetched.scan, name=name, findings=_named(fetched.scan.findings, name))
    return replace(fetched, scan=scan, findings=_named(fetched.findings, name))


def _named(findings: Sequence[Finding], name: str) -> tuple[Finding, ...]:
    return tuple(replace(finding, segment=name) for finding in findings)


class _Arena(threading.local, Buffer):
    """A buffer for each thread, which reads every segment into its own."""


def scan_in_place(
    objects: Sequence[StoredObject],
    storage: Storage,
    progress: Progress,
    wrapped: Container[str] = (),
) -> list[Fetched]:
    """Scan the files of a folder where they lie, while another core reads the next one and hashes
    the same bytes.
    """
    arenas = _Arena(), _Arena()
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
                ahead.append(other.submit(_read, objects[turn], paths[turn], arenas[turn % 2]))
            digest = other.submit(_sha256, data)
            fetched.append((found, path, _scanned(found, data), digest))
            progress("inspect", len(data))
        done = [Fetched(o, path, result, digest.result()) for o, path, result, digest in fetched]
    return [_read_again(one, arenas[0]) if _bad(one, wrapped) else one for one in done]


def _path(found: StoredObject, storage: Storage) -> Path:
    path = storage.path(found.key)
    assert path is not None
    return path


def _read(found: StoredObject, path: Path, arena: _Arena) -> Bytes:
    with os_errors(f"read {path}"):
        data = arena.room(min(found.size, LARGEST))
        return data[: read_into(path, data)]


def _read_again(before: Fetched, arena: _Arena) -> Fetched:
    """A file read anew: a network drive may have given something else."""
    data = _read(before.object, before.path, arena)
    result = _scanned(before.object, data)
    return _better(before, Fetched(before.object, before.path, result, _sha256(data)))


def _bad(one: Fetched, wrapped: Container[str] = ()) -> bool:
    if one.object.key in wrapped and not one.findings:
        return False  # its scan says nothing
    return any(f.severity == Severity.ERROR for f in (*one.findings, *one.scan.findings))


def _better(before: Fetched, again: Fetched) -> Fetched:
    """The second try where nothing is wrong with it, and what was wrong with the first."""
    if _bad(again):
        return before
    wrong = next(f for f in (*before.findings, *before.scan.findings) if f.severity == "error")
    detail = f"{wrong.detail}; nothing is wrong with it when read once more"
    said = replace(wrong, severity=Severity.INFO, detail=detail, repair=None)
    return replace(again, findings=(*again.findings, said))


def _sha256(data: Bytes) -> str:
    return hashlib.sha256(data.data).hexdigest()


def _scanned(found: StoredObject, data: Bytes) -> Scan:
    result = scan(found.name, data)
    if len(data) == found.size:
        return result
    detail = f"{len(data)} bytes, the listing says {found.size}"
    wrong = Finding("SEG_SIZE", Severity.ERROR, found.name, detail=detail)
    return replace(result, cut=True, findings=(*result.findings, wrong))


def download(
    objects: Sequence[StoredObject],
    storage: Storage,
    spool: Path,
    progress: Progress,
    wrapped: Container[str] = (),
    *,
    ahead: bool = False,
) -> list[Fetched | None]:
    """Bring objects into the spool, hashed and scanned in the same read; None where one is gone.

    What an earlier run left whole is not fetched again, and not even read again where it was
    fetched ``ahead``: then what was found is kept beside it.  Safe to repeat after a crash at any
    time.  ``wrapped`` are keys of what is no transport stream yet.
    """
    spool.mkdir(parents=True, exist_ok=True)
    wanted = sum(o.size for o in objects if not spooled(o, spool).exists())
    free = shutil.disk_usage(spool).free
    if wanted + SPARE > free:
        detail = f"{spool}: {free} bytes free, {wanted + SPARE} needed for the segments"
        raise DiskFullError(f"{detail}; free some or set --spool")
    arena = _Arena()

    def one(found: StoredObject) -> Fetched | None:
        path = spooled(found, spool)
        noted = _kept(found, path)
        if noted is not None:
            progress("fetch", found.size)
            return noted
        fetched = _one(found, storage, path, arena, progress)
        if ahead and fetched is not None:
            _keep(fetched)
        return fetched

    with ThreadPoolExecutor(FETCHERS) as pool:
        fetched, digests_hold = _with_digests_judged(list(pool.map(one, objects)))

        def again(before: Fetched) -> Fetched:
            return _fetched_again(before, storage, arena, digests_hold=digests_hold)

        second = pool.map(again, [f for f in fetched if f is not None and _bad(f, wrapped)])
        mended = {f.object.key: f for f in second}
    return [f and mended.get(f.object.key, f) for f in fetched]


def _fetched_again(
    before: Fetched, storage: Storage, arena: _Arena, *, digests_hold: bool
) -> Fetched:
    """A segment that is bad may have gone bad on its way; kept is what is whole."""
    path = before.path.with_suffix(".again")
    try:
        second = _again_and_again(before.object, storage, path, arena, lambda *_: None)
        better = _better(before, second if digests_hold else replace(second, findings=()))
        if better is before:
            path.unlink(missing_ok=True)
            return before
        path.replace(before.path)
        return replace(better, path=before.path)
    except (NotFoundError, StorageError):
        return before


@cache
def rules() -> str:
    """What finds something in a segment: a digest of the modules that read transport streams, so
    that another version of them believes no scan of this one.
    """
    digest = hashlib.sha256(VERSION.encode())
    home = files("pipeline.media")
    rooms = [home, *(home / room for room in ("es", "ts"))]
    sources = [entry for room in rooms for entry in room.iterdir() if entry.name.endswith(".py")]
    for source in sorted(sources, key=str):
        digest.update(source.read_bytes())
    return digest.hexdigest()


def _keep(fetched: Fetched) -> None:
    """Write down what was found in a segment, if nothing was wrong with it.

    Found again only while the segment is the very same file, by size and time of modification.
    """
    if any(f.severity == Severity.ERROR for f in (*fetched.scan.findings, *fetched.findings)):
        return
    status = fetched.path.stat()
    note = {"size": status.st_size, "modified": status.st_mtime_ns, "sha256": fetched.sha256}
    note["scan"] = scan_cache.dumps(fetched.scan, rules())
    part = fetched.path.with_suffix(f".{secrets.token_hex(8)}.part")
    try:
        part.write_text(json.dumps(note), encoding="utf-8")
        part.replace(fetched.path.with_suffix(KEPT))
    except OSError as error:
        raise _disk(error, part) from error
    finally:
        part.unlink(missing_ok=True)


def _kept(found: StoredObject, path: Path) -> Fetched | None:
    try:
        status = path.stat()
        note = json.loads(path.with_suffix(KEPT).read_text(encoding="utf-8"))
        same = (note["size"], note["modified"]) == (status.st_size, status.st_mtime_ns)
        scan, sha256 = scan_cache.loads(note["scan"], rules()), note["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not same or scan is None or scan.name != found.name or status.st_size != found.size:
        return None
    return Fetched(found, path, scan, sha256) if isinstance(sha256, str) else None


def spooled(found: StoredObject, spool: Path) -> Path:
    """A name made of everything the listing says, so that another version is another file."""
    identity = f"{found.key}\0{found.size}\0{found.etag}\0{found.modified}"
    return spool / f"{hashlib.sha256(identity.encode()).hexdigest()[:40]}.segment"


def _one(
    found: StoredObject, storage: Storage, path: Path, arena: _Arena, progress: Progress
) -> Fetched | None:
    if path.exists() and path.stat().st_size == found.size:
        data = arena.room(found.size)
        if read_into(path, data) == found.size:
            again = _judge(found, path, data)
            errors = (f.severity == Severity.ERROR for f in (*again.scan.findings, *again.findings))
            if not any(errors):
                progress("fetch", found.size)
                return again
    try:
        return _again_and_again(found, storage, path, arena, progress)
    except NotFoundError:
        return None


def _again_and_again(
    found: StoredObject, storage: Storage, path: Path, arena: _Arena, progress: Progress
) -> Fetched:
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
    return tries(_get, found, storage, path, arena, progress)


def _get(
    found: StoredObject, storage: Storage, path: Path, arena: _Arena, progress: Progress
) -> Fetched:
    data = arena.room(found.size)
    part = path.with_suffix(f".{secrets.token_hex(8)}.part")  # two processes may fetch the same
    done = 0
    try:
        with part.open("wb") as file:
            for chunk in storage.open(found.key, etag=found.etag):
                if done + len(chunk) > found.size:
                    raise StorageError(
                        f"{storage.url(found.key)}: longer than the {found.size} listed"
                    )
                data[done : done + len(chunk)] = np.frombuffer(chunk, np.uint8)
                done += len(chunk)
                file.write(chunk)
        if done != found.size:
            raise StorageError(
                f"{storage.url(found.key)}: {done} bytes, the listing says {found.size}"
            )
        part.replace(path)
    except OSError as error:
        raise _disk(error, part) from error
    finally:
        part.unlink(missing_ok=True)
    progress("fetch", done)
    return _judge(found, path, data)


def _disk(error: OSError, path: Path) -> Exception:
    import errno

    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFullError(
            f"{path.parent}: no space left for the segments; free some or set --spool"
        )
    return error


def _judge(found: StoredObject, path: Path, data: Bytes) -> Fetched:
    findings = []
    if found.etag is not None and _is_md5(found.etag):
        digest = hashlib.md5(data.data, usedforsecurity=False).hexdigest()
        if digest != found.etag.strip('"').lower():
            detail = f"MD5 {digest}, the store says {found.etag}"
            findings.append(Finding("SEG_ETAG", Severity.ERROR, found.name, detail=detail))
    return Fetched(found, path, _scanned(found, data), _sha256(data), tuple(findings))


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


def digests(segments: Sequence[LocalSegment]) -> list[SourceFile]:
    """What the receipt says of every object that was there."""
    there = {found.key: (found, s.sha256) for s in segments if (found := s.listed.object)}
    return [
        SourceFile(found.key, found.size, found.etag, sha256)
        for found, sha256 in there.values()
        if sha256 is not None
    ]
