"""Versions of objects in a bucket that keeps them: what was deleted there can be brought back."""

import hashlib
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from typing import Any

from pipeline.errors import NotFoundError
from pipeline.storage import CHUNK
from pipeline.storage.s3.errors import s3_errors
from pipeline.storage.versions import Version


class S3Versions:
    """Versions below one prefix of a bucket, made by ``S3Storage.versions``.

    Raises the errors of ``s3_errors``.
    """

    def __init__(self, bucket: str, prefix: str, client: Any) -> None:
        self._bucket, self._prefix, self._client = bucket, prefix, client

    def kept(self) -> bool:
        """Whether the bucket keeps versions now: versioning is enabled, not suspended."""
        return self._status() == "Enabled"

    def any(self) -> bool:
        """Whether it keeps versions, or may have some from before they were suspended."""
        return self._status() is not None

    def _status(self) -> str | None:
        with s3_errors(f"read versioning of {self._bucket}"):
            answer = self._client.get_bucket_versioning(Bucket=self._bucket)
        status: str | None = answer.get("Status")
        return status

    def all(self, prefix: str = "") -> Iterator[tuple[str, Version]]:
        """The key of every version and delete marker whose key begins so, and the version."""
        pages = self._client.get_paginator("list_object_versions")
        with s3_errors(f"list versions of {self._bucket}"):
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix + prefix):
                for kind in ("Versions", "DeleteMarkers"):
                    for one in page.get(kind, ()):
                        key = one["Key"].removeprefix(self._prefix)
                        yield key, _version(one, marker=kind == "DeleteMarkers")

    def of(self, key: str) -> list[Version]:
        """All versions of one key, the newest of each kind first; none if it never existed."""
        full = self._prefix + key
        pages = self._client.get_paginator("list_object_versions")
        found: list[Version] = []
        with s3_errors(f"list versions of {key}"), suppress(NotFoundError):
            for page in pages.paginate(Bucket=self._bucket, Prefix=full):
                entries = [(one, False) for one in page.get("Versions", ())]
                entries += [(one, True) for one in page.get("DeleteMarkers", ())]
                mine = [entry for entry in entries if entry[0]["Key"] == full]
                found += [_version(one, marker=marker) for one, marker in mine]
                if entries and not mine:  # other keys that begin so come behind it
                    break
        return found

    def sha256(self, key: str, id: str) -> str:
        """The SHA-256 (hex) of one version, read in full.  ``NotFoundError`` if it is gone."""
        digest = hashlib.sha256()
        with s3_errors(f"read version {id} of {key}"):
            answer = self._client.get_object(**self._place(key), VersionId=id)
            with closing(answer["Body"]) as body:
                for chunk in _chunks(body):
                    digest.update(chunk)
        return digest.hexdigest()

    def remove(self, key: str, id: str) -> None:
        """Delete one version or delete marker for good.  Safe to repeat."""
        with suppress(NotFoundError), s3_errors(f"delete version {id} of {key}"):
            self._client.delete_object(**self._place(key), VersionId=id)

    def protection(self, key: str, id: str) -> str | None:
        """A legal hold or a retention of S3 Object Lock on one version; None without."""
        with s3_errors(f"read version {id} of {key}"):
            return protection_of(self._client.head_object(**self._place(key), VersionId=id))

    def _place(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._prefix + key}


def protection_of(answer: Any) -> str | None:
    """The legal hold or retention in an answer to ``HeadObject``, in words; None without."""
    if answer.get("ObjectLockLegalHoldStatus") == "ON":
        return "legal hold"
    until = answer.get("ObjectLockRetainUntilDate")
    if until is not None and until > datetime.now(UTC):
        return f"object lock until {until:%Y-%m-%d}"
    return None


def _version(entry: Any, *, marker: bool) -> Version:
    if marker:
        return Version(entry["VersionId"], bool(entry["IsLatest"]), marker=True)
    etag = entry.get("ETag", "").strip('"') or None
    return Version(entry["VersionId"], bool(entry["IsLatest"]), False, entry["Size"], etag)


def _chunks(body: Any) -> Iterator[bytes]:
    while chunk := body.read(CHUNK):
        yield chunk
