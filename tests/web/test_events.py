"""``POST /agora/events``."""

import gzip
import json
import time

import pytest

from pipeline.agora import webhook
from pipeline.errors import LedgerError
from pipeline.ledger import notices
from pipeline.web import events
from pipeline.web.inbox import Inbox
from tests.web.sender import SID, headers, notice


def post(browser, raw, given=None):
    return browser.post("/agora/events", content=raw, headers=given or headers(raw))


def told(ledger):
    with ledger.reading() as connection:
        return [one.id for one in notices.told(connection, SID)]


def test_a_signed_one_is_in_the_ledger_when_it_is_answered(browser, ledger):
    answer = post(browser, notice(31))
    assert (answer.status_code, answer.json()) == (200, {"ok": True})
    assert answer.headers["content-type"] == "application/json"
    assert told(ledger) == ["notice-31-0"]


def test_sent_again_it_is_taken_again_and_kept_once(browser, ledger):
    again = json.loads(notice(31)) | {"notifyMs": round(time.time() * 1000)}  # as Agora does
    for raw in (notice(31), notice(31), json.dumps(again).encode()):
        assert post(browser, raw).status_code == 200
    assert told(ledger) == ["notice-31-0"]


RAW = notice(31)
RIGHT = headers(RAW)
V1, V2 = webhook.SIGNATURE_V1, webhook.SIGNATURE_V2


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({}, id="none"),
        pytest.param({V1: "", V2: ""}, id="empty"),
        pytest.param(headers(RAW, "another"), id="another secret"),
        pytest.param(headers(RAW + b" "), id="of other bytes"),
        pytest.param({V1: RIGHT[V1], V2: "0" * 64}, id="the weaker one alone is right"),
        pytest.param({V1: "0" * 40, V2: RIGHT[V2]}, id="the stronger one alone is right"),
        pytest.param({V2: RIGHT[V1]}, id="mixed up"),
    ],
)
def test_no_forged_one_is_taken(browser, ledger, given):
    answer = post(browser, RAW, {"Content-Type": "application/json", **given})
    assert (answer.status_code, list(answer.json())) == (401, ["error"])
    assert told(ledger) == []


def test_it_is_checked_before_it_is_read(browser):
    assert post(browser, b"no JSON", headers(b"another")).status_code == 401
    assert post(browser, b"no JSON").status_code == 400


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b'"x"',
        b"{}",
        b"\xff\xfe",
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(notice(31, id="a b"), id="a bad id"),
        b'{"noticeId":1}',
    ],
    ids=repr,
)
def test_what_is_none_is_refused(browser, ledger, raw):
    answer = post(browser, raw)
    assert answer.status_code == 400
    assert told(ledger) == []


def test_one_mebibyte_and_no_more(browser, ledger):
    fits = notice(1, {"errorMsg": "x" * (webhook.LARGEST - 400)})
    assert len(fits) < webhook.LARGEST
    assert post(browser, fits).status_code == 200
    large = b" " * (webhook.LARGEST + 1)
    assert post(browser, large).status_code == 413
    chunks = (b" " * 1000 for _ in range(2000))  # without a length
    assert browser.post("/agora/events", content=chunks).status_code == 413
    assert told(ledger) == ["notice-1-0"]


def test_nothing_is_unpacked(browser):
    packed = gzip.compress(notice(31))
    given = headers(packed) | {"Content-Encoding": "gzip"}
    assert post(browser, packed, given).status_code == 400


def test_what_is_of_another_product_is_left_out(browser, ledger):
    assert post(browser, notice(101, productId=1)).status_code == 200
    assert told(ledger) == []


def test_what_is_replayed_after_it_was_forgotten_is_left_out(browser, ledger):
    long_ago = round((time.time() - notices.KEPT - 60) * 1000)
    assert post(browser, notice(31, notifyMs=long_ago)).status_code == 200
    assert told(ledger) == []


def test_without_a_secret_nothing_is_taken(asking, ledger):
    browser = asking(secret="")
    assert post(browser, RAW, headers(RAW, "")).status_code == 503
    assert told(ledger) == []


def test_other_methods_are_refused(browser):
    assert browser.get("/agora/events").status_code == 405


class Unready(Inbox):
    """A ledger that does not answer, or takes too long."""

    def __init__(self, write):
        super().__init__(write, lambda: None, room=1)


@pytest.mark.parametrize("why", ["error", "slow"])
def test_what_could_not_be_written_is_to_be_sent_again(asking, monkeypatch, why):
    def write(some):
        if why == "error":
            raise LedgerError("locked")
        time.sleep(0.2)
        return set()

    monkeypatch.setattr(events, "PATIENCE", 0.05)
    monkeypatch.setattr("pipeline.web.server.inbox", lambda _: Unready(write))
    answer = post(asking(), RAW)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
