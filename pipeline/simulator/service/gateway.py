"""The gateway of Agora's service: paths, credentials, the rate of requests, bodies.

A request that is not as documented is refused here, with the status and code that Agora's page on
status codes has for it; the service does not see it.
"""

import base64
import binascii
import hmac
import json
import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr

from pipeline.agora.schema.canvas import RATES
from pipeline.agora.schema.requests import (
    MODES,
    AcquireRequest,
    LayoutRequest,
    Mode,
    Request,
    StartRequest,
    StopRequest,
    UpdateRequest,
    refuse_unfit,
)
from pipeline.agora.schema.values import parse
from pipeline.agora.statuses import Endpoint
from pipeline.errors import UsageError

MOST_REQUESTS = 10  # a second, for one App ID
LARGEST = 1 << 20  # bytes of a body
FPS = 15  # takes effect for a rate that is none of the documented ones

_PATH = re.compile(
    r"/v1/apps/(?P<app>[^/]+)/cloud_recording/"
    r"(?:acquire|resourceid/(?P<resource>[^/]+)(?:/sid/(?P<sid>[^/]+))?"
    r"/mode/(?P<mode>[^/]+)/(?P<verb>[A-Za-z]+))"
)
_METHODS: Mapping[str, Endpoint] = {
    "acquire": "acquire",
    "start": "start",
    "query": "query",
    "update": "update",
    "updateLayout": "updateLayout",
    "stop": "stop",
}
_BODIES: Mapping[Endpoint, type[Request]] = {
    "start": StartRequest,
    "update": UpdateRequest,
    "updateLayout": LayoutRequest,
    "stop": StopRequest,
}
ADDRESSES = ("/v1/ncs/ip", "/v2/ncs/ip")  # where notifications come from
_SCENES: Mapping[int | None, Mode] = {1: "web", 2: "individual"}


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One HTTP request; names of headers are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes = b""


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered."""

    status: int  # of HTTP
    body: Mapping[str, Any] | str
    delay: float = 0.0  # seconds before it is sent
    broken: bool = False  # the connection fails in the middle of it


class Refused(Exception):
    """A request that is refused, with the ``reply`` to it."""

    def __init__(self, status: int, code: int | None, reason: str) -> None:
        super().__init__(reason)
        body = {"message": reason} if code is None else {"code": code, "reason": reason}
        self.reply = Reply(status, body)


@dataclass(frozen=True, slots=True)
class Customer:
    """The one customer, with one project."""

    app_id: str
    customer_id: str
    secret: SecretStr = field(repr=False)


@dataclass(frozen=True, slots=True)
class CallTarget:
    """What a path names."""

    endpoint: Endpoint
    app_id: str
    resource: str = ""
    sid: str = ""
    mode: str = "mix"


def route(method: str, path: str) -> CallTarget:
    """The call of a method and path (case matters).  Raises ``Refused`` if there is none."""
    found = _PATH.fullmatch(path)
    endpoint = _METHODS.get(found["verb"] or "acquire") if found else None
    if (
        found is None
        or endpoint is None
        or method != ("GET" if endpoint == "query" else "POST")
        or (endpoint in ("acquire", "start")) != (found["sid"] is None)
        or (endpoint == "updateLayout" and found["mode"] != "mix")
    ):
        raise Refused(404, None, "no Route matched with those values")
    return CallTarget(
        endpoint, found["app"], found["resource"] or "", found["sid"] or "", found["mode"] or "mix"
    )


def admit(account: Customer, target: CallTarget, headers: Mapping[str, str]) -> None:
    """Raise ``Refused`` for the wrong customer, project or Content-Type.

    Names of ``headers`` are in lower case.
    """
    admit_customer(account, headers)
    if target.app_id != account.app_id:
        if target.endpoint == "acquire":
            raise Refused(400, 400, "invalid_appid")
        raise Refused(400, None, "invalid appid")
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if target.endpoint != "query" and kind != "application/json":
        raise Refused(400, 8, "expected Content-Type: application/json;charset=utf-8")


def admit_customer(account: Customer, headers: Mapping[str, str]) -> None:
    """Raise ``Refused`` for other credentials (HTTP Basic); compared in constant time."""
    given = headers.get("authorization")
    if given is None:
        raise Refused(401, None, "Unauthorized")
    known = f"{account.customer_id}:{account.secret.get_secret_value()}"
    scheme, _, token = given.partition(" ")
    try:
        said = base64.b64decode(token, validate=True)
    except (binascii.Error, ValueError):
        said = b""
    if not hmac.compare_digest(said, known.encode()) or scheme.lower() != "basic":
        raise Refused(401, None, "Invalid authentication credentials")


@dataclass(slots=True)
class Rate:
    """How many requests came within the last second."""

    most: int = MOST_REQUESTS
    _times: deque[float] = field(default_factory=deque)

    def admit(self, now: float) -> None:
        """Raise ``Refused`` if there are too many; those do not count.  ``now`` in seconds."""
        while self._times and now - self._times[0] >= 1.0:
            self._times.popleft()
        if len(self._times) >= self.most:
            raise Refused(429, None, "API rate limit exceeded")
        self._times.append(now)


def body_of(target: CallTarget, raw: bytes) -> Request | None:
    """The checked body; None for query, which has none.  Raises ``Refused`` for a wrong one."""
    if target.endpoint == "query":
        return None
    values = _json(raw)
    if target.mode not in MODES:
        raise Refused(400, 2, f"mode {target.mode!r}, expected mix, individual, raw or web")
    if target.endpoint == "acquire":
        return _acquire(values)
    code = 1028 if target.endpoint == "updateLayout" else 2
    try:
        request = parse(_BODIES[target.endpoint], _as_taken(values))
        refuse_unfit(request, target.mode)
    except UsageError as error:
        raise Refused(400, code, str(error)) from None
    return request


def parameters(raw: bytes) -> dict[str, Any]:
    """``clientRequest`` as it came: errors in startParameter fail start, not acquire.

    Raises ``Refused`` for a body that is not a JSON object.
    """
    inner = _json(raw).get("clientRequest")
    return inner if isinstance(inner, dict) else {}


def _acquire(values: dict[str, Any]) -> AcquireRequest:
    inner = values.get("clientRequest")
    if isinstance(inner, dict):
        inner = {key: value for key, value in inner.items() if key != "startParameter"}
        values = {**values, "clientRequest": inner}
    try:
        request = parse(AcquireRequest, values)
    except UsageError as error:
        raise Refused(400, 2, str(error)) from None
    try:
        refuse_unfit(request, _SCENES.get(request.client_request.scene, "mix"))
    except UsageError as error:
        if str(error).startswith("cname"):
            raise Refused(400, 401, f"invalid_channel_name: {error}") from None
        raise Refused(400, 2, str(error)) from None
    return request


def _as_taken(values: dict[str, Any]) -> dict[str, Any]:
    """The body with the frame rate that takes effect: the service does not refuse another one."""
    inner: Any = values
    for key in ("clientRequest", "recordingConfig", "transcodingConfig"):
        inner = inner.get(key) if isinstance(inner, dict) else None
    if isinstance(inner, dict) and type(inner.get("fps")) is int and inner["fps"] not in RATES:
        inner["fps"] = FPS
    return values


def _json(raw: bytes) -> dict[str, Any]:
    try:
        values = json.loads(raw)
    except (ValueError, RecursionError):
        raise Refused(400, 8, "the body is not JSON") from None
    if not isinstance(values, dict):
        raise Refused(400, 2, "the body is no JSON object")
    return values
