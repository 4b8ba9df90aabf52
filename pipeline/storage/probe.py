"""What a store can do, found out by trying: some accept a condition and ignore it.

Requests are named as in the API of Amazon S3.
"""

import hashlib
import os
import re
import secrets
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from msgspec import Struct

from pipeline.errors import ExistsError, RecpipeError, StorageError
from pipeline.storage import Storage
from pipeline.storage.owners import lives

NAME = ".recpipe-probe-"  # begins everything the probe writes
ABANDONED = 24 * 3600.0  # seconds after which what a probe on another machine wrote is removed
_OWNED = re.compile(re.escape(NAME) + r"([0-9a-f]{8})-([0-9]{1,9})-[0-9a-f]{8}(?:/inner)?")


class Capabilities(Struct, frozen=True):
    """Each found true or false by trying it; None where it cannot be tried."""

    conditional_put: bool  # PutObject with If-None-Match: * is refused where an object exists
    conditional_large: bool | None  # the same for files too large for one request
    copy: bool | None  # on the server (CopyObject)
    checksum: bool | None  # bytes that do not fit the digest sent along are refused
    range: bool | None  # part of an object, and nothing else (GetObject with Range)
    batch_delete: bool | None  # several objects in one request (DeleteObjects)
    flat_keys: bool | None  # a and a/b can be two objects
    creates_buckets: bool | None  # writing to a bucket that is missing makes it


def creates_once(storage: Storage) -> bool:
    """Whether only one of many wins that ``create`` one object at once; tried once per storage.

    Raises the store's errors if it cannot be tried, or the trial's objects not be removed.
    """
    if storage.creates_once is None:
        with _trial(storage) as trial:
            storage.creates_once = (
                trial.conditional_put() and trial.conditional_large() is not False
            )
    return storage.creates_once


def probe(storage: Storage) -> Capabilities:
    """Try everything with tiny objects under random names, and remove them.

    Raises the store's errors if it cannot be tried at all, or an object not be removed.
    """
    with _trial(storage) as trial:
        return Capabilities(
            conditional_put=trial.conditional_put(),
            conditional_large=trial.conditional_large(),
            copy=trial.copy(),
            checksum=trial.checksum(),
            range=trial.range(),
            batch_delete=trial.batch_delete(),
            flat_keys=trial.flat_keys(),
            creates_buckets=trial.creates_buckets(),
        )


def tidy(storage: Storage) -> None:
    """Remove what killed probes left: of this machine, or older than :data:`ABANDONED`."""
    for left in list(storage.list(NAME)):
        owner = _OWNED.fullmatch(left.key)
        dead = owner is not None and owner[1] == _machine() and not lives(int(owner[2]))
        if dead or time.time() - left.modified > ABANDONED:
            storage.delete(left.key)


def _machine() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]


@contextmanager
def _trial(storage: Storage) -> Iterator["_Trial"]:
    with tempfile.TemporaryDirectory(prefix="recpipe-") as folder:
        trial = _Trial(storage, Path(folder))
        try:
            yield trial
        finally:
            trial.clean()


class _Trial:
    """One probing of one store, and what it has written so far."""

    def __init__(self, storage: Storage, folder: Path) -> None:
        self._storage = storage
        self._trials = storage.trials()
        self._folder = folder
        self._written: list[str] = []

    def conditional_put(self) -> bool:
        """Write twice under one name; the second time must be refused, and change nothing."""
        key = self._key()
        try:
            self._put(key, b"first", self._storage.create)
        except StorageError:
            # it knows no conditions and says so, or it is out of order: then this raises
            self._put(key, b"first", self._storage.put)
            return False
        return self._refused(lambda: self._put(key, b"later", self._storage.create), key)

    def conditional_large(self) -> bool | None:
        """The way that large files go, tried with a small one."""
        if self._trials is None:
            return None
        key = self._stored(b"first")
        return self._refused(lambda: self._put(key, b"later", self._trials.create_large), key)

    def copy(self) -> bool | None:
        """And look whether it is the same."""
        if self._trials is None:
            return None
        key, to = self._stored(b"copied"), self._key()
        return self._works(lambda: self._trials.copy(key, to)) and self._read(to) == b"copied"

    def checksum(self) -> bool | None:
        """Send bytes that are not those of the digest."""
        if self._trials is None or self._trials.put_damaged is None:
            return None
        key = self._key()
        return not self._works(lambda: self._trials.put_damaged(key))

    def range(self) -> bool | None:
        """Ask for three bytes in the middle."""
        if self._trials is None:
            return None
        key = self._stored(b"0123456789")
        try:
            return bool(self._trials.read(key, 3, 3) == b"345")
        except RecpipeError:
            return False

    def batch_delete(self) -> bool | None:
        """Remove two at once, and look whether they are gone."""
        if self._trials is None:
            return None
        keys = [self._stored(b"1"), self._stored(b"2")]
        gone = self._works(lambda: self._trials.delete_all(keys))
        return gone and not any(list(self._storage.list(key)) for key in keys)

    def flat_keys(self) -> bool | None:
        """Write a and a/b, and remove a."""
        if self._trials is None:
            return False
        outer = self._stored(b"outer")
        inner = f"{outer}/inner"
        self._written.append(inner)
        try:
            self._put(inner, b"inner", self._storage.put)
            self._storage.delete(outer)
            return self._read(inner) == b"inner"
        except RecpipeError:
            return False

    def creates_buckets(self) -> bool | None:
        """Write to a bucket of a name that nobody can have."""
        if self._trials is None or self._trials.put_elsewhere is None:
            return None
        bucket = f"recpipe-probe-{secrets.token_hex(12)}"
        if not self._works(lambda: self._trials.put_elsewhere(bucket, "probe")):
            return False
        self._trials.forget(bucket, "probe")
        return True

    def _refused(self, action: Callable[[], object], key: str) -> bool:
        """Whether what was first is still there because something stood there."""
        try:
            action()
        except ExistsError:
            return self._read(key) == b"first"
        except StorageError:
            return False
        return False

    def clean(self) -> None:
        """Remove everything; what cannot be removed is an error that names it."""
        for key in reversed(self._written):
            self._storage.delete(key)

    def _key(self) -> str:
        key = f"{NAME}{_machine()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._written.append(key)
        return key

    def _stored(self, data: bytes) -> str:
        key = self._key()
        self._put(key, data, self._storage.put)
        return key

    def _put(self, key: str, data: bytes, how: Callable[..., object]) -> None:
        file = self._folder / "data"
        file.write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        how(file, key, sha256=digest, content_type="application/octet-stream")

    def _read(self, key: str) -> bytes:
        with suppress(RecpipeError):
            return b"".join(self._storage.open(key))
        return b""

    def _works(self, action: Callable[[], object]) -> bool:
        try:
            action()
        except RecpipeError:
            return False
        return True
