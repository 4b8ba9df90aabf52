"""The pages in a real browser: what it shows, what it complains of, what it asks for.

Chromium is Debian's; its pictures go to the folder that ``RECPIPE_SCREENSHOTS`` names.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from pipeline.ledger import discovery, queries
from pipeline.ledger.discovery import PartSeen
from pipeline.ledger.states import State
from pipeline.model import Verdict
from tests.ledger.sighted import STORE, TO, enter, known, sighting
from tests.ledger.test_browsing import publish
from tests.players import CHROMIUM

SOON = 20_000  # milliseconds; a busy machine takes many times as long as an idle one
SIZES = {"wide": (1280, 900), "narrow": (375, 812)}
PAGES = ("/", "/throughput", "/runs", "/recordings/2")
SERIOUS = ("serious", "critical")
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def chromium() -> Iterator[object]:
    """Started once."""
    if not Path(CHROMIUM).exists():
        pytest.skip("chromium absent; Debian's package chromium has it")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright absent")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def fleet(ledger):
    """Five hundred recordings, some of which need a look, one with a hostile name."""
    enter(ledger, 5)
    publish(ledger)
    publish(ledger, Verdict.DEGRADED, video=15.2, audio=0.1)
    publish(ledger, Verdict.REPAIRED)
    part = PartSeen("a.m3u8", None, True, 9, ("a_1.ts",))
    seen = [sighting(n, State.PUBLISHED, why="ok") for n in range(10, 490)]
    seen += [sighting(490, State.FAILED, why="access denied"), sighting(491, State.RECORDING)]
    seen += [sighting(492, State.LATE, why=HOSTILE, name=HOSTILE, sid=None, parts=(part,))]
    discovery.note(ledger, TO, seen)
    discovery.remember(ledger, STORE, TO, swept=True, floor="", at=ledger.time())
    queries.run_begins(ledger, "watch")
    return ledger


@pytest.fixture
def opening(chromium, browser, fleet):
    """Opens pages, and fails for whatever a browser complains of or asks of another server."""

    @contextmanager
    def opened(size="wide", **chosen):
        width, height = SIZES[size]
        context = chromium.new_context(viewport={"width": width, "height": height}, **chosen)
        page, wrong = context.new_page(), []
        page.set_default_timeout(SOON)
        page.on("console", lambda said: wrong.append(said.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: wrong.append(dialog.message))
        page.on("request", lambda asked: asked_elsewhere(asked.url, wrong))
        # a violation of the policy is an error of the console as well
        yield page
        context.close()
        assert wrong == []

    def asked_elsewhere(url, wrong):
        if urlsplit(url).netloc != browser.base_url.netloc.decode():
            wrong.append(f"asks {url}")

    return opened


def show(page, browser, path="/"):
    page.goto(f"{browser.base_url}{path}", wait_until="domcontentloaded")
    page.wait_for_selector("#live[data-state=on]")


def picture(page, name):
    if folder := os.environ.get("RECPIPE_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def test_list_filter_search_and_open(opening, browser):
    with opening() as page:
        show(page, browser)
        rows = page.locator("#rows tbody tr")
        assert rows.count() == 50
        assert rows.first.locator(".badge").inner_text() == "failed"
        page.get_by_role("link", name="published · degraded 1").click()
        assert page.locator("#rows tbody tr").count() == 1
        page.get_by_label("Name, sid or source").fill("img src")
        page.get_by_role("button", name="Search").click()
        page.wait_for_selector("text=No recording is like that.")
        page.get_by_role("link", name="all").first.click()
        page.get_by_role("link", name=HOSTILE).click()
        assert page.locator("h1").inner_text() == HOSTILE
        assert page.get_by_text("1 missing").is_visible()


def test_by_keyboard_alone(opening, browser):
    with opening() as page:
        show(page, browser)
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "To the content"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"
        page.get_by_label("Name, sid or source").focus()
        page.keyboard.type(f"{490:032x}")
        page.keyboard.press("Enter")
        page.wait_for_selector("text=1 recording with")
        assert page.locator("#rows tbody tr").count() == 1


def test_the_list_changes_by_itself_and_keeps_what_one_is_at(opening, browser, fleet):
    with opening() as page:
        show(page, browser)
        field = page.get_by_label("Name, sid or source")
        field.fill("half a wor")
        before = known(fleet, 491)
        moved = sighting(491, State.FAILED, before, why="gone at last")
        page.wait_for_timeout(1500)  # the first look of the feed
        discovery.note(fleet, TO, [moved])
        page.wait_for_selector("#rows tr.fresh >> text=gone at last")
        assert page.locator("#counts").get_by_text("failed 2").is_visible()
        assert field.input_value() == "half a wor"
        assert page.evaluate("document.activeElement.id") == "q"


def test_the_page_of_a_recording_changes_while_it_is_worked_on(opening, browser, fleet):
    row = queries.explain(fleet, f"{4:032x}").recording
    with opening() as page:
        show(page, browser, f"/recordings/{row['id']}")
        assert page.locator(".verdict .badge").inner_text() == "ready"
        page.wait_for_timeout(1500)
        queries.hold(fleet, f"{4:032x}", held=True)
        page.wait_for_selector(".badge.held")
        page.wait_for_selector("text=Nothing: it is held")
        assert "recpipe hold --release" in page.locator("#head").inner_text()


REMEMBER = """() => {
  const look = () => {
    const badge = document.querySelector('#rows .badge'), said = badge ? badge.textContent : '';
    if (said && said !== window.states.at(-1)) window.states.push(said);
  };
  window.states = [];
  new MutationObserver(look).observe(document.body, {childList: true, subtree: true});
}"""


@pytest.mark.usefixtures("ffmpeg")
def test_a_recording_goes_through_its_states_while_one_looks(opening, browser, launch, url, clean):
    """From its first slice to its proven MP4; the page is opened once, and not touched again."""
    calls, results = clean / "calls", clean / "mp4"
    calls.mkdir()
    with opening() as page:
        show(page, browser, "/?q=simulated_room")
        assert page.get_by_text("No recording is like that.").is_visible()
        page.evaluate(REMEMBER)
        often = ("--interval", "1s", "--settle", "1s", "--ledger", url)
        launch("watch", calls, "--to", results, *often)
        live = ("--duration", "12s", "--segments", "2s", "--live", "--speed", "3")
        recorder = launch("simulate", "recording", "-o", calls, *live)
        page.wait_for_selector("#rows >> text=published", timeout=3 * SOON)
        states = page.evaluate("window.states")
        assert recorder.wait(timeout=30) == 0
        assert states[0] in (
            "recording",
            "uploading",
            "settling",
        )  # on a busy machine it looks late
        assert states[-1] == "published"
        assert page.locator("#rows td", has_text="12.0 s").is_visible()
    assert len(list(results.glob("*_simulated_room.mp4"))) == 1


def test_when_the_server_is_gone_the_page_says_so(chromium, browser, fleet):
    page = chromium.new_page()
    page.set_default_timeout(SOON)
    page.route("**/feed", lambda route: route.abort())
    page.goto(f"{browser.base_url}/", wait_until="domcontentloaded")
    page.wait_for_selector("#live[data-state=off]")
    assert "not live" in page.locator("#live").inner_text()
    page.close()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_fits(opening, browser, size, scheme):
    with opening(size, color_scheme=scheme) as page:
        for path in PAGES:
            show(page, browser, path)
            picture(page, f"{path.strip('/').replace('/', '-') or 'list'}-{size}-{scheme}")
            wider = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
            assert not page.evaluate(wider), path
            ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert (sum(map(int, ground[4:-1].split(","))) < 380) is (scheme == "dark"), path


@pytest.mark.parametrize(("size", "scheme"), [("wide", "light"), ("narrow", "dark")])
def test_every_page_can_be_used_by_everybody(opening, browser, size, scheme):
    """Each size and each scheme once: the rules look at both, but at neither by the other."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe absent")
    with opening(size, color_scheme=scheme) as page:
        for path in PAGES:
            show(page, browser, path)
            found = axe.Axe().run(page).response["violations"]
            serious = [f"{one['id']}: {one['help']}" for one in found if one["impact"] in SERIOUS]
            assert serious == [], path


def test_without_scripts_everything_can_be_read(opening, browser):
    with opening(java_script_enabled=False) as page:
        page.goto(f"{browser.base_url}/", wait_until="domcontentloaded")
        assert page.locator("#rows tbody tr").count() == 50
        assert "as of" in page.locator("#live").inner_text()
        page.get_by_role("link", name=HOSTILE).click()
        assert page.locator(".copy").first.is_hidden()


def test_a_command_is_copied(opening, browser):
    grants = ["clipboard-read", "clipboard-write"]
    with opening(permissions=grants) as page:
        show(page, browser, "/recordings/1")
        page.get_by_role("button", name="Copy: recpipe explain").click()
        page.wait_for_selector("text=Copied")
        text = page.evaluate("navigator.clipboard.readText()")
        assert text == f"recpipe explain --to {TO} {0:032x}"
