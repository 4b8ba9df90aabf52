"""A web server on this machine that answers as a test tells it, and remembers what it was asked."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from pipeline.agora.transport import Clock

HANG_UP = None  # an answer: none at all


@dataclass(frozen=True)
class Seen:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        """Its JSON."""
        return json.loads(self.raw) if self.raw else None

    @property
    def call(self) -> str:
        """The last word of its address."""
        return self.path.rpartition("/")[2]


Reply = tuple[int, Any] | None


@dataclass
class Server:
    """Where it listens, what came, and how it answers."""

    url: str = ""
    seen: list[Seen] = field(default_factory=list)
    reply: Callable[[Seen], Reply] = lambda _: (200, {})
    headers: dict[str, str] = field(default_factory=dict)  # of every answer

    def script(self, **replies: list[Reply]) -> None:
        """Answers for each call in order; the last one again and again."""
        left = {call: list(given) for call, given in replies.items()}

        def reply(seen: Seen) -> Reply:
            given = left[seen.call]
            return given.pop(0) if len(given) > 1 else given[0]

        self.reply = reply

    @property
    def calls(self) -> list[str]:
        """The names of all calls that came."""
        return [seen.call for seen in self.seen]


@contextmanager
def listening() -> Iterator[Server]:
    """A server while it is needed."""
    server = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # an answer in one packet: two would wait for each other

        def _any(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            seen = Seen(self.command, self.path, headers, raw)
            server.seen.append(seen)
            reply = server.reply(seen)
            if reply is HANG_UP:
                self.close_connection = True
                return
            status, body = reply
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("X-Request-Id", "request-7")
            for name, value in server.headers.items():
                self.send_header(name, value)
            if 300 <= status < 400:
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = _any

        def log_message(self, *_: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            pass  # the other side hung up, as it may

    web = Quiet(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{web.server_port}"
    thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        web.shutdown()
        thread.join()
        web.server_close()


class FakeTime:
    """A clock that runs only while somebody sleeps."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.time = now
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        assert seconds >= 0
        self.time += seconds
        self.slept.append(seconds)

    @property
    def clock(self) -> Clock:
        """As the product takes it."""
        return Clock(lambda: self.time, lambda: self.time, self.sleep)
