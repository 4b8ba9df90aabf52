"""A server in this process, on a port of its own."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import uvicorn
from starlette.types import ASGIApp

from pipeline.web.server import listen


@contextmanager
def serving(app: ASGIApp) -> Iterator[httpx.Client]:
    """A browser of this application."""
    with listen(0) as listening:
        config = uvicorn.Config(app, log_config=None, lifespan="auto", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            base = "http://{}:{}".format(*listening.getsockname())
            with httpx.Client(base_url=base, timeout=60.0) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join(30)
