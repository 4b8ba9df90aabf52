"""One protocol, one module per kind of store.  Keys are relative to the store's root, with ``/``
between parts.  Sizes are bytes, times seconds since the epoch, ``sha256`` is in hex.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from pipeline.errors import ChangedError
from pipeline.model import StoredObject
from pipeline.storage.sending import Sent, unseen
from pipeline.storage.versions import ObjectVersions

CHUNK = 1 << 20  # bytes that ``open`` hands on at a time, at most


def allowed() -> None:
    """The guard that lets everything pass."""


class Storage(Protocol):
    """A place that holds objects by key.

    Every verb raises ``NotFoundError`` (no such object, folder or bucket), ``DeniedError``,
    ``UnsafePathError`` (a key that could leave the root) or ``StorageError`` (may be retried), and
    ``DiskFullError`` where it writes.
    """

    creates_once: bool | None
    """Whether ``create`` can be relied on; None until :mod:`pipeline.storage.probe` has tried."""

    shared: bool
    """Whether other machines, which do not see the locks of this one, may write here: then only
    ``create`` keeps two runs from publishing the same thing twice.
    """

    def list(self, prefix: str = "", *, after: str = "") -> Iterator[StoredObject]:
        """Every object whose key starts with the prefix, in the order of the keys (UTF-8 bytes);
        only those behind ``after``, which need not exist.
        """

    def head(self, key: str) -> StoredObject:
        """One object's entry, as ``list`` gives it.  Raises ``NotFoundError`` if there is none."""

    def open(self, key: str, *, etag: str | None = None) -> Iterator[bytes]:
        """The object's bytes in chunks of ``CHUNK`` at most.

        Raises ``StorageError`` at the end if some are missing, ``ChangedError`` if it is no longer
        the object with this ETag.
        """

    def put(
        self, source: Path, key: str, *, sha256: str, content_type: str, sent: Sent = unseen
    ) -> StoredObject:
        """Store a file whole or not at all, replacing what was there.  Safe to repeat.

        The store keeps digest and media type where it can.  ``sent`` is told, by any thread, how
        many bytes more were handed over: when the file is stored, its size in all, whatever had to
        be sent again.
        """

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
        """Store a file if nothing has this key, else raise ``ExistsError``; see ``creates_once``.

        ``guard`` is called as late as the store allows, before the step that makes the object
        visible; if it raises, nothing was stored.  ``sent`` is that of ``put``.
        """

    def temporary(self, key: str, spool: Path) -> Path:
        """A new name of a local file, to be written and then stored with ``adopt``.

        In the folder of the final name where adopting is then a rename, else in the folder
        ``spool``, which is made if need be.  The caller removes the file.
        """

    def flush(self, temporary: Path) -> None:
        """Do in advance what takes long about adopting such a file; nothing becomes visible."""

    def adopt(
        self, temporary: Path, key: str, *, sha256: str, content_type: str, sent: Sent = unseen
    ) -> StoredObject:
        """``put`` for a file of ``temporary``: it may be moved instead of copied.

        Raises ``UnsafePathError`` if it would have to be moved and lies in another folder.
        """

    def delete(self, key: str, *, etag: str | None = None) -> None:
        """Remove an object.  Safe to repeat.

        With an ETag only if it is that very object, else ``ChangedError``.  Some stores ignore the
        ETag: a caller that relies on it has to try that first.
        """

    def copy(self, source: str, key: str, *, etag: str | None = None) -> StoredObject:
        """Store an object also under another key, whole or not at all.

        Raises ``ChangedError`` if it has another ETag.  A folder makes a hard link: that costs no
        room, and the ETag stays.
        """

    def prune(self, folder: str) -> bool:
        """Remove a folder that holds no object, with the empty ones below it; whether it is gone.
        Where keys need no folders, there is none and the answer is always True.
        """

    def links(self, prefix: str) -> Iterator[str]:
        """The keys of symbolic links: the prefix itself, or all in that folder; none is followed.

        A package that must be complete in itself holds none.  Object stores have no links.
        """

    def protection(self, key: str) -> str | None:
        """Why the store itself refuses to delete an object, for people; None if it does not."""

    def versions(self) -> ObjectVersions | None:
        """The versions it keeps of replaced and deleted objects; None where they cannot be seen."""

    def uploads(self) -> Iterator[tuple[str, str, float]]:
        """Multipart uploads that were neither completed nor aborted: key, id, and when they were
        begun, in seconds since the epoch.  Nothing where they cannot be seen.
        """

    def abort(self, key: str, id: str) -> None:
        """Discard the parts of an upload that nobody will complete.  Safe to repeat."""

    def putting(
        self,
        *,
        storage_class: str | None = None,
        tags: Mapping[str, str] | None = None,
        lock: str | None = None,
        locked_until: float = 0.0,
    ) -> "Storage":
        """The same place; what is put there gets this class, these tags, this Object Lock mode.

        ``locked_until`` is in seconds since the epoch.  Raises ``UsageError`` where objects have
        none of these.
        """

    def trials(self) -> Any:
        """Requests for the probe alone; None for a folder, where only ``create`` is tried."""

    def path(self, key: str) -> Path | None:
        """The local path of an object or folder, to read in place; None in a remote store."""

    def url(self, key: str = "") -> str:
        """The object's name for people: a path or ``s3://bucket/key``, fit to print."""

    def uri(self, key: str = "") -> str:
        """The object's URI for machines (RFC 3986): ``file:///a%20b`` or ``s3://bucket/a%20b``.

        An object has one URI in all storages that hold it, and no other object has it.
        :func:`pipeline.storage.locations.of_uri` is the inverse.
        """


def unchanged(storage: Storage, key: str, etag: str | None) -> StoredObject:
    """The object's entry, where the store cannot check the ETag itself.

    Raises ``ChangedError`` if an ETag is given and the object has another.
    """
    found = storage.head(key)
    if etag is not None and found.etag != etag:
        raise ChangedError(f"{storage.url(key)}: changed since it was looked at")
    return found
