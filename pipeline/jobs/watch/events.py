"""Notifications that shorten the wait: keys in a file of JSON lines, or S3 events in an SQS queue.

A hint and no more: the listing stays the truth.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote_plus

from pipeline.storage.names import printable
from pipeline.storage.oserrors import os_errors

if TYPE_CHECKING:  # at run time it would load boto3, also where there is no queue
    from pipeline.storage.sqs import Queue

MOST = 16 << 20  # bytes of a file read in one cycle


@dataclass(frozen=True, slots=True)
class Event:
    """A key that was stored, as a URL or relative to the store; or what Agora says of a sid."""

    key: str = ""
    sid: str = ""
    kind: str = ""  # uploaded, backuped


class Events(Protocol):
    """Where notifications come from."""

    def take(self) -> list[Event]:
        """All that came since; what was taken comes again if it is not settled."""

    def settle(self) -> None:
        """What was taken has been looked at."""


def parse(text: str) -> Iterator[Event]:
    """One message or line: a key, an S3 or EventBridge event, ``{"key"}`` or ``{"sid", "event"}``.

    What is none of these is nothing.
    """
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError):
        if text.strip() and not text.lstrip().startswith(("{", "[")):
            yield Event(key=text.strip())
        return
    if isinstance(value, str):
        yield Event(key=value)
    if not isinstance(value, dict):
        return
    if isinstance(value.get("Message"), str):  # by way of SNS
        yield from parse(value["Message"])
    records = value.get("Records")
    for record in records if isinstance(records, list) else []:
        yield from _stored(record, "s3", encoded=True)
    yield from _stored(value, "detail", encoded=False)
    if isinstance(value.get("key"), str):
        yield Event(key=value["key"])
    if isinstance(value.get("sid"), str) and isinstance(value.get("event"), str):
        yield Event(sid=value["sid"], kind=value["event"])


def _stored(record: Any, name: str, *, encoded: bool) -> Iterator[Event]:
    try:
        bucket, key = record[name]["bucket"]["name"], record[name]["object"]["key"]
    except (TypeError, KeyError):
        return
    if isinstance(bucket, str) and isinstance(key, str):
        yield Event(key=f"s3://{bucket}/{unquote_plus(key) if encoded else key}")


class FileEvents:
    """A file that others append to.  Begun again when it was replaced or cut."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = self._taken = 0
        self._file = (0, 0)

    def take(self) -> list[Event]:
        """Whole lines since the last time; none if there is no such file yet."""
        with os_errors(f"read {printable(self._path)}"):
            try:
                with self._path.open("rb") as file:
                    status = self._path.stat()
                    if (status.st_dev, status.st_ino) != self._file or status.st_size < self._at:
                        self._file, self._at = (status.st_dev, status.st_ino), 0
                    file.seek(self._at)
                    data = file.read(MOST)
            except FileNotFoundError:
                return []
        whole = data[: data.rfind(b"\n") + 1]
        self._taken = self._at + len(whole)
        lines = whole.decode("utf-8", "replace").splitlines()
        return [event for line in lines for event in parse(line)]

    def settle(self) -> None:
        """Go on behind them."""
        self._at = self._taken


class QueueEvents:
    """An SQS queue to which the bucket sends its notifications."""

    def __init__(self, queue: "Queue") -> None:
        self._queue = queue
        self._handles: list[str] = []

    def take(self) -> list[Event]:
        """Everything that waits there."""
        messages = self._queue.receive()
        self._handles += [handle for handle, _ in messages]
        return [event for _, body in messages for event in parse(body)]

    def settle(self) -> None:
        """They do not come again."""
        handles, self._handles = self._handles, []
        self._queue.delete(handles)
