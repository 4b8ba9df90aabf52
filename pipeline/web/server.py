"""The server: which address is answered by what, and the socket it listens on."""

import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from functools import partial

import uvicorn
from msgspec import Struct
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline.jobs.output.destinations import Opener
from pipeline.ledger import browsing
from pipeline.ledger.ledger import Ledger
from pipeline.storage.oserrors import os_errors
from pipeline.web import events
from pipeline.web.feed import Feed
from pipeline.web.guard import SCRAPED, Guard, Rules
from pipeline.web.health import Health
from pipeline.web.inbox import inbox
from pipeline.web.metrics import TYPE, Metrics
from pipeline.web.pages import Pages

HERE = "127.0.0.1"
KEEP_ALIVE = 75  # seconds a connection without a request lasts; Agora asks for 10 at least
MOST_AT_ONCE = 512  # connections; more are told to come again


class Served(Struct, frozen=True, eq=False):
    """What is served, and to whom."""

    ledger: Ledger
    secret: SecretStr
    opened: Opener  # of receipts
    rules: Rules = Rules()


def application(served: Served, *, stopping: Callable[[], bool] = lambda: False) -> Starlette:
    """All of it as an ASGI application; ``stopping`` ends what would never end by itself."""
    letters = inbox(served.ledger)
    receiver = events.Receiver(letters, served.secret)
    health, metrics = Health(served.ledger, letters), Metrics(served.ledger, receiver.counts)

    pages = Pages(served.ledger, served.opened)
    feed = Feed(partial(browsing.pulse, served.ledger), stopping)

    async def scraped(_: Request) -> Response:
        text = await run_in_threadpool(metrics.text)
        return Response(text, headers={"Content-Type": TYPE})

    @contextlib.asynccontextmanager
    async def running(_: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await run_in_threadpool(letters.close)

    return Starlette(
        routes=[
            Route(events.PATH, receiver.receive, methods=["POST"]),
            Route("/healthz", health.alive),
            Route("/readyz", health.ready),
            Route(SCRAPED, scraped),
            Route("/feed", feed.answer),
            *pages.routes,
        ],
        exception_handlers={404: pages.missing},
        middleware=[Middleware(Guard, served.rules)],
        lifespan=running,
    )


def listen(port: int) -> socket.socket:
    """A port of this machine that nobody else on the network can reach; 0 is any that is free."""
    with os_errors(f"listen on port {port}"):
        listening = socket.create_server((HERE, port), backlog=MOST_AT_ONCE)
        # inherited by every connection: the two packets of an answer do not wait for each other
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listening.setblocking(False)
    return listening


def serve(served: Served, listening: socket.socket) -> None:
    """Answer until the process is told to end; what was taken is written first."""
    server: uvicorn.Server | None = None

    def stopping() -> bool:
        return server is not None and server.should_exit

    config = uvicorn.Config(
        application(served, stopping=stopping),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # whoever asks could say that he is somebody else
        lifespan="on",
        limit_concurrency=MOST_AT_ONCE,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)
    server.run(sockets=[listening])
