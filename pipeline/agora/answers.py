"""Agora's answers, read tolerantly: nothing it may add, drop or misspell is an error here.

Fields are those of query and stop in Agora's REST reference.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct, field

from pipeline.agora.statuses import STATES

_MILLISECONDS_FROM = 10**11  # as seconds this would be the year 5138
_NO_TIME = 10**15
_UPLOADED = ("uploaded", "backuped")
WEB_RECORDER = "web_recorder_service"
_PAGES = {"init": 1, "inProgress": 5, "exit": 8}  # a state of a recorded page, as a status


class RecordedFile(Struct, frozen=True):
    """A file as Agora lists it: one entry of ``fileList``."""

    name: str  # with the prefix, as a rule: without it in web mode
    track: str | None = None  # audio, video, audio_and_video
    uid: str | None = None  # "0" for all users mixed
    mixed: bool | None = None
    playable: bool | None = None
    start: float | None = None  # of its first slice, seconds since 1970


class Progress(Struct, frozen=True):
    """What query or stop says of a recording."""

    status: int | None = None  # one of ``STATES``
    files: tuple[RecordedFile, ...] = ()
    uploading: str | None = None  # uploaded, backuped (some only at Agora so far), unknown
    start: float | None = None  # of the first slice, seconds since 1970
    raw: Mapping[str, Any] = field(default_factory=dict)  # the answer as it came

    @property
    def state(self) -> str:
        """The status in words."""
        return STATES.get(self.status if self.status is not None else -1, "unknown")


def progress(answer: Mapping[str, Any]) -> Progress:
    """The answer of query or stop, in every mode; None or empty for what it lacks."""
    response = _object(answer.get("serverResponse"))
    files = [*_files(response.get("fileList"))]
    uploading, status = response.get("uploadingStatus"), whole(response.get("status"))
    for service in _objects(response.get("extensionServiceState")):
        payload = _object(service.get("payload") or service.get("playload"))
        files += _files(payload.get("fileList"))
        uploading = uploading or payload.get("uploadingStatus")
        if service.get("serviceName") == WEB_RECORDER and status is None:
            status = _PAGES.get(text(payload.get("state")) or "")
    return Progress(
        status=status,
        files=tuple(dict.fromkeys(files)),
        uploading=_uploading(uploading),
        start=seconds(response.get("sliceStartTime")),
        raw=answer,
    )


def files(listed: object) -> tuple[RecordedFile, ...]:
    """The files in a ``fileList``: the name of one playlist, an array of files, or nothing yet."""
    return tuple(_files(listed))


def seconds(moment: object) -> float | None:
    """Seconds since 1970 from a Unix time in seconds or, like almost all of Agora's, milliseconds.

    None for what is no time.
    """
    number = whole(moment)
    if number is None or not 0 < number < _NO_TIME:
        return None
    return number / 1000 if number >= _MILLISECONDS_FROM else float(number)


def text(value: object) -> str | None:
    """The value, if it is a text that is not empty; else None."""
    return value if isinstance(value, str) and value else None


def _files(listed: object) -> Iterator[RecordedFile]:
    if isinstance(listed, str) and listed:
        yield RecordedFile(listed)
    for entry in _objects(listed):
        name = text(entry.get("fileName")) or text(entry.get("filename"))
        if name:
            yield RecordedFile(
                name,
                text(entry.get("trackType")),
                text(entry.get("uid")),
                _truth(entry.get("mixedAllUser")),
                _truth(entry.get("isPlayable")),
                seconds(entry.get("sliceStartTime")),
            )


def _uploading(status: object) -> str | None:
    if text(status) is None:
        return None
    return str(status) if status in _UPLOADED else "unknown"  # also "unknow"


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _objects(value: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, list):
        yield from (entry for entry in value if isinstance(entry, Mapping))


def _truth(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def whole(value: object) -> int | None:
    """The value as a whole number, also of a decimal text; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 20:
        return int(value)
    return value if isinstance(value, int) else None
