"""Notifications on their way, to a real server."""

import json
import logging
import time

import pytest
from pydantic import SecretStr

from pipeline.agora.webhook import is_genuine, parse
from pipeline.errors import UsageError
from pipeline.simulator.service import webhooks as module
from pipeline.simulator.service.webhooks import Hooks
from tests.agora.server import HANG_UP, listening

SECRET = SecretStr("hookSECRET")
NOTICE = {"noticeId": "n1", "productId": 3, "eventType": 40, "payload": {"cname": "zimní škola"}}


@pytest.fixture
def server():
    with listening() as server:
        yield server


def sent(server, count=1, **chosen):
    hooks = Hooks(f"{server.url}/agora/events", SECRET, **chosen)
    for _ in range(count):
        hooks(NOTICE)
    hooks.close()
    return server.seen


def test_signed_over_the_bytes_as_they_are_sent(server):
    (seen,) = sent(server)
    v1, v2 = seen.headers["agora-signature"], seen.headers["agora-signature-v2"]
    assert is_genuine(seen.raw, SECRET, v1=v1)
    assert is_genuine(seen.raw, SECRET, v1=v1, v2=v2)
    assert not is_genuine(seen.raw + b" ", SECRET, v1=v1, v2=v2)
    assert (seen.path, seen.headers["content-type"]) == ("/agora/events", "application/json")
    notice = parse(seen.raw)
    assert (notice.id, notice.cname) == ("n1", "zimní škola")
    assert notice.sent == pytest.approx(time.time(), abs=60)


@pytest.mark.parametrize("failure", [HANG_UP, (500, {}), (302, {}), (204, b"")])
def test_sent_again_with_the_same_id(server, monkeypatch, failure):
    monkeypatch.setattr(module, "PAUSES", (0.0, 0.01, 0.01))
    replies = [failure, failure, failure, (200, {})]
    server.reply = lambda _: replies.pop(0)
    seen = sent(server)
    assert len(seen) == 4
    assert {json.loads(one.raw)["noticeId"] for one in seen} == {"n1"}


def test_given_up_after_the_third_time(server, monkeypatch, caplog):
    monkeypatch.setattr(module, "PAUSES", (0.0, 0.01, 0.01))
    server.reply = lambda _: (503, {})
    with caplog.at_level(logging.DEBUG):
        assert len(sent(server)) == 4
    assert "notification 40: nobody took it" in caplog.text
    assert "SECRET" not in caplog.text


def test_lost_and_repeated(server):
    copies = iter([0, 2, 1])
    assert len(sent(server, 3, copies=lambda: next(copies))) == 3


@pytest.mark.parametrize("url", ["", "example", "ftp://x/", "http://"])
def test_no_address(url):
    with pytest.raises(UsageError, match="--webhook: expected an address"):
        Hooks(url, SECRET)
