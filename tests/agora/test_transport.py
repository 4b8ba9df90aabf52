"""Which hosts may be called, and answers that would never end."""

import logging
import time

import httpx
import pytest
from pydantic import SecretStr

from pipeline.agora.transport import LARGEST, Clock, NoAnswer, Transport, host_url
from pipeline.errors import UsageError
from tests.agora.server import listening


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://api.agora.io", "https://api.agora.io"),
        ("https://api.agora.io/", "https://api.agora.io"),
        ("https://proxy.example/agora/", "https://proxy.example/agora"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://localhost:1", "http://localhost:1"),
        ("http://[::1]:80", "http://[::1]:80"),
    ],
)
def test_hosts(text, url):
    assert host_url(text) == url


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("api.agora.io", "no address of a service"),
        ("", "no address of a service"),
        ("ftp://api.agora.io", "no address of a service"),
        ("https://", "no address of a service"),
        ("https://a:b", "no address of a service"),
        ("https://a\nb", "no address of a service"),
        ("http://[::1", "no address of a service"),
        ("https://me:SECRET@api.agora.io", "more than a host"),
        ("https://api.agora.io?key=SECRET", "more than a host"),
        ("http://api.agora.io", "api.agora.io would get the secret in clear"),
        ("http://127.0.0.1.example.com", "would get the secret in clear"),
    ],
)
def test_hosts_that_are_not_called(text, why):
    with pytest.raises(UsageError, match=why) as caught:
        host_url(text)
    assert "SECRET" not in str(caught.value)


def send(transport, host, patience=10.0):
    return transport.send("GET", host, "/query", None, patience=patience)


def test_an_answer_that_is_too_long():
    with listening() as server:
        server.reply = lambda _: (200, b" " * (LARGEST + 1))
        transport = Transport("c", SecretStr("s"), clock=Clock())
        with pytest.raises(NoAnswer, match="too long"):
            send(transport, server.url)
        transport.close()


class Dripping(httpx.SyncByteStream):
    """One byte after another, each of them in time."""

    def __init__(self, clock):
        self.clock = clock

    def __iter__(self):
        while True:
            self.clock.append(1.0)
            yield b" "


def test_an_answer_that_never_ends():
    passed = []
    clock = Clock(monotonic=lambda: sum(passed))
    wire = httpx.MockTransport(lambda _: httpx.Response(200, stream=Dripping(passed)))
    with pytest.raises(NoAnswer, match="too slow"):
        send(Transport("c", SecretStr("s"), clock=clock, wire=wire), "http://localhost")
    assert sum(passed) <= 20


def test_a_silent_server_is_not_waited_for():
    with listening() as server:
        server.reply = lambda _: time.sleep(1) or (200, {})
        transport = Transport("c", SecretStr("s"), clock=Clock())
        with pytest.raises(NoAnswer, match="ReadTimeout"):
            send(transport, server.url, patience=0.1)
        transport.close()


def test_log_lines_say_what_happened_and_no_more(caplog):
    caplog.set_level(logging.DEBUG, logger="pipeline")
    with listening() as server:
        transport = Transport("customer", SecretStr("SECRET"), clock=Clock())
        send(transport, server.url)
        transport.close()
        assert f"GET {server.url}: 200 after" in caplog.text
    assert "SECRET" not in caplog.text


def test_a_proxy_that_cannot_be_used(monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "nonsense://me:SECRET@x")
    with pytest.raises(UsageError, match="proxy") as caught:
        Transport("c", SecretStr("s"), clock=Clock())
    assert "SECRET" not in repr(caught.value)
