"""What stands before every answer."""

from contextlib import ExitStack

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from pipeline.web.guard import MACHINES, MOST_USERS, Buckets, Guard, Rules
from tests.web.serving import serving


async def page(request):
    return PlainTextResponse(request.scope.get("state", {}).get("user", "nobody"))


class Clock:
    """Stands still."""

    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def client():
    """Makes a browser of a guarded page."""
    with ExitStack() as stack:
        yield lambda *chosen: stack.enter_context(serving(guarded(*chosen)))


def guarded(rules=None, clock=None):
    paths = ("/", "/metrics", *MACHINES)
    app = Starlette(routes=[Route(path, page, methods=["GET", "POST"]) for path in paths])
    return Guard(app, rules or Rules(), clock=clock or Clock())


@pytest.mark.parametrize("path", ["/", "/nowhere", "/healthz"])
def test_every_answer_has_the_headers(client, path):
    headers = client().get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert headers["cross-origin-opener-policy"] == "same-origin"


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("localhost", 200),
        ("LOCALHOST:8020", 200),
        ("127.0.0.1:99", 200),
        ("[::1]:8020", 200),
        ("[::1]", 200),
        ("rec.example.com", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1@evil.example", 421),
        ("", 421),
    ],
)
def test_only_known_hosts_are_answered(client, host, code):
    """A web page may make its own name mean this machine."""
    asked = client(Rules(("rec.example.com",)))
    assert asked.get("/", headers={"Host": host}).status_code == code
    assert asked.post("/agora/events", headers={"Host": host}).status_code == 200  # is signed


def test_behind_a_proxy_nobody_is_answered_who_is_not_named(client):
    asked = client(Rules(user_header="X-Forwarded-User"))
    assert asked.get("/").status_code == 401
    assert asked.get("/", headers={"X-Forwarded-User": "ann"}).text == "ann"
    for path in ("/metrics", *MACHINES):
        assert asked.get(path).status_code == 200


def test_without_a_proxy_the_header_says_nothing(client):
    assert client().get("/", headers={"X-Forwarded-User": "ann"}).text == ""


def test_a_user_may_ask_so_often_and_others_are_no_matter(client):
    clock = Clock()
    asked = client(Rules(user_header="X-User", rate=2.0, burst=3), clock)

    def codes(user, count):
        return [asked.get("/", headers={"X-User": user}).status_code for _ in range(count)]

    assert codes("ann", 4) == [200, 200, 200, 429]
    assert codes("bob", 1) == [200]
    clock.now += 0.5
    assert codes("ann", 2) == [200, 429]
    assert [asked.post("/agora/events").status_code for _ in range(9)] == [200] * 9


def test_only_so_many_users_are_remembered():
    buckets = Buckets(1.0, 1, Clock())
    for n in range(MOST_USERS + 5):
        assert buckets.take(f"user{n}")
    assert len(buckets._left) == MOST_USERS
    assert not buckets.take(f"user{MOST_USERS}")
