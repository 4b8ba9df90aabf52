"""A session of individual mode from the command line: converted, archived and cleaned up as one."""

import json
import shutil
from datetime import datetime
from pathlib import Path

import pytest

from pipeline.agora import webhook
from pipeline.ledger import notices
from pipeline.ledger.ledger import Ledger
from tests.cli.conftest import SAMPLES
from tests.web.sender import notice

pytestmark = pytest.mark.usefixtures("ffmpeg")

SESSION = ("--users", "2", "--act", "1002:mute@3", "--duration", "8s", "--segments", "4s")


@pytest.fixture
def session(recpipe, clean):
    """What it is called; it lies in ``src``."""
    made = recpipe("simulate", "recording", "-o", "src", "--size", "160x96", *SESSION, "--json")
    assert made.code == 0, made.err
    Path("src/truth.json").unlink()
    return made.lines[0]["recording"]


def test_one_line_for_each_file(recpipe, session):
    ended = recpipe("convert", "src", "-o", "out", "--json")
    assert ended.code == 0, ended.err
    one, two = ended.lines
    assert [(line["session"], line["uid"], line["recording"]) for line in (one, two)] == [
        (session, uid, f"{session}__uid_s_{uid}") for uid in ("1001", "1002")
    ]
    assert one["output"].endswith(f"out/{session}__uid_s_1001.mp4")
    assert one["receipt"] == two["receipt"]
    assert (one["absences"], [a["kind"] for a in two["absences"]]) == ([], ["audio"])
    again = recpipe("convert", "src", "-o", "out", "--json")
    assert [line["made"] for line in again.lines] == [False, False]


def test_people_read_of_every_user(recpipe, session):
    ended = recpipe("convert", "src", "-o", "out")
    assert f"{session}__uid_s_1002\n" in ended.out
    assert "  away    audio muted " in ended.out
    assert "  session 2 files of 2 users\n" in ended.out


@pytest.mark.parametrize("to", ["call.MP4", "call.M4A"])
def test_a_suffix_in_any_case_is_the_same_format(recpipe, session, to):
    """Made, found again, archived and sound; the files of users have the usual suffix."""
    command = ("convert", "src", "-o", to, "--format", to[-3:].lower(), "--json")
    assert [line["made"] for line in recpipe(*command).lines] == [True, True]
    assert [line["made"] for line in recpipe(*command).lines] == [False, False]
    suffix = to[-4:].lower()
    files = {f"call__uid_s_{uid}{suffix}" for uid in ("1001", "1002")}
    assert {path.name for path in Path().glob("call*")} == {
        *files,
        "call.session.json",
        f"{to}.receipt.json",
    }
    assert recpipe("archive", "ingest", f"{to}.receipt.json", "--to", "vault").code == 0
    assert recpipe("archive", "verify", "vault").code == 0


def test_some_users_alone(recpipe, session):
    command = ("convert", "src", "-o", "out", "--json")
    (line,) = recpipe(*command, "--uid", "1002").lines
    assert (line["uid"], line["made"]) == ("1002", True)
    assert {path.name.removeprefix(session) for path in Path("out").iterdir()} == {
        *("__uid_s_1002.mp4", ".session.json", ".receipt.json"),
    }
    assert [one["made"] for one in recpipe(*command, "--uid", "1002").lines] == [False]
    both = recpipe(*command, "--uid", "1002", "--uid", "1001").lines
    assert [one["uid"] for one in both] == ["1001", "1002"]
    checked = recpipe("check", "src", "--uid", "1001", "--json").lines
    assert [one["uid"] for one in checked] == ["1001"]


def test_it_says_what_a_user_who_is_asked_for_leaves_out(recpipe, session):
    """Recordings in which nobody can be told from anybody else, and sessions of others."""
    shutil.copytree(SAMPLES / "composite", "src/together")
    for path in list(Path("src").glob("*__uid_s_1002*")):
        other = path.name.replace(session[:32], "f" * 32)
        text = path.read_bytes().replace(session[:32].encode(), b"f" * 32)
        Path("src", other).write_bytes(text)
    command = ("check", "src", "--uid", "1001")
    told = (
        "--uid leaves out 1 recordings with all users in one file and 1 recordings of other users"
    )
    ended = recpipe(*command, "--json")
    assert ([one["uid"] for one in ended.lines], ended.err) == (["1001"], f"recpipe: {told}\n")
    assert recpipe(*command, "--quiet").err == ""
    ended = recpipe("check", "src", "--uid", "7")
    assert (ended.code, ended.err.count("no stream of it is asked for")) == (5, 2)
    assert "--uid leaves out 1 recordings with all users in one file\n" in ended.err
    ended = recpipe("convert", "src/together", "-o", "out", "--uid", "1001")
    assert (ended.code, "in all 1 recordings the users are in one file" in ended.err) == (2, True)
    assert not Path("out").exists()


def test_files_of_users_who_are_not_asked_for_are_never_replaced(recpipe, session):
    assert recpipe("convert", "src", "-o", "out").code == 0
    before = {path.name for path in Path("out").iterdir()}
    ended = recpipe("convert", "src", "-o", "out", "--uid", "1002")
    assert (ended.code, "holds other users as well (1001); name another" in ended.err) == (2, True)
    assert {path.name for path in Path("out").iterdir()} == before


@pytest.mark.parametrize(
    ("uid", "why"), [("9", "no stream of it is asked for"), ("joe", "'joe' is none")]
)
def test_users_who_are_not_there(recpipe, session, uid, why):
    ended = recpipe("convert", "src", "-o", "out", "--uid", uid)
    assert (ended.code, why in ended.err, Path("out").exists()) == (2, True, False)


def test_streams_by_themselves(recpipe, session):
    ended = recpipe("convert", "src", "-o", "out", "--users", "separate", "--json")
    assert [line["recording"].removeprefix(session) for line in ended.lines] == [
        f"__uid_s_{uid}__uid_e_{kind}" for uid in ("1001", "1002") for kind in ("video", "audio")
    ]


def test_it_goes_into_one_bag_and_all_of_it_may_go_then(recpipe, session):
    recpipe("convert", "src", "-o", "out")
    assert recpipe("archive", "ingest", "out", "--to", "vault").code == 0
    assert recpipe("archive", "verify", "vault").code == 0
    access = Path("vault") / session / "data" / "access"
    assert sorted(path.name.removeprefix(session) for path in access.iterdir()) == [
        ".session.json",
        "__uid_s_1001.mp4",
        "__uid_s_1002.mp4",
    ]
    rules = ("--older-than", "0s", "-o", "plan.json")
    planned = recpipe("clean", "plan", "src", "--to", "out", *rules)
    assert planned.code == 0, planned.err
    (one,) = json.loads(Path("plan.json").read_text())["recordings"]
    assert {found["key"] for found in one["objects"]} == {p.name for p in Path("src").iterdir()}


def test_nothing_of_it_may_go_while_a_slice_is_in_no_file(recpipe, session):
    recpipe("convert", "src", "-o", "out", "--format", "m4a")
    rules = ("--older-than", "0s", "-o", "plan.json")
    recpipe("clean", "plan", "src", "--to", "out", *rules)
    made = Path("plan.json")
    assert not made.exists() or json.loads(made.read_text())["recordings"] == []


def test_a_dry_run_names_the_session_file(recpipe, session):
    (line,) = recpipe("convert", "src", "-o", "out", "--dry-run", "--json").lines
    assert line["output"].endswith(f"out/{session}.session.json")
    assert (line["verdict"], line["exists"]) == (None, False)
    recpipe("convert", "src", "-o", "out")
    (line,) = recpipe("convert", "src", "-o", "out", "--dry-run", "--json").lines
    assert line["exists"] is True


def test_names(recpipe, session):
    """In every line and for people; who is in no recording is named in a warning."""
    Path("who.csv").write_text("uid,name,role\n1001,Anna,host\n1009,Eve,\n", encoding="utf-8")
    command = ("convert", "src", "-o", "out", "--names", "who.csv")
    ended = recpipe(*command)
    assert ended.code == 0, ended.err
    assert "recpipe: warning: who.csv: in none of the recordings: 1009\n" in ended.err
    assert "  user    Anna (host)\n" in ended.out
    lines = recpipe(*command, "--json").lines
    assert [(line["uid"], line["name"], line["role"], line["made"]) for line in lines] == [
        ("1001", "Anna", "host", False),
        ("1002", None, None, False),
    ]
    assert "warning" not in recpipe(*command, "--quiet").err


def test_names_that_are_none(recpipe, session):
    Path("who.csv").write_text("user;name\n1001;Anna\n", encoding="utf-8")
    ended = recpipe("convert", "src", "-o", "out", "--names", "who.csv")
    said = "who.csv: line 1: 0 columns called uid in 'user;name', expected uid,name"
    assert (ended.code, said in ended.err, Path("out").exists()) == (2, True, False)


def test_everybody_in_one_file(recpipe, session):
    """One line, one file, and who spoke when beside it."""
    request = {"backgroundColor": "#202020", "layoutConfig": [{"x_axis": 0, "y_axis": 0}]}
    request["layoutConfig"][0] |= {"width": 0.5, "height": 0.5, "uid": "1002"}
    Path("layout.json").write_text(json.dumps(request))
    command = ("convert", "src", "-o", "out", "--users", "all", "--speakers")
    custom = (*command, "--layout", "custom", "--request", "layout.json")
    planned = recpipe(*custom, "--dry-run", "--json")
    assert planned.line["output"].endswith(f"out/{session}.mp4")
    ended = recpipe(*custom, "--json")
    assert ended.code == 0, ended.err
    line = ended.line
    assert (line["recording"], line["session"], line["uids"]) == (
        *(session, session, ["1001", "1002"]),
    )
    assert [(one["uid"], one["kind"]) for one in line["absences"]] == [("1002", "audio")]
    video = line["tracks"][0]
    assert (video["width"], video["height"], video["duration"]) == (1280, 720, line["duration"])
    assert {path.name.removeprefix(session) for path in Path("out").iterdir()} == {
        *(".mp4", ".session.json", ".speakers.json", ".speakers.vtt", ".receipt.json"),
    }
    told = recpipe(*custom).out
    assert "  session 1 file of 2 users\n" in told
    assert "  proof   encoded: 201 pictures, 25 a second, in 1 scene; 8.040 s; users begin" in told
    assert told.count("out/") == 1
    assert recpipe("archive", "ingest", "out", "--to", "vault").code == 0
    assert recpipe("archive", "verify", "vault").code == 0
    cleaned = recpipe(
        "clean", "plan", "src", "--to", "out", "--older-than", "0s", "-o", "plan.json"
    )
    assert "kept 1: not proven" in cleaned.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--users", "all", "--layout", "custom"), "--layout custom needs regions"),
        (("--users", "all", "--screen", "a"), "--screen: 'a' is none"),
        (("--users", "mix-audio", "--format", "mp3"), "makes an m4a, not mp3"),
    ],
)
def test_what_cannot_be_made_of_all(recpipe, session, options, said):
    ended = recpipe("convert", "src", "-o", "out", *options)
    assert (ended.code, said in ended.err) == (2, True), ended.err


def test_explain_says_what_agora_knows_of_an_absence(recpipe, session, clean):
    """Each user is told only what is said of him; what nobody told is left open."""
    url = f"sqlite:///{Path.cwd()}/ledger.db"
    watch = ("watch", "src", "--to", "out", "--once", "--settle", "0s", "--ledger", url)
    assert recpipe(*watch).code == 0
    (absence,) = recpipe("convert", "src", "-o", "out", "--json").lines[1]["absences"]
    begin = round(1000 * datetime.fromisoformat(absence["utc"]).timestamp())
    sid = session.partition("_")[0]
    gone = {"state": 1, "UtcMs": begin}
    for number, uid in enumerate(("1001", "1002")):
        raw = notice(43, {**gone, "streamUid": uid}, sid=sid, sequence=number)
        with Ledger(url) as ledger:
            notices.keep(ledger, [notices.kept(webhook.parse(raw), raw)])
    (line,) = recpipe("explain", session, "--json", "--ledger", url).lines
    why = "no sound of user 1002 came"
    assert [(user["uid"], user["verdict"], user["absences"]) for user in line["users"]] == [
        ("1001", "ok", []),
        ("1002", "ok", [{**absence, "causes": [why]}]),
    ]
    assert [(part["listed"], part["ended"]) for part in line["parts"]] == [
        (count, True) for count in (2, 2, 1, 2)
    ]
    told = recpipe("explain", session, "--ledger", url).out
    assert "  user      1001: ok\n  user      1002: ok\n  away      audio at " in told
    assert f" s: muted; Agora: {why}\n" in told
