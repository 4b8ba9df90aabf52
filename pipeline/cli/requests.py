"""Bodies of requests from a file, from options, or from both: options win.

UsageError where a file cannot be used; no message shows its content.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import UsageError

if TYPE_CHECKING:
    from pipeline.agora.schema.storage import StorageConfig

LARGEST = 1 << 20  # bytes of a request file

_RECORDING = ("clientRequest", "recordingConfig")
_CANVAS = (*_RECORDING, "transcodingConfig")
_PLACES: Mapping[str, tuple[str, ...]] = {
    "channel": ("cname",),
    "uid": ("uid",),
    "token": ("clientRequest", "token"),
    "channel_type": (*_RECORDING, "channelType"),
    "stream_types": (*_RECORDING, "streamTypes"),
    "max_idle_time": (*_RECORDING, "maxIdleTime"),
    "subscribe_audio": (*_RECORDING, "subscribeAudioUids"),
    "subscribe_video": (*_RECORDING, "subscribeVideoUids"),
    "width": (*_CANVAS, "width"),
    "height": (*_CANVAS, "height"),
    "fps": (*_CANVAS, "fps"),
    "bitrate": (*_CANVAS, "bitrate"),
    "mixed_video_layout": (*_CANVAS, "mixedVideoLayout"),
    "prefix": ("clientRequest", "storageConfig", "fileNamePrefix"),
}
_SUBSCRIBE = ("clientRequest", "streamSubscribe")
_UPDATED: Mapping[str, tuple[str, ...]] = {
    "subscribe_audio": (*_SUBSCRIBE, "audioUidList", "subscribeAudioUids"),
    "subscribe_video": (*_SUBSCRIBE, "videoUidList", "subscribeVideoUids"),
}
_ARRANGED: Mapping[str, tuple[str, ...]] = {
    "mixed_video_layout": ("clientRequest", "mixedVideoLayout"),
}


def start_body(
    file: str | None, chosen: Mapping[str, Any], storage: "StorageConfig | None" = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The JSON values of two bodies: of start, and ``clientRequest`` of acquire (``acquire`` in a
    file).

    ``storage`` replaces the ``storageConfig`` of the file.
    """
    body = read(file) if file else {}
    acquire = body.pop("acquire", {})
    if storage is not None:
        _fill_storage(body, storage)
    _put_all(body, chosen, _PLACES)
    return body, acquire


def update_body(
    file: str | None, chosen: Mapping[str, Any], storage: "StorageConfig | None" = None
) -> dict[str, Any]:
    """The JSON values of the body of update; ``storage`` replaces the file's."""
    body = read(file) if file else {"clientRequest": {}}
    if storage is not None:
        _fill_storage(body, storage)
    _put_all(body, chosen, _UPDATED)
    return body


def layout_body(file: str | None, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON values of the body of updateLayout."""
    body = read(file) if file else {"clientRequest": {}}
    _put_all(body, chosen, _ARRANGED)
    return body


def read(file: str) -> dict[str, Any]:
    """The object in a JSON or TOML file, or in JSON on standard input ("-"), of ``LARGEST`` bytes
    at most; its text is never in an error.
    """
    from pipeline.storage.names import printable

    name = "standard input" if file == "-" else printable(file)
    data = _bytes(file, name)
    try:
        text = data.decode("utf-8-sig")
        values = _toml(text) if file.lower().endswith(".toml") else _json(text)
    except _Twice as error:
        raise UsageError(f"{name}: key {str(error)!r} twice in one object") from None
    except (ValueError, RecursionError) as error:
        place = f", line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        kind = "TOML" if file.lower().endswith(".toml") else "JSON"
        raise UsageError(f"{name}: not valid {kind}{place}") from None
    if not isinstance(values, dict):
        raise UsageError(f"{name}: expected one object, the body of a request")
    return values


def secret_file(path: str, what: str) -> str:
    """The one line of a file that holds a secret; ``what`` names it in errors."""
    secret = _bytes(path, what).decode("utf-8", "backslashreplace").strip()
    if not secret or not secret.isprintable():
        raise UsageError(f"{what}: expected one line with the secret, and nothing else")
    return secret


class _Twice(Exception):
    """A key that an object has twice."""


def _bytes(file: str, name: str) -> bytes:
    from pipeline.storage.oserrors import os_errors

    with os_errors(f"read {name}"):
        if file == "-":
            data = sys.stdin.buffer.read(LARGEST + 1) if sys.stdin is not None else b""
        else:
            with Path(file).open("rb") as opened:
                data = opened.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise UsageError(f"{name}: more than {LARGEST} bytes, expected the body of a request")
    return data


def _toml(text: str) -> Any:
    import tomllib

    return tomllib.loads(text)


def _json(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_object)


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise _Twice(next(name for name in names if names.count(name) > 1))
    return found


def _fill_storage(body: dict[str, Any], storage: "StorageConfig") -> None:
    from pipeline.agora.schema.values import wire

    request = body.setdefault("clientRequest", {})
    if isinstance(request, dict):
        request["storageConfig"] = wire(storage)


def _put_all(
    body: dict[str, Any], chosen: Mapping[str, Any], places: Mapping[str, tuple[str, ...]]
) -> None:
    for name, place in places.items():
        value = chosen.get(name)
        if value is not None and value != ():
            _put(body, place, list(value) if isinstance(value, tuple) else value)


def _put(body: dict[str, Any], place: Sequence[str], value: Any) -> None:
    *way, key = place
    inner: Any = body
    for step in way:
        inner = inner.setdefault(step, {})
        if not isinstance(inner, dict):  # the file has something else here: the check reports it
            return
    inner[key] = value
