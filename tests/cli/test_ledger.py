"""``recpipe status``, ``explain``, ``retry``, ``hold`` and ``ledger rebuild``."""

import json
from datetime import datetime

import pytest
import sqlalchemy as sa

from pipeline.agora import webhook
from pipeline.ledger import discovery, notices
from pipeline.ledger.advice import advice
from pipeline.ledger.database.tables import parts, recordings
from pipeline.ledger.discovery import PartSeen
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.states import State
from tests.cli.conftest import COMPOSITE, segments
from tests.ledger.sighted import TO, sighting
from tests.web.sender import notice

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
        discovery.note(ledger, TO, [late, sighting(1, State.PUBLISHED)])
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


def test_explain_says_what_agora_said(recpipe, entered, url):
    said = [
        notice(33, {"progress": 5000}, sequence=1, sid=ZERO),
        notice(41, {"leaveCode": 4}, sequence=2, sid=ZERO),
        notice(32, sequence=3, sid=ZERO),
    ]
    with Ledger(url) as ledger:
        notices.keep(ledger, [notices.kept(webhook.parse(raw), raw) for raw in said])
    told = recpipe("explain", ZERO, "--ledger", entered).out.splitlines()
    assert [line.strip() for line in told if line.startswith("  agora ")] == [
        "agora     2023-11-14T22:13:21Z: 50.0% of what there was so far had been uploaded",
        "agora     2023-11-14T22:13:22Z: the recorder left: no users",
        "agora     2023-11-14T22:13:23Z: some files were only in Agora's backup cloud",
    ]
    (line,) = recpipe("explain", ZERO, "--json", "--ledger", entered).lines
    assert [one["type"] for one in line["notices"]] == [33, 41, 32]
    assert line["notices"][2]["said"] == "some files were only in Agora's backup cloud"


def test_explain_says_what_agora_knows_of_a_loss(recpipe, degraded, url):
    sid = COMPOSITE.partition("_")[0]
    begin = round(1_000 * datetime.fromisoformat(_hole(degraded)["utc"]).timestamp())
    span = {"discontinueUtcMs": begin, "startUtcMs": begin + 15_200}
    for raw in (notice(42, span, sid=sid), notice(31, sid=sid, sequence=9)):
        with Ledger(url) as ledger:
            notices.keep(ledger, [notices.kept(webhook.parse(raw), raw)])
    told = recpipe("explain", COMPOSITE, "--ledger", url).out
    why = "the recorder was interrupted for 15.2 s"
    assert f"; Agora: {why}" in told
    (line,) = recpipe("explain", COMPOSITE, "--json", "--ledger", url).lines
    assert [hole["causes"] for hole in line["holes"]] == [[why], [why]]
    lost = [row["causes"] for row in line["account"]["slots"] if row["lost"]]
    assert lost == [[why, "all files were in the bucket"]] * 2


def _hole(receipt):
    return json.loads(receipt.read_text())["holes"][0]


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


ELSEWHERE = "s3://elsewhere/"


@pytest.fixture
def twice(entered):
    """The late recording, for another destination as well."""
    with Ledger(entered) as ledger:
        discovery.note(ledger, ELSEWHERE, [sighting(0, State.LATE, why="2 of 9 are missing")])
    return entered


def test_of_several_destinations_each_is_shown_and_one_can_be_named(recpipe, twice):
    *late, _ = recpipe("status", "--ledger", twice).out.splitlines()
    told = sorted(line.partition(" -> ")[2].partition("  ")[0] for line in late)
    assert told == sorted([TO, ELSEWHERE])
    refused = recpipe("explain", ZERO, "--ledger", twice)
    assert refused.code == 2
    assert f"for {TO}" in refused.err
    assert "--to DEST says which" in refused.err
    assert (
        f"to        {ELSEWHERE}"
        in recpipe("explain", ZERO, "--to", ELSEWHERE, "--ledger", twice).out
    )
    for command in ("hold", "retry"):
        assert recpipe(command, ZERO, "--ledger", twice).code == 2
        assert recpipe(command, ZERO, "--to", ELSEWHERE, "--ledger", twice).code == 0
    rows = recpipe("status", ZERO, "--json", "--ledger", twice).lines
    assert {(row["destination"], row["state"], row["held"]) for row in rows} == {
        (TO, "late", False),
        (ELSEWHERE, "lost", True),
    }
    (row,) = recpipe("status", "--to", ELSEWHERE, "--json", "--ledger", twice).lines
    assert row["destination"] == ELSEWHERE


def test_what_is_forgotten_is_gone_with_all_that_belongs_to_it(recpipe, twice):
    said = recpipe("ledger", "forget", ZERO, "--to", ELSEWHERE, "--ledger", twice)
    assert (said.code, said.err) == (0, f"{ZERO}_room: forgotten\n")
    assert recpipe("ledger", "forget", ZERO, "--ledger", twice).code == 0
    (left,) = recpipe("status", "--json", "--ledger", twice).lines
    assert left["recording"] == f"{ONE}_room"
    with Ledger(twice) as ledger, ledger.reading() as connection:
        assert {row.rec_id for row in connection.execute(sa.select(parts))} == {2}


def test_what_is_worked_on_is_not_forgotten(recpipe, entered):
    with Ledger(entered) as ledger, ledger.writing() as connection:
        connection.execute(sa.update(recordings).values(state=State.WORKING))
    ended = recpipe("ledger", "forget", ZERO, "--ledger", entered)
    assert (ended.code, "is being worked on" in ended.err) == (2, True)


def test_status_of_some(recpipe, entered):
    def found(*wanted):
        lines = recpipe("status", *wanted, "--json", "--ledger", entered).lines
        return [line["recording"].partition("_")[0] for line in lines]

    assert found(ONE) == [ONE]
    assert found("--state", "published") == found("--state", "published", ONE) == [ONE]
    assert found("--state", "late", "--state", "published") == [ZERO, ONE]
    assert found("--verdict", "ok") == []
    assert "published " in recpipe("status", ONE, "--ledger", entered).out
    assert recpipe("status", "nothing", "--ledger", entered).code == 2
    wrong = recpipe("status", "--state", "asleep", "--ledger", entered)
    assert (wrong.code, "expected one of recording, " in wrong.err) == (2, True)


def test_what_is_degraded_is_counted_and_listed(recpipe, entered):
    with Ledger(entered) as ledger, ledger.writing() as connection:
        published = sa.update(recordings).where(recordings.c.state == State.PUBLISHED)
        connection.execute(published.values(verdict="degraded", why="lost video 4.000 s"))
    _, second, counts = recpipe("status", "--ledger", entered).out.splitlines()
    assert second.startswith("degraded ")
    assert second.endswith(f"{ONE}_room  lost video 4.000 s")
    assert counts.startswith("1 late, 1 published (1 degraded); ")
    assert "put back, it makes a new version" in recpipe("explain", ONE, "--ledger", entered).out


def test_a_store_that_cannot_be_looked_at_does_not_look_healthy(recpipe, entered):
    with Ledger(entered) as ledger:
        now = ledger.time()
        discovery.remember(ledger, "s3://a/", TO, swept=True, floor="", at=now - 7200)
        discovery.blind(ledger, "s3://a/", TO, "access denied")
        discovery.blind(ledger, "s3://b/", TO, "no answer")
        discovery.remember(ledger, "s3://c/", TO, swept=True, floor="", at=now - 5)
    lines = recpipe("status", "--ledger", entered).out.splitlines()[1:-1]
    with Ledger(entered) as ledger:
        since = range(int(ledger.time() - now) + 2)  # seconds this has taken, at most
    said = [" ".join(line.split()) for line in lines]
    blind = [f"blind s3://a/ -> {TO}: not looked at for 2h; {n}s ago: access denied" for n in since]
    never = [f"blind s3://b/ -> {TO}: never looked at; {n}s ago: no answer" for n in since]
    store = [f"store s3://c/ -> {TO}: looked at {5 + n}s ago" for n in since]
    assert said[0] in blind
    assert said[1] in never
    assert said[2].startswith(tuple(store))
    stores = recpipe("status", "--json", "--ledger", entered).lines[2:]
    assert [(row["store"], row["error"]) for row in stores] == [
        ("s3://a/", "access denied"),
        ("s3://b/", "no answer"),
        ("s3://c/", None),
    ]
    assert stores[1]["listed"] is None
    assert stores[0]["failed"].endswith("Z")


@pytest.fixture
def degraded(recpipe, composite, tmp_path, url):
    """The ledger of a recording that was published without its second slice; and its receipt."""
    segments(composite)[1].unlink()
    args = ("--to", tmp_path / "out", "--ledger", url, "--once", "--settle", "0s")
    for _ in range(2):
        recpipe("watch", composite, *args, "--late-deadline", "0s")
    (receipt,) = (tmp_path / "out").glob("*.receipt.json")
    return receipt


def test_explain_shows_what_the_receipt_says(recpipe, degraded, url):
    told = " ".join(recpipe("explain", COMPOSITE, "--ledger", url).out.split())
    for part in (
        "verdict degraded",
        "lost video 15.200 s, audio 15.189 s of 60.032 s",
        "error SEG_MISSING",
        "hole video at 15.221 s, 15.200 s: segment missing, kept",
    ):
        assert part in told
    (line,) = recpipe("explain", COMPOSITE, "--json", "--ledger", url).lines
    assert line["lost_seconds"]["video"] == 15.2
    assert len(line["holes"]) == 2
    assert [row["track"] for row in line["account"]["tracks"]] == ["video", "audio"]
    (gone,) = {row["slot"] for row in line["account"]["slots"] if row["lost"]}
    assert f"slots: slot {gone}, track video, pid 256, promised 15.2, lost 15.2" in told


def test_explain_shows_the_account_of_a_receipt_that_has_one(recpipe, degraded, url):
    note = json.loads(degraded.read_text())
    note["account"]["slots"][1:] = []
    note["account"]["more"] = 2
    degraded.write_text(json.dumps(note))
    told = recpipe("explain", COMPOSITE, "--ledger", url).out
    rows = [line for line in told.splitlines() if line.startswith("  account ")]
    assert [row.split()[1] for row in rows] == ["tracks:", "tracks:", "slots:", "more:"]
    assert rows[3] == "  account   more: 2"
    (line,) = recpipe("explain", COMPOSITE, "--json", "--ledger", url).lines
    assert line["account"] == note["account"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda note: note.unlink(),
        lambda note: note.write_text("{}"),
        lambda note: note.write_text(
            note.read_text().replace('"start": 15.', '"start": "x", "a": 1')
        ),
        lambda note: note.write_text(
            note.read_text().replace('"lost_seconds": {', '"lost_seconds": 5, "x": {')
        ),
    ],
)
def test_explain_tells_the_rest_where_the_receipt_is_none(recpipe, degraded, url, spoil):
    spoil(degraded)
    ended = recpipe("explain", COMPOSITE, "--ledger", url)
    assert ended.code == 0
    assert "receipt   cannot be read: " in ended.out
    assert "you can" in ended.out
    assert recpipe("explain", COMPOSITE, "--json", "--ledger", url).line["receipt_error"]
