"""Multipart uploads with a condition on the last request, ``CompleteMultipartUpload`` with
``If-None-Match: *`` of the Amazon S3 API, which boto3's own uploads lack.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from s3transfer.utils import ReadFileChunk, signal_not_transferring, signal_transferring

from pipeline.errors import RecpipeError
from pipeline.storage.s3.errors import s3_errors
from pipeline.storage.sending import Counted

PART = 16 << 20  # bytes; smaller files are put in one request
AT_ONCE = 8  # parts


def send(
    client: Any,
    source: Path,
    size: int,
    upload: Mapping[str, str],
    *,
    guard: Callable[[], None],
    counted: Counted,
) -> None:
    """Upload all parts of a file, then, once ``guard`` returns, complete the upload.

    ``size`` is in bytes; ``upload`` has Bucket, Key and UploadId; ``counted`` is told of all bytes.
    Aborted if anything raises, so that no paid parts stay behind.  Raises what boto3 does: for use
    within ``s3_errors``.
    """

    def part(number: int) -> dict[str, Any]:
        start = (number - 1) * PART
        with ReadFileChunk.from_filename(str(source), start, PART, [told]) as body:
            sent = client.upload_part(**upload, PartNumber=number, Body=body)
        return {"PartNumber": number, "ETag": sent["ETag"]}

    def told(bytes_transferred: int) -> None:  # s3transfer passes it by this name
        counted.add(bytes_transferred)

    _count_what_is_sent(client)
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


def _count_what_is_sent(client: Any) -> None:
    """A body is also read for its digest: what is read then is not counted, as boto3 does it."""
    event = "request-created.s3"
    client.meta.events.register_first(event, signal_not_transferring, "s3upload-not-transferring")
    client.meta.events.register_last(event, signal_transferring, "s3upload-transferring")
