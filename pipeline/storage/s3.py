"""Amazon S3 and every store that speaks its protocol.  The only module that imports boto3."""

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from boto3.s3.transfer import TransferConfig, create_transfer_manager
from botocore import exceptions as boto
from botocore.config import Config
from urllib3.exceptions import HTTPError

from pipeline.errors import (
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

    def __init__(self, bucket: str, prefix: str, client: Any) -> None:  # boto3 has no static types
        self.bucket = bucket
        self.prefix = prefix if prefix.endswith("/") or not prefix else f"{prefix}/"
        self._client = client

    def list(self, prefix: str = "", *, after: str = "") -> Iterator[StoredObject]:
        """Every object whose key starts with the prefix, without the empty markers of folders.

        Sorted here, hence held in memory: S3 promises the order, SeaweedFS lists folder by folder.
        """
        start = self._full(prefix)
        behind = {"StartAfter": self._full(after)} if after else {}
        pages = self._client.get_paginator("list_objects_v2")
        with s3_errors(f"list {self.url(prefix)}"):
            found = [
                self._stored(entry["Key"], entry, entry["Size"])
                for page in pages.paginate(Bucket=self.bucket, Prefix=start, **behind)
                for entry in page.get("Contents", ())
                if entry["Size"] or not entry["Key"].endswith("/")
            ]
        yield from sorted(found, key=lambda stored: stored.key)

    def head(self, key: str) -> StoredObject:
        """One object's entry; NotFoundError also if the bucket is missing."""
        full = self._full(key)
        with s3_errors(f"read {self.url(key)}"):
            answer = self._client.head_object(Bucket=self.bucket, Key=full)
            return self._stored(full, answer, answer["ContentLength"])

    def open(self, key: str, *, etag: str | None = None) -> Iterator[bytes]:
        """The object's bytes in chunks; StorageError if it is no longer the one with this ETag."""
        where = f"read {self.url(key)}"
        condition = {"IfMatch": f'"{etag}"'} if etag else {}
        with s3_errors(where):
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
        extra = {"ContentType": content_type, "Metadata": {"sha256": sha256}}
        with os_errors(f"read {source}"), s3_errors(f"write {self.url(key)}"):
            size = source.stat().st_size
            with create_transfer_manager(self._client, _UPLOADS) as manager:
                manager.upload(str(source), self.bucket, full, extra).result()
        stored = self.head(key)
        if stored.size != size:
            raise StorageError(
                f"write {self.url(key)}: {stored.size} bytes stored, {printable(source)} had {size}"
            )
        return stored

    def delete(self, key: str) -> None:
        """Remove an object.  Safe to repeat."""
        full = self._full(key)
        with suppress(NotFoundError), s3_errors(f"delete {self.url(key)}"):
            self._client.delete_object(Bucket=self.bucket, Key=full)

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
    with s3_errors(f"connect to s3://{printable(bucket)}"):
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
def s3_errors(where: str) -> Iterator[None]:
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
        return StorageError(f"{where}: changed while reading; run again")
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
