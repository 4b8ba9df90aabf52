"""Whole pages as text: what is on them, that all of it is text, and that they stay small."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from msgspec.structs import replace

from pipeline.model import Account, AccountEntry, Finding, Piece, Severity, SourceFile, Verdict
from pipeline.report.facts import Measured, Media, Picture, facts
from pipeline.report.page import Row, overview, page, policy
from pipeline.report.parts import SCRIPT, STYLE
from tests.report.reports import COUNT, GOOD, SID, covered, lost, name, receipt, total

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'{{ 7 * 7 }}{% raw %}",
    "</style></title><svg onload=alert(1)>",
    "\u202egnp.exe\u2066 \u05d0\u05d1\u05d2",
    "\x00\x1b[31m\ud800",
    "x" * 10_000,
]


MEASURED = Measured(
    10.0, (0.5,) * 10, ((20.0, 25.0),), {"video": (1e6,) * 10, "audio": (64e3,) * 10}
)


class Read(HTMLParser):
    """Tags with their attributes, and all text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def count(self, tag: str) -> int:
        return sum(one == tag for one, _ in self.tags)


def whole(report=GOOD, **more) -> str:
    return page(facts(report, receipt(), media=(Media("./room.mp4"),), **more))


def test_a_degraded_recording_from_top_to_bottom():
    text = Read(whole(lost())).text
    order = [
        "Media lost",
        "10.0 s of picture and 10.0 s of sound are missing",
        "Timeline",
        "lost, its time kept",
        "Must look",
        "In 1 of 10 segments",
        "Look for the segment in the original store",
        "Should know",
        "Missing, absent, changed",
        "Promised and delivered",
        "Every byte of every unit is equal",
        "What was read: 10 files",
    ]
    places = [text.index(words) for words in order]
    assert places == sorted(places)


@pytest.mark.parametrize("verdict", Verdict)
def test_every_verdict_has_a_page(verdict):
    bare = replace(GOOD, verdict=verdict, coverage=None, account=None, tracks=(), duration=0.0)
    bare = replace(bare, output=None, proof=None, size=None, sha256=None, started=None)
    assert Read(page(facts(bare))).count("h1") == 1


def test_nothing_is_asked_of_anybody():
    made = Read(whole(lost(), measured=Measured(10.0, pictures=(Picture(5.0, b"\xff\xd8"),))))
    for tag, attributes in made.tags:
        assert tag not in ("link", "iframe", "object", "embed", "base", "form", "meta refresh")
        for key in ("src", "href", "action", "srcset"):
            value = attributes.get(key) or ""
            assert value.startswith(("./room.mp4", "data:image/jpeg;base64,")) or not value
        assert not [key for key in attributes if key.startswith("on") or key == "style"]


def test_style_and_script_are_those_of_the_policy():
    text = whole()
    told = next(a["content"] for t, a in Read(text).tags if a.get("http-equiv"))
    assert told == policy()
    for tag, held in (("style", STYLE), ("script", SCRIPT)):
        (inside,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        assert inside == held
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in told
    assert "unsafe" not in told
    assert told.startswith("default-src 'none'")


def called(text: str):
    """A report in which everything is called like that."""
    finding = Finding(text, Severity.ERROR, text, 1, 2, text, text)
    row = AccountEntry(text, text, 256, 1.0, lost=1.0, reason=text, witnesses=(text,))
    return replace(
        lost(),
        recording=text,
        source=text,
        output=text,
        sha256=text,
        started=text,
        lost_seconds={text: 1.0},
        findings=(finding, replace(finding, severity=Severity.INFO)),
        holes=tuple(replace(h, reason=text, segment=text, utc=text) for h in lost().holes),
        account=Account((replace(total("video", 256), track=text),), (row,)),
        coverage=replace(covered(), segments=(text,) * COUNT),
        tracks=tuple(replace(t, codec=text) for t in GOOD.tracks),
        pieces=(Piece(0.0, 100.0, text, 1, text, GOOD.tracks, GOOD.proof),),
    )


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_are_text(text):
    note = receipt(
        software=text,
        converted=text,
        settings={text: text},
        muxer={"version": text, "command": [text]},
        inputs=[{"key": text, "size": 1, "etag": text, "sha256": text}],
    )
    of = facts(called(text), note, media=(Media("./room.mp4"),))
    plain = facts(called("plain"), receipt(), media=(Media("./room.mp4"),))
    for made, usual in (
        (page(of), page(plain)),
        (overview([Row(of, "./a.html")]), overview([Row(plain, "./a.html")])),
    ):
        read, expected = Read(made), Read(usual)
        assert {tag for tag, _ in read.tags} <= {tag for tag, _ in expected.tags}
        assert read.count("script") == 1
        assert read.count("img") == expected.count("img")
        assert not re.search("[\u202a-\u202e\u2066-\u2069\x00\x1b]", made)
        assert len(made) < 200_000
        made.encode("utf-8")


def test_ten_hours_stay_below_two_megabytes():
    count = 2400
    segments = tuple(name(n, "a_channel_with_rather_a_long_name_0123456789") for n in range(count))
    many = covered(count=count)
    findings = tuple(
        Finding("CC", Severity.ERROR, segments[n], 256, 3, "3 packets missing", "hole kept")
        for n in range(1000)
    )
    rows = tuple(AccountEntry(segments[n], "video", 256, 10.0, lost=0.04) for n in range(1000))
    holes = tuple(
        replace(lost().holes[0], start=10.0 * n, length=0.04, segment=segments[n])
        for n in range(1000)
    )
    report = replace(
        lost(),
        duration=10.0 * count,
        findings=findings,
        holes=holes,
        account=Account((total("video", 256, 40.0, count), total("audio", 257, 0.0, count)), rows),
        coverage=replace(many, segments=segments),
    )
    measured = Measured(
        40.0,
        tuple(0.1 + n % 7 / 10 for n in range(600)),
        tuple((50.0 * n, 50.0 * n + 3) for n in range(450)),
        {"video": tuple(1e6 + 1000.0 * n for n in range(600)), "audio": (64e3,) * 600},
        tuple(Picture(1.0 * n, bytes(15_000)) for n in range(16)),
    )
    inputs = [SourceFile(f"calls/2026/{s}", 2_000_000, "e" * 32, "ab" * 32) for s in segments]
    made = page(facts(report, receipt(inputs=[_plain(i) for i in inputs]), measured=measured))
    assert len(made.encode()) < 2_000_000


def _plain(one: SourceFile) -> dict[str, object]:
    return {"key": one.key, "size": one.size, "etag": one.etag, "sha256": one.sha256}


def test_without_a_file_beside_it_nothing_leads_anywhere():
    made = Read(page(facts(lost(), receipt())))
    assert made.count("a") == made.count("video") == 0


def test_a_moment_is_a_link_into_the_right_file():
    pieces = (Piece(0.0, 25.0), Piece(25.0, 75.0))
    files = (Media("./a.1.mp4"), Media("./a.2.mp4", 25.0))
    made = Read(page(facts(replace(lost(), pieces=pieces), receipt(), media=files)))
    links = {(a["href"], a["data-at"]) for t, a in made.tags if t == "a"}
    assert links == {("./a.2.mp4#t=5.0", "30.0")}
    assert made.count("video") == 2


def test_sound_alone_has_a_player_too():
    made = Read(page(facts(GOOD, media=(Media("./a.m4a", sound=True),))))
    assert (made.count("audio"), made.count("video")) == (1, 0)


def test_many_recordings():
    rows = [Row(facts(GOOD), "./a.html"), Row(facts(lost()), "b%20c.html"), Row(facts(lost()))]
    made = Read(overview(rows))
    assert "3 recordings; 20.0 s of media lost." in made.text
    found = [a for t, a in made.tags if t == "tr" and "data-verdict" in a]
    assert [a["data-verdict"] for a in found] == ["ok", "degraded", "degraded"]
    assert [a["data-lost"] for a in found] == ["0.0", "10.0", "10.0"]
    assert [a["href"] for t, a in made.tags if t == "a"] == ["./a.html", "b%20c.html"]
    assert sum(t == "svg" and a.get("class") == "spark" for t, a in made.tags) == 3


def test_no_number_or_word_of_ours_is_escaped():
    big = replace(lost(), size=123_456_789, account=Account((total("video", 256, 12345.0),)))
    many = receipt(inputs=[{"key": "x", "size": 1234567, "etag": "e", "sha256": None}])
    read = Read(page(facts(big, many, measured=MEASURED))).text
    assert "1,234,567" in read
    assert "12,345.000 s" in read
    assert "\\u" not in read.replace(SCRIPT, "").replace(STYLE, "")


def test_none_at_all():
    assert "0 recordings." in Read(overview([])).text


def test_the_name_of_a_user_stands_beside_the_channel():
    of = facts(replace(GOOD, recording=f"{SID}_room__uid_s_42__uid_e_video"))
    assert "user 42" in Read(page(of)).text
    assert "user 42" in Read(overview([Row(of)])).text
