"""What stands before every answer: security headers, names of hosts, users, and how often.

A page of this machine can be reached by any web page that its browser opens: the name of the host
is checked (DNS rebinding), nothing may be framed, and no script but our own runs.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping

from msgspec import Struct
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HERE = ("localhost", "127.0.0.1", "[::1]")  # names that cannot be anybody else's
MACHINES = ("/agora/events", "/healthz", "/readyz")  # signed, or of no interest
SCRAPED = "/metrics"
RATE = 20.0  # requests of one user in a second, on average
BURST = 100
MOST_USERS = 10_000  # that are remembered

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            *(f"{kind}-src 'self'" for kind in ("script", "style", "img", "connect")),
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Rules(Struct, frozen=True):
    """Who may ask, and how often."""

    hosts: Collection[str] = ()  # besides those of this machine, without a port
    user_header: str = ""  # in which a proxy tells who asks; empty: there is none
    rate: float = RATE
    burst: int = BURST


class Buckets:
    """How much each user may still ask: so much at once, and so much more each second."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float]) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, user: str) -> bool:
        """Whether he may ask once more."""
        now = self._clock()
        left, at = self._left.pop(user, (float(self._burst), now))
        left = min(self._burst, left + (now - at) * self._rate)
        allowed = left >= 1
        self._left[user] = (left - allowed, now)
        if len(self._left) > MOST_USERS:
            self._left.popitem(last=False)
        return allowed


class Guard:
    """The application behind it only sees what may be asked; every answer gets the headers."""

    def __init__(
        self, app: ASGIApp, rules: Rules, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._app, self._rules = app, rules
        self._buckets = Buckets(rules.rate, rules.burst, clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await (self._refusal(scope) or self._app)(scope, receive, guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        path = scope["path"]
        if path in MACHINES:
            return None
        headers = Headers(scope=scope)
        if _host(headers.get("host", "")) not in {*HERE, *self._rules.hosts}:
            return PlainTextResponse("unknown host; recpipe serve --allow-host NAME allows it", 421)
        user = headers.get(self._rules.user_header, "") if self._rules.user_header else ""
        if self._rules.user_header and not user and path != SCRAPED:
            return PlainTextResponse("the proxy did not say who you are", 401)
        scope.setdefault("state", {})["user"] = user
        if not self._buckets.take(user or (scope["client"] or ("",))[0]):
            return PlainTextResponse("too many requests", 429, headers={"Retry-After": "1"})
        return None


def _host(header: str) -> str:
    """The name in a Host header, without the port."""
    name, colon, port = header.rpartition(":")
    return (name if colon and port.isdigit() else header).lower()
