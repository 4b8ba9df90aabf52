"""What a store keeps of objects that were replaced or deleted."""

from collections.abc import Iterator
from typing import Protocol

from msgspec import Struct


class Version(Struct, frozen=True):
    """One version of an object; a marker, without size and ETag, says that it was deleted."""

    id: str
    latest: bool
    marker: bool
    size: int = 0
    etag: str | None = None


class ObjectVersions(Protocol):
    """The versions of the objects of one store.  Errors as those of the store."""

    def kept(self) -> bool:
        """Whether a version is kept of what is deleted now."""

    def any(self) -> bool:
        """Whether there may be versions: some are kept now, or were once."""

    def all(self) -> Iterator[tuple[str, Version]]:
        """Every version, and every marker, with its key."""

    def of(self, key: str) -> list[Version]:
        """All of one key, the newest of each kind first; none if it never was there."""

    def sha256(self, key: str, id: str) -> str:
        """Of one version, read in full, in hex; NotFoundError if it is gone."""

    def remove(self, key: str, id: str) -> None:
        """Delete one version, or take away a marker, for good.  Safe to repeat."""

    def protection(self, key: str, id: str) -> str | None:
        """Why the store itself forbids to remove a version, None if it does not."""
