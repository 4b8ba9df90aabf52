"""Pages about what is published, and their way to their place."""

import json
import random
from contextlib import suppress

import pytest

from pipeline.errors import ExistsError, RecpipeError
from pipeline.receipts.read import ReceiptError, read
from pipeline.report.facts import Media
from pipeline.report.page import page
from pipeline.report.published import beside, between, facts_of, page_key, put
from pipeline.storage.local import LocalStorage
from tests.receipts.notes import REPORT, made


@pytest.fixture
def store(tmp_path):
    return LocalStorage(tmp_path / "out")


@pytest.fixture
def publish(store, tmp_path):
    """Writes a receipt, changed; returns it as it is read."""

    def write(name="a", **changes):
        note = made() | {"source": "/x/in/a.m3u8"} | changes
        folder = tmp_path / "out"
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.receipt.json").write_text(json.dumps(note))
        return read(store, f"{name}.receipt.json")

    return write


def test_a_receipt_tells_the_facts(store, publish):
    found = facts_of(publish(), store)
    assert (found.report.verdict, found.report.coverage) == (REPORT.verdict, REPORT.coverage)
    assert (found.media, found.measured) == ((Media("./a.mp4"),), None)
    assert len(found.making.inputs) == 3


def test_sound_is_played_as_sound_and_a_transport_stream_not_at_all(store, publish):
    sound = publish("a.m4a", settings={"format": "m4a"})
    assert facts_of(sound, store).media == (Media("./a.m4a", sound=True),)
    stream = publish("a.ts", settings={"format": "ts"})
    assert facts_of(stream, store).media == ()


def test_a_page_elsewhere_has_other_addresses(store, publish):
    assert facts_of(publish(), store, media=["../b.mp4"]).media == (Media("../b.mp4"),)
    assert facts_of(publish(), store, media=[]).media == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"holes": [{"kind": "video"}]},
        {"holes": [{"kind": "video", "start": 1e300, "length": 1.0, "segment": "x"}]},
        {"started": 5},
        {"account": {"tracks": 5}},
        {"coverage": {"segments": [], "tracks": [{"track": "video", "pid": "x"}]}},
        {"lost_seconds": []},
    ],
    ids=["a key too few", "too large", "a number", "an account", "a coverage", "a list"],
)
def test_a_receipt_that_cannot_be_is_refused(store, publish, changes):
    with pytest.raises(ReceiptError, match="not as this tool writes it"):
        page(facts_of(publish(**changes), store))


VALUES = [
    *(None, "", "<i>", [], {}, True, 0, -1, -1.5, 1e14, 1e300, 10**400, float("nan")),
    *("9999-12-31T23:59:59Z", "x" * 5000, "\u202e\x00\ud800", [[]], {"a": []}),
]


def leaves(value, path=()):
    """The way to every value of a receipt, also to those that hold others."""
    held = value.items() if isinstance(value, dict) else enumerate(value)
    for key, one in held:
        yield (*path, key)
        if isinstance(one, dict | list):
            yield from leaves(one, (*path, key))


def test_whatever_a_receipt_says_there_is_a_page_or_a_reason(store, publish):
    """Two values of it are others, again and again."""
    chance = random.Random(19)
    places = list(leaves(made()))
    refused = 0
    for _ in range(600):
        note = made()
        for *way, last in chance.sample(places, 2):
            held = note
            with suppress(LookupError, TypeError):
                for key in way:
                    held = held[key]
                held[last] = chance.choice(VALUES)
        try:
            text = page(facts_of(publish(**note | {"source": "/x/in/a.m3u8"}), store))
        except RecpipeError:
            refused += 1
            continue
        assert "<i>" not in text
        assert "\u202e" not in text
    assert 50 < refused < 590


@pytest.mark.parametrize(
    ("result", "key"),
    [("x/a.mp4", "x/a.html"), ("a.m4a", "a.m4a.html"), ("a.1b2c.mp4", "a.1b2c.html")],
)
def test_a_page_is_called_like_the_receipt(result, key):
    assert page_key(result) == key


def test_addresses_are_relative_and_encoded():
    assert beside("x/a b#?:%.mp4") == "./a%20b%23%3F%3A%25.mp4"


@pytest.mark.parametrize(
    ("page", "target", "link"),
    [
        ("index.html", "a b.html", "./a%20b.html"),
        ("index.html", "x/a.html", "./x/a.html"),
        ("x/a.html", "x/b.mp4", "./b.mp4"),
        ("x/y/a.html", "x/z/b.mp4", "../z/b.mp4"),
        ("x/a.html", "b.mp4", "../b.mp4"),
    ],
)
def test_links_between_keys(page, target, link):
    assert between(page, target) == link


def test_a_page_is_there_whole_and_replaced(store, tmp_path):
    text = '<meta name="generator" content="recpipe 9">'
    assert put(text, store, "a.html", tmp_path) == str(tmp_path / "out" / "a.html")
    put(text + " é\ud800", store, "a.html", tmp_path)
    assert (tmp_path / "out" / "a.html").read_bytes() == (text + " é\\ud800").encode()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.html"]


def test_what_is_no_page_of_ours_is_not_replaced(store, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.html").write_text("<h1>mine</h1>")
    with pytest.raises(ExistsError, match="is no page of this tool"):
        put("x", store, "a.html", tmp_path)
    assert (tmp_path / "out" / "a.html").read_text() == "<h1>mine</h1>"
