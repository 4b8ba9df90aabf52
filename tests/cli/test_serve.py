"""``recpipe serve`` as a process of its own."""

import json
import os
import signal
import socket
import time

import httpx
import pytest
from pydantic import SecretStr

from pipeline.ledger import notices
from pipeline.ledger.ledger import Ledger
from pipeline.simulator.service.webhooks import Hooks
from tests.cli.conftest import ROOT
from tests.web.sender import SECRET, SID, headers, notice

SOON = 30.0  # seconds


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/ledger.db"


@pytest.fixture
def started(launch, url):
    """Begins to serve; returns the process and its address."""

    def begin(*more, **env):
        environ = {**os.environ, "PYTHONPATH": str(ROOT), **env}
        process = launch("serve", "--port", 0, "--json", "--ledger", url, *more, env=environ)
        return process, json.loads(process.stdout.readline())["url"]

    return begin


def told(url):
    with Ledger(url) as ledger, ledger.reading() as connection:
        return [one.type for one in notices.told(connection, SID)]


def test_what_the_stand_in_for_agora_sends_is_taken(started, url):
    process, address = started(RECPIPE_WEBHOOK_SECRET=SECRET)
    hooks = Hooks(f"{address}/agora/events", SecretStr(SECRET), copies=lambda: 2)
    for kind in (40, 31, 11):
        hooks(json.loads(notice(kind, sequence=kind)))
    hooks.close()
    assert told(url) == [11, 31, 40]  # by their sequence
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=SOON)


def test_the_secret_may_stand_in_a_file_and_is_not_shown(started, tmp_path, url):
    file = tmp_path / "secret"
    file.write_text(SECRET + "\n")
    process, address = started("--webhook-secret-file", file)
    raw = notice(31)
    answer = httpx.post(f"{address}/agora/events", content=raw, headers=headers(raw))
    assert answer.status_code == 200
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=SOON)
    assert process.returncode == 0
    assert SECRET not in out + err


def test_nobody_else_on_the_network_can_reach_it(started):
    _, address = started()
    assert address.startswith("http://127.0.0.1:")


def test_without_a_secret_it_says_so(started):
    process, address = started()
    assert httpx.post(f"{address}/agora/events", content=b"{}").status_code == 503
    process.send_signal(signal.SIGINT)
    assert "no notifications are taken: set RECPIPE_WEBHOOK_SECRET" in process.communicate()[1]


@pytest.mark.parametrize(
    ("option", "given"),
    [
        ("--allow-host", "http://a"),
        ("--allow-host", "a:80"),
        ("--trust-proxy-user", "X User"),
        ("--port", "70000"),
    ],
)
def test_nonsense_is_refused(recpipe, option, given):
    ended = recpipe("serve", option, given)
    assert ended.code == 2
    assert given in ended.err


def test_a_watcher_looks_as_soon_as_agora_says_something(started, launch, tmp_path, url):
    """Its next look would come in an hour."""
    _, address = started(RECPIPE_WEBHOOK_SECRET=SECRET)
    source = tmp_path / "calls"
    source.mkdir()
    watcher = launch(
        *("watch", source, "--to", tmp_path / "out", "--ledger", url),
        *("--interval", "1h", "--settle", "0s", "--log-format", "json"),
    )
    end = time.monotonic() + SOON
    while _looks(url) < 1 and time.monotonic() < end:
        time.sleep(0.1)
    time.sleep(1.0)
    (source / "a.m3u8").write_text("#EXTM3U\n#EXTINF:4,\na.ts\n")
    begin = time.monotonic()
    raw = notice(31)
    httpx.post(f"{address}/agora/events", content=raw, headers=headers(raw))
    line = json.loads(watcher.stderr.readline())
    assert (line["recording"], line["message"]) == ("a", "recording")
    assert time.monotonic() - begin < SOON


def _looks(url):
    from pipeline.ledger import queries

    with Ledger(url) as ledger:
        return sum(row["listed"] is not None for row in queries.watched(ledger))


def test_it_may_be_stopped_before_it_listens(launch):
    """Its database takes its time."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(SOON)
        ledger = f"postgresql://recpipe@127.0.0.1:{silent.getsockname()[1]}/ledger"
        process = launch("serve", "--port", 0, "--ledger", ledger)
        asked, _ = silent.accept()
        with asked:
            process.send_signal(signal.SIGTERM)
            assert process.communicate(timeout=SOON) == ("", "")
    assert process.returncode == 0
