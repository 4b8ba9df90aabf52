"""The requests by which the probe finds out what a store of S3's protocol really does."""

import base64
import hashlib
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any

from pipeline.errors import RecpipeError
from pipeline.model import StoredObject
from pipeline.storage.s3.errors import s3_errors


class S3Trials:
    """Requests below one prefix of a bucket, one for each question of the probe.

    Each raises the errors of ``s3_errors`` if the store refuses it.
    """

    def __init__(
        self, bucket: str, prefix: str, client: Any, create_large: Callable[..., StoredObject]
    ) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._client = client
        self.create_large = create_large

    def copy(self, key: str, to: str) -> None:
        """Copy an object on the server (``CopyObject``)."""
        source = {"Bucket": self._bucket, "Key": self._prefix + key}
        with s3_errors(f"copy {key}"):
            self._client.copy_object(**self._place(to), CopySource=source)

    def read(self, key: str, start: int, length: int) -> bytes:
        """``length`` bytes from ``start`` on; empty if ``Range`` is not answered with 206."""
        span = f"bytes={start}-{start + length - 1}"
        with s3_errors(f"read {key}"):
            answer = self._client.get_object(**self._place(key), Range=span)
            with closing(answer["Body"]) as body:
                data: bytes = body.read()
        return data if answer["ResponseMetadata"]["HTTPStatusCode"] == 206 else b""

    def put_damaged(self, key: str) -> None:
        """Send bytes with the MD5 of other bytes (``Content-MD5``)."""
        digest = hashlib.md5(b"what was meant", usedforsecurity=False).digest()
        with s3_errors(f"write {key}"):
            self._client.put_object(
                **self._place(key),
                Body=b"what arrived",
                ContentMD5=base64.b64encode(digest).decode(),
            )

    def delete_all(self, keys: list[str]) -> None:
        """Remove several objects in one request (``DeleteObjects``)."""
        objects = [{"Key": self._prefix + key} for key in keys]
        with s3_errors(f"delete {len(keys)} objects"):
            self._client.delete_objects(Bucket=self._bucket, Delete={"Objects": objects})

    def put_elsewhere(self, bucket: str, key: str) -> None:
        """Write to a bucket that does not exist."""
        with s3_errors(f"write to {bucket}"):
            self._client.put_object(Bucket=bucket, Key=key, Body=b"")

    def forget(self, bucket: str, key: str) -> None:
        """Remove the object and the bucket that ``put_elsewhere`` made."""
        with suppress(RecpipeError), s3_errors(f"delete {bucket}"):
            self._client.delete_object(Bucket=bucket, Key=key)
        with s3_errors(f"delete {bucket}"):
            self._client.delete_bucket(Bucket=bucket)

    def _place(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._prefix + key}
