"""``recpipe status``, ``explain``, ``retry``, ``hold`` and ``ledger rebuild``."""

import pytest

from pipeline.jobs.ledger import sightings
from pipeline.jobs.ledger.advice import advice
from pipeline.jobs.ledger.handle import Ledger
from pipeline.jobs.ledger.sightings import PartSeen
from pipeline.jobs.ledger.states import State
from tests.jobs.ledger.sighted import TO, sighting

ZERO, ONE = f"{0:032x}", f"{1:032x}"


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/ledger.db"


@pytest.fixture
def entered(url):
    """A late recording, and one that is published."""
    part = PartSeen(f"{ZERO}_room.m3u8", None, True, 9, ("a_1.ts", "a_2.ts"))
    late = sighting(0, State.LATE, why="2 of 9 segments are missing", parts=(part,))
    with Ledger(url) as ledger:
        sightings.note(ledger, TO, [late, sighting(1, State.PUBLISHED)])
    return url


def test_a_new_ledger_is_empty(recpipe, url):
    ended = recpipe("status", "--ledger", url)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == "no recording is known; no watcher ever ran\n"


def test_without_an_option_it_is_the_ledger_of_this_user(recpipe, tmp_path):
    assert recpipe("status").code == 0
    assert (tmp_path / "state" / "recpipe" / "ledger.db").is_file()


def test_status_shows_what_is_not_published(recpipe, entered):
    ended = recpipe("status", env={"RECPIPE_LEDGER": entered})
    first, last = ended.out.splitlines()
    assert first.startswith("late ")
    assert first.endswith(f"{ZERO}_room  2 of 9 segments are missing")
    assert last.startswith("1 late, 1 published; ")
    assert len(recpipe("status", "--all", "--ledger", entered).out.splitlines()) == 3


def test_status_as_json(recpipe, entered):
    late, published = recpipe("status", "--json", "--ledger", entered).lines
    assert (late["recording"], late["state"], late["held"]) == (f"{ZERO}_room", "late", False)
    assert late["since"].endswith("Z")
    assert late["next"].startswith("what is missing is awaited")
    assert published["state"] == "published"


def test_explain_says_what_is_missing_and_what_one_can_do(recpipe, entered):
    told = recpipe("explain", ZERO, "--ledger", entered).out
    assert f"{ZERO}_room: late for 0s" in told
    assert "9 segments, ended" in told
    assert "2 for 0s: a_1.ts, a_2.ts" in told
    assert "recpipe retry" in told
    assert "new -> late: 2 of 9 segments are missing" in told
    (line,) = recpipe("explain", ZERO, "--json", "--ledger", entered).lines
    assert line["parts"][0]["missing"] == ["a_1.ts", "a_2.ts"]
    assert [event["kind"] for event in line["events"]] == ["state"]


def test_retry_and_hold(recpipe, entered):
    assert (
        recpipe("retry", ZERO, "--ledger", entered).err == f"{ZERO}_room: late before, lost now\n"
    )
    assert recpipe("hold", ZERO, "--ledger", entered).err == f"{ZERO}_room: held\n"
    assert "nothing: it is held" in recpipe("explain", ZERO, "--ledger", entered).out
    assert recpipe("hold", "--release", ZERO, "--ledger", entered).code == 0
    refused = recpipe("retry", ONE, "--ledger", entered)
    assert (refused.code, "nothing to retry" in refused.err) == (2, True)


def test_what_is_not_known_is_said(recpipe, entered):
    ended = recpipe("explain", "nothing", "--ledger", entered)
    assert ended.code == 2
    assert ended.err.startswith("recpipe: error: nothing: no such recording in the ledger")


def test_rebuild_from_what_convert_published(recpipe, composite, tmp_path, url):
    out = tmp_path / "out"
    assert recpipe("convert", composite, "-o", out, "--quiet").code == 0
    ended = recpipe("ledger", "rebuild", "--to", out, "--ledger", url)
    assert (ended.code, ended.err) == (0, "1 entered, 0 known already\n")
    (line,) = recpipe("status", "--json", "--ledger", url).lines
    assert (line["state"], line["verdict"], line["version"]) == ("published", "ok", 1)
    assert recpipe("ledger", "rebuild", "--to", out, "--ledger", url).err.startswith("0 entered, 1")


def test_every_state_has_its_advice():
    for state in State:
        assert all(advice({"state": state, "held": False}))
