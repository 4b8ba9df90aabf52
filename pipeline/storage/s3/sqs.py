"""Messages of an Amazon SQS queue, to which S3 sends its event notifications."""

from typing import Any

import boto3
from botocore.config import Config

from pipeline.storage.s3.errors import s3_errors

BATCH = 10  # messages in one request, the most that SQS allows
MOST = 100  # batches in one call


class Queue:
    """One queue; messages that are not deleted come again.  Raises the errors of ``s3_errors``."""

    def __init__(self, url: str, client: Any) -> None:
        self._url, self._client = url, client

    def receive(self) -> list[tuple[str, str]]:
        """Receipt handle and body of each message that waits now, at most BATCH times MOST."""
        found: list[tuple[str, str]] = []
        for _ in range(MOST):
            with s3_errors("receive from the queue"):
                answer = self._client.receive_message(
                    QueueUrl=self._url, MaxNumberOfMessages=BATCH, WaitTimeSeconds=0
                )
            messages = answer.get("Messages", [])
            found += [(m["ReceiptHandle"], m["Body"]) for m in messages]
            if not messages:
                break
        return found

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def delete(self, handles: list[str]) -> None:
        """Remove the messages with these receipt handles from the queue."""
        for at in range(0, len(handles), BATCH):
            entries = [
                {"Id": str(n), "ReceiptHandle": handle}
                for n, handle in enumerate(handles[at : at + BATCH])
            ]
            with s3_errors("delete from the queue"):
                self._client.delete_message_batch(QueueUrl=self._url, Entries=entries)


def connect(url: str, *, region: str | None = None, profile: str | None = None) -> Queue:
    """The queue at ``https://sqs.<region>.amazonaws.com/<account>/<name>``; nothing is requested.

    The region in the URL is used unless one is given.  Raises ``UsageError`` without the profile.
    """
    with s3_errors("connect to the queue"):
        session = boto3.Session(profile_name=profile, region_name=region)
        host, _, _ = url.partition("://")[2].partition("/")
        named = host.split(".")[1] if host.startswith("sqs.") and host.count(".") > 1 else None
        client = session.client(
            "sqs",
            region_name=region or named or session.region_name or "us-east-1",
            endpoint_url=f"{url.partition('://')[0]}://{host}",
            config=Config(retries={"mode": "standard"}, connect_timeout=10, read_timeout=30),
        )
    return Queue(url, client)
