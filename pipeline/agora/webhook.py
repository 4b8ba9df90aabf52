"""Notifications of Agora to a web server ("NCS"), checked and read.  Long: one type for each event.

Events and fields are those of Agora's page on notifications.  They come in any order, more than
once, or not at all: a hint, never proof.  A receiver checks the bytes as they came with
:func:`is_genuine`, reads them with :func:`parse`, and sorts them with :func:`in_order`.
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from msgspec import Struct, field
from pydantic import SecretStr

from pipeline.agora.answers import RecordedFile, files, seconds, text, whole
from pipeline.errors import NoticeError

SIGNATURE_V1 = "Agora-Signature"
SIGNATURE_V2 = "Agora-Signature-V2"
CLOUD_RECORDING = 3  # productId
LARGEST = 1 << 20  # bytes; a notification has a few hundred
COMPLETE = 10_000  # progress of an upload that is done


def is_genuine(
    raw: bytes, secret: SecretStr, *, v1: str | None = None, v2: str | None = None
) -> bool:
    """Whether the sender of these bytes knows the secret; ``v1`` and ``v2`` are the headers.

    At least one has to be there, and each that is has to be right: nobody can fall back to the
    weaker V1 (HMAC-SHA1).  How long it takes does not tell how much of one is right.
    """
    if not secret.get_secret_value():
        return False
    expected, given = signatures(raw, secret), {SIGNATURE_V1: v1, SIGNATURE_V2: v2}
    right = [
        hmac.compare_digest(expected[header].encode(), text.strip().lower().encode())
        for header, text in given.items()
        if text is not None
    ]
    return bool(right) and all(right)


def signatures(raw: bytes, secret: SecretStr) -> dict[str, str]:
    """Both headers, in hex, that a sender who knows the secret sends with these bytes."""
    key = secret.get_secret_value().encode()
    return {
        SIGNATURE_V1: hmac.new(key, raw, hashlib.sha1).hexdigest(),
        SIGNATURE_V2: hmac.new(key, raw, hashlib.sha256).hexdigest(),
    }


# What happened.  Numbers are those of the documentation.


class Failed(Struct, frozen=True):
    """1: something went wrong; ``level`` 5 may have ended the recording: query it."""

    module: int | None  # 0 recorder, 1 uploader, 2 service, 6 web page
    level: int | None  # 1 debug, 2 minor, 3 medium, 4 major, 5 fatal
    code: int | None
    message: str | None


class Warned(Struct, frozen=True):
    """2: the uploader tries again (code 31), or puts slices into Agora's backup cloud (32)."""

    module: int | None  # 0 recorder, 1 uploader
    code: int | None


class StatusUpdated(Struct, frozen=True):
    """3: a call did not fit the state of the recording."""

    status: int | None
    files: tuple[RecordedFile, ...]


class PlaylistMade(Struct, frozen=True):
    """4: the playlist is there for the first time."""

    files: tuple[RecordedFile, ...]


class SessionExited(Struct, frozen=True):
    """11: the service has left the recording."""

    normally: bool  # ended, and everything is uploaded


class FailedOver(Struct, frozen=True):
    """12: another server goes on, with another uid and files called ``bak<n>_``."""

    new_uid: str | None


class UploaderStarted(Struct, frozen=True):
    """30: the uploader has begun."""

    ok: bool


class Uploaded(Struct, frozen=True):
    """31: all files are in the bucket; or 32: in the bucket or, for now, only at Agora."""

    complete: bool  # False for 32
    files: tuple[RecordedFile, ...]


class Uploading(Struct, frozen=True):
    """33: the share of the files so far that is uploaded, from 0 to 1."""

    share: float | None


class RecorderStarted(Struct, frozen=True):
    """40: the recorder has begun."""

    ok: bool


class RecorderLeft(Struct, frozen=True):
    """41: the recorder has left the channel; ``why`` is in words, one for each bit of
    ``leaveCode``.
    """

    why: frozenset[str]


class SliceStarted(Struct, frozen=True):
    """42: the first slice, or the first after an interruption.  Seconds since 1970."""

    start: float | None
    interrupted: float | None  # end of the last good slice; equal to start if there is no gap
    stream_uid: str | None
    track: str | None


class StreamChanged(Struct, frozen=True):
    """43 for sound, 44 for pictures: a user's stream arrives, or arrives no more."""

    stream_uid: str | None
    video: bool
    receiving: bool
    at: float | None  # seconds since 1970


class Other(Struct, frozen=True):
    """Any other event, also of types that are not documented yet."""


Event: TypeAlias = (
    Failed
    | Warned
    | StatusUpdated
    | PlaylistMade
    | SessionExited
    | FailedOver
    | UploaderStarted
    | Uploaded
    | Uploading
    | RecorderStarted
    | RecorderLeft
    | SliceStarted
    | StreamChanged
    | Other
)

Details: TypeAlias = Mapping[str, Any]

_LEAVE = {0: "init failed", 2: "signal", 4: "no users", 8: "ignored", 16: "left the channel"}


class Notice(Struct, frozen=True):
    """One notification; times are seconds since 1970.

    ``id`` stays the same when Agora sends it again; ``details`` are the event's fields as sent.
    """

    id: str  # noticeId
    type: int  # eventType
    product: int | None  # productId; 3 is Cloud Recording
    name: str | None  # msgName
    event: Event
    cname: str | None = None
    uid: str | None = None
    sid: str | None = None
    sequence: int | None = None
    happened: float | None = None  # sendts
    sent: float | None = None  # notifyMs, another one each time it is sent
    service: int | None = None  # serviceType
    details: Details = field(default_factory=dict)


def parse(raw: bytes) -> Notice:
    """A notification from the bytes as they came.

    Raises ``NoticeError`` for bytes that are none; the signature is not looked at.
    """
    if len(raw) > LARGEST:
        raise NoticeError(f"{len(raw)} bytes, expected at most {LARGEST}")
    try:
        whole_body = json.loads(raw)
    except (ValueError, RecursionError):
        raise NoticeError("not JSON, expected a notification") from None
    return read(whole_body)


def read(value: object) -> Notice:
    """A notification from its JSON, read already; NoticeError if it is none."""
    body = _object(value)
    identifier, kind = text(body.get("noticeId")), whole(body.get("eventType"))
    if identifier is None or kind is None:
        raise NoticeError("no noticeId or eventType, expected both")
    payload = _object(body.get("payload"))
    details = _object(payload.get("details"))
    return Notice(
        id=identifier,
        type=kind,
        product=whole(body.get("productId")),
        name=text(details.get("msgName")),
        event=_EVENTS.get(kind, _other)(details),
        cname=text(payload.get("cname")),
        uid=_number_as_text(payload.get("uid")),
        sid=text(payload.get("sid")),
        sequence=whole(payload.get("sequence")),
        happened=seconds(payload.get("sendts")) or seconds(body.get("eventMs")),
        sent=seconds(body.get("notifyMs")),
        service=whole(payload.get("serviceType")),
        details=details or payload,
    )


def in_order(notices: Iterable[Notice]) -> tuple[Notice, ...]:
    """Each notification once, however often it was sent, in the order in which things happened.

    An event that also came over Agora's second channel counts once.
    """
    once: dict[object, Notice] = {}
    known: set[str] = set()
    for notice in notices:
        if notice.id not in known:
            known.add(notice.id)
            once.setdefault(_occurrence(notice), notice)
    return tuple(sorted(once.values(), key=_place))


def _occurrence(notice: Notice) -> object:
    if notice.sid is None or notice.sequence is None:
        return notice.id
    return notice.sid, notice.type, notice.sequence, notice.happened


def _place(notice: Notice) -> tuple[str, float, float, str]:
    """Of one recording by sequence; what has none comes by its time, before the rest."""
    sequence = -1 if notice.sequence is None else notice.sequence
    return notice.sid or "", sequence, notice.happened or notice.sent or 0.0, notice.id


def _other(_: Details) -> Event:
    return Other()


def _failed(d: Details) -> Event:
    level, code = whole(d.get("errorLevel")), whole(d.get("errorCode"))
    return Failed(whole(d.get("module")), level, code, text(d.get("errorMsg")))


def _warned(d: Details) -> Event:
    return Warned(whole(d.get("module")), whole(d.get("warnCode")))


def _status(d: Details) -> Event:
    return StatusUpdated(whole(d.get("status")), files(d.get("fileList")))


def _exited(d: Details) -> Event:
    return SessionExited(whole(d.get("exitStatus")) == 0)


def _failed_over(d: Details) -> Event:
    return FailedOver(_number_as_text(d.get("newUid")))


def _uploading(d: Details) -> Event:
    progress = whole(d.get("progress"))
    known = progress is not None and 0 <= progress <= COMPLETE
    return Uploading(progress / COMPLETE if progress is not None and known else None)


def _left(d: Details) -> Event:
    code = whole(d.get("leaveCode")) or 0
    bits = frozenset(word for bit, word in _LEAVE.items() if bit and code & bit)
    return RecorderLeft(bits or frozenset({_LEAVE[0]}))


def _slice(d: Details) -> Event:
    start, before = seconds(d.get("startUtcMs")), seconds(d.get("discontinueUtcMs"))
    return SliceStarted(
        start, before, _number_as_text(d.get("streamUid")), text(d.get("trackType"))
    )


def _stream(*, video: bool) -> Callable[[Details], Event]:
    def read(d: Details) -> Event:
        uid, at = _number_as_text(d.get("streamUid")), seconds(d.get("UtcMs"))
        return StreamChanged(uid, video, whole(d.get("state")) == 0, at)

    return read


_EVENTS: Mapping[int, Callable[[Details], Event]] = {
    1: _failed,
    2: _warned,
    3: _status,
    4: lambda d: PlaylistMade(files(d.get("fileList"))),
    11: _exited,
    12: _failed_over,
    30: lambda d: UploaderStarted(whole(d.get("status")) == 0),
    31: lambda d: Uploaded(True, files(d.get("fileList"))),
    32: lambda d: Uploaded(False, files(d.get("fileList"))),
    33: _uploading,
    40: lambda d: RecorderStarted(whole(d.get("status")) == 0),
    41: _left,
    42: _slice,
    43: _stream(video=False),
    44: _stream(video=True),
}


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _number_as_text(value: object) -> str | None:
    number = whole(value)
    return str(number) if number is not None else text(value)
