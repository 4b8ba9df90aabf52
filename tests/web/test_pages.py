"""The pages, as a browser gets them."""

import re
from html.parser import HTMLParser

import pytest
import sqlalchemy as sa

from pipeline.agora import webhook
from pipeline.ledger import custody, discovery, notices, queries
from pipeline.ledger.database.tables import recordings
from pipeline.ledger.discovery import PartSeen
from pipeline.ledger.states import State
from pipeline.model import Verdict
from pipeline.web.guard import Rules
from tests.ledger.sighted import STORE, TO, enter, sighting
from tests.ledger.test_browsing import name, publish
from tests.web.sender import SID, notice

HOSTILE = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "{{ 7 * 7 }}{% raw %}",
    "\u202egnp.exe",
    "javascript:alert(1)",
    "a" * 10_000,
    "&lt;b&gt;",
    "../../etc/passwd",
    "\x00\x1b[2J",
]


class Seen(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.said = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]

    def handle_data(self, data):
        self.said.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.said).split())

    def every(self, attribute):
        return [value for _, name, value in self.attributes if name == attribute]


def look(browser, path="/", code=200):
    answer = browser.get(path)
    assert answer.status_code == code, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    return Seen(answer.text)


def numbers(page):
    return [int(href.rpartition("/")[2]) for href in page.every("href") if "/recordings/" in href]


@pytest.fixture
def mixed(ledger):
    enter(ledger, 2)
    publish(ledger)
    publish(ledger, Verdict.DEGRADED, video=15.0)
    late = PartSeen("a.m3u8", None, True, 9, ("a_1.ts", "a_2.ts"))
    many = [
        sighting(2, State.LATE, why="2 of 9 segments missing", parts=(late,)),
        sighting(3, State.FAILED, why="access denied"),
    ]
    discovery.note(ledger, TO, many)
    return ledger


def number_of(ledger, n):
    with ledger.reading() as connection:
        chosen = sa.select(recordings.c.id).where(recordings.c.name == name(n))
        return connection.execute(chosen).scalar_one()


def test_the_list_begins_with_what_needs_a_look(browser, mixed):
    page = look(browser)
    assert numbers(page) == [number_of(mixed, n) for n in (3, 1, 2, 0)]
    assert "4 recordings, those first that need a look" in page.text
    for said in ("access denied", "2 of 9 segments missing", "15.0 s", f"{3:032x}"):
        assert said in page.text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?state=failed", [3]),
        ("?state=published&verdict=degraded", [1]),
        ("?q=ROOM&state=late", [2]),
        ("?q=nothing-is-called-so", []),
        ("?state=nonsense&verdict=nonsense&page=nonsense", [3, 1, 2, 0]),
        ("?page=99999999999999999999", [3, 1, 2, 0]),
        ("?page=-1&page=2", [3, 1, 2, 0]),
        ("?q=%00", [3, 1, 2, 0]),
        ("?q=" + "x" * 5000, []),
    ],
)
def test_filters(browser, mixed, query, found):
    page = look(browser, f"/{query}")
    assert numbers(page) == [number_of(mixed, n) for n in found]
    if not found:
        assert "No recording is like that." in page.text


def test_links_of_filters_keep_the_search(browser, mixed):
    hrefs = look(browser, "/?q=room").every("href")
    assert "/?q=room&state=published&verdict=degraded" in hrefs
    assert "/?q=room" in hrefs


def test_long_lists_have_pages(browser, ledger):
    enter(ledger, 120, State.LATE)
    assert "/?page=2" in look(browser).every("href")
    third = look(browser, "/?page=3")
    assert len(numbers(third)) == 20
    assert "/?page=2" in third.every("href")
    assert "/?page=4" not in third.every("href")


def test_an_empty_ledger_says_what_to_do(browser):
    assert "recpipe watch STORE --to DEST" in look(browser).text


def test_a_recording_with_all_that_is_known(browser, mixed):
    raw = notice(41, {"leaveCode": 4}, sid=f"{2:032x}")
    notices.keep(mixed, [notices.kept(webhook.parse(raw), raw)])
    page = look(browser, f"/recordings/{number_of(mixed, 2)}")
    for said in (
        *("room", f"{2:032x}", "late", "2 of 9 segments missing", "a_1.ts", "9 segments, ended"),
        "the recorder left: no users",
        f"recpipe explain --to {TO} {2:032x}",
        f"recpipe retry --to {TO} {2:032x}",
        "new -> late: 2 of 9 segments missing",
    ):
        assert said in page.text


def test_a_receipt_that_cannot_be_read_is_told(browser, mixed, tmp_path):
    with mixed.writing() as connection:
        connection.exec_driver_sql(
            "UPDATE artifacts SET uri = ? WHERE kind = 'receipt'", (f"{tmp_path}/no.receipt.json",)
        )
    page = look(browser, f"/recordings/{number_of(mixed, 1)}")
    assert "It cannot be read:" in page.text
    assert "15.0 s" in page.text


def test_what_is_not_there(browser):
    for path in ("/recordings/7", f"/recordings/{2**70}", "/nowhere", "/recordings/x"):
        assert "Not found" in look(browser, path, 404).text


def test_throughput(browser, mixed):
    discovery.remember(mixed, STORE, TO, swept=True, floor="", at=mixed.time())
    discovery.blind(mixed, "s3://eu/", TO, "access denied")
    page = look(browser, "/throughput")
    for said in (
        *("Published, last 24 h 2", "Lost 15.0 s", "1 recordings are unfinished"),
        *("blind s3://eu/", "seen s3://calls/", "access denied"),
    ):
        assert said in page.text
    assert page.tags.count("rect") > 48


def test_runs(browser, mixed):
    queries.run_begins(mixed, "watch")
    custody.note(mixed, "archived", {"bag": "a", "files": 3, "bytes": 2000}, name=name(0))
    custody.note(mixed, "trash", {"run": "r1", "objects": 4, "bytes": 9000}, name=name(0))
    page = look(browser, "/runs")
    for said in (
        *("runs recpipe watch", "filed in the archive", "2.0 kB", "moved to the trash r1"),
        "9.0 kB",
    ):
        assert said in page.text


@pytest.mark.parametrize("path", ["/", "/throughput", "/runs"])
def test_empty_pages_say_so(browser, path):
    page = look(browser, path)
    assert "main" in page.tags
    assert page.text


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:20]))
def test_hostile_names_are_text_everywhere(browser, ledger, text):
    sound = text.replace("\0", "")  # which PostgreSQL does not hold
    part = PartSeen(sound, None, False, 1, (sound, sound + "2"))
    seen = sighting(0, State.LATE, name=sound, sid=None, why=sound, parts=(part,))
    discovery.note(ledger, sound, [seen])
    discovery.blind(ledger, sound, sound, sound)
    queries.run_begins(ledger, sound)
    custody.note(ledger, "trash", {"run": sound, "problem": sound}, name=sound)
    raw = notice(1, {"errorMsg": text}, cname=text)
    notices.keep(ledger, [notices.kept(webhook.parse(raw), raw)])
    with ledger.writing() as connection:
        connection.exec_driver_sql("UPDATE recordings SET sid = ?", (SID,))
    paths = ["/", f"/?q={'x' if len(text) > 300 else ''}", "/throughput", "/runs", "/recordings/1"]
    for path in paths:
        page = look(browser, path)
        assert page.tags.count("script") == 1  # ours
        assert "img" not in page.tags
        assert not any(name.startswith("on") or name == "style" for _, name, _ in page.attributes)
        assert not any((href or "").startswith("javascript:") for href in page.every("href"))
        assert "\u202e" not in page.text
        assert "\x1b" not in page.text
        assert max(map(len, page.said)) < 1000
    answer = browser.get("/", params={"q": text})
    assert answer.status_code == 200
    assert Seen(answer.text).tags.count("script") == 1


def test_nothing_is_asked_of_another_server(browser, mixed):
    for path in ("/", "/throughput", "/runs", "/recordings/1"):
        page = look(browser, path)
        addresses = page.every("href") + page.every("src") + page.every("action")
        assert addresses
        assert all(address.startswith(("/", "#")) for address in addresses)


def test_static_files_are_kept_for_ever_and_change_their_address(browser):
    page = look(browser)
    files = [one for one in page.every("href") + page.every("src") if one.startswith("/static/")]
    assert len(files) == 3
    for file in files:
        assert re.search(r"\?[0-9a-f]{12}\Z", file)
        answer = browser.get(file)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["x-content-type-options"] == "nosniff"
    for path in ("nothing.js", "..%2fpages.py", "%2e%2e/pages.py"):
        assert browser.get(f"/static/{path}").status_code == 404


def test_pages_are_only_read(browser, mixed):
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert browser.request(method, "/recordings/1").status_code == 405
    assert browser.head("/").status_code == 200


def test_the_user_of_a_proxy_is_shown_as_text(asking):
    browser = asking(rules=Rules(user_header="X-User"))
    answer = browser.get("/", headers={"X-User": "<b>ann</b>"})
    assert "&lt;b&gt;ann" in answer.text
    assert browser.get("/").status_code == 401


def test_when_the_ledger_does_not_answer_the_page_says_so(browser, ledger):
    with ledger.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE recordings RENAME TO elsewhere")
    assert "The ledger does not answer" in look(browser, "/", 503).text
