"""Amazon S3 and every store that speaks its protocol.  The only module that imports boto3."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import boto3
from boto3.s3.transfer import TransferConfig, create_transfer_manager
from botocore import exceptions as boto
from botocore.config import Config
from urllib3.exceptions import HTTPError

from pipeline.errors import (
    ChangedError,
    DeniedError,
    DiskFullError,
    NotFoundError,
    RecpipeError,
    StorageError,
    UnsafePathError,
    UsageError,
)
from pipeline.model import StoredObject
from pipeline.storage.names import printable, safe_key
from pipeline.storage.oserrors import os_errors

CHUNK = 1 << 20
PART = 16 << 20  # of a multipart upload; smaller files are put in one request

_UPLOADS = TransferConfig(
    multipart_threshold=PART,
    multipart_chunksize=PART,
    max_concurrency=8,
    preferred_transfer_client="classic",  # the other one cannot put the bucket in the path
)

_COPIES = TransferConfig(  # in one request as long as S3 allows: the ETag stays
    multipart_threshold=5 << 30, multipart_chunksize=1 << 30, preferred_transfer_client="classic"
)

_AWS_HOSTS = (".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu", ".api.aws")
# these refuse the bucket in the path: Alibaba OSS, Tencent COS, Huawei OBS, Kingsoft KS3
_VIRTUAL_HOSTS = (".aliyuncs.com", ".myqcloud.com", ".myhuaweicloud.com", ".ksyuncs.com")

_NO_CREDENTIALS = (
    "no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, "
    "or run where a role gives them"
)
_DENIED_CODES = {"ExpiredToken", "InvalidToken", "TokenRefreshRequired"}  # with status 400
_REGION_CODES = {
    "301",
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
    "PermanentRedirect",
}
_DENIED_ADVICE = {
    "ExpiredToken": "get a new session token",
    "InvalidAccessKeyId": "check the access key",
    "InvalidObjectState": "the object is in a cold storage class, restore it first",
    "RequestTimeTooSkewed": "set the clock of this machine",
    "SignatureDoesNotMatch": "check the secret key",
}


class S3Storage:
    """One bucket, below one prefix.  The client may be shared by threads.

    Only complete uploads are visible in S3, so ``put`` needs no temporary name.
    """

    def __init__(  # boto3 has no static types
        self, bucket: str, prefix: str, client: Any, *, put_options: Mapping[str, Any] | None = None
    ) -> None:
        self.bucket = bucket
        self.prefix = prefix if prefix.endswith("/") or not prefix else f"{prefix}/"
        self._client = client
        self._put_options = dict(put_options or {})

    def putting(
        self,
        *,
        storage_class: str | None = None,
        tags: Mapping[str, str] | None = None,
        lock: str | None = None,
        locked_until: float = 0.0,
    ) -> "S3Storage":
        """The same place; what is put there gets this class, these tags, this Object Lock."""
        options: dict[str, Any] = {}
        if storage_class:
            options["StorageClass"] = storage_class
        if tags:
            options["Tagging"] = urlencode(tags)
        if lock:
            until = datetime.fromtimestamp(locked_until, UTC)
            options |= {"ObjectLockMode": lock.upper(), "ObjectLockRetainUntilDate": until}
            options["ChecksumAlgorithm"] = "SHA256"  # S3 wants a digest with every lock
        return S3Storage(self.bucket, self.prefix, self._client, put_options=options)

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """Every object whose key starts with the prefix, without the empty markers of folders.

        Sorted here, hence held in memory: S3 promises the order, SeaweedFS lists folder by folder.
        """
        start = self._full(prefix)
        pages = self._client.get_paginator("list_objects_v2")
        with _s3_errors(f"list {self.url(prefix)}"):
            found = [
                self._stored(entry["Key"], entry, entry["Size"])
                for page in pages.paginate(Bucket=self.bucket, Prefix=start)
                for entry in page.get("Contents", ())
                if entry["Size"] or not entry["Key"].endswith("/")
            ]
        yield from sorted(found, key=lambda stored: stored.key)

    def head(self, key: str) -> StoredObject:
        """One object's entry; NotFoundError also if the bucket is missing."""
        full = self._full(key)
        with _s3_errors(f"read {self.url(key)}"):
            answer = self._client.head_object(Bucket=self.bucket, Key=full)
            return self._stored(full, answer, answer["ContentLength"])

    def open(self, key: str, *, etag: str | None = None) -> Iterator[bytes]:
        """The object's bytes in chunks; StorageError if it is no longer the one with this ETag."""
        where = f"read {self.url(key)}"
        condition = {"IfMatch": f'"{etag}"'} if etag else {}
        with _s3_errors(where):
            answer = self._client.get_object(Bucket=self.bucket, Key=self._full(key), **condition)
            with closing(answer["Body"]) as body:
                if etag and _etag(answer) != etag:  # some stores ignore the condition
                    raise StorageError(f"{where}: changed while reading; run again")
                missing = answer["ContentLength"]
                while chunk := body.read(CHUNK):
                    missing -= len(chunk)
                    yield chunk
        if missing:
            raise StorageError(f"{where}: {missing} bytes short of {answer['ContentLength']}")

    def put(self, source: Path, key: str, *, sha256: str, content_type: str) -> StoredObject:
        """Upload a file whole or not at all, with its digest as metadata, and look at the result.

        A failed multipart upload is aborted, so that no paid parts stay behind.
        """
        full = self._full(key)
        extra = {"ContentType": content_type, "Metadata": {"sha256": sha256}, **self._put_options}
        with os_errors(f"read {source}"), _s3_errors(f"write {self.url(key)}"):
            size = source.stat().st_size
            with create_transfer_manager(self._client, _UPLOADS) as manager:
                manager.upload(str(source), self.bucket, full, extra).result()
        stored = self.head(key)
        if stored.size != size:
            raise StorageError(
                f"write {self.url(key)}: {stored.size} bytes stored, {printable(source)} had {size}"
            )
        return stored

    def delete(self, key: str, *, etag: str | None = None) -> None:
        """Remove an object.  Safe to repeat."""
        full = self._full(key)
        condition = {"IfMatch": f'"{etag}"'} if etag else {}
        with suppress(NotFoundError):
            try:
                with _s3_errors(f"delete {self.url(key)}"):
                    self._client.delete_object(Bucket=self.bucket, Key=full, **condition)
            except ChangedError:
                self.head(key)  # what is gone has no ETag either
                raise

    def copy(self, source: str, key: str, *, etag: str | None = None) -> StoredObject:
        """Have the store copy an object, and look at the result."""
        before, full = self.head(source), self._full(key)
        if etag and before.etag != etag:  # some stores ignore the condition
            raise ChangedError(f"{self.url(source)}: changed since it was looked at")
        condition = {"CopySourceIfMatch": f'"{before.etag}"'} if before.etag else {}
        place = {"Bucket": self.bucket, "Key": self._full(source)}
        with _s3_errors(f"copy {self.url(source)}"):
            self._client.copy(place, self.bucket, full, ExtraArgs=condition, Config=_COPIES)
        stored = self.head(key)
        if stored.size != before.size:
            sizes = f"{stored.size} bytes, {self.url(source)} has {before.size}"
            raise StorageError(f"copy to {self.url(key)}: {sizes}")
        return stored

    def protection(self, key: str) -> str | None:
        """A legal hold or a retention of Object Lock."""
        with _s3_errors(f"read {self.url(key)}"):
            answer = self._client.head_object(Bucket=self.bucket, Key=self._full(key))
        if answer.get("ObjectLockLegalHoldStatus") == "ON":
            return "legal hold"
        until = answer.get("ObjectLockRetainUntilDate")
        if until is not None and until > datetime.now(UTC):
            return f"object lock until {until:%Y-%m-%d}"
        return None

    def uploads(self) -> Iterator[tuple[str, str, float]]:
        """Multipart uploads that were begun and neither completed nor aborted: key, id, when."""
        pages = self._client.get_paginator("list_multipart_uploads")
        with _s3_errors(f"list uploads to {self.url()}"):
            for page in pages.paginate(Bucket=self.bucket, Prefix=self.prefix):
                for one in page.get("Uploads", ()):
                    key = one["Key"].removeprefix(self.prefix)
                    yield key, one["UploadId"], one["Initiated"].timestamp()

    def abort(self, key: str, id: str) -> None:
        """Let go of what was uploaded of an upload that nobody will complete.  Safe to repeat."""
        full = self._full(key)
        with suppress(NotFoundError), _s3_errors(f"abort upload to {self.url(key)}"):
            self._client.abort_multipart_upload(Bucket=self.bucket, Key=full, UploadId=id)

    def path(self, key: str) -> None:
        """No object of a bucket is a local file."""
        safe_key(key)

    def url(self, key: str = "") -> str:
        """``s3://bucket/key``, fit to print."""
        return printable(f"s3://{self.bucket}/{self.prefix}{key}")

    def _full(self, key: str) -> str:
        """The key as the bucket knows it."""
        try:
            safe_key(key).encode()
        except UnicodeEncodeError as error:
            raise UnsafePathError(f"{self.url(key)}: not UTF-8, as S3 expects") from error
        return self.prefix + key

    def _stored(self, full: str, answer: Any, size: int) -> StoredObject:
        key = full.removeprefix(self.prefix)
        return StoredObject(key, size, _etag(answer), answer["LastModified"].timestamp())


def connect(
    bucket: str,
    prefix: str = "",
    *,
    endpoint_url: str | None = None,
    region: str | None = None,
    profile: str | None = None,
    connections: int = 16,
) -> S3Storage:
    """A storage on a client of its own, configured for AWS or for the store at the endpoint.

    What is not given comes from where every AWS tool looks: environment, profile, metadata service.
    """
    general = Config(
        retries={"mode": "standard", "total_max_attempts": 5},
        max_pool_connections=connections,
        connect_timeout=10,
        read_timeout=60,
    )
    with _s3_errors(f"connect to s3://{printable(bucket)}"):
        session = boto3.Session(profile_name=profile, region_name=region)
        client = _client(session, endpoint_url, general)
        host = urlsplit(client.meta.endpoint_url).hostname or ""
        if not host.endswith(_AWS_HOSTS):  # also if the environment or the profile says where
            client.close()
            client = _client(session, endpoint_url, general.merge(_compatible(host)))
    return S3Storage(bucket, prefix, client)


def _client(session: Any, endpoint_url: str | None, config: Config) -> Any:
    region = session.region_name or "us-east-1"
    try:
        return session.client("s3", endpoint_url=endpoint_url, region_name=region, config=config)
    except ValueError as error:
        # not quoted: a mistyped endpoint may hold a password
        raise UsageError(
            "the endpoint is no URL; write https://host or http://host:port"
        ) from error


def _compatible(host: str) -> Config:
    """What stores other than AWS understand: no aws-chunked bodies, no trailing checksums."""
    return Config(
        signature_version="s3v4",
        s3={"addressing_style": "virtual" if host.endswith(_VIRTUAL_HOSTS) else "path"},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )


def _etag(answer: Any) -> str | None:
    etag: str = answer.get("ETag", "").strip('"')
    return etag or None


@contextmanager
def _s3_errors(where: str) -> Iterator[None]:
    """The one place that catches what boto3 raises.

    Their texts are left out: they may span lines, or quote a URL with a signature in it.
    """
    try:
        yield
    except boto.ClientError as error:
        raise _refusal(error, where) from error
    except (boto.BotoCoreError, HTTPError) as error:
        raise _failure(error, where) from error


def _refusal(error: boto.ClientError, where: str) -> RecpipeError:
    """What the store's own answer means."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code = printable(error.response.get("Error", {}).get("Code", ""))[:80]
    if status == 404 or code in {"NoSuchBucket", "NoSuchKey"}:
        what = "bucket" if code == "NoSuchBucket" else "object"
        return NotFoundError(f"{where}: no such {what}; check bucket and key")
    if status in {401, 403} or code in _DENIED_CODES:
        advice = _DENIED_ADVICE.get(code, "check the credentials and what they may do")
        return DeniedError(f"{where}: access denied ({code}); {advice}")
    if status == 412:
        return ChangedError(f"{where}: changed while reading; run again")
    if status == 507:
        return DiskFullError(f"{where}: the store is full ({code}); make room and run again")
    if code in _REGION_CODES:
        return UsageError(f"{where}: the bucket is in another region ({code}); set the region")
    return StorageError(f"{where}: the store answered {status} ({code}); run again later")


def _failure(error: Exception, where: str) -> RecpipeError:
    """What it means that there was no answer, or only half of one."""
    kind = type(error).__name__
    if isinstance(error, boto.NoCredentialsError | boto.PartialCredentialsError):
        return UsageError(f"{where}: {_NO_CREDENTIALS}")
    if isinstance(error, boto.ProfileNotFound):
        return UsageError(f"{where}: no such profile; check AWS_PROFILE and ~/.aws/config")
    if isinstance(error, boto.ParamValidationError | boto.NoRegionError):
        return UsageError(f"{where}: not valid ({kind}); check bucket, key and region")
    if isinstance(error, boto.CredentialRetrievalError | boto.SSOError | boto.TokenRetrievalError):
        return DeniedError(f"{where}: no credentials to be had ({kind}); log in again")
    return StorageError(f"{where}: no whole answer ({kind}); run again later")
