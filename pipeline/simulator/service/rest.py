"""The stand-in on the network: the only module that imports Starlette and uvicorn."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeAlias

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from pipeline.simulator.service.gateway import LARGEST, HttpRequest, Reply
from pipeline.simulator.service.service import Service
from pipeline.storage.oserrors import os_errors

HERE = "127.0.0.1"
TICK = 0.1  # seconds
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]

Pause: TypeAlias = Callable[[float], Awaitable[None]]


class Broken(Response):
    """A connection that fails in the middle of an answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Announce more bytes than are sent."""
        headers = [(b"content-length", b"100")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"{", "more_body": True})


def application(service: Service, *, pause: Pause = asyncio.sleep) -> Starlette:
    """The service as an ASGI application; ``pause`` waits so many seconds."""

    async def every(request: Request) -> Response:
        raw = bytearray()
        try:
            async for chunk in request.stream():
                raw += chunk
                if len(raw) > LARGEST:
                    return PlainTextResponse("Payload Too Large", 413)
        except ClientDisconnect:
            return Response(status_code=400)
        asked = HttpRequest(request.method, request.url.path, dict(request.headers), bytes(raw))
        reply = await run_in_threadpool(service.answer, asked)
        if reply.delay:
            await pause(reply.delay)
            await run_in_threadpool(service.tick)
        return _response(reply)

    @contextlib.asynccontextmanager
    async def ticking(_: Starlette) -> AsyncIterator[None]:
        ticks = asyncio.create_task(_tick(service))
        try:
            yield
        finally:
            ticks.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await ticks
            await run_in_threadpool(service.close)

    return Starlette(routes=[Route("/{path:path}", every, methods=METHODS)], lifespan=ticking)


def listen(port: int) -> socket.socket:
    """A port of this machine that no other one can reach; 0 is any free one.

    Raises the errors of ``os_errors`` if the port is taken or not allowed.
    """
    with os_errors(f"listen on port {port}"):
        listening = socket.create_server((HERE, port))
        listening.setblocking(False)
    return listening


def serve(service: Service, listening: socket.socket) -> None:
    """Answer requests until the process gets a signal; then all recordings are stopped."""
    config = uvicorn.Config(
        application(service), log_config=None, access_log=False, server_header=False, lifespan="on"
    )
    uvicorn.Server(config).run(sockets=[listening])


async def _tick(service: Service) -> None:
    while True:
        await asyncio.sleep(TICK)
        await run_in_threadpool(service.tick)


def _response(reply: Reply) -> Response:
    if reply.broken:
        return Broken()
    if isinstance(reply.body, str):
        return Response(reply.body, reply.status, media_type="text/html")
    return JSONResponse(dict(reply.body), reply.status)
