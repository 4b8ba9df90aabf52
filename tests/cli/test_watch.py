"""``recpipe watch``, in this process and as processes of its own."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from pydantic import SecretStr

from pipeline.agora.webhook import signatures
from pipeline.cli.batch import convert
from pipeline.cli.watch import watch
from pipeline.errors import DeniedError, NotFoundError, StorageError
from pipeline.jobs.limits.locks import locked
from pipeline.ledger import claims, queries
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.states import State
from pipeline.stages import publish
from pipeline.storage.local import LocalStorage
from pipeline.storage.s3.store import S3Storage
from pipeline.watch import notify
from tests.cli.conftest import COMPOSITE, ROOT, SAMPLES, edit_playlist, names, segments, snapshot

NOW = ("--settle", "0s")
LATER = 60.0  # seconds; a busy machine takes many times as long as an idle one


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/ledger.db"


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def once(recpipe, url, out):
    """One cycle for cron."""

    def run(*sources, **env):
        wanted = [str(s) for s in sources]
        given = () if "--settle" in wanted else NOW
        return recpipe(
            "watch", *wanted, "--to", out, "--ledger", url, "--once", *given, env=env or None
        )

    return run


def states(url):
    with Ledger(url) as ledger:
        return {row["name"]: row["state"].value for row in queries.status(ledger)}


def test_a_store_becomes_mp4s_and_cron_hears_nothing(once, samples, out, url):
    ended = once(samples)
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    assert len([name for name in names(out) if name.endswith(".mp4")]) == 3
    assert set(states(url).values()) == {"published"}


def test_twice_is_as_good_as_once(once, samples, out):
    once(samples)
    before = snapshot(out)
    assert once(samples).code == 0
    assert snapshot(out) == before


def test_a_template_names_every_version_and_each_is_found_again(once, composite, out, url, recpipe):
    missing = segments(composite)[1]
    kept = missing.read_bytes()
    missing.unlink()
    env = {"RECPIPE_NAME": "{cname}/{sid}", "RECPIPE_LATE_DEADLINE": "0s"}
    once(composite)  # takes it up, and waits
    assert once(composite, **env).code == 3
    sid, _, cname = COMPOSITE.partition("_")
    assert names(out) == [cname]
    missing.write_bytes(kept)
    assert once(composite, **env).code == 0
    versions = [sid, f"{sid}.v2"]
    assert names(out / cname) == sorted(
        f"{v}{s}" for v in versions for s in (".mp4", ".receipt.json")
    )
    before = snapshot(out)
    assert once(composite, **env).code == 0
    assert snapshot(out) == before
    fresh = f"{url}2"
    rebuilt = recpipe("ledger", "rebuild", "--to", out, "--ledger", fresh)
    assert rebuilt.code == 0
    with Ledger(fresh) as ledger:
        (row,) = queries.status(ledger)
    assert (row["name"], row["version"]) == (COMPOSITE, 2)


def test_two_looks_a_settle_time_apart(once, composite, out, url):
    assert once(composite, "--settle", "1s").code == 0
    assert states(url) == {COMPOSITE: "settling"}
    assert not out.exists()
    time.sleep(1.1)
    assert once(composite, "--settle", "1s").code == 0
    assert states(url) == {COMPOSITE: "published"}


def test_what_still_runs_is_waited_for(once, composite, out, url):
    edit_playlist(composite, "#EXT-X-ENDLIST\n", "")
    assert once(composite).code == 0
    assert states(url) == {COMPOSITE: "recording"}
    assert not out.exists()


def test_a_late_segment_is_waited_for_then_given_up(once, composite, out, url):
    segments(composite)[1].unlink()
    assert once(composite).code == 0
    assert states(url)[COMPOSITE] in ("uploading", "late")
    ended = once(composite, "--late-deadline", "0s")
    assert ended.code == 3
    (line,) = [json.loads(p.read_text()) for p in out.glob("*.receipt.json")]
    assert line["verdict"] == "degraded"
    assert states(url) == {COMPOSITE: "published"}


def test_what_comes_late_makes_a_new_version_and_the_first_one_stays(once, composite, out, url):
    missing = segments(composite)[1]
    kept = missing.read_bytes()
    missing.unlink()
    once(composite)
    once(composite, "--late-deadline", "0s")
    first = snapshot(out)
    missing.write_bytes(kept)
    assert once(composite).code == 0
    second = snapshot(out)
    assert {name: second[name] for name in first} == first
    assert set(second) - set(first) == {f"{COMPOSITE}.v2.mp4", f"{COMPOSITE}.v2.receipt.json"}
    assert json.loads((out / f"{COMPOSITE}.v2.receipt.json").read_text())["verdict"] == "ok"
    assert once(composite).code == 0
    assert snapshot(out) == second


def told(sid, kind, secret):
    """A line of what the web server received from Agora."""
    payload = {"sid": sid, "details": {"fileList": []}}
    body = json.dumps({"noticeId": sid, "eventType": kind, "productId": 3, "payload": payload})
    headers = signatures(body.encode(), SecretStr(secret))
    return json.dumps({"headers": headers, "body": body}) + "\n"


def test_what_agora_says_is_taken_for_the_end_if_it_is_signed(once, composite, out, url, tmp_path):
    """No EXT-X-ENDLIST, but the notification that everything is uploaded."""
    edit_playlist(composite, "#EXT-X-ENDLIST\n", "")
    sid, events = COMPOSITE.partition("_")[0], tmp_path / "events.jsonl"
    secret = {"RECPIPE_WEBHOOK_SECRET": "s3cret"}
    events.write_text(told(sid, 31, "another"))
    assert once(composite, "--events", events, **secret).code == 0
    assert states(url) == {COMPOSITE: "recording"}
    with events.open("a") as file:
        file.write(told(sid, 31, "s3cret"))
    assert once(composite, "--events", events, **secret).code == 0
    assert states(url) == {COMPOSITE: "published"}


def test_what_agora_says_is_in_its_backup_cloud_is_not_called_late(once, composite, url, tmp_path):
    segments(composite)[1].unlink()
    events = tmp_path / "events.jsonl"
    events.write_text(told(COMPOSITE.partition("_")[0], 32, "any"))
    assert once(composite, "--events", events).code == 0
    assert states(url) == {COMPOSITE: "backuped"}


def test_an_end_that_never_comes_is_told_and_is_no_loss_by_itself(
    once, recpipe, composite, out, url
):
    edit_playlist(composite, "#EXT-X-ENDLIST\n", "")
    once(composite)
    assert recpipe("retry", COMPOSITE, "--ledger", url).code == 0
    assert once(composite).code == 0
    receipt = json.loads((out / f"{COMPOSITE}.receipt.json").read_text())
    assert "PL_GIVEN_UP" in {finding["id"] for finding in receipt["findings"]}
    line = recpipe(
        "convert", composite, "-o", out / "by-hand", "--accept-unfinished", "--json"
    ).line
    assert receipt["verdict"] == line["verdict"] == "ok"


def test_no_end_is_awaited_where_none_is_wanted(once, composite, out, url):
    edit_playlist(composite, "#EXT-X-ENDLIST\n", "")
    assert once(composite, "--accept-unfinished", "--settle", "1s").code == 0
    assert states(url) == {COMPOSITE: "settling"}
    time.sleep(1.1)
    assert once(composite, "--accept-unfinished", "--settle", "1s").code == 0
    receipt = json.loads((out / f"{COMPOSITE}.receipt.json").read_text())
    assert receipt["verdict"] == "ok"
    assert "PL_GIVEN_UP" not in {finding["id"] for finding in receipt["findings"]}


def test_another_format_is_published_and_learned_again_by_a_new_ledger(
    once, composite, out, url, tmp_path
):
    assert once(composite, "--format", "m4a").code == 0
    assert names(out) == [f"{COMPOSITE}.m4a", f"{COMPOSITE}.m4a.receipt.json"]
    before = snapshot(out)
    for path in tmp_path.glob("ledger.db*"):
        path.unlink()
    assert once(composite, "--format", "m4a").code == 0
    assert (states(url), snapshot(out)) == ({COMPOSITE: "published"}, before)
    with (composite / segments(composite)[0].name).open("ab") as file:
        file.write(b"\xff" * 188)
    assert once(composite, "--format", "m4a").code == 0  # nothing of it is missing
    assert f"{COMPOSITE}.v2.m4a" in names(out)


def test_what_convert_may_be_told_the_watcher_may_be_told():
    makes = ("format", "on_loss", "on_change", "accept_unfinished", "key", "stream_types", "deep")
    known = [{p.name: p for p in command.params} for command in (convert, watch)]
    for name in makes:
        assert known[0][name] is not known[1][name]
        assert known[0][name].to_info_dict() == known[1][name].to_info_dict()


LINE = f"recpipe: degraded: {COMPOSITE}: lost video 15.200 s, audio 15.189 s; SEG_MISSING: "
CRON = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}


def by_cron(launch, tmp_path, *args):
    """As cron starts it: no terminal, and next to nothing in its environment."""
    env = {**CRON, "HOME": str(tmp_path / "home")}
    process = launch(*args, env=env, start_new_session=True)
    out, err = process.communicate(timeout=LATER)
    return process.returncode, out, err


def test_cron_hears_of_a_degraded_recording_once(launch, composite, out, tmp_path):
    (tmp_path / "home").mkdir()
    args = ("watch", composite, "--to", out, "--once", "--quiet", *NOW, "--late-deadline", "0s")
    assert by_cron(launch, tmp_path, *args) == (0, "", "")
    for left in (out, tmp_path / "home" / ".local"):
        shutil.rmtree(left)
    missing = segments(composite)[1]
    missing.unlink()
    assert by_cron(launch, tmp_path, *args) == (0, "", "")  # it is awaited
    code, said, line = by_cron(launch, tmp_path, *args)
    assert (code, said, line.count("\n")) == (3, "", 1)
    for part in ("published", COMPOSITE, "verdict=degraded", "lost video 15.200 s", missing.name):
        assert part in line
    assert by_cron(launch, tmp_path, *args) == (0, "", "")


def test_cron_hears_once_of_what_convert_made(launch, composite, out, tmp_path):
    (tmp_path / "home").mkdir()
    args = ("convert", composite, "-o", out, "--quiet")
    assert by_cron(launch, tmp_path, *args) == (0, "", "")
    segments(composite)[1].unlink()
    shutil.rmtree(out)
    code, said, line = by_cron(launch, tmp_path, *args)
    assert (code, said, line.count("\n")) == (3, "", 1)
    assert line.startswith(LINE)
    assert by_cron(launch, tmp_path, *args) == (0, "", "")
    assert by_cron(launch, tmp_path, *args, "--report-known") == (3, "", line)


def test_what_cannot_be_converted_is_said_once(once, composite, url):
    for path in segments(composite):
        path.write_bytes(b"<html>502</html>")
    assert once(composite).code == 4
    assert states(url) == {COMPOSITE: "rejected"}
    assert once(composite).code == 0  # it was said


def test_a_held_recording_is_left_alone(once, recpipe, composite, out, url):
    edit_playlist(composite, "#EXT-X-ENDLIST\n", "")
    once(composite)
    recpipe("hold", COMPOSITE, "--ledger", url)
    edit_playlist(composite, "\n", "\n")
    (playlist,) = composite.glob("*.m3u8")
    playlist.write_text(playlist.read_text() + "#EXT-X-ENDLIST\n")
    assert once(composite).code == 0
    assert not out.exists()
    recpipe("hold", "--release", COMPOSITE, "--ledger", url)
    once(composite)
    assert states(url) == {COMPOSITE: "published"}


def test_a_lost_ledger_is_learned_again_and_nothing_is_made_twice(
    once, samples, out, url, tmp_path
):
    once(samples)
    before = snapshot(out)
    for path in tmp_path.glob("ledger.db*"):
        path.unlink()
    assert once(samples).code == 0
    assert snapshot(out) == before
    with Ledger(url) as ledger:
        told = [queries.explain(ledger, name).events for name in states(url)]
    assert all(events[0]["kind"] == "rebuilt" and len(events) == 1 for events in told)


def test_of_two_at_once_one_does_the_work(once, samples, out, clean, cache):
    spool = cache / "recpipe" / "spool"
    name = "\0".join(["watch", str(out), str(samples)])
    with locked(spool, name):
        ended = once(samples)
    assert (ended.code, ended.out) == (75, "")
    assert "another watch --once is at it" in ended.err
    assert not out.exists()


def test_two_processes_at_once_do_no_harm(launch, samples, out, url):
    args = ("watch", samples, "--to", out, "--ledger", url, "--once", *NOW)
    both = [launch(*args) for _ in range(2)]
    codes = sorted(process.wait(LATER) for process in both)
    assert codes in ([0, 75], [0, 0])
    assert len([name for name in names(out) if name.endswith(".mp4")]) == 3
    assert set(states(url).values()) == {"published"}


def test_json_is_the_line_of_convert(once, composite):
    (line,) = once(composite, "--json").lines
    assert (line["recording"], line["verdict"]) == (COMPOSITE, "ok")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("--settle", "ten"), "no duration; write 30s"),
        (("--spool-limit", "much"), "no size; write 500mb"),
        (("--after", "'open"), "--after: no closing quotation"),
    ],
)
def test_wrong_values_are_named(once, composite, wrong, said):
    ended = once(composite, *wrong)
    assert ended.code == 2
    assert said in ended.err.lower()


def test_a_single_file_is_no_store(recpipe, composite, out, url):
    (playlist,) = composite.glob("*.m3u8")
    ended = recpipe("watch", playlist, "--to", out, "--ledger", url, "--once")
    assert (ended.code, "name a folder or a prefix" in ended.err) == (2, True)


def test_a_store_that_is_not_there_is_a_failure_and_stops_no_other(once, samples, out, tmp_path):
    ended = once(samples, tmp_path / "none")
    assert ended.code == 5
    assert "no such folder" in ended.err
    assert len(names(out)) == 6


class Hook(BaseHTTPRequestHandler):
    """Takes notes of what it is sent."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.told.append((self.path, self.headers.get(notify.SIGNATURE), body))
        self.send_response(200)
        self.end_headers()

    def do_GET(self):
        self.server.told.append((self.path, None, b""))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture
def hook():
    server = HTTPServer(("127.0.0.1", 0), Hook)
    server.told = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_who_wants_to_is_told(once, composite, tmp_path, hook):
    base = f"http://127.0.0.1:{hook.server_port}"
    after = f"tee {tmp_path}/after.json"
    chosen = ("--notify", f"{base}/hook", "--ping", f"{base}/ping", "--after", after)
    ended = once(composite, *chosen, RECPIPE_NOTIFY_SECRET="s3cret")
    assert ended.code == 0
    ((_, signature, body),) = [told for told in hook.told if told[0] == "/hook"]
    assert signature == notify.sign("s3cret", body)
    told = json.loads(body)
    assert (told["event"], told["recording"], told["verdict"]) == ("published", COMPOSITE, "ok")
    assert json.loads((tmp_path / "after.json").read_text()) == told
    assert [path for path, _, _ in hook.told if "ping" in path] == [
        "/ping/start",
        "/ping",
        "/ping/0",
    ]


def test_what_keeps_it_from_beginning_is_told_as_well(once, composite, hook):
    base = f"http://127.0.0.1:{hook.server_port}/ping"
    assert once(composite, "--ping", base, "--ffmpeg", "/does/not/exist").code == 2
    assert [path for path, _, _ in hook.told] == ["/ping/start", "/ping/2"]


@pytest.mark.parametrize("option", ["--ping", "--notify"])
def test_whom_nobody_can_ask_is_refused(once, composite, option):
    ended = once(composite, option, "ftp://127.0.0.1/a-secret")
    assert ended.code == 2
    assert f"invalid value for '{option}': expected http:// or https://" in ended.err
    assert "a-secret" not in ended.err


def test_nobody_who_listens_is_no_failure(once, composite):
    chosen = ("--notify", "http://127.0.0.1:1/a-secret", "--ping", "http://127.0.0.1:1/a-secret")
    ended = once(composite, *chosen, "--after", "/does/not/exist")
    assert ended.code == 0
    assert "not told" in ended.err
    assert "did not run" in ended.err
    assert "a-secret" not in ended.err


def test_a_daemon_is_ready_works_and_stops_when_asked(launch, samples, out, url, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        path = str(tmp_path / "notify")
        channel.bind(path)
        channel.settimeout(LATER)
        env = {**os.environ, "NOTIFY_SOCKET": path}
        args = ("watch", samples, "--to", out, "--ledger", url, "--log-format", "json")
        daemon = launch(*args, *NOW, "--interval", "1s", env=env)
        assert channel.recv(99) == b"READY=1"
        end = time.monotonic() + LATER
        while set(states(url).values()) != {"published"} and time.monotonic() < end:
            time.sleep(0.1)
        daemon.send_signal(signal.SIGTERM)
        _, err = daemon.communicate(timeout=LATER)
        said = [channel.recv(99)]
        while said[-1] != b"STOPPING=1":
            said.append(channel.recv(99))
    assert daemon.returncode == 0
    assert b"WATCHDOG=1" in said
    lines = [json.loads(line) for line in err.splitlines()]
    moves = [
        (line["before"], line["message"]) for line in lines if line.get("recording") == COMPOSITE
    ]
    assert moves == [("new", "ready"), ("ready", "working"), ("working", "published")]
    with Ledger(url) as ledger:
        assert queries.last_run(ledger)["exit_code"] == 0


def test_a_daemon_that_is_stopped_gives_back_what_it_has_not_begun(launch, composite, out, url):
    daemon = launch("watch", composite, "--to", out, "--ledger", url, "--settle", "1h")
    end = time.monotonic() + LATER
    while not (states(url) if out.parent.exists() else {}) and time.monotonic() < end:
        time.sleep(0.1)
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(LATER) == 0
    assert states(url) == {COMPOSITE: "settling"}


@pytest.mark.parametrize(("more", "code"), [((), 0), (("--once",), 130)], ids=["daemon", "once"])
def test_a_watcher_that_is_stopped_before_it_begins(launch, composite, url, more, code):
    """Its destination takes its time: a daemon ends as ever, one that cron started did not."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(LATER)
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
        env = {**os.environ, **keys, "AWS_ENDPOINT_URL": endpoint, "AWS_REGION": "us-east-1"}
        args = ("watch", composite, "--to", "s3://archive/", "--ledger", url, *more)
        watcher = launch(*args, env=env)
        asked, _ = silent.accept()
        with asked:
            watcher.send_signal(signal.SIGTERM)
            _, err = watcher.communicate(timeout=LATER)
    assert (watcher.returncode, err) == (code, "recpipe: interrupted\n" if code else "")


def test_a_full_destination_is_waited_for(once, composite, out, url, tmp_path):
    """A folder that holds less than the result: a small tmpfs."""
    out.mkdir()
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("platform: only root may mount")
    size = "size=64k"
    mount = ["mount", "-t", "tmpfs", "-o", size, "recpipe-test", str(out)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("platform: no tmpfs may be mounted")
    try:
        ended = once(composite)
        assert ended.code == 75
        assert states(url) == {COMPOSITE: "retry"}
        assert "bytes free" in ended.err
        assert not [name for name in names(out) if name.endswith(".mp4")]
        subprocess.run(["mount", "-o", "remount,size=64m", str(out)], check=True)
        with Ledger(url) as ledger:
            queries.retry(ledger, COMPOSITE)
        assert once(composite).code == 0
        assert names(out) == [f"{COMPOSITE}.mp4", f"{COMPOSITE}.receipt.json"]
    finally:
        subprocess.run(["umount", str(out)], check=True)


def test_who_lost_his_lease_does_not_publish(once, composite, out, url, monkeypatch):
    real = claims.still_ours

    def taken_over(ledger, claim):
        with ledger.writing() as connection:
            connection.exec_driver_sql("UPDATE recordings SET lease_token = lease_token + 1")
        real(ledger, claim)

    monkeypatch.setattr(claims, "still_ours", taken_over)
    ended = once(composite)
    assert "taken over by another watcher" in ended.err
    assert not list(out.glob("*.mp4"))
    assert states(url) == {COMPOSITE: State.WORKING}


def held_by(url, owner, seconds):
    """Every recording, as a watcher leaves it that was killed, or is still at it."""
    values = f"lease_owner = '{owner}', lease_expires = (julianday('now') - 2440587.5) * 86400"
    with Ledger(url) as ledger, ledger.writing() as connection:
        update = f"UPDATE recordings SET state = 'working', lease_token = 7, {values} + {seconds}"
        connection.exec_driver_sql(update)


def seen(once, composite, url):
    """A recording that is known, and complete."""
    assert once(composite, "--settle", "1h").code == 0
    assert states(url) == {COMPOSITE: "settling"}


def test_what_a_killed_watcher_of_this_machine_held_is_done_at_once(once, composite, out, url):
    seen(once, composite, url)
    gone = subprocess.Popen(["true"])
    gone.wait()
    held_by(url, f"{socket.gethostname()}:{gone.pid}", 3600)
    assert once(composite, "--lease", "1h").code == 0
    assert states(url) == {COMPOSITE: "published"}


def test_what_a_silent_watcher_elsewhere_held_is_waited_for(once, composite, out, url):
    seen(once, composite, url)
    held_by(url, "elsewhere:1", 3)
    assert once(composite).code == 0
    assert states(url) == {COMPOSITE: "published"}


def test_what_another_watcher_still_holds_is_said(once, composite, out, url):
    seen(once, composite, url)
    held_by(url, "elsewhere:1", 3600)
    ended = once(composite, "--lease", "1s")
    assert (ended.code, names(composite.parent).count("out")) == (75, 0)
    assert "left undone" in ended.err
    assert "watcher=elsewhere:1" in ended.err


def test_while_something_waits_to_be_tried_again_it_is_not_done(once, composite, url):
    seen(once, composite, url)
    with Ledger(url) as ledger, ledger.writing() as connection:
        connection.exec_driver_sql("UPDATE recordings SET state = 'retry', not_before = 9e9")
    ended = once(composite)
    assert (states(url), ended.code, ended.err) == ({COMPOSITE: "retry"}, 75, "")


def test_names_that_cannot_be_watched_are_told_once_and_stop_nothing(once, composite, out, url):
    (composite / os.fsdecode(b"caf\xe9.m3u8")).write_text("#EXTM3U\n")
    first, second = once(composite), once(composite)
    assert first.code == 5
    assert first.err.count("the name is not UTF-8; rename it") == 1
    assert (second.code, second.err) == (0, "")
    assert states(url) == {COMPOSITE: "published", "caf\\udce9": "failed"}


def test_of_results_under_names_of_their_own_only_the_one_of_the_receipt_stays(
    recpipe, composite, url, weed, monkeypatch
):
    """A store that cannot be relied on, and a receipt that could not be written at first."""
    bucket = weed.new_bucket()
    monkeypatch.setattr(publish, "creates_once", lambda storage: False)
    real = S3Storage.put
    fails = [StorageError("no answer")]

    def put(self, source, key, **given):
        if key.endswith(".receipt.json") and fails:
            raise fails.pop()
        return real(self, source, key, **given)

    monkeypatch.setattr(S3Storage, "put", put)

    def again():
        args = ("--to", f"s3://{bucket}/", "--ledger", url, "--once", *NOW)
        return recpipe("watch", composite, *args, env=weed.environment).code

    assert again() == 75
    (lost,) = weed.client.list_objects_v2(Bucket=bucket)["Contents"]
    with Ledger(url) as ledger:
        queries.retry(ledger, COMPOSITE)
    assert again() == 0
    left = sorted(one["Key"] for one in weed.client.list_objects_v2(Bucket=bucket)["Contents"])
    assert [re.sub(r"\.[0-9a-f]{16}\.", ".", key) for key in left] == [
        f"{COMPOSITE}.mp4",
        f"{COMPOSITE}.receipt.json",
    ]
    assert lost["Key"] not in left


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        pytest.param(None, "not to be read back", id="gone"),
        pytest.param(b"<html>", "not to be read back", id="another answer"),
        pytest.param(DeniedError("read denied"), "read denied", id="denied"),
        pytest.param(StorageError("no answer"), "no answer", id="no answer"),
        pytest.param(
            b'{"schema": 1, "output": {"size": 1}, "inputs": [], "settings": {"format": 1}}',
            "not to be read back",
            id="of something else",
        ),
    ],
)
def test_a_receipt_that_cannot_be_read_back_is_tried_again_later(
    once, composite, out, url, monkeypatch, answer, said
):
    """Not at once and for ever, whatever the store does with what it was given."""
    real, published = LocalStorage.open, out / f"{COMPOSITE}.receipt.json"
    reads = []

    def answered(self, key, *, etag=None):
        if not (key.endswith(".receipt.json") and published.exists()):
            return real(self, key, etag=etag)
        reads.append(key)
        assert len(reads) < 9, "never an end to it"
        if isinstance(answer, Exception):
            raise answer
        if answer is None:
            raise NotFoundError(key)
        return iter([answer])

    with monkeypatch.context() as patch:
        patch.setattr(LocalStorage, "open", answered)
        ended = once(composite)
    assert (ended.code, states(url)) == (75 if said != "read denied" else 5, {COMPOSITE: "retry"})
    assert said in ended.err
    with Ledger(url) as ledger:
        queries.retry(ledger, COMPOSITE)
    assert once(composite).code == 0
    assert states(url) == {COMPOSITE: "published"}
    assert names(out) == [f"{COMPOSITE}.mp4", f"{COMPOSITE}.receipt.json"]


def test_a_session_of_individual_mode_is_one_recording(once, clean, out, url):
    """Finished when all of its streams are: one lease, one receipt, one line in the ledger."""
    stem, folder = "5be1f07a92c84d36a1e4c0d97b3f6a28_helpline", clean / "calls"
    folder.mkdir()
    for uid in (1, 2):
        for path in (SAMPLES / "audio_only").iterdir():
            stream = f"{stem}__uid_s_{uid}__uid_e_audio"
            there = Path(shutil.copy(path, folder / path.name.replace(stem, stream)))
            if there.suffix == ".m3u8":
                text = there.read_text().replace(stem, stream)
                there.write_text(text.replace("#EXT-X-ENDLIST\n", "") if uid == 1 else text)
    assert once(folder).code == 0
    assert set(states(url).values()) == {"recording"}
    assert not out.exists()
    (running,) = folder.glob("*_s_1_*.m3u8")
    running.write_text(running.read_text() + "#EXT-X-ENDLIST\n")
    assert once(folder).code == 0
    assert states(url) == {stem: "published"}
    assert names(out) == [
        f"{stem}.receipt.json",
        f"{stem}.session.json",
        f"{stem}__uid_s_1.m4a",
        f"{stem}__uid_s_2.m4a",
    ]
    assert once(folder).code == 0
    assert len(names(out)) == 4
