"""One protocol, one module per kind of store.  Keys are relative to the store's root, with ``/``
between parts.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from pipeline.errors import ChangedError
from pipeline.model import StoredObject
from pipeline.storage.versions import ObjectVersions


def allowed() -> None:
    """Nobody has to be asked first."""


class Storage(Protocol):
    """A place that holds objects by key.

    Errors: NotFoundError (no such object or bucket), DeniedError, UnsafePathError, StorageError
    (may be retried).
    """

    creates_once: bool | None
    """Whether ``create`` can be relied on; None until :mod:`pipeline.storage.probe` has tried."""

    shared: bool
    """Whether machines may write here that know nothing of the locks of this one: there only
    ``create`` keeps two runs from publishing the same thing twice.
    """

    def list(self, prefix: str = "", *, after: str = "") -> Iterator[StoredObject]:
        """Every object whose key starts with the prefix, in the order of the keys; only those
        behind ``after``, which need not exist.
        """

    def head(self, key: str) -> StoredObject:
        """One object's entry; NotFoundError if there is none."""

    def open(self, key: str, *, etag: str | None = None) -> Iterator[bytes]:
        """The object's bytes in chunks of about 1 MiB; StorageError if some are missing.

        ChangedError if it is no longer the object with this ETag.
        """

    def put(self, source: Path, key: str, *, sha256: str, content_type: str) -> StoredObject:
        """Store a file whole or not at all, replacing what was there.  Safe to repeat."""

    def create(
        self,
        source: Path,
        key: str,
        *,
        sha256: str,
        content_type: str,
        guard: Callable[[], None] = allowed,
    ) -> StoredObject:
        """The same where nothing may stand yet, else ExistsError; see ``creates_once``.

        ``guard`` is called as late as the store allows, before the step that makes it visible; if
        it raises, nothing was stored.
        """

    def temporary(self, key: str, spool: Path) -> Path:
        """A new local file name to write an object of this key to, for ``adopt``; nothing is there.

        In the same folder as its final name where that makes adopting it one step, else in the
        folder ``spool``, which is made if need be.  The file is the caller's to remove.
        """

    def flush(self, temporary: Path) -> None:
        """Do what takes long of adopting such a file and can be done before; nothing is visible."""

    def adopt(self, temporary: Path, key: str, *, sha256: str, content_type: str) -> StoredObject:
        """``put`` for a file of ``temporary``: it may be moved instead of copied.

        UnsafePathError for a file that cannot be moved to where files are moved.
        """

    def delete(self, key: str, *, etag: str | None = None) -> None:
        """Remove an object.  Safe to repeat.

        With an ETag only if it is that very object, else ChangedError.  A store may do without
        looking at the ETag: whoever relies on it has to try it out first.
        """

    def copy(self, source: str, key: str, *, etag: str | None = None) -> StoredObject:
        """Store an object once more under another key; ChangedError if it has another ETag.

        Whole or not at all.  A folder links the file: that costs no room, and the ETag stays.
        """

    def prune(self, folder: str) -> bool:
        """Remove a folder in which no object is left, with the empty ones below it; whether there
        is none any more.  Where keys need no folders there never is one.
        """

    def links(self, prefix: str) -> Iterator[str]:
        """Every link that is called so or lies in that folder, wherever it leads; none is followed.

        What must not depend on files elsewhere holds none.  Most stores have no links.
        """

    def protection(self, key: str) -> str | None:
        """Why the store itself forbids to delete an object, None if it does not."""

    def versions(self) -> ObjectVersions | None:
        """What it keeps of replaced and deleted objects; None if nothing of that can be seen."""

    def uploads(self) -> Iterator[tuple[str, str, float]]:
        """Uploads that can be seen to be neither completed nor aborted: key, id, and when they
        were begun, in seconds since the epoch.
        """

    def abort(self, key: str, id: str) -> None:
        """Let go of what was sent of an upload that nobody will complete.  Safe to repeat."""

    def putting(
        self,
        *,
        storage_class: str | None = None,
        tags: Mapping[str, str] | None = None,
        lock: str | None = None,
        locked_until: float = 0.0,
    ) -> "Storage":
        """The same place; what is put there gets this class, these tags, this Object Lock.

        ``locked_until`` in seconds since the epoch.  UsageError where objects have none of these.
        """

    def trials(self) -> Any:
        """Requests for the probe alone; None for a folder, of which all is known."""

    def path(self, key: str) -> Path | None:
        """The object or folder as a local path to read in place, None where the store is remote."""

    def url(self, key: str = "") -> str:
        """How people name this object: a path or ``s3://bucket/key``, fit to print."""

    def uri(self, key: str = "") -> str:
        """Its address for machines (RFC 3986): ``file:///a%20b`` or ``s3://bucket/a%20b``.

        An object has one address in all storages that hold it, and no other object has it.
        :func:`pipeline.storage.locations.of_uri` is the way back.
        """


def unchanged(storage: Storage, key: str, etag: str | None) -> StoredObject:
    """The object, for a store that cannot be given the condition itself; ChangedError if an ETag is
    given and it is not that very object.
    """
    found = storage.head(key)
    if etag is not None and found.etag != etag:
        raise ChangedError(f"{storage.url(key)}: changed since it was looked at")
    return found
