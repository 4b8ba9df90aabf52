"""What a store keeps of objects that were replaced or deleted, in the terms of Amazon S3."""

from collections.abc import Iterator
from typing import Protocol

from msgspec import Struct


class Version(Struct, frozen=True):
    """One version of an object, or a delete marker, which has neither size nor ETag."""

    id: str
    latest: bool
    marker: bool
    size: int = 0  # bytes
    etag: str | None = None


class ObjectVersions(Protocol):
    """The versions of the objects of one store.  Raises the errors of the store."""

    def kept(self) -> bool:
        """Whether objects deleted now are kept as versions."""

    def any(self) -> bool:
        """Whether there may be versions: some are kept now, or were once."""

    def all(self, prefix: str = "") -> Iterator[tuple[str, Version]]:
        """The key of every version and every delete marker whose key begins so, and the version."""

    def of(self, key: str) -> list[Version]:
        """All versions of one key, the newest of each kind first; none if it never existed."""

    def sha256(self, key: str, id: str) -> str:
        """The SHA-256 (hex) of one version, read in full.  ``NotFoundError`` if it is gone."""

    def remove(self, key: str, id: str) -> None:
        """Delete one version or delete marker for good.  Safe to repeat."""

    def protection(self, key: str, id: str) -> str | None:
        """Why the store itself refuses to remove a version, for people; None if it does not."""
