"""Multipart uploads with a condition on the last request, ``CompleteMultipartUpload`` with
``If-None-Match: *`` of the Amazon S3 API, which boto3's own uploads lack.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from pipeline.errors import RecpipeError
from pipeline.storage.s3.errors import s3_errors

PART = 16 << 20  # bytes; smaller files are put in one request
AT_ONCE = 8  # parts


def send(
    client: Any, source: Path, size: int, upload: Mapping[str, str], *, guard: Callable[[], None]
) -> None:
    """Upload all parts of a file, then, once ``guard`` returns, complete the upload.

    ``size`` is in bytes; ``upload`` has Bucket, Key and UploadId.  Aborted if anything raises, so
    that no paid parts stay behind.  Raises what boto3 does: for use within ``s3_errors``.
    """

    def part(number: int) -> dict[str, Any]:
        with source.open("rb") as file:
            file.seek((number - 1) * PART)
            sent = client.upload_part(**upload, PartNumber=number, Body=file.read(PART))
        return {"PartNumber": number, "ETag": sent["ETag"]}

    done = False
    try:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            parts = list(pool.map(part, range(1, -(-size // PART) + 1)))
        guard()
        client.complete_multipart_upload(
            **upload, MultipartUpload={"Parts": parts}, IfNoneMatch="*"
        )
        done = True
    finally:
        if not done:
            with suppress(RecpipeError), s3_errors("abort"):
                client.abort_multipart_upload(**upload)
