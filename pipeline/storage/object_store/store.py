"""A container of Azure or a bucket of Google.  Long: one class has all verbs of a store."""

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import IO, Any, Literal

import obstore

from pipeline.errors import (
    ChangedError,
    NotFoundError,
    RecpipeError,
    StorageError,
    UnsafePathError,
    UsageError,
)
from pipeline.model import StoredObject
from pipeline.storage import CHUNK, allowed, temporaries, unchanged
from pipeline.storage.names import is_etag, percent_encoded, printable, safe_key
from pipeline.storage.object_store.errors import object_store_errors
from pipeline.storage.order import in_order
from pipeline.storage.oserrors import os_errors
from pipeline.storage.sending import Counted, Sent, unseen

PART = 16 << 20  # bytes of a part of an upload; smaller files are put in one request
PAGE = 1000  # entries of a listing asked for at once


class ObjectStorage:
    """One container or bucket, below one prefix.  May be shared by threads.

    Only complete uploads are visible in these stores, so ``put`` needs no temporary name.  Every
    verb raises what :func:`pipeline.storage.object_store.errors.object_store_errors` does.
    """

    def __init__(self, scheme: str, bucket: str, prefix: str, store: Any) -> None:
        self.scheme = scheme  # az or gs
        self.bucket = bucket
        self.prefix = prefix if prefix.endswith("/") or not prefix else f"{prefix}/"
        self.creates_once: bool | None = None
        self.shared = True
        self.store = store

    def list(self, prefix: str = "", *, after: str = "") -> Iterator[StoredObject]:
        """Every object whose key starts with the prefix, in the order of the keys.

        These stores list whole folders only: the rest of the prefix is matched here, and ``after``
        as well, because not all of them honour it.
        """
        return in_order(self._list(prefix, after))

    def _list(self, prefix: str, after: str) -> Iterator[StoredObject]:
        start = self.prefix + safe_key(prefix)
        folder = start.rpartition("/")[0]
        behind = self.prefix + safe_key(after) if after else None
        with self.errors(f"list {self.url(prefix)}"):
            for page in obstore.list(self.store, folder or None, chunk_size=PAGE, offset=behind):
                for entry in page:
                    stored = self._stored(entry)
                    if entry["path"].startswith(start) and stored.key > after:
                        yield stored

    def head(self, key: str) -> StoredObject:
        """One object's entry.  Raises ``NotFoundError`` also if the container is missing."""
        with self.errors(f"read {self.url(key)}"):
            return self._stored(obstore.head(self.store, self.full(key)))

    def open(self, key: str, *, etag: str | None = None) -> Iterator[bytes]:
        """The object's bytes in chunks of 1 MiB at most.

        Raises ``ChangedError`` if it is no longer the one with this ETag.
        """
        where, full = f"read {self.url(key)}", self.full(key)
        if etag and not is_etag(etag):  # obstore would panic
            raise StorageError(f"{where}: its ETag holds characters that none may have")
        with self.errors(where):
            condition: Any = {"if_match": f'"{etag}"'} if etag else None
            answer = obstore.get(self.store, full, options=condition)
            found = self._stored(answer.meta)
            if etag and found.etag != etag:  # some stores ignore the condition
                raise ChangedError(f"{where}: changed while reading; run again")
            missing = found.size
            for piece in answer.stream(min_chunk_size=CHUNK):
                missing -= len(piece)
                for at in range(0, len(piece), CHUNK):
                    yield bytes(memoryview(piece)[at : at + CHUNK])
        if missing:
            raise StorageError(f"{where}: {missing} bytes short of {found.size}")

    def put(
        self, source: Path, key: str, *, sha256: str, content_type: str, sent: Sent = unseen
    ) -> StoredObject:
        """Upload a file whole or not at all, its digest as metadata; compare the size stored."""
        size, full = _size(source), self.full(key)
        told = {"Content-Type": content_type, "sha256": sha256}
        self._upload(source, size, key, full, attributes=told, sent=sent)
        return self._whole(source, size, key)

    def create(
        self,
        source: Path,
        key: str,
        *,
        sha256: str,
        content_type: str,
        guard: Callable[[], None] = allowed,
        sent: Sent = unseen,
    ) -> StoredObject:
        """Store a file if nothing has this key: of many at once one wins, the others get
        ``ExistsError``.  :mod:`pipeline.storage.probe` tells whether the store keeps that promise.
        """
        size = _size(source)
        guard()
        if size > PART:
            return self.create_large(
                source, key, sha256=sha256, content_type=content_type, sent=sent
            )
        told, full = {"Content-Type": content_type, "sha256": sha256}, self.full(key)
        self._upload(source, size, key, full, attributes=told, sent=sent, mode="create")
        return self._whole(source, size, key)

    def temporary(self, key: str, spool: Path) -> Path:
        """A name in the spool: a file that is adopted is uploaded."""
        safe_key(key)
        return temporaries.temporary(spool)

    def flush(self, temporary: Path) -> None:
        """Nothing: only the upload takes long."""

    def adopt(
        self, temporary: Path, key: str, *, sha256: str, content_type: str, sent: Sent = unseen
    ) -> StoredObject:
        """Upload it like any other file."""
        return self.put(temporary, key, sha256=sha256, content_type=content_type, sent=sent)

    def create_large(
        self, source: Path, key: str, *, sha256: str, content_type: str, sent: Sent = unseen
    ) -> StoredObject:
        """``create`` for a file of several parts, whose upload obstore sends without a condition:
        it goes under a temporary key, and is then copied on the server if nothing has its key.
        """
        full, size = self.full(key), _size(source)
        folder = full[: len(full) - len(full.rpartition("/")[2])]
        own = f"{folder}.recpipe-{secrets.token_hex(8)}.part"
        try:
            told = {"Content-Type": content_type, "sha256": sha256}
            self._upload(source, size, key, own, attributes=told, sent=sent)
            with self.errors(f"write {self.url(key)}"):
                obstore.copy(self.store, own, full, overwrite=False)
        finally:
            with suppress(RecpipeError), self.errors(f"delete {own}"):
                obstore.delete(self.store, own)
        return self._whole(source, size, key)

    def delete(self, key: str, *, etag: str | None = None) -> None:
        """Remove an object.  Safe to repeat.  The ETag is compared before: obstore sends none."""
        if etag is not None:
            with suppress(NotFoundError):
                unchanged(self, key, etag)
        with suppress(NotFoundError), self.errors(f"delete {self.url(key)}"):
            obstore.delete(self.store, self.full(key))

    def copy(self, source: str, key: str, *, etag: str | None = None) -> StoredObject:
        """Have the store copy an object.  The copy may have another ETag.

        Raises ``ChangedError`` if the object has another one, ``StorageError`` for another size.
        """
        before = unchanged(self, source, etag)
        with self.errors(f"copy {self.url(source)}"):
            obstore.copy(self.store, self.full(source), self.full(key))
        stored = self.head(key)
        if stored.size != before.size:
            sizes = f"{stored.size} bytes, {self.url(source)} has {before.size}"
            raise StorageError(f"copy to {self.url(key)}: {sizes}")
        return stored

    def prune(self, folder: str) -> bool:
        """True: there are no folders, only keys that begin alike."""
        safe_key(folder)
        return True

    def links(self, prefix: str) -> Iterator[str]:
        """None: an object holds its own bytes."""
        safe_key(prefix)
        return iter(())

    def protection(self, key: str) -> None:
        """None: obstore does not show it; the store itself refuses to delete what is protected."""

    def versions(self) -> None:
        """None: obstore does not show them."""

    def uploads(self) -> Iterator[tuple[str, str, float]]:
        """None: obstore does not show them; Azure discards parts itself after a week."""
        return iter(())

    def abort(self, key: str, id: str) -> None:
        """Nothing: ``uploads`` names none."""

    def putting(
        self,
        *,
        storage_class: str | None = None,
        tags: Mapping[str, str] | None = None,
        lock: str | None = None,
        locked_until: float = 0.0,
    ) -> "ObjectStorage":
        """Raises ``UsageError``: obstore sets none of these."""
        wanted = "storage class, tags or Object Lock"
        raise UsageError(f"{self.url()}: {wanted}: not to be set here; it needs an S3 store")

    def trials(self) -> "ObjectTrials":
        """The requests of the probe."""
        return ObjectTrials(self)

    def path(self, key: str) -> None:
        """No object of a store is a local file."""
        safe_key(key)

    def url(self, key: str = "") -> str:
        """``az://container/key`` or ``gs://bucket/key``, fit to print."""
        return printable(f"{self.scheme}://{self.bucket}/{self.prefix}{key}")

    def uri(self, key: str = "") -> str:
        """The same, percent-encoded."""
        return f"{self.scheme}://{self.bucket}/{percent_encoded(self.prefix + safe_key(key))}"

    def _upload(
        self,
        source: Path,
        size: int,
        key: str,
        full: str,
        *,
        attributes: Mapping[str, str],
        sent: Sent,
        mode: Literal["create", "overwrite"] = "overwrite",
    ) -> None:
        counted = Counted(size, sent)
        with os_errors(f"read {source}"), source.open("rb") as file:
            body: Any = _Read(file, counted) if size > PART else source
            with self.errors(f"write {self.url(key)}"):
                obstore.put(
                    self.store,
                    full,
                    body,
                    attributes=dict(attributes),
                    mode=mode,
                    use_multipart=size > PART,
                    chunk_size=PART,
                    max_concurrency=8,
                )
        counted.rest()

    def _whole(self, source: Path, size: int, key: str) -> StoredObject:
        stored = self.head(key)
        if stored.size != size:
            raise StorageError(
                f"write {self.url(key)}: {stored.size} bytes stored, {printable(source)} had {size}"
            )
        return stored

    def full(self, key: str) -> str:
        """The key in the bucket, prefix included.

        Raises ``UnsafePathError`` for a key that obstore would change.
        """
        full = self.prefix + safe_key(key)
        if "" in full.split("/"):
            raise UnsafePathError(f"{self.url(key)}: an empty part, expected a/b without // or /")
        return full

    def _stored(self, entry: Any) -> StoredObject:
        key = entry["path"].removeprefix(self.prefix)
        etag = (entry["e_tag"] or "").strip('"') or None
        # whole seconds: a header has no more, where listings have milliseconds
        modified = float(int(entry["last_modified"].timestamp()))
        return StoredObject(key, entry["size"], etag, modified)

    def errors(self, where: str) -> AbstractContextManager[None]:
        """Our errors in place of what obstore raises inside."""
        return object_store_errors(where, self.scheme)


class _Read:
    """A file, each part of which counts as handed over when obstore takes it."""

    def __init__(self, file: IO[bytes], counted: Counted) -> None:
        self._file, self._counted = file, counted

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        data = self._file.read(size)
        self._counted.add(len(data))
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        """The new place."""
        return self._file.seek(offset, whence)


class ObjectTrials:
    """The requests by which the probe finds out what the store really does.

    obstore sends no digests, and neither protocol makes a container by writing to it.
    """

    put_damaged = None
    put_elsewhere = None

    def __init__(self, storage: ObjectStorage) -> None:
        self._storage = storage
        self.create_large = storage.create_large

    def copy(self, key: str, to: str) -> None:
        """Copy an object on the server."""
        storage = self._storage
        with storage.errors(f"copy {key}"):
            obstore.copy(storage.store, storage.full(key), storage.full(to))

    def read(self, key: str, start: int, length: int) -> bytes:
        """``length`` bytes of an object from ``start`` on."""
        storage = self._storage
        with storage.errors(f"read {key}"):
            return bytes(
                obstore.get_range(storage.store, storage.full(key), start=start, length=length)
            )

    def delete_all(self, keys: Sequence[str]) -> None:
        """Remove several objects in one call."""
        storage = self._storage
        with storage.errors(f"delete {len(keys)} objects"):
            obstore.delete(storage.store, [storage.full(key) for key in keys])


def _size(source: Path) -> int:
    with os_errors(f"read {source}"):
        return source.stat().st_size
