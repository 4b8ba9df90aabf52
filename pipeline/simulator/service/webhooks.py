"""Notifications sent to a web hook: signed, and repeated unless they are answered with 200."""

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
from pydantic import SecretStr

from pipeline.agora.transport import user_agent
from pipeline.agora.webhook import signatures
from pipeline.errors import UsageError
from pipeline.simulator.service.notifications import milliseconds

log = logging.getLogger(__name__)

ANSWER = 10.0  # seconds in which the receiver has to answer
PAUSES = (0.0, 2.0, 6.0)  # seconds before each repetition
AT_ONCE = 4  # so that they may overtake each other, as Agora's do


class Hooks:
    """Sends notifications to one URL; ``copies`` says how often: once, not at all, or twice.

    Raises ``UsageError`` for what is no URL.  A notification that nobody takes is logged.
    """

    def __init__(
        self, url: str, secret: SecretStr, *, copies: Callable[[], int] = lambda: 1
    ) -> None:
        self._url = _address(url)
        self._secret = secret
        self._copies = copies
        self._closing = threading.Event()
        self._client = httpx.Client(timeout=ANSWER, headers={"User-Agent": user_agent()})
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="webhook")

    def __call__(self, notice: Mapping[str, Any]) -> None:
        """Send a notification in the background."""
        for _ in range(self._copies()):
            self._pool.submit(self._deliver, notice)

    def close(self) -> None:
        """Send what is left, without pauses between repetitions, and close the connections."""
        self._closing.set()
        self._pool.shutdown()
        self._client.close()

    def _deliver(self, notice: Mapping[str, Any]) -> None:
        for pause in (0.0, *PAUSES):
            self._closing.wait(pause)
            if self._send({**notice, "notifyMs": milliseconds(time.time())}):
                return
        log.warning("notification %s: nobody took it", notice["eventType"])

    def _send(self, notice: Mapping[str, Any]) -> bool:
        raw = json.dumps(notice, ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json", **signatures(raw, self._secret)}
        try:
            status = self._client.post(self._url, content=raw, headers=headers).status_code
        except (httpx.HTTPError, httpx.StreamError) as error:
            log.debug("notification: %s", type(error).__name__)
            return False
        return status == 200


def _address(url: str) -> str:
    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL:
        parts = httpx.URL("")
    if parts.scheme not in ("http", "https") or not parts.host:
        raise UsageError("--webhook: expected an address that begins with https:// or http://")
    return url
