"""The page of a recording that was really converted, with its receipt."""

import json
from datetime import datetime

import pytest

from pipeline.agora import webhook
from pipeline.ledger import browsing, notices
from pipeline.ledger.browsing import Wanted
from pipeline.report.page import policy as report_policy
from tests.cli.conftest import COMPOSITE, segments
from tests.web.sender import notice
from tests.web.test_pages import Seen, look

SID = COMPOSITE.partition("_")[0]


@pytest.fixture
def receipt(recpipe, composite, tmp_path, url):
    """Of a recording that lacks a segment."""
    segments(composite)[1].unlink()
    out = tmp_path / "out"
    patience = ("--settle", "0s", "--late-deadline", "0s")
    for _ in range(2):
        recpipe("watch", composite, "--to", out, "--ledger", url, "--once", *patience)
    return out / f"{COMPOSITE}.receipt.json"


@pytest.fixture
def path(receipt, ledger):
    (row,) = browsing.page(ledger, Wanted()).rows
    assert (row["lost_video"], row["duration"]) == (15.2, pytest.approx(60.0, abs=0.1))
    return f"/recordings/{row['id']}"


def test_it_shows_what_is_missing_and_why(browser, ledger, receipt, path):
    begin = datetime.fromisoformat(json.loads(receipt.read_text())["holes"][0]["utc"])
    span = {"discontinueUtcMs": round(1000 * begin.timestamp())}
    span["startUtcMs"] = span["discontinueUtcMs"] + 15_200
    raw = notice(42, span, sid=SID)
    notices.keep(ledger, [notices.kept(webhook.parse(raw), raw)])
    page = look(browser, path)
    for said in (
        "pictures 15.2 s 15.2 s segment missing",
        "SEG_MISSING error",
        "15.2 s 0.0 s 15.2 s EXTINF, slice names, time stamps",
        "1 missing since",
        "degraded",
    ):
        assert said in page.text
    assert page.text.count("the recorder was interrupted for 15.2 s") == 4  # holes and account


def test_what_it_took_is_kept(path, browser):
    metrics = browser.get("/metrics").text
    assert 'recpipe_lost_seconds{track="video"} 15.2' in metrics
    assert "fetch" in look(browser, "/throughput").text


def test_a_receipt_may_hold_anything(browser, receipt, path):
    evil = "<script>alert(1)</script>\u202e" + "x" * 5000
    note = json.loads(receipt.read_text())
    note["findings"][0] |= {"id": evil, "detail": evil, "segment": evil, "repair": evil}
    for hole in note["holes"]:
        hole |= {"reason": evil, "became": evil, "segment": evil}
    for row in note["account"]["slots"]:
        row |= {"slot": evil, "witnesses": [evil] * 9}
    receipt.write_text(json.dumps(note))
    page = look(browser, path)
    assert page.tags.count("script") == 1
    assert "alert(1)" in page.text
    assert "\u202e" not in page.text
    assert max(map(len, page.said)) < 1000


def test_of_a_session_it_shows_who_was_away_and_why(recpipe, browser, ledger, url, tmp_path):
    acts = ("--users", "2", "--act", "1002:mute@3", "--duration", "8s", "--segments", "4s")
    recpipe("simulate", "recording", "-o", tmp_path / "src", "--size", "160x96", *acts)
    to = ("--to", tmp_path / "out", "--once", "--settle", "0s", "--ledger", url)
    assert recpipe("watch", tmp_path / "src", *to).code == 0
    (row,) = browsing.page(ledger, Wanted()).rows
    (receipt,) = (tmp_path / "out").glob("*.receipt.json")
    (one,) = json.loads(receipt.read_text())["users"][1]["absences"]
    begin = round(1000 * datetime.fromisoformat(one["utc"]).timestamp())
    for number, uid in enumerate(("1001", "1002")):
        gone = {"state": 1, "UtcMs": begin, "streamUid": uid}
        raw = notice(43, gone, sid=row["sid"], sequence=number)
        notices.keep(ledger, [notices.kept(webhook.parse(raw), raw)])
    page = look(browser, f"/recordings/{row['id']}")
    assert "1001 ok" in page.text
    row = f"1002 sound {one['start']:.1f} s {one['length']:.1f} s muted , kept"
    assert f"{row} no sound of user 1002 came" in page.text
    assert page.text.count("no sound of user 1001 came") == 0


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 1}', "\x00" * 100])
def test_a_broken_receipt_is_told_and_the_rest_is_shown(browser, receipt, path, text):
    receipt.write_text(text)
    page = look(browser, path)
    assert "It cannot be read:" in page.text
    assert "15.2 s" in page.text


def test_the_whole_report_is_a_page_of_its_own(browser, path):
    assert f"{path}/report" in look(browser, path).every("href")
    answer = browser.get(f"{path}/report")
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert policy == f"{report_policy()}; frame-ancestors 'none'"
    assert "unsafe" not in policy
    page = Seen(answer.text)
    assert "weekly_meeting" in page.text
    assert "video" not in page.tags  # its media is not served here


def test_without_a_receipt_there_is_no_report(browser, receipt, path):
    receipt.unlink()
    assert "There is no report" in look(browser, f"{path}/report", 404).text
    assert browser.get("/recordings/99/report").status_code == 404
