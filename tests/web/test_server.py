"""Where it listens, and how it ends."""

import asyncio
import os
import signal
import socket
import threading
import time

import httpx
import pytest
from pydantic import SecretStr

from pipeline.errors import RecpipeError
from pipeline.jobs import many
from pipeline.web import server
from pipeline.web.server import Served, listen
from tests.web.sender import SECRET

SOON = 30.0  # seconds


def test_on_this_machine_alone_and_without_waiting_for_acknowledgements():
    with listen(0) as listening:
        host, port = listening.getsockname()
        assert host == "127.0.0.1"
        assert listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        with pytest.raises(RecpipeError, match=f"listen on port {port}"):
            listen(port)


@pytest.fixture
def heard():
    """Ctrl-C is heard, also where whoever started the tests ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heard")
def test_a_signal_ends_it_at_once_also_while_a_page_is_open(ledger):
    """Streams would go on for ever; none of them is waited for."""
    ended, served = [], Served(ledger, SecretStr(SECRET), many.opener(None))
    with listen(0) as listening:
        address = "http://{}:{}".format(*listening.getsockname())

        def watch() -> None:
            with httpx.stream("GET", f"{address}/feed", timeout=SOON) as answer:
                lines = answer.iter_lines()
                assert next(lines) == "retry: 3000"
                os.kill(os.getpid(), signal.SIGINT)
                begin = time.monotonic()
                ended.extend(lines)
                ended.append(time.monotonic() - begin)

        page = threading.Thread(target=watch)
        page.start()
        with pytest.raises(KeyboardInterrupt):
            server.serve(served, listening)
        page.join(SOON)
    assert ended
    assert ended[-1] < 4.5  # seconds; it would be cut off after 5


def test_what_was_taken_is_written_before_it_ends(ledger):
    app = server.application(Served(ledger, SecretStr(SECRET), many.opener(None)))

    async def live() -> None:
        async with app.router.lifespan_context(app):
            pass

    asyncio.run(live())
    assert not [thread for thread in threading.enumerate() if thread.name == "inbox"]
