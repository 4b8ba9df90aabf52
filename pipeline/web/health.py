"""``/healthz``: this process answers.  ``/readyz``: it can do what it is there for."""

import asyncio

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from pipeline.errors import RecpipeError
from pipeline.ledger.ledger import Ledger
from pipeline.web.inbox import Inbox

PATIENCE = 3.0  # seconds in which the ledger has to answer


class Health:
    """Answers both."""

    def __init__(self, ledger: Ledger, inbox: Inbox) -> None:
        self._ledger, self._inbox = ledger, inbox

    async def alive(self, _: Request) -> Response:
        """200 as long as it runs."""
        return JSONResponse({"ok": True})

    async def ready(self, _: Request) -> Response:
        """200 if the ledger answers and notifications can be written; else 503 and why not."""
        why = await self._why_not()
        return JSONResponse({"ok": not why, **({"error": why} if why else {})}, 503 if why else 200)

    async def _why_not(self) -> str:
        if not self._inbox.works:
            return "notifications are not written any more; restart it"
        try:
            await asyncio.wait_for(run_in_threadpool(self._ledger.time), PATIENCE)
        except (RecpipeError, TimeoutError):
            return "the ledger does not answer"
        return ""
