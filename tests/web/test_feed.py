"""Server-sent events."""

import asyncio
import threading
import time

import pytest

from pipeline.errors import LedgerError
from pipeline.web import feed as module
from pipeline.web.feed import Feed
from tests.ledger.sighted import enter

SOON = 20.0  # seconds


def lines(browser, count):
    """The first lines of the stream that say something."""
    found = []
    with browser.stream("GET", "/feed", timeout=SOON) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        for line in answer.iter_lines():
            found += [line] if line else []
            if len(found) == count:
                return found
    return found


def test_it_says_that_something_happened(browser, ledger):
    timer = threading.Timer(2.5, enter, (ledger, 1))
    timer.start()
    assert lines(browser, 3) == ["retry: 3000", "event: change", "data: {}"]
    timer.join()


class Ledgerless:
    """A pulse that is told what to be; None does not answer."""

    def __init__(self):
        self.value, self.looks = 0, 0

    def __call__(self):
        self.looks += 1
        if self.value is None:
            raise LedgerError("no answer")
        return self.value


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(module, "LOOK", 0.01)
    monkeypatch.setattr(module, "BEAT", 0.05)


async def until(stream, wanted):
    end = time.monotonic() + SOON
    async for text in stream:
        if wanted in text:
            return
        assert time.monotonic() < end


def test_a_sign_of_life_while_nothing_happens(quick):
    async def listen():
        stream = Feed(lambda: 0)._events()
        await until(stream, ": still here")
        await stream.aclose()

    asyncio.run(listen())


def test_one_look_for_all_and_none_when_nobody_listens(quick):
    async def listen():
        pulse = Ledgerless()
        feed = Feed(pulse)
        streams = [feed._events() for _ in range(5)]
        for stream in streams:
            await anext(stream)
        await asyncio.sleep(0.2)
        assert 0 < pulse.looks < 40
        pulse.value = None  # silence is no news
        await asyncio.sleep(0.05)
        pulse.value = 1
        for stream in streams:
            await until(stream, "event: change")
        for stream in streams:
            await stream.aclose()
        looks = pulse.looks
        await asyncio.sleep(0.1)
        assert pulse.looks <= looks + 1

    asyncio.run(listen())


def test_a_server_that_stops_ends_every_stream(quick):
    async def listen():
        stopped = []
        stream = Feed(lambda: 0, lambda: bool(stopped))._events()
        await anext(stream)
        stopped.append(True)
        assert [text async for text in stream] == []

    asyncio.run(listen())


def test_only_so_many_may_listen(browser, monkeypatch):
    monkeypatch.setattr(module, "MOST", 0)
    answer = browser.get("/feed")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")
