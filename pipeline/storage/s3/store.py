"""A bucket of Amazon S3 or of another store of its protocol.  Long: one class has all verbs."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from boto3.s3.transfer import ProgressCallbackInvoker, TransferConfig, create_transfer_manager

from pipeline.agora import vendors
from pipeline.agora.stores import Credentials
from pipeline.errors import (
    ChangedError,
    NotFoundError,
    StorageError,
    UnsafePathError,
)
from pipeline.model import StoredObject
from pipeline.storage import CHUNK, allowed, temporaries
from pipeline.storage.names import not_behind, percent_encoded, printable, safe_key
from pipeline.storage.order import checked, in_order
from pipeline.storage.oserrors import os_errors
from pipeline.storage.s3 import parts
from pipeline.storage.s3.clients import AWS_HOSTS, Clients, S3Account, host_of
from pipeline.storage.s3.errors import s3_errors
from pipeline.storage.s3.parts import PART
from pipeline.storage.s3.trials import S3Trials
from pipeline.storage.s3.versions import S3Versions, protection_of
from pipeline.storage.sending import Counted, Sent, unseen

if TYPE_CHECKING:
    from pipeline.storage.s3.reading import Reader


_UPLOADS = TransferConfig(
    multipart_threshold=PART,
    multipart_chunksize=PART,
    max_concurrency=8,
    preferred_transfer_client="classic",  # the other one cannot put the bucket in the path
)

_COPIES = TransferConfig(  # in one request as long as S3 allows: the ETag stays
    multipart_threshold=5 << 30, multipart_chunksize=1 << 30, preferred_transfer_client="classic"
)


class S3Storage:
    """One bucket, below one prefix.  The client may be shared by threads.

    Only complete uploads are visible in S3, so ``put`` needs no temporary name.  Every verb raises
    what :func:`pipeline.storage.s3.errors.s3_errors` does.
    """

    def __init__(  # boto3 has no static types
        self,
        bucket: str,
        prefix: str,
        client: Any,
        *,
        list_version: int = 2,
        ordered: bool = False,
        reader: "Reader | None" = None,
    ) -> None:
        self.bucket = bucket
        self.prefix = prefix if prefix.endswith("/") or not prefix else f"{prefix}/"
        self.creates_once: bool | None = None
        self.shared = True
        self._client = client
        self._reader = reader
        self._listing = "list_objects_v2" if list_version == 2 else "list_objects"
        self._ordered = ordered  # S3 promises the order; SeaweedFS lists folder by folder
        self._put_options: dict[str, Any] = {}

    def putting(
        self,
        *,
        storage_class: str | None = None,
        tags: Mapping[str, str] | None = None,
        lock: str | None = None,
        locked_until: float = 0.0,
    ) -> "S3Storage":
        """The same place; what is put there gets this storage class, these tags, and this mode of
        Object Lock until ``locked_until``, in seconds since the epoch (``PutObject`` of S3).
        """
        placed = S3Storage(
            self.bucket, self.prefix, self._client, ordered=self._ordered, reader=self._reader
        )
        placed._listing, options = self._listing, placed._put_options
        if storage_class:
            options["StorageClass"] = storage_class
        if tags:
            options["Tagging"] = urlencode(tags)
        if lock:
            until = datetime.fromtimestamp(locked_until, UTC)
            options |= {"ObjectLockMode": lock.upper(), "ObjectLockRetainUntilDate": until}
            options["ChecksumAlgorithm"] = "SHA256"  # S3 wants a digest with every lock
        return placed

    def list(self, prefix: str = "", *, after: str = "") -> Iterator[StoredObject]:
        """Every object whose key starts with the prefix, without the empty markers of folders.

        As S3 lists them, which promises the order (``ListObjectsV2``); other stores' are sorted.
        """
        found = self._list(prefix, after)
        return checked(found, f"list {self.url(prefix)}") if self._ordered else in_order(found)

    def _list(self, prefix: str, after: str) -> Iterator[StoredObject]:
        start = self._full(prefix)
        begin = "StartAfter" if self._listing == "list_objects_v2" else "Marker"
        near = not_behind(after)
        behind = {begin: self._full(near)} if near else {}
        pages = self._client.get_paginator(self._listing)
        with s3_errors(f"list {self.url(prefix)}"):
            for page in pages.paginate(Bucket=self.bucket, Prefix=start, **behind):
                for entry in page.get("Contents", ()):
                    found = self._stored(entry["Key"], entry, entry["Size"])
                    if found.key > after and (found.size or not found.key.endswith("/")):
                        yield found

    def head(self, key: str) -> StoredObject:
        """One object's entry.  Raises ``NotFoundError`` also if the bucket is missing."""
        full = self._full(key)
        with s3_errors(f"read {self.url(key)}"):
            answer = self._client.head_object(Bucket=self.bucket, Key=full)
            return self._stored(full, answer, answer["ContentLength"])

    def open(self, key: str, *, etag: str | None = None) -> Iterator[bytes]:
        """The object's bytes in chunks of 1 MiB at most.

        Raises ``ChangedError`` if it is no longer the one with this ETag.
        """
        boto = self._open(key, etag)
        if self._reader is None or not etag:
            return boto
        return self._reader.read(self._full(key), etag, boto, where=f"read {self.url(key)}")

    def _open(self, key: str, etag: str | None) -> Iterator[bytes]:
        where = f"read {self.url(key)}"
        condition = {"IfMatch": f'"{etag}"'} if etag else {}
        with s3_errors(where):
            answer = self._client.get_object(Bucket=self.bucket, Key=self._full(key), **condition)
            with closing(answer["Body"]) as body:
                if etag and _etag(answer) != etag:  # some stores ignore the condition
                    raise ChangedError(f"{where}: changed while reading; run again")
                missing = answer["ContentLength"]
                while chunk := body.read(CHUNK):
                    missing -= len(chunk)
                    yield chunk
        if missing:
            raise StorageError(f"{where}: {missing} bytes short of {answer['ContentLength']}")

    def put(
        self, source: Path, key: str, *, sha256: str, content_type: str, sent: Sent = unseen
    ) -> StoredObject:
        """Upload a file whole or not at all, with its digest as metadata; compare the size stored.

        A failed multipart upload is aborted, so that no paid parts stay behind.
        """
        full = self._full(key)
        extra = {"ContentType": content_type, "Metadata": {"sha256": sha256}, **self._put_options}
        with os_errors(f"read {source}"), s3_errors(f"write {self.url(key)}"):
            size = source.stat().st_size
            counted = Counted(size, sent)
            seen = [ProgressCallbackInvoker(counted.add)]
            with create_transfer_manager(self._client, _UPLOADS) as manager:
                manager.upload(str(source), self.bucket, full, extra, seen).result()
        counted.rest()
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
        """Store a file if nothing has this key (``If-None-Match: *``): of many at once one wins,
        the others get ``ExistsError``.  Stores that ignore conditions replace what is there, as
        :mod:`pipeline.storage.probe` finds out.
        """
        with os_errors(f"read {source}"):
            size = source.stat().st_size
        if size > PART:
            named = {"sha256": sha256, "content_type": content_type}
            return self._create_large(source, key, **named, guard=guard, sent=sent)
        guard()
        extra = {"ContentType": content_type, "Metadata": {"sha256": sha256}, "IfNoneMatch": "*"}
        full = self._full(key)
        where = f"write {self.url(key)}"
        with os_errors(f"read {source}"), s3_errors(where), source.open("rb") as file:
            self._client.put_object(Bucket=self.bucket, Key=full, Body=file, **extra)
        Counted(size, sent).rest()
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

    def _create_large(
        self,
        source: Path,
        key: str,
        *,
        sha256: str,
        content_type: str,
        guard: Callable[[], None] = allowed,
        sent: Sent = unseen,
    ) -> StoredObject:
        """In parts; the condition is on the last request, which boto3's own uploads lack."""
        place = {"Bucket": self.bucket, "Key": self._full(key)}
        extra = {"ContentType": content_type, "Metadata": {"sha256": sha256}}
        with os_errors(f"read {source}"), s3_errors(f"write {self.url(key)}"):
            size = source.stat().st_size
            counted = Counted(size, sent)
            begun = self._client.create_multipart_upload(**place, **extra)
            upload = {**place, "UploadId": begun["UploadId"]}
            parts.send(self._client, source, size, upload, guard=guard, counted=counted)
        counted.rest()
        return self._whole(source, size, key)

    def delete(self, key: str, *, etag: str | None = None) -> None:
        """Remove an object.  Safe to repeat.

        With an ETag under ``If-Match``: raises ``ChangedError`` where the store honours it.
        """
        full = self._full(key)
        condition = {"IfMatch": f'"{etag}"'} if etag else {}
        with suppress(NotFoundError):
            try:
                with s3_errors(f"delete {self.url(key)}"):
                    self._client.delete_object(Bucket=self.bucket, Key=full, **condition)
            except ChangedError:
                self.head(key)  # what is gone has no ETag either
                raise

    def copy(self, source: str, key: str, *, etag: str | None = None) -> StoredObject:
        """Have the store copy an object.

        Raises ``ChangedError`` if the object has another ETag, ``StorageError`` for another size.
        """
        before, full = self.head(source), self._full(key)
        if etag and before.etag != etag:  # some stores ignore the condition
            raise ChangedError(f"{self.url(source)}: changed since it was looked at")
        condition = {"CopySourceIfMatch": f'"{before.etag}"'} if before.etag else {}
        place = {"Bucket": self.bucket, "Key": self._full(source)}
        with s3_errors(f"copy {self.url(source)}"):
            self._client.copy(place, self.bucket, full, ExtraArgs=condition, Config=_COPIES)
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

    def protection(self, key: str) -> str | None:
        """A legal hold or a retention of S3 Object Lock, in words; None without."""
        with s3_errors(f"read {self.url(key)}"):
            return protection_of(self._client.head_object(Bucket=self.bucket, Key=self._full(key)))

    def versions(self) -> S3Versions:
        """Its versions, whether or not the bucket keeps any."""
        return S3Versions(self.bucket, self.prefix, self._client)

    def uploads(self) -> Iterator[tuple[str, str, float]]:
        """Multipart uploads that were neither completed nor aborted: key, id, and when they were
        begun, in seconds since the epoch.
        """
        pages = self._client.get_paginator("list_multipart_uploads")
        with s3_errors(f"list uploads to {self.url()}"):
            for page in pages.paginate(Bucket=self.bucket, Prefix=self.prefix):
                for one in page.get("Uploads", ()):
                    key = one["Key"].removeprefix(self.prefix)
                    yield key, one["UploadId"], one["Initiated"].timestamp()

    def abort(self, key: str, id: str) -> None:
        """Discard the parts of an upload that nobody will complete.  Safe to repeat."""
        full = self._full(key)
        with suppress(NotFoundError), s3_errors(f"abort upload to {self.url(key)}"):
            self._client.abort_multipart_upload(Bucket=self.bucket, Key=full, UploadId=id)

    def trials(self) -> S3Trials:
        """The requests of the probe."""
        return S3Trials(self.bucket, self.prefix, self._client, self._create_large)

    def path(self, key: str) -> None:
        """No object of a bucket is a local file."""
        safe_key(key)

    def url(self, key: str = "") -> str:
        """``s3://bucket/key``, fit to print."""
        return printable(f"s3://{self.bucket}/{self.prefix}{key}")

    def uri(self, key: str = "") -> str:
        """``s3://bucket/key``, percent-encoded."""
        return f"s3://{self.bucket}/{percent_encoded(self.prefix + safe_key(key))}"

    def _whole(self, source: Path, size: int, key: str) -> StoredObject:
        stored = self.head(key)
        if stored.size != size:
            raise StorageError(
                f"write {self.url(key)}: {stored.size} bytes stored, {printable(source)} had {size}"
            )
        return stored

    def _full(self, key: str) -> str:
        """The key as the bucket knows it."""
        try:
            safe_key(key).encode()
        except UnicodeEncodeError as error:
            raise UnsafePathError(f"{self.url(key)}: not UTF-8, as S3 expects") from error
        return self.prefix + key

    def _stored(self, full: str, answer: Any, size: int) -> StoredObject:
        key = full.removeprefix(self.prefix)
        # whole seconds: a header has no more, where listings have milliseconds
        modified = float(int(answer["LastModified"].timestamp()))
        return StoredObject(key, size, _etag(answer), modified)


def connect(
    bucket: str,
    prefix: str = "",
    *,
    endpoint_url: str | None = None,
    region: str | None = None,
    profile: str | None = None,
    credentials: Credentials | None = None,
    list_version: int | None = None,
    connections: int = 16,
    clients: Clients | None = None,
) -> S3Storage:
    """A storage on a client configured for AWS or for the store at the endpoint.

    What is not given comes from where every AWS tool looks: environment, profile, metadata service.
    Raises ``UsageError`` for an endpoint that is no URL or a profile that is missing.
    """
    with s3_errors(f"connect to s3://{printable(bucket)}"):
        shared = clients or Clients(connections)
        account = S3Account(endpoint_url, region, profile, credentials)
        client, reader = shared.get(account), shared.reader(account, bucket)
    host = host_of(client)
    vendor = vendors.of_host(host)
    version = list_version or (vendor.list_version if vendor else 2)
    # of Amazon's own, directory buckets list in no order
    ordered = host.endswith(AWS_HOSTS) and not bucket.endswith("--x-s3")
    return S3Storage(bucket, prefix, client, list_version=version, ordered=ordered, reader=reader)


def _etag(answer: Any) -> str | None:
    etag: str = answer.get("ETag", "").strip('"')
    return etag or None
