"""``POST /agora/events``: a notification of Agora, answered once it is in the ledger.

The signature is checked over the bytes as they came, before anything reads them.  Who forges is
never slowed down together with Agora: both may come through the same proxy.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping

from pydantic import SecretStr
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from pipeline.agora import webhook
from pipeline.errors import BusyError, NoticeError, RecpipeError
from pipeline.ledger.notices import KEPT, kept
from pipeline.web.inbox import Inbox

PATH = "/agora/events"
SENDING = 10.0  # seconds a sender may take
PATIENCE = 5.0  # seconds until it is told to send again; Agora waits for 10
RESULTS = (
    *("new", "duplicate", "ignored", "stale"),  # answered with 200
    *("forged", "invalid", "too_large", "broken", "refused"),
)


class Receiver:
    """Answers notifications; ``counts`` says what became of them."""

    def __init__(
        self, inbox: Inbox, secret: SecretStr, *, now: Callable[[], float] = time.time
    ) -> None:
        self._inbox, self._secret, self._now = inbox, secret, now
        self.counts: Counter[str] = Counter(dict.fromkeys(RESULTS, 0))

    async def receive(self, request: Request) -> Response:
        """200 for what is signed, also if it came before or is about something else."""
        if not self._secret.get_secret_value():
            return _error(503, "no secret is set; set RECPIPE_WEBHOOK_SECRET")
        try:
            raw = await asyncio.wait_for(_body(request), SENDING)
        except (ClientDisconnect, TimeoutError):
            return self._refused("broken", 408, "the body did not come")
        if raw is None:
            return self._refused("too_large", 413, f"expected at most {webhook.LARGEST} bytes")
        if not self._genuine(raw, request.headers):
            return self._refused("forged", 401, "not signed with the secret of this server")
        return await self._taken(raw)

    def _genuine(self, raw: bytes, headers: Mapping[str, str]) -> bool:
        v1, v2 = headers.get(webhook.SIGNATURE_V1), headers.get(webhook.SIGNATURE_V2)
        return webhook.is_genuine(raw, self._secret, v1=v1, v2=v2)

    async def _taken(self, raw: bytes) -> Response:
        try:
            result = await self._result(raw)
        except NoticeError as error:
            return self._refused("invalid", 400, str(error))
        except BusyError as error:
            return self._refused("refused", 503, str(error))
        except (RecpipeError, TimeoutError):
            return self._refused("refused", 503, "the ledger does not answer; send it again later")
        self.counts[result] += 1
        return JSONResponse({"ok": True})

    async def _result(self, raw: bytes) -> str:
        notice = webhook.parse(raw)
        if notice.product != webhook.CLOUD_RECORDING:
            return "ignored"
        if notice.sent is not None and notice.sent < self._now() - KEPT:
            return "stale"  # replayed: whether it came before is not known any more
        future = self._inbox.put(kept(notice, raw))
        news = await asyncio.wait_for(asyncio.wrap_future(future), PATIENCE)
        return "new" if news else "duplicate"

    def _refused(self, result: str, status: int, why: str) -> Response:
        self.counts[result] += 1
        return _error(status, why)


async def _body(request: Request) -> bytes | None:
    """The bytes as they come; None if they are too many."""
    length = request.headers.get("content-length", "")
    if length.isdigit() and (len(length) > 12 or int(length) > webhook.LARGEST):
        return None
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > webhook.LARGEST:
            return None
    return bytes(raw)


def _error(status: int, why: str) -> Response:
    headers = {"Retry-After": "5"} if status == 503 else None
    return JSONResponse({"error": why}, status, headers=headers)
