"""Leftovers of our own: found for a plan, and removed by it only if they are unchanged."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec import Struct

from pipeline.archive.bagit.places import TAR
from pipeline.choices import Format
from pipeline.errors import ChangedError, NotFoundError
from pipeline.jobs.spool import is_in_use
from pipeline.retention import trash
from pipeline.retention.apply import expired
from pipeline.retention.document import Leftover
from pipeline.retention.trash import Deleter
from pipeline.stages.publish import RECEIPT
from pipeline.storage import Storage
from pipeline.storage.names import TRASH
from pipeline.storage.oserrors import os_errors
from pipeline.storage.temporaries import is_temporary, temporaries

ABANDONED = 24 * 3600.0  # seconds without a change
REPORT = ".html"

_OURS = re.compile(r"[0-9a-f]{32}")  # a folder of the spool
_SUFFIXES = (RECEIPT, *(f".{format.value}" for format in Format), ".tar")


class Ages(Struct, frozen=True):
    """How old something has to be."""

    abandoned: float = ABANDONED  # seconds
    trash_days: float = 7.0
    reports: float | None = None  # seconds; None: reports are kept


class Stores(Struct, frozen=True):
    """Where leftovers may be, besides the spool."""

    source: Storage
    results: Storage
    archive: Storage | None = None

    def named(self) -> dict[str, Storage]:
        """The stores by the names that an upload's ``detail`` has."""
        known = {"source": self.source, "results": self.results}
        return known | ({"archive": self.archive} if self.archive else {})


def find(stores: Stores, spool: Path, ages: Ages, now: float) -> Iterator[Leftover]:
    """Every leftover that is old enough; ``now`` is in seconds since the epoch."""
    old = now - ages.abandoned
    source, results = stores.source, stores.results
    roots = dict.fromkeys(storage.path("") for storage in stores.named().values())
    for root in roots:
        if root is not None:
            yield from _temporaries(root, old)
    yield from _spool(spool, old)
    for name, storage in stores.named().items():
        yield from _uploads(name, storage, old)
    for run in expired(source, ages.trash_days, now):
        size = sum(one.size for one in source.list(trash.objects_of(run)))
        yield Leftover("trash", run, size, now)
    if ages.reports is not None:
        yield from _reports(results, now - ages.reports)


def _temporaries(root: Path, old: float) -> Iterator[Leftover]:
    for path in temporaries(root):
        try:
            status = path.lstat()
        except OSError:
            continue
        if status.st_mtime < old and not _alive(path):
            yield Leftover("temporary", str(path), status.st_size, status.st_mtime)


def _alive(path: Path) -> bool:
    """Whether the process that made a file may still run."""
    owner = path.name.split("-")[1]
    try:
        os.kill(int(owner), 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _spool(spool: Path, old: float) -> Iterator[Leftover]:
    for home in (spool, spool / "ingest"):
        try:
            folders = [p for p in home.iterdir() if _OURS.fullmatch(p.name) and p.is_dir()]
        except OSError:
            continue
        for folder in sorted(folders):
            size, newest = _newest(folder)
            if newest < old and not is_in_use(folder):
                yield Leftover("spool", str(folder), size, newest)


def _newest(folder: Path) -> tuple[int, float]:
    """Bytes in a folder, and the last time anything in it changed."""
    size, newest = 0, folder.lstat().st_mtime
    with os_errors(f"read {folder}"):
        for path in folder.rglob("*"):
            status = path.lstat()
            size, newest = size + status.st_size, max(newest, status.st_mtime)
    return size, newest


def _uploads(name: str, storage: Storage, old: float) -> Iterator[Leftover]:
    for key, id, began in storage.uploads():
        if began < old and _OURS_TO_STORE[name](key):
            yield Leftover("upload", key, 0, began, f"{name} {id}")


_OURS_TO_STORE: dict[str, Callable[[str], bool]] = {
    "source": lambda key: key.startswith(TRASH),
    "results": lambda key: key.endswith(_SUFFIXES),
    "archive": lambda key: key.endswith(TAR) or "/data/" in key,
}


def _reports(results: Storage, old: float) -> Iterator[Leftover]:
    """Reports of results whose receipt is there, from which they can be made again."""
    for found in results.list():
        if found.modified < old and _has_receipt(results, found.key):
            yield Leftover("report", found.key, found.size, found.modified, found.etag or "")


def _has_receipt(results: Storage, key: str) -> bool:
    if not key.endswith(REPORT):
        return False
    try:
        results.head(key.removesuffix(REPORT) + RECEIPT)
    except NotFoundError:
        return False
    return True


def remove(one: Leftover, stores: Stores) -> None:
    """Remove a leftover of any kind but trash, which ``purge`` deletes.

    Raises ``ChangedError`` if it was used since it was planned, or is not ours.
    """
    if one.kind == "report":
        Deleter(stores.results, conditional=False).delete(one.where, one.detail)
    elif one.kind == "upload":
        name, _, id = one.detail.partition(" ")
        storage = stores.named().get(name)
        if storage is None or not _OURS_TO_STORE[name](one.where):
            raise ChangedError(f"{one.where}: no upload of ours")
        storage.abort(one.where, id)
    else:
        _remove_path(one)


def _remove_path(one: Leftover) -> None:
    path = Path(one.where)
    ours = _OURS.fullmatch(path.name) if one.kind == "spool" else is_temporary(path)
    if not ours:
        raise ChangedError(f"{path}: no temporary of ours")
    with os_errors(f"remove {path}"):
        if not os.path.lexists(path):
            return
        newest = _newest(path)[1] if path.is_dir() else path.lstat().st_mtime
        if newest > one.modified or is_in_use(path):
            raise ChangedError(f"{path}: in use again")
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
