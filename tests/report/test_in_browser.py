"""Pages in Chromium: opened from the disk, sought, sorted, narrow, dark, on paper, unscripted."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from pipeline.model import Seam
from pipeline.report.facts import Measured, Media, Picture, facts
from pipeline.report.page import Row, overview, page
from tests.players import CHROMIUM
from tests.report.reports import GOOD, SID, covered, lost, receipt
from tests.report.test_page import HOSTILE, called

HARMLESS = ("minor", "moderate")  # of what axe finds


@pytest.fixture(scope="module")
def browser():
    """Chromium without a sandbox, as root may only start it."""
    if not Path(CHROMIUM).exists():
        pytest.skip("no Chromium here: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="no Playwright here")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def film(ffmpeg, tmp_path_factory) -> Path:
    """100 s of small pictures."""
    path = tmp_path_factory.mktemp("film") / "room.mp4"
    source = ["-f", "lavfi", "-i", "testsrc=s=160x90:r=5:d=100"]
    argv = [ffmpeg.ffmpeg, "-v", "error", *source, "-c:v", "libx264", "-g", "10", path]
    subprocess.run(argv, check=True, env={**os.environ, **ffmpeg.env})
    return path


@pytest.fixture(scope="module")
def jpeg(ffmpeg, film) -> bytes:
    argv = [ffmpeg.ffmpeg, "-v", "error", "-i", film, "-frames:v", "1", "-f", "mjpeg", "-"]
    return subprocess.run(
        argv, check=True, capture_output=True, env={**os.environ, **ffmpeg.env}
    ).stdout


class Opened:
    """A page, and what it asked for and complained of."""

    def __init__(self, browser, path: Path, **more) -> None:
        self.context = browser.new_context(**more)
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda said: self.complaints.append(said.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(path.as_uri())


@pytest.fixture
def opened(browser, film, jpeg, tmp_path) -> Iterator:
    """Writes a page and opens it; in the end nothing was complained of or asked of anybody."""
    seen: list[Opened] = []

    def write(text: str, **more) -> Opened:
        path = tmp_path / "a page #1.html"
        path.write_text(text, encoding="utf-8")
        (tmp_path / "room.mp4").unlink(missing_ok=True)
        (tmp_path / "room.mp4").symlink_to(film)
        seen.append(Opened(browser, path, **more))
        return seen[-1]

    yield write
    for one in seen:
        one.context.close()
        assert one.complaints == []
        assert not [u for u in one.asked if not u.startswith((tmp_path.as_uri(), "data:image/"))]


def whole(jpeg: bytes, became: str = "kept", **more) -> str:
    """A page with all there may be on one."""
    measured = Measured(
        1.0,
        tuple(0.2 + n % 5 / 10 for n in range(100)),
        ((30.0, 40.0),),
        {"video": (1e6,) * 100, "audio": (64e3,) * 100},
        tuple(Picture(5.0 + 10 * n, jpeg) for n in range(10)),
    )
    report = replace(lost(3, became), joins=(Seam(60.0, "bak0", "slice names"),), **more)
    return page(facts(report, receipt(), measured=measured, media=(Media("./room.mp4"),)))


THERE = """() => new Promise(done => {
  const player = document.querySelector('video');
  const look = () => player.readyState && !player.seeking ? done(player.currentTime)
    : setTimeout(look, 30);
  look();
})"""


def at(one: Opened) -> float:
    """Where the player is, once it has got there."""
    return one.page.evaluate(THERE)


def test_a_click_on_the_bar_seeks_to_that_moment(opened, jpeg):
    one = opened(whole(jpeg))
    at(one)
    bar = one.page.locator(".bar .drawing").first
    box = bar.bounding_box()
    bar.click(position={"x": box["width"] * 0.75, "y": 5})
    assert at(one) == pytest.approx(75.0, abs=0.5)
    assert one.page.locator(".cursor.now").first.evaluate("e => e.style.left") != ""


def test_behind_a_closed_hole_the_file_is_earlier_than_the_clock(opened, jpeg):
    one = opened(whole(jpeg, "closed"))
    at(one)
    bar = one.page.locator(".bar .drawing").first
    width = bar.bounding_box()["width"]
    for share, moment in ((0.20, 20.0), (0.35, 30.0), (0.75, 65.0)):
        bar.click(position={"x": width * share, "y": 5})
        assert at(one) == pytest.approx(moment, abs=0.5)


def test_a_finding_and_a_picture_seek_too(opened, jpeg):
    one = opened(whole(jpeg))
    at(one)
    one.page.locator(".finding a").first.click()
    assert at(one) == pytest.approx(30.0, abs=0.1)
    one.page.locator(".sheet a").nth(7).press("Enter")
    assert at(one) == pytest.approx(75.0, abs=0.1)


def test_the_pointer_shows_the_time_of_day(opened, jpeg):
    one = opened(whole(jpeg))
    drawing = one.page.locator(".bar .drawing").first
    box = drawing.bounding_box()
    drawing.hover(position={"x": box["width"] / 2, "y": 5})
    assert one.page.locator(".cursor.pointed span").inner_text().startswith("09:00:5")


@pytest.mark.parametrize("width", [1180, 375])
def test_nothing_is_wider_than_the_window(opened, jpeg, width):
    text = whole(jpeg, recording=f"{SID}_{'long_name_' * 15}")
    for made in (text, overview([Row(facts(lost()), "a.html")] * 5)):
        one = opened(made, viewport={"width": width, "height": 800})
        assert one.page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1180, 375])
def test_everybody_can_read_it(opened, jpeg, scheme, width):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="no axe-core here")
    how = {"color_scheme": scheme, "viewport": {"width": width, "height": 800}, "bypass_csp": True}
    for made in (whole(jpeg), overview([Row(facts(lost()), "a.html"), Row(facts(GOOD))])):
        one = opened(made, **how)
        found = axe.Axe().run(one.page).response["violations"]
        assert [(v["id"], v["nodes"]) for v in found if v["impact"] not in HARMLESS] == []


def test_dark_is_dark(opened, jpeg):
    colour = "getComputedStyle(document.body).backgroundColor"
    light = opened(whole(jpeg), color_scheme="light").page.evaluate(colour)
    dark = opened(whole(jpeg), color_scheme="dark").page.evaluate(colour)
    assert (light, dark) == ("rgb(252, 252, 250)", "rgb(20, 22, 25)")


def test_it_is_read_without_a_script(opened, jpeg):
    one = opened(whole(jpeg), java_script_enabled=False)
    text = one.page.inner_text("main")
    assert "are missing: the source had lost them" in text
    assert one.page.locator(".finding a").first.get_attribute("href") == "./room.mp4#t=30.0"
    assert not one.page.locator(".cursor").count()
    listed = opened(overview([Row(facts(GOOD), "a.html")]), java_script_enabled=False)
    assert not listed.page.locator("form.filter").is_visible()


def test_on_paper_there_is_no_player(opened, jpeg):
    one = opened(whole(jpeg))
    one.page.emulate_media(media="print")
    assert not one.page.locator("video").is_visible()
    assert one.page.locator(".bar svg.lane").first.is_visible()
    assert len(one.page.pdf()) > 10_000


def test_hatches_are_painted(opened, jpeg):
    """Whoever asks what the browser made of it: a pattern, and no colour."""
    one = opened(whole(jpeg))
    fill = one.page.locator("rect.span.kept").first.evaluate("e => getComputedStyle(e).fill")
    assert "#hatch-kept" in fill


def many(count: int) -> str:
    rows = []
    for n in range(count):
        of = lost(n % 9) if n % 3 else GOOD
        if n == 7:
            of = replace(of, coverage=covered(), lost_seconds={"video": 99.0})
        rows.append(Row(facts(replace(of, recording=f"{n:032x}_room_{n:03}")), f"./{n}.html"))
    return overview(rows)


def test_five_hundred_are_sorted_and_filtered(opened):
    one = opened(many(500))
    page = one.page
    shown = page.locator("tbody tr:visible")
    assert shown.count() == 500
    page.get_by_role("button", name="Lost").click()
    assert page.locator("th[aria-sort=ascending]").inner_text().startswith("Lost")
    page.get_by_role("button", name="Lost").press("Enter")
    assert "room_007" in page.locator("tbody tr").first.inner_text()
    page.get_by_label("Verdict").select_option("ok")
    assert shown.count() == 167
    assert page.locator("output").inner_text() == "167 of 500"
    page.get_by_label("Name").fill("ROOM_003")
    assert shown.count() == 1
    assert shown.first.get_by_role("link").get_attribute("href") == "./3.html"


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_do_nothing(opened, text):
    of = facts(called(text), receipt(), media=(Media("./room.mp4"),))
    for made in (page(of), overview([Row(of, "./a.html")])):
        one = opened(made)
        assert one.page.evaluate("document.scripts.length") == 1
        assert one.page.evaluate("document.querySelectorAll('img').length") == 0
        assert one.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
