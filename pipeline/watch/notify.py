"""Results reported to a command, a web hook, a dead man's switch.  A failure is logged, no more."""

import hashlib
import hmac
import json
import shlex
import subprocess
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from pipeline.errors import UsageError
from pipeline.watch.log import log

PATIENCE = 10.0  # seconds a web hook may take
LONGEST = 3600.0  # seconds a command may take
TRIES = 3  # requests to a web hook, while it answers 5xx or not at all
SIGNATURE = "Recpipe-Signature"  # sha256=<hex of HMAC-SHA256 over the body>


class Recipients(Struct, frozen=True):
    """Who gets results; empty is nobody."""

    after: str = ""  # command line
    notify: str = ""  # URL of the web hook
    secret: str = ""  # that it is signed with
    ping: str = ""  # URL of the dead man's switch


def command(text: str) -> list[str]:
    """A command line split as a POSIX shell would; no shell ever runs it.

    Raises ``UsageError`` for quotes that are not closed.
    """
    try:
        return shlex.split(text)
    except ValueError as error:
        raise UsageError(f"--after: {error}; check its quotes") from error


def result(told: Recipients, value: Mapping[str, Any]) -> None:
    """Report a recording that is done: as JSON to the command's stdin and to the web hook."""
    body = json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace")
    if told.after:
        _run(command(told.after), body)
    if told.notify:
        _post(told.notify, told.secret, body)


def sign(secret: str, body: bytes) -> str:
    """The signature of a body: ``sha256=`` and its HMAC-SHA256 in hex.

    A receiver compares it with its own, in constant time.
    """
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def ping(url: str | None, path: str = "") -> None:
    """Send a GET as healthchecks.io expects it: ``/start``, ``/<exit code>``, ``/fail``.  A failure
    changes nothing.
    """
    if url:
        _request("GET", url.rstrip("/") + path)


def _run(argv: list[str], body: bytes) -> None:
    try:
        done = subprocess.run(argv, input=body, capture_output=True, timeout=LONGEST, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        log.warning("the command after did not run", command=argv[0], error=type(error).__name__)
        return
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()[-200:]
        log.warning("the command after failed", command=argv[0], exit=done.returncode, said=said)


def _post(url: str, secret: str, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    if secret:
        headers[SIGNATURE] = sign(secret, body)
    for _ in range(TRIES):
        if _request("POST", url, headers=headers, content=body):
            return


def _request(method: str, url: str, **sent: Any) -> bool:
    import httpx  # here, because it takes long to import

    try:
        answer = httpx.request(method, url, timeout=PATIENCE, **sent)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        log.warning("not told", host=_host(url), error=type(error).__name__)
        return False
    if answer.is_error:
        log.warning("not told", host=_host(url), status=answer.status_code)
    return not answer.is_server_error


def _host(url: str) -> str:
    """The host of a URL: the rest may be a secret."""
    return url.partition("://")[2].partition("/")[0].rpartition("@")[2]
