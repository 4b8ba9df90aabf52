"""One protocol, one module per kind of store.  Keys are relative to the store's root, with ``/``
between parts.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

from pipeline.model import StoredObject


def allowed() -> None:
    """Nobody has to be asked first."""


class Storage(Protocol):
    """A place that holds objects by key.

    Errors: NotFoundError (no such object or bucket), DeniedError, UnsafePathError, StorageError
    (may be retried).
    """

    creates_once: bool | None
    """Whether ``create`` can be relied on; None until :mod:`pipeline.storage.probe` has tried."""

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

    def delete(self, key: str, *, etag: str | None = None) -> None:
        """Remove an object.  Safe to repeat.

        With an ETag only if it is that very object, else ChangedError.  A store may do without
        looking at the ETag: whoever relies on it has to try it out first.
        """

    def copy(self, source: str, key: str, *, etag: str | None = None) -> StoredObject:
        """Store an object once more under another key; ChangedError if it has another ETag.

        Whole or not at all.  A folder links the file: that costs no room, and the ETag stays.
        """

    def protection(self, key: str) -> str | None:
        """Why the store itself forbids to delete an object, None if it does not."""

    def trials(self) -> Any:
        """Requests for the probe alone; None for a folder, of which all is known."""

    def path(self, key: str) -> Path | None:
        """The object as a local file to read in place, None where the store is remote."""

    def url(self, key: str = "") -> str:
        """How people name this object: a path or ``s3://bucket/key``."""
