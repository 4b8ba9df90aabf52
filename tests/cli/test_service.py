"""``recpipe simulate service`` with ``recpipe record``: the whole story, in real processes."""

import base64
import json
import os
import signal
import socket
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, quote_plus

import httpx
import pytest
from pydantic import SecretStr

from pipeline.agora.webhook import SessionExited, Uploaded, in_order, is_genuine, parse
from tests.agora.bodies import ACCESS, GONE, SECRET, START, STORAGE, TOKEN, changed
from tests.agora.server import listening
from tests.settings import write as write_settings

SECRETS = {"AGORA_CUSTOMER_SECRET": "cust/SECRET+ä=&", "WEBHOOK_SECRET": "hook/SECRET+ü =%"}
SECONDS = float(os.environ.get("RECPIPE_TEST_RECORDING", "40"))  # of the whole story
SPEED = float(os.environ.get("RECPIPE_TEST_SPEED", "8"))
READY = 60  # seconds: a busy machine takes long

pytestmark = pytest.mark.usefixtures("ffmpeg")


@pytest.fixture
def settings(clean, monkeypatch):
    """Those of a user who has everything in variables."""
    values = {"AGORA_APP_ID": "app1", "AGORA_CUSTOMER_ID": "customer", "STATE": "state", **SECRETS}
    for name, value in values.items():
        monkeypatch.setenv(f"RECPIPE_{name}", value)
    Path("request.json").write_text(json.dumps(START))


@pytest.fixture
def service(launch, settings, monkeypatch):
    """Starts the stand-in, and points everything at it; its output goes to a file."""

    @contextmanager
    def run(*args):
        with Path("service.err").open("w") as err:
            process = launch("simulate", "service", "--port", 0, *args, "--json", stderr=err)
            url = json.loads(process.stdout.readline())["url"]
        monkeypatch.setenv("RECPIPE_API_URL", url)
        yield process
        process.send_signal(signal.SIGTERM)
        assert process.wait(READY) == 0, Path("service.err").read_text()

    return run


def wait_for(condition, what):
    end = time.monotonic() + READY + SECONDS / SPEED
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.1)


def test_the_whole_story(service, recpipe, weed, launch, monkeypatch):
    """Start, 40 s of recording into a real store, stop, convert: ok.  And no secret anywhere."""
    for name, value in weed.environment.items():
        monkeypatch.setenv(name, value)
    place = f"s3://{weed.new_bucket()}/"
    listed, said = [], []

    def run(*args):
        """A process of its own, its command line seen meanwhile; its JSON."""
        process = launch(*args, "--json", "--debug")
        listed.append(commandline(process))
        out, err = process.communicate(timeout=READY)
        said.extend([out, err])
        assert process.returncode == 0, err
        return [json.loads(line) for line in out.splitlines()]

    with listening() as hooks:
        options = ("--webhook", f"{hooks.url}/agora/events", "--log", "log.jsonl", "--debug")
        with service("--to", place, "--speed", SPEED, "--segments", "4s", *options) as process:
            listed.append(commandline(process))
            (began,) = run("record", "start", "--request", "request.json")
            assert began["status"] in (4, 5)
            time.sleep(SECONDS / SPEED / 4)
            wait_for(lambda: len(segments(weed, place)) >= SECONDS / 4, "no slices")
            (again,) = run("record", "start", "--request", "request.json")
            assert (again["already"], again["sid"]) == (True, began["sid"])
            stopped, made = run("record", "stop", "--wait", "--from", place, "--to", "out")
            assert stopped["uploading"] == "uploaded"
    assert stopped["files"] == [began["playlist"]]
    assert (made["verdict"], made["tracks"][0]["height"]) == ("ok", 640)
    assert made["duration"] >= SECONDS
    (done,) = run("convert", f"{place}{began['playlist']}", "-o", "out")  # made already
    assert (done["verdict"], done["sha256"]) == ("ok", made["sha256"])

    calls = [json.loads(line) for line in Path("log.jsonl").read_text().splitlines()]
    assert [call["endpoint"] for call in calls if call["endpoint"] != "query"] == [
        *("acquire", "start", "stop")
    ]
    secret = SecretStr(SECRETS["WEBHOOK_SECRET"])
    for seen in hooks.seen:
        assert is_genuine(seen.raw, secret, v2=seen.headers["agora-signature-v2"])
        assert is_genuine(seen.raw, secret, v1=seen.headers["agora-signature"])
    notices = in_order(parse(seen.raw) for seen in hooks.seen)
    assert [n.sequence for n in notices] == list(range(len(notices)))
    assert {n.sid for n in notices} == {began["sid"]}
    assert any(isinstance(n.event, Uploaded) for n in notices)
    assert isinstance(notices[-1].event, SessionExited)

    said += [*listed, *(repr(seen.headers) + seen.raw.decode() for seen in hooks.seen)]
    files = [path for path in Path().rglob("*") if path.is_file() and path.name != "request.json"]
    assert {"log.jsonl", "service.err"} < {path.name for path in files}
    said += [path.read_bytes().decode("latin-1") for path in files]
    secrets = [*SECRETS.values(), TOKEN, ACCESS, SECRET, weed.secret_key]
    for hidden in ("SECRET", *forms(*secrets, f"customer:{SECRETS['AGORA_CUSTOMER_SECRET']}")):
        assert not [text for text in said if hidden in text]


def forms(*secrets):
    """As they are, as they stand in a URL or in JSON, in base64 and in hexadecimal digits."""
    for secret in secrets:
        yield from (secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1])
        yield from (base64.b64encode(secret.encode()).decode().rstrip("="), secret.encode().hex())
        yield secret.encode().decode("latin-1")  # as the files are read here


def commandline(process):
    return Path(f"/proc/{process.pid}/cmdline").read_bytes().decode()


def segments(weed, place):
    bucket = place.split("/")[2]
    found = weed.client.list_objects_v2(Bucket=bucket).get("Contents", [])
    return [entry["Key"] for entry in found if entry["Key"].endswith(".ts")]


def test_a_store_written_once_serves_both_sides(service, recpipe, weed, monkeypatch):
    """``record --storage``, the stand-in and ``convert`` are told of one table."""
    for name, value in {"KEY": weed.access_key, "SECRET": weed.secret_key}.items():
        monkeypatch.setenv(f"CALLS_{name}", value)
    write_settings(
        f'[storage.calls]\nvendor = "self"\nbucket = "{weed.new_bucket()}"\nprefix = "a/b"\n'
        f'endpoint = "{weed.endpoint_url}"\naccess-key-env = "CALLS_KEY"\n'
        'secret-key-env = "CALLS_SECRET"\n'
    )
    Path("request.json").write_text(json.dumps(changed({STORAGE: GONE})))
    with service("--speed", 8, "--segments", "4s"):
        begun = recpipe(
            *("record", "start", "--request", "request.json", "--storage", "calls", "--json")
        )
        assert begun.code == 0, begun.err
        assert begun.line["playlist"].startswith("a/b/")
        assert recpipe("record", "stop").code == 0
        # what the settings do not know is refused
        refused = recpipe("record", "start", "--request", "request.json", "--storage", "other")
        assert "no [storage.other]" in refused.err
        Path("request.json").write_text(json.dumps(START))
        refused = recpipe("record", "start", "--request", "request.json")
        assert (refused.code, "bucket recordings of vendor 2, region 3" in refused.err) == (2, True)
    assert recpipe("check", "@calls/", "--json").line["verdict"] == "ok"


def test_a_failover_leaves_two_parts(service, recpipe):
    with service("--to", "rec", "--speed", 20, "--segments", "4s", "--kill-recorder", 30):
        sid = recpipe("record", "start", "--request", "request.json", "--json").line["sid"]
        wait_for(lambda: any(Path("rec").rglob("bak0_*.m3u8")), "no second part")
        assert recpipe("record", "stop").code == 0
    names = {path.name for path in Path("rec").rglob("*.m3u8")}
    assert names == {f"{sid}_httpClient463224.m3u8", f"bak0_{sid}_httpClient463224.m3u8"}
    done = recpipe("convert", "rec/directory1/directory2", "-o", "out", "--json")
    assert (done.code, done.line["verdict"]) == (3, "degraded")
    assert done.line["lost_seconds"] == pytest.approx({"video": 10, "audio": 10}, abs=0.1)


def test_stream_types_in_numbers_and_words(recpipe, settings):
    for given, number in (("0", 0), ("video", 1), ("both", 2)):
        body = changed({"clientRequest.recordingConfig": {}})
        Path("request.json").write_text(json.dumps(body))
        env = {"RECPIPE_STREAM_TYPES": given}
        shown = recpipe(
            "record", "start", "--request", "request.json", "--dry-run", "--json", env=env
        )
        assert shown.lines[1]["body"]["clientRequest"]["recordingConfig"]["streamTypes"] == number
    write_settings("stream-types = 0\n")
    small = ("--size", "64x64", "--duration", "8s", "--segments", "4s", "-o", "rec", "--json")
    assert recpipe("simulate", "recording", *small).line["recoverable"]["samples"].keys() == {
        "audio"
    }
    ended = recpipe("record", "start", "--request", "request.json", "--stream-types", "3")
    assert "expected 0 or audio, 1 or video, 2 or both" in ended.err


@pytest.mark.parametrize(
    ("args", "env", "why"),
    [
        (("--speed", "0"), {}, "expected more than 0"),
        (("--segments", "0s"), {}, "expected 1 s to 1 h"),
        (("--chaos", "1.5"), {}, "0<=x<=1"),
        (("--kill-recorder", "-1"), {}, "--kill-recorder: expected seconds from 0 on"),
        (("--users-leave", "nan"), {}, "--users-leave: expected seconds from 0 on"),
        (("--webhook", "nowhere"), {}, "expected an address"),
        (("--webhook", "http://x/"), {"WEBHOOK_SECRET": ""}, "set RECPIPE_WEBHOOK_SECRET"),
        ((), {"AGORA_APP_ID": ""}, "no App ID; set RECPIPE_AGORA_APP_ID"),
        ((), {"AGORA_CUSTOMER_SECRET": ""}, "no customer secret"),
        (("--log", "no/such/folder"), {}, "write no/such/folder: no such file"),
        (("--to", "ftp://x/"), {}, "not supported"),
    ],
)
def test_what_makes_no_sense_is_refused(recpipe, settings, args, env, why):
    ended = recpipe(
        *("simulate", "service", "--port", 0, *args),
        env={f"RECPIPE_{name}": value for name, value in env.items()},
    )
    assert (ended.code, ended.out) == (2, "")
    assert why in ended.err
    assert ended.err.count("\n") == 1
    assert "SECRET" not in ended.err.replace("RECPIPE_AGORA_CUSTOMER_SECRET", "").replace(
        "RECPIPE_WEBHOOK_SECRET", ""
    )


@pytest.mark.parametrize("library", ["starlette.applications", "uvicorn"])
def test_without_its_libraries_it_names_the_extra(recpipe, settings, monkeypatch, library):
    monkeypatch.delitem(sys.modules, "pipeline.simulator.service.rest", raising=False)
    monkeypatch.setitem(sys.modules, library, None)
    ended = recpipe("simulate", "service", "--to", "out")
    assert ended.code == 2
    assert ended.err.endswith("not installed; run `pip install 'recpipe[web]'`\n")


def test_a_port_that_is_taken(recpipe, settings):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = recpipe("simulate", "service", "--to", "rec", "--port", taken.getsockname()[1])
    assert ended.code in (2, 75)
    assert "listen on port" in ended.err


def test_users_who_come_and_go_with_what_is_true_of_them(service, settings):
    acts = ("--act", "123:leave@6", "--act", "456:join@4", "--truth", "truth")
    with service("--to", "rec", "--speed", 4, "--segments", "2s", *acts):
        url, account = os.environ["RECPIPE_API_URL"], ("customer", SECRETS["AGORA_CUSTOMER_SECRET"])
        root = f"{url}/v1/apps/app1/cloud_recording"
        name = {key: START[key] for key in ("cname", "uid")}
        with httpx.Client(auth=account, timeout=READY) as client:
            asked = client.post(f"{root}/acquire", json={**name, "clientRequest": {}})
            resource = f"{root}/resourceid/{asked.json()['resourceId']}"
            alone = {"clientRequest.recordingConfig.transcodingConfig": GONE}
            alone["clientRequest.recordingConfig.audioProfile"] = GONE
            started = client.post(f"{resource}/mode/individual/start", json=changed(alone))
            session = f"{resource}/sid/{started.json()['sid']}/mode/individual"
            wait_for(lambda: any(Path("rec").rglob("*__uid_s_456__*.ts")), "456 does not come")
            stop = {**name, "clientRequest": {"async_stop": False}}
            assert client.post(f"{session}/stop", json=stop).status_code == 200
    truth = json.loads(Path(f"truth/{started.json()['sid']}.json").read_text())
    causes = {
        user["uid"]: [one["cause"] for one in user["streams"]["audio"]["absences"]]
        for user in truth["users"]
    }
    assert causes["456"] == ["not_joined"]
    assert causes["123"] in ([], ["left"])  # if it was stopped before
    assert all(any(Path("rec").rglob(name)) for name in truth["playlists"])
