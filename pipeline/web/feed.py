"""Server-sent events: that something happened, to every page that is open.

One look at the ledger each second, however many pages there are.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from pipeline.errors import RecpipeError

LOOK = 1.0  # seconds between two looks
BEAT = 15.0  # seconds between two signs of life, so that no proxy ends the connection
MOST = 200  # open at once


class Feed:
    """``pulse`` gives another value whenever something happened; ``stopping`` ends all streams."""

    def __init__(
        self, pulse: Callable[[], object], stopping: Callable[[], bool] = lambda: False
    ) -> None:
        self._pulse, self._stopping = pulse, stopping
        self._listeners: set[asyncio.Event] = set()
        self._looking: asyncio.Task[None] | None = None

    async def answer(self, _: Request) -> Response:
        """A stream, for as long as somebody listens."""
        if len(self._listeners) >= MOST:
            return PlainTextResponse("too many pages are open", 503, headers={"Retry-After": "60"})
        headers = {"X-Accel-Buffering": "no"}  # nginx would hold events back
        return StreamingResponse(self._events(), media_type="text/event-stream", headers=headers)

    async def _events(self) -> AsyncIterator[str]:
        happened = asyncio.Event()
        self._listeners.add(happened)
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
        try:
            yield "retry: 3000\n\n"
            quiet = 0.0
            while not self._stopping():
                try:
                    await asyncio.wait_for(happened.wait(), LOOK)
                except TimeoutError:
                    quiet += LOOK
                if happened.is_set():
                    happened.clear()
                    yield "event: change\ndata: {}\n\n"
                elif quiet >= BEAT:
                    quiet = 0.0
                    yield ": still here\n\n"
        finally:
            self._left(happened)

    def _left(self, listener: asyncio.Event) -> None:
        """The last one ends the looking."""
        self._listeners.discard(listener)
        if not self._listeners and self._looking is not None:
            self._looking.cancel()
            self._looking = None

    async def _look(self) -> None:
        before: Any = None
        while True:
            try:
                now = await run_in_threadpool(self._pulse)
            except RecpipeError:  # a page that asks is told
                now = before
            if before is not None and now != before:
                for listener in self._listeners:
                    listener.set()
            before = now
            await asyncio.sleep(LOOK)
