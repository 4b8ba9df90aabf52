"""``recpipe record``: requests from files and options, what it says, and what it never says."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.agora.bodies import CANVAS, GONE, RECORDING, START, STORAGE, changed
from tests.agora.tokens import version_7
from tests.cli.conftest import SECRET, write
from tests.settings import write as write_settings

ROOT = "/v1/apps/app1/cloud_recording"
SID = "0" * 32


def started(server):
    """What is remembered after a start; without the wait for it."""
    from pydantic import SecretStr

    from pipeline.agora.client import AgoraClient
    from pipeline.agora.schema.requests import StartRequest
    from pipeline.agora.schema.values import parse
    from pipeline.jobs.agora import lifecycle as record
    from pipeline.jobs.agora.sessions import Sessions

    with AgoraClient("app1", "customer", SecretStr(SECRET), hosts=[server.url]) as client:
        wanted = record.NewRecording(parse(StartRequest, START))
        sessions = Sessions(Path(os.environ["RECPIPE_STATE"]))
        record.start(record.Project(client, sessions), wanted)
    server.service.recordings[0].since -= 60
    server.seen.clear()


# The whole story.


def test_start_status_stop(recpipe, agora):
    begun = recpipe("record", "start", "--request", "request.json", "--json")
    assert (begun.code, begun.err) == (0, "")
    assert begun.line == {
        "command": "start",
        "channel": START["cname"],
        "uid": START["uid"],
        "mode": "mix",
        "sid": SID,
        "resource_id": "resource0",
        "state": "ready",
        "status": 4,
        "already": False,
        "uploading": None,
        "vendor": 2,
        "region": 3,
        "bucket": "recordings",
        "playlist": f"directory1/directory2/{SID}_httpClient463224.m3u8",
        "files": [],
    }
    acquire, start, *_ = agora.seen
    assert (acquire.path, start.path) == (
        f"{ROOT}/acquire",
        f"{ROOT}/resourceid/resource0/mode/mix/start",
    )
    assert start.body == START
    again = recpipe("record", "start", "--request", "request.json", "--json")
    assert (again.line["sid"], again.line["already"]) == (SID, True)
    assert recpipe("record", "status", "--json").line["sid"] == SID
    ended = recpipe("record", "stop", "--json")
    assert (ended.code, ended.line["state"]) == (0, "stopped")
    assert ended.line["uploading"] == "uploaded"
    assert ended.line["files"] == [f"{SID}_httpClient463224.m3u8"]
    assert agora.calls.count("start") == 1


def test_in_words(recpipe, agora):
    started(agora)
    assert recpipe("record", "start", "--request", "request.json").out == (
        f"recording (before this call): httpClient463224, uid 527841\n  sid        {SID}\n"
        f"  playlist   directory1/directory2/{SID}_httpClient463224.m3u8 (expected)\n"
    )
    assert recpipe("record", "status", "--channel", "httpClient463224").out.startswith("recording:")
    told = (
        f"stopped: httpClient463224, uid 527841\n  sid        {SID}\n"
        f"  uploading  uploaded\n  file       {SID}_httpClient463224.m3u8\n"
    )
    assert recpipe("record", "stop").out == told
    assert recpipe("record", "status", "--cname", "httpClient463224").out == told


def test_what_has_ended_by_itself(recpipe, agora):
    started(agora)
    agora.service.recordings[0].ended = time.time()
    ended = recpipe("record", "stop")
    assert ended.code == 0
    assert "warning: stop at" in ended.err
    assert "code 49: invalid operation" in ended.err
    assert "look into the bucket" in ended.out


def test_list_says_what_was_started_here_and_asks_nobody(recpipe, agora):
    assert recpipe("record", "list").out == ""
    started(agora)
    agora.reply = None
    told = recpipe("record", "list").out
    assert told.startswith("started  20")
    assert told.endswith(f"  httpClient463224, uid 527841, mix, sid {SID}\n")
    assert recpipe("record", "list", "--json").line["sid"] == SID


def test_record_alone_shows_what_there_is(recpipe):
    ended = recpipe("record")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("Usage: ")
    assert "layout" in ended.err


# Requests.


def test_a_toml_file_and_options_above_it(recpipe, agora):
    Path("request.toml").write_text(
        '[acquire]\nregion = "EU"\n[clientRequest.recordingConfig]\nstreamTypes = 1\n'
        "[clientRequest.storageConfig]\nvendor = 2\nregion = 3\nbucket = 'b'\n"
        'accessKey = "accessSECRET"\nsecretKey = "keySECRET"\n'
    )
    Path("token").write_text("tokenSECRET\n")
    options = (
        *("--channel", "lesson 7", "--uid", "5", "--stream-types", "2", "--token-file", "token"),
        *("--width", "1280", "--height", "720", "--fps", "30", "--bitrate", "1500"),
        *("--subscribe-audio", "#allstream#", "--subscribe-video", "7", "--subscribe-video", "8"),
        *("--mixed-video-layout", "0", "--max-idle-time", "300", "--prefix", "lessons/2026/"),
        *("--channel-type", "1"),
    )
    ended = recpipe("record", "start", "--request", "request.toml", *options, "--dry-run", "--json")
    assert (ended.code, ended.err) == (0, "")
    acquire, start = ended.lines
    assert acquire["body"] == {"cname": "lesson 7", "uid": "5", "clientRequest": {"region": "EU"}}
    assert start["url"] == f"{agora.url}{ROOT}/resourceid/{{resourceid}}/mode/mix/start"
    assert start["headers"]["Authorization"] == "Basic ***"
    assert start["body"] == {
        "cname": "lesson 7",
        "uid": "5",
        "clientRequest": {
            "token": "***",
            "recordingConfig": {
                "channelType": 1,
                "streamTypes": 2,
                "maxIdleTime": 300,
                "subscribeAudioUids": ["#allstream#"],
                "subscribeVideoUids": ["7", "8"],
                "transcodingConfig": {
                    "width": 1280,
                    "height": 720,
                    "fps": 30,
                    "bitrate": 1500,
                    "mixedVideoLayout": 0,
                },
            },
            "storageConfig": {
                "vendor": 2,
                "region": 3,
                "bucket": "b",
                "accessKey": "***",
                "secretKey": "***",
                "fileNamePrefix": ["lessons", "2026"],
            },
        },
    }
    assert agora.seen == []
    assert not Path("state").exists()


def test_a_dry_run_needs_no_credentials(recpipe, agora, monkeypatch):
    for name in ("CUSTOMER_ID", "CUSTOMER_SECRET"):
        monkeypatch.delenv(f"RECPIPE_AGORA_{name}")
    ended = recpipe("record", "start", "--request", "request.json", "--dry-run")
    assert ended.code == 0
    assert f"POST {agora.url}{ROOT}/acquire\nAuthorization: Basic ***\n" in ended.out
    assert "SECRET" not in ended.out


def test_a_request_on_standard_input(recpipe, agora):
    ended = recpipe(
        "record", "start", "--request", "-", "--dry-run", "--json", stdin=json.dumps(START).encode()
    )
    assert ended.lines[0]["body"]["cname"] == START["cname"]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"uid": "0"}, "uid: '0', expected a whole number from 1"),
        ({f"{RECORDING}.streamTypes": 7}, "streamTypes: 7, expected at most 2"),
        ({f"{CANVAS}.width": 4000}, "width: 4000, expected at most 1920"),
        ({f"{STORAGE}.fileNamePrefix": ["a_b"]}, "'a_b', expected only letters"),
        ({"acquire": {"region": "US"}}, "expected 'CN', 'AP', 'EU' or 'NA'"),
        ({f"{RECORDING}.subscribeVideoUids": ["527841"]}, "the recorder itself"),
    ],
)
def test_a_wrong_request_is_one_line_and_nothing_is_sent(recpipe, agora, changes, why):
    write(changed(changes))
    ended = recpipe("record", "start", "--request", "request.json")
    assert (ended.code, ended.out, agora.seen) == (2, "", [])
    assert why in ended.err
    assert ended.err.count("\n") == 1


def places(body, way=()):
    """Every key of a body, objects before what is in them, and its way to it."""
    for key, value in body.items():
        yield (*way, key)
        if isinstance(value, dict):
            yield from places(value, (*way, key))


def broken(place):
    """A body with each thing that can be wrong with one key, and what has to be said."""
    *way, key = place
    value = changed({})
    for step in place:
        value = value[step]
    where = ".".join(place)
    wrong = 5 if isinstance(value, dict | str | list) else "5"
    yield changed({where: wrong}), f"{where}: "
    yield changed({where: [[]]}), where
    other = ".".join([*way, key.swapcase()])
    yield changed({where: GONE, other: value}), f"unknown key; did you mean {key}?"
    if isinstance(value, int):
        between = " " if key == "region" else ": "  # a rule between two fields says so
        yield changed({where: 10**12}), f"{key}{between}1000000000000, expected"
        yield changed({where: -1}), f"{key}{between}-1, expected"
        yield changed({where: 1.5}), f"{where}: 1.5, expected a whole number"
    elif key == "token":  # an empty one is none
        yield changed({where: 5}), f"{where}: expected text"
    elif isinstance(value, str):
        yield changed({where: ""}), "expected"
    elif isinstance(value, list):
        yield changed({where: ["\x00/"]}), f"{where}.0: "


@pytest.mark.parametrize("place", list(places(START)), ids=".".join)
def test_every_field_of_the_request_broken_in_turn(recpipe, agora, place):
    """One clear line that names the field, and nothing is sent."""
    for body, why in broken(place):
        write(body)
        ended = recpipe("record", "start", "--request", "request.json")
        assert (ended.code, ended.out, agora.seen) == (2, "", []), body
        assert why in ended.err
        assert ended.err.count("\n") == 1
        assert not any(secret in ended.err for secret in ("tokenSEC", "accessSEC", "keySEC"))


def test_what_agora_has_added_is_sent_and_named(recpipe, agora):
    write(changed({f"{RECORDING}.extensionParams": {"enableNTPtimestamp": True, "key": "aSECRET"}}))
    ended = recpipe("record", "start", "--request", "request.json", "--dry-run", "--json")
    assert ended.code == 0
    sent = ended.lines[1]["body"]["clientRequest"]["recordingConfig"]["extensionParams"]
    assert sent == {"enableNTPtimestamp": True, "key": "***"}
    assert "warning: clientRequest.recordingConfig.extensionParams.enableNTPtimestamp: unk" in (
        ended.err
    )
    assert ended.err.count("\n") == 2
    assert recpipe("record", "start", "--request", "request.json").code == 0
    start = next(request for request in agora.seen if request.path.endswith("/start"))
    assert start.body == json.loads(Path("request.json").read_text())


def test_an_unknown_key_of_acquire_is_named_too(recpipe, agora):
    write(changed({"acquire": {"priority": 1}}))
    ended = recpipe("record", "start", "--request", "request.json", "--dry-run", "--json")
    assert "warning: clientRequest.priority: unknown key" in ended.err
    assert ended.lines[0]["body"]["clientRequest"] == {"priority": 1}


def test_raw_mode(recpipe, agora):
    write(changed({CANVAS: GONE, f"{RECORDING}.audioProfile": GONE}))
    options = ("--request", "request.json", "--mode", "raw")
    ended = recpipe("record", "start", *options, "--dry-run", "--json")
    assert (ended.code, ended.err) == (0, "")
    assert ended.lines[1]["url"].endswith("/mode/raw/start")


def test_a_token_that_ends_too_soon(recpipe, agora):
    token = version_7(int(time.time()), 3600)
    write(changed({"clientRequest.token": token}))
    ended = recpipe("record", "start", "--request", "request.json", "--dry-run")
    assert ended.code == 0
    assert "warning: token: ends in 60 minutes and cannot be renewed" in ended.err
    assert token not in ended.err + ended.out
    write(changed({"clientRequest.token": token, "acquire": {"resourceExpiredHour": 1}}))
    assert "token" not in recpipe("record", "start", "--request", "request.json", "--dry-run").err


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "request.json: not valid JSON, line 1"),
        ("", "not valid JSON"),
        ("[]", "expected one object"),
        ('{"uid": "1", "uid": "2"}', "key 'uid' twice"),
        ("\ufeff{}", "cname: missing"),
        ("[" * 100_000, "not valid JSON"),
        ('{"clientRequest": 5}', "clientRequest: 5, expected an object"),
        ('{"acquire": 5}', "missing"),
        (" " * (1 << 20) + "{}", "more than 1048576 bytes"),
    ],
)
def test_a_file_that_is_no_request(recpipe, agora, text, why):
    Path("request.json").write_text(text)
    ended = recpipe("record", "start", "--request", "request.json", "--width", "5")
    assert (ended.code, agora.seen) == (2, [])
    assert why in ended.err
    assert ended.err.count("\n") == 1


def test_a_file_that_is_not_there(recpipe, agora):
    ended = recpipe("record", "start", "--request", "nowhere.toml")
    assert ended.code == 2
    assert "read nowhere.toml: no such file" in ended.err


def test_what_is_seldom_meant_is_a_warning(recpipe, agora):
    body = changed({})
    del body["clientRequest"]["recordingConfig"]["subscribeAudioUids"]
    write(body)
    ended = recpipe("record", "start", "--request", "request.json", "--dry-run")
    assert ended.code == 0
    assert "warning: subscribeAudioUids: no sound will be recorded" in ended.err


def test_update_and_layout(recpipe, agora):
    started(agora)
    seen = []
    agora.reply = lambda request: seen.append(request) or (200, {})
    assert recpipe("record", "update", "--subscribe-audio", "#allstream#").code == 0
    ended = recpipe("record", "layout", "--mixed-video-layout", "1", "--json")
    assert (ended.code, ended.line["command"]) == (0, "layout")
    write({"clientRequest": {"mixedVideoLayout": 2, "maxResolutionUid": "123"}}, "layout.json")
    assert recpipe("record", "layout", "--request", "layout.json").code == 0
    update, layout, from_file = seen
    name = {"cname": START["cname"], "uid": START["uid"]}
    inner = f"{ROOT}/resourceid/resource0/sid/{SID}/mode/mix"
    assert (update.path, layout.path) == (f"{inner}/update", f"{inner}/updateLayout")
    lists = {"audioUidList": {"subscribeAudioUids": ["#allstream#"]}}
    assert update.body == {**name, "clientRequest": {"streamSubscribe": lists}}
    assert layout.body == {**name, "clientRequest": {"mixedVideoLayout": 1}}
    assert from_file.body["clientRequest"]["maxResolutionUid"] == "123"
    assert recpipe("record", "update").code == 2
    for command in ("status", "update", "stop"):
        options = ("--subscribe-video", "5") if command == "update" else ()
        shown = recpipe("record", command, *options, "--dry-run", "--json")
        assert shown.line["url"].startswith(f"{agora.url}{inner}/")
    assert len(seen) == 3


def temporary(monkeypatch, left):
    """A store with temporary credentials that are good for so many seconds."""
    keys = {"KEY": "accessSECRET", "SECRET": "keySECRET", "TOKEN": "stsSECRET"}
    for name, value in {**keys, "END": str(int(time.time() + left))}.items():
        monkeypatch.setenv(f"CALLS_{name}", value)
    write_settings(
        '[storage.calls]\nvendor = "aws"\nregion = "us-east-1"\nbucket = "b"\nprefix = "other"\n'
        'access-key-env = "CALLS_KEY"\nsecret-key-env = "CALLS_SECRET"\n'
        'session-token-env = "CALLS_TOKEN"\nsession-expiration-env = "CALLS_END"\n'
    )


def test_temporary_credentials_are_renewed(recpipe, agora, monkeypatch):
    started(agora)
    seen = []
    agora.reply = lambda request: seen.append(request) or (200, {})
    temporary(monkeypatch, 5 * 3600)
    ended = recpipe("record", "update", "--storage", "calls", "--debug")
    assert ended.code == 0
    assert "SECRET" not in ended.out + ended.err
    sent = seen[0].body["clientRequest"]["storageConfig"]
    assert (sent["stsToken"], sent["secretKey"]) == ("stsSECRET", "keySECRET")
    assert sent["stsExpiration"] > time.time() + 4 * 3600
    assert sent["fileNamePrefix"] == ["directory1", "directory2"]  # the folder stays
    shown = recpipe("record", "update", "--storage", "calls", "--dry-run").out
    assert '"stsToken": "***"' in shown


@pytest.mark.parametrize(
    ("left", "code", "why"),
    [
        (3600, 0, "warning: stsExpiration: ends in 60 minutes; Agora wants 4 hours at least"),
        (-1, 2, "stsExpiration: has passed; get new credentials"),
    ],
)
def test_temporary_credentials_that_end_too_soon(recpipe, agora, monkeypatch, left, code, why):
    temporary(monkeypatch, left)
    start = ("record", "start", "--request", "request.json", "--storage", "calls", "--dry-run")
    ended = recpipe(*start)
    assert (ended.code, agora.seen) == (code, [])
    assert why in ended.err


def test_a_sid_given_by_hand_is_remembered(recpipe, agora):
    started(agora)
    (path,) = Path("state/recordings").glob("*.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "sid": None}))
    ended = recpipe("record", "status")
    assert ended.code == 2
    assert "its sid is not known; name it with --sid" in ended.err
    assert recpipe("record", "status", "--sid", "../../x").code == 2
    assert recpipe("record", "status", "--sid", SID).code == 0
    assert recpipe("record", "stop").code == 0


# Settings.


@pytest.mark.parametrize(
    ("missing", "why"),
    [
        ("AGORA_APP_ID", "no App ID; set RECPIPE_AGORA_APP_ID or --agora-app-id"),
        ("AGORA_CUSTOMER_ID", "no customer ID; set RECPIPE_AGORA_CUSTOMER_ID"),
        ("AGORA_CUSTOMER_SECRET", "no customer secret; set RECPIPE_AGORA_CUSTOMER_SECRET"),
    ],
)
def test_settings_that_are_missing(recpipe, agora, monkeypatch, missing, why):
    monkeypatch.delenv(f"RECPIPE_{missing}")
    ended = recpipe("record", "start", "--request", "request.json")
    assert (ended.code, agora.seen) == (2, [])
    assert why in ended.err


def test_a_secret_from_a_file_and_hosts_from_the_settings(recpipe, agora, monkeypatch):
    started(agora)
    for name in ("AGORA_CUSTOMER_SECRET", "API_URL"):
        monkeypatch.delenv(f"RECPIPE_{name}")
    Path("secret").write_text(f"{SECRET}\n")
    write_settings(f'agora-customer-secret-file = "secret"\napi-url = ["{agora.url}"]\n')
    assert recpipe("record", "status").code == 0
    assert agora.seen[0].headers["authorization"] == "Basic Y3VzdG9tZXI6Y3VzdG9tZXJTRUNSRVQ="
    Path("secret").write_text("a\nb\nc\n")
    assert "expected one line with the secret" in recpipe("record", "status").err


def test_no_secret_in_the_settings_file(recpipe, agora):
    write_settings(f'agora-customer-secret = "{SECRET}"\n')
    ended = recpipe("record", "status")
    assert ended.code == 2
    assert "a secret does not belong here; set RECPIPE_AGORA_CUSTOMER_SECRET" in ended.err
    assert SECRET not in ended.err


def test_the_service_refuses(recpipe, agora):
    agora.reply = lambda _: (401, {"message": "Invalid authentication credentials"})
    ended = recpipe("record", "start", "--request", "request.json", "--json")
    assert (ended.code, ended.out) == (2, "")
    assert "HTTP 401: Invalid authentication credentials; check App ID, customer ID" in ended.err


# Promise: no secret in a log, an error or a process list.


def test_no_secret_anywhere(agora, clean):
    """Every command, with --debug, against a service that repeats what it was told."""

    def reply(seen):
        if seen.call == "start" and len(seen.raw) % 2:
            time.sleep(0.3)
        status, body = agora.service.reply(seen)
        return status, {**body, "reason": seen.raw.decode() + str(seen.headers)}

    agora.reply = reply
    commands = [
        ["start", "--request", "request.json"],
        *([command, "--json"] for command in ("status", "stop")),
        ["start", "--request", "request.json", "--dry-run"],
        ["start", "--request", "broken.json"],
    ]
    write(
        changed(
            {
                f"{STORAGE}.secretKey": ["keySECRET"],
                "clientRequest.Token": "tokenSECRET",
                "uid": "x",
            }
        ),
        "broken.json",
    )
    said = [run(["record", *command, "--debug"]) for command in commands]
    agora.reply = lambda seen: (400, {"code": 2, "reason": seen.raw.decode() + SECRET})
    said += [run(["record", "start", "--request", "request.json", "--uid", "9", "--debug"])]
    told, listed = map("".join, zip(*said, strict=True))
    assert "SECRET" not in told + listed
    assert "request.json" in listed
    assert all(word in told for word in ("debug: POST", "***", "Traceback", "did you mean token"))
    for path in clean.rglob("*"):
        if path.is_file() and path.parent != clean:
            assert b"SECRET" not in path.read_bytes()


def run(args):
    """All it says, and what a process list shows of it meanwhile."""
    argv = [sys.executable, "-m", "pipeline", *args]
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    root = Path(__file__).parents[2]
    environ = {**os.environ, "PYTHONPATH": str(root)}
    with subprocess.Popen(argv, text=True, env=environ, **streams) as process:
        time.sleep(0.2)
        listed = Path(f"/proc/{process.pid}/cmdline").read_bytes().decode()
        return process.communicate(timeout=60)[0], listed
