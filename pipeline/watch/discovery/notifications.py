"""Notifications that shorten the wait: in a file of JSON lines, or in an SQS queue.

S3 names keys, Agora recordings that are uploaded.  Only hints: what counts is the listing.
"""

import base64
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote_plus

from msgspec import Struct

from pipeline.errors import NoticeError
from pipeline.storage.names import printable
from pipeline.storage.oserrors import os_errors
from pipeline.watch.log import log

if TYPE_CHECKING:  # at run time it would load boto3, also where there is no queue
    from pipeline.storage.s3.sqs import Queue

MOST = 16 << 20  # bytes of a file read in one cycle


class Event(Struct, frozen=True):
    """A key that was stored, as a URL or relative to the store; or what Agora says of a sid."""

    key: str = ""
    sid: str = ""
    kind: str = ""  # uploaded, backuped


class Events(Protocol):
    """Where notifications come from."""

    def take(self) -> list[Event]:
        """All notifications that came since; they come again unless ``settle`` is called.

        Raises the errors of the file or the queue.
        """

    def settle(self) -> None:
        """Acknowledge what was taken: it has been looked at."""


def parse(text: str, secret: str = "") -> Iterator[Event]:
    """The events in one message or line: a key, an event of S3 or EventBridge, ``{"key"}``,
    ``{"sid", "event"}``, or a notification of Agora's, as it is or as ``{"headers", "body"}``.

    With a secret, Agora's count only if they are signed with it.  Anything else gives no event.
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
        yield from parse(value["Message"], secret)
    records = value.get("Records")
    for record in records if isinstance(records, list) else []:
        yield from _stored(record, "s3", encoded=True)
    yield from _stored(value, "detail", encoded=False)
    if isinstance(value.get("key"), str):
        yield Event(key=value["key"])
    if isinstance(value.get("sid"), str) and isinstance(value.get("event"), str):
        yield Event(sid=value["sid"], kind=value["event"])
    if "noticeId" in value:
        yield from _notice(text.encode("utf-8", "replace"), {}, secret)
    if isinstance(value.get("body"), str):
        yield from _received(value, secret)


def _received(value: Mapping[str, Any], secret: str) -> Iterator[Event]:
    """A request to a web server, in the form of Amazon API Gateway and its like."""
    raw, given = value["body"].encode("utf-8", "replace"), value.get("headers")
    if value.get("isBase64Encoded") is True:
        try:
            raw = base64.b64decode(raw, validate=True)
        except ValueError:
            return
    headers = given if isinstance(given, dict) else {}
    yield from _notice(raw, {str(name).lower(): v for name, v in headers.items()}, secret)


def _notice(raw: bytes, headers: Mapping[str, Any], secret: str) -> Iterator[Event]:
    """An event if all files of a recording are uploaded, or some only to the backup cloud."""
    from pydantic import SecretStr  # here, because it takes long to import

    from pipeline.agora import webhook

    try:
        notice = webhook.parse(raw)
    except NoticeError:
        return
    v1, v2 = (headers.get(n.lower()) for n in (webhook.SIGNATURE_V1, webhook.SIGNATURE_V2))
    signed = {name: v if isinstance(v, str) else None for name, v in (("v1", v1), ("v2", v2))}
    if secret and not webhook.is_genuine(raw, SecretStr(secret), **signed):
        log.warning("a notification was left out: it is not signed with the secret")
        return
    if not isinstance(notice.event, webhook.Uploaded) or notice.sid is None:
        return
    yield Event(sid=notice.sid, kind="uploaded" if notice.event.complete else "backuped")
    for file in notice.event.files:
        if file.name.endswith(".m3u8"):
            yield Event(key=file.name)


def _stored(record: Any, name: str, *, encoded: bool) -> Iterator[Event]:
    try:
        bucket, key = record[name]["bucket"]["name"], record[name]["object"]["key"]
    except (TypeError, KeyError):
        return
    if isinstance(bucket, str) and isinstance(key, str):
        yield Event(key=f"s3://{bucket}/{unquote_plus(key) if encoded else key}")


class FileEvents:
    """A file that others append to.  Read from its start again if it was replaced or truncated."""

    def __init__(self, path: Path, secret: str = "") -> None:
        self._path, self._secret = path, secret
        self._at = self._taken = 0
        self._file = (0, 0)

    def take(self) -> list[Event]:
        """The events of whole lines since the last call, :data:`MOST` bytes at most; none if there
        is no such file yet.
        """
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
        return [event for line in lines for event in parse(line, self._secret)]

    def settle(self) -> None:
        """Continue behind the lines that were taken."""
        self._at = self._taken


class QueueEvents:
    """An SQS queue to which the bucket sends its notifications."""

    def __init__(self, queue: "Queue", secret: str = "") -> None:
        self._queue, self._secret = queue, secret
        self._handles: list[str] = []

    def take(self) -> list[Event]:
        """The events of all messages that wait in the queue."""
        messages = self._queue.receive()
        self._handles += [handle for handle, _ in messages]
        return [event for _, body in messages for event in parse(body, self._secret)]

    def settle(self) -> None:
        """Delete the messages that were taken, so that they do not come again."""
        handles, self._handles = self._handles, []
        self._queue.delete(handles)
