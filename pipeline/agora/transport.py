"""One request to Agora and its answer, whichever host gives it.  The only module of the room that
imports httpx.

Whatever a server, or a machine that pretends to be one, sends back: an answer has at most
:data:`LARGEST` bytes and arrives in time, and no redirect is followed with the credentials.
"""

import ipaddress
import json
import logging
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import httpx
from msgspec import Struct
from pydantic import SecretStr

from pipeline.agora.calls import CONTENT_TYPE
from pipeline.errors import UsageError
from pipeline.version import VERSION

log = logging.getLogger(__name__)

DEFAULT_HOSTS = ("https://api.agora.io", "https://api.sd-rtn.com")
Wire: TypeAlias = httpx.BaseTransport  # what carries the bytes; tests have their own
LARGEST = 4 << 20  # bytes of an answer
CONNECT = 5.0  # seconds
READ = 10.0  # seconds


class Clock(Struct, frozen=True):
    """The time, and waiting: seconds since 1970, seconds of a monotonic clock, a sleep."""

    now: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


class Answer(Struct, frozen=True):
    """Any answer; ``body`` is empty if it is no JSON object."""

    host: str
    status: int  # of HTTP
    body: Mapping[str, Any]
    request_id: str | None  # x-request-id
    is_json: bool
    not_before: float = 0.0  # seconds to wait before the next request (Retry-After)


class NoAnswer(Exception):
    """The host could not be reached, or its answer was incomplete, too long or too late."""


class Transport:
    """Connections to Agora with the credentials of a customer (HTTP Basic).

    Raises ``UsageError`` for a proxy in the environment that cannot be used.
    """

    def __init__(
        self,
        customer_id: str,
        customer_secret: SecretStr,
        *,
        clock: Clock,
        wire: Wire | None = None,
    ) -> None:
        self._clock = clock
        try:
            self._client = httpx.Client(
                auth=httpx.BasicAuth(customer_id, customer_secret.get_secret_value()),
                headers={"User-Agent": user_agent(), "Accept": "application/json"},
                follow_redirects=False,
                transport=wire,
            )
        except (ImportError, ValueError, httpx.InvalidURL):  # not quoted: may hold a password
            raise UsageError(
                "the proxy in HTTPS_PROXY or ALL_PROXY cannot be used; expected an address such as http://proxy.example:3128"
            ) from None

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def send(
        self, method: str, host: str, path: str, body: bytes | None, *, patience: float = READ
    ) -> Answer:
        """Send one request, once.  Raises ``NoAnswer`` if no whole answer comes in time.

        ``patience`` is the time for the answer, in seconds.
        """
        begin = self._clock.monotonic()
        headers = {"Content-Type": CONTENT_TYPE}
        timeout = httpx.Timeout(patience, connect=CONNECT)
        try:
            with self._client.stream(
                method, host + path, content=body, headers=headers, timeout=timeout
            ) as response:
                content = self._read(response, begin + patience + CONNECT)
        except (httpx.TransportError, httpx.DecodingError) as error:
            kind = type(error).__name__
            log.debug("%s %s: %s", method, host, kind)
            raise NoAnswer(kind) from error
        spent = self._clock.monotonic() - begin
        log.debug("%s %s: %d after %.2f s", method, host, response.status_code, spent)
        parsed = _json_object(content)
        identifier = response.headers.get("x-request-id")
        wait = _retry_after(response.headers.get("retry-after", ""), self._clock.now())
        status, is_json = response.status_code, parsed is not None
        return Answer(host, status, parsed or {}, identifier, is_json, wait)

    def _read(self, response: httpx.Response, deadline: float) -> bytes:
        content = bytearray()
        for chunk in response.iter_bytes():
            content += chunk
            if len(content) > LARGEST:
                raise NoAnswer("answer too long")
            if self._clock.monotonic() > deadline:  # byte by byte, each of them in time
                raise NoAnswer("answer too slow")
        return bytes(content)


def host_url(text: str) -> str:
    """A URL to call, without a slash at its end.

    Raises ``UsageError`` for a URL that may not be called: the credentials go with every call, so
    without encryption only this machine itself may be.
    """
    try:
        parts = urlsplit(text)
        local = parts.hostname is not None and _is_loopback(parts.hostname)
        port = parts.port
        httpx.URL(text)
    except (ValueError, httpx.InvalidURL):
        parts, local, port = urlsplit(""), False, None
    wanted = "expected https://host, or http:// for this machine itself"
    if parts.scheme not in ("http", "https") or not parts.hostname or not text.isprintable():
        raise UsageError(f"--api-url: no address of a service; {wanted}")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise UsageError(f"--api-url: holds more than a host and a path; {wanted}")
    if parts.scheme == "http" and not local:
        raise UsageError(f"--api-url: {parts.hostname} would get the secret in clear; {wanted}")
    name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    at = f":{port}" if port else ""
    return f"{parts.scheme}://{name}{at}{parts.path.rstrip('/')}"


def user_agent() -> str:
    """The User-Agent of every request of ours."""
    return f"recpipe/{VERSION}"


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _retry_after(value: str, now: float) -> float:
    """RFC 9110 section 10.2.3: seconds, or a date; 0 for anything else."""
    try:
        if value.isascii() and value.isdecimal():
            return float(value)
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, OverflowError):
        return 0.0


def _json_object(content: bytes) -> dict[str, Any] | None:
    try:
        parsed = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None
