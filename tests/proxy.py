"""A proxy before a store that lets faults happen: refusals, cut bodies, slowness, wrong ETags."""

import contextlib
import http.client
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

KINDS = ("503", "cut", "slow", "etag")
HOP = {"connection", "transfer-encoding", "keep-alive", "content-length"}


@dataclass
class Faults:
    """How often something goes wrong, and what did."""

    share: float = 0.2  # of all requests
    chance: random.Random = field(default_factory=lambda: random.Random(7))
    happened: Counter[str] = field(default_factory=Counter)
    down: bool = False  # every request is refused

    def next(self, method: str) -> str:
        """What is to happen to a request."""
        if self.down:
            return "503"
        if self.chance.random() >= self.share:
            return ""
        kind = self.chance.choice(KINDS)
        if method != "GET" and kind in ("cut", "etag"):
            kind = "503"
        self.happened[kind] += 1
        return kind


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def handle_any(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        fault = self.server.faults.next(self.command)
        if fault == "503":
            self._answer(503, {}, b"<Error><Code>SlowDown</Code></Error>")
            return
        if fault == "slow":
            time.sleep(0.3)
        upstream = http.client.HTTPConnection(self.server.upstream, timeout=30)
        with contextlib.closing(upstream):
            upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                upstream.putheader(name, value)
            upstream.endheaders(body)
            answer = upstream.getresponse()
            data = answer.read()
            headers = {k: v for k, v in answer.getheaders() if k.lower() not in HOP}
            headers["Content-Length"] = answer.headers.get("Content-Length") or str(len(data))
        if fault == "etag" and "Etag" in headers:
            headers["Etag"] = '"00000000000000000000000000000000"'
        self._answer(answer.status, headers, data[: len(data) // 2] if fault == "cut" else data)
        self.close_connection |= fault == "cut"

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = handle_any

    def _answer(self, status: int, headers: dict[str, str], data: bytes) -> None:
        with contextlib.suppress(OSError):
            self.send_response_only(status)
            for name, value in {"Content-Length": str(len(data)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    faults: Faults
    upstream: str

    def handle_error(self, request: object, address: object) -> None:
        """Clients that are killed go away in the middle."""


@contextlib.contextmanager
def faulty(endpoint_url: str) -> Iterator[tuple[str, Faults]]:
    """The URL of the proxy, and what it lets happen."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.faults, server.upstream = Faults(), urlsplit(endpoint_url).netloc
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", server.faults
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
