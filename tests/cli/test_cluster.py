"""``--executor`` with a real scheduler and workers, which are killed, stopped and started again.

``RECPIPE_TEST_CLUSTER`` is how many recordings are converted: a few, or some hundred by hand.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipeline.errors import ExecutorLostError
from pipeline.jobs.executors.cluster import connected
from pipeline.jobs.executors.elsewhere import choices
from pipeline.jobs.options import Options
from tests.cli.conftest import SECRET, names
from tests.clusters import cluster
from tests.copies import copies, write_copies

RECORDINGS = int(os.environ.get("RECPIPE_TEST_CLUSTER", "8"))
MANY = RECORDINGS > 100
TTL = 60 if MANY else 30  # seconds
STOPPED = 90 if MANY else 8  # seconds that a worker says nothing
SECONDS = 600 if MANY else 120

pytestmark = pytest.mark.usefixtures("ffmpeg")


@pytest.fixture
def bucket(weed):
    """A bucket that keeps every version of what is written, with recordings in ``in/``."""
    name = weed.new_bucket()
    how = {"Status": "Enabled"}
    weed.client.put_bucket_versioning(Bucket=name, VersioningConfiguration=how)
    with ThreadPoolExecutor(8) as pool:
        put = [
            pool.submit(weed.client.put_object, Bucket=name, Key=f"in/{key}", Body=data)
            for key, data in copies(RECORDINGS)
        ]
        assert all(one.result() for one in put)
    return name


@pytest.fixture
def workers(tmp_path, clean, weed):
    """A scheduler without workers."""
    with cluster(tmp_path / "cluster", weed.environment, TTL) as made:
        yield made


def outcomes(command, count):
    """The next lines of its JSON."""
    lines = [command.stdout.readline() for _ in range(count)]
    assert all(lines), command.stderr.read()
    return [json.loads(line) for line in lines]


def versions(weed, name):
    """The ETag of everything that was written as a result or receipt, by its key; what the store
    was tried with is no result.
    """
    pages = weed.client.get_paginator("list_object_versions").paginate(Bucket=name, Prefix="out/")
    written = defaultdict(list)
    for page in pages:
        for one in page.get("Versions", ()):
            if "/.recpipe-probe-" not in one["Key"]:
                written[one["Key"]].append(one["ETag"])
    return written


def test_whoever_dies_each_recording_is_published_once(workers, launch, weed, bucket, tmp_path):
    """One worker is killed, another is not heard of for long and then goes on, the scheduler is
    killed; then the same command again.
    """
    workers.start_workers("a", "b", "c")
    args = [
        "convert",
        f"s3://{bucket}/in/",
        "-o",
        f"s3://{bucket}/out/",
        "--json",
        "--progress",
        "none",
    ]
    args += ["--executor", workers.url]
    env = {**os.environ, **weed.environment}
    first = launch(*args, env=env)
    seen = outcomes(first, max(1, RECORDINGS // 8))
    workers.workers["a"].kill()
    workers.workers["b"].send_signal(signal.SIGSTOP)
    seen += outcomes(first, RECORDINGS // 4)
    begun = time.monotonic()
    if MANY:  # until the one that stopped is given up
        time.sleep(STOPPED)
        workers.workers["b"].send_signal(signal.SIGCONT)
    workers.scheduler.kill()
    out, err = first.communicate(timeout=SECONDS)
    seen += [json.loads(line) for line in out.splitlines()]
    assert (first.returncode, err.count("\n")) == (75, 1), err
    assert "the scheduler is gone; what is published stays" in err
    workers.start_scheduler()
    workers.start_workers("d", "e")
    again = launch(*args, env=env)
    time.sleep(max(0, 0 if MANY else STOPPED - (time.monotonic() - begun)))
    workers.workers["b"].send_signal(signal.SIGCONT)
    out, err = again.communicate(timeout=SECONDS)
    assert again.returncode == 0, err
    last = [json.loads(line) for line in out.splitlines()]
    assert len({one["recording"] for one in last}) == RECORDINGS
    assert all(one["verdict"] == "ok" for one in last)
    proofs = [one["proof"] for one in last]
    assert all(x["counts"] and x["timestamps"] and x["bytes"] for x in proofs)
    assert {one["recording"] for one in seen} <= {one["recording"] for one in last}
    found = versions(weed, bucket)
    receipts = {key: etags for key, etags in found.items() if key.endswith(".receipt.json")}
    assert (len(receipts), len(found)) == (RECORDINGS, 2 * RECORDINGS)
    assert all(len(etags) == 1 for etags in receipts.values()), receipts
    # whoever dies between a result and its receipt leaves the result to be written once more
    assert all(len({*etags}) == 1 for etags in found.values()), found


def told(folder: Path):
    """Receipts without the time, and results, by name."""
    receipts = {}
    for path in folder.glob("*.receipt.json"):
        receipt = json.loads(path.read_bytes())
        receipt.pop("converted")
        receipts[path.name] = json.loads(json.dumps(receipt).replace(str(folder), ""))
    return receipts, {path.name: path.read_bytes() for path in folder.glob("*.mp4")}


def test_a_cluster_makes_what_one_process_makes(workers, recpipe, tmp_path):
    workers.start_workers("a")
    source = write_copies(tmp_path / "in", 3)
    assert recpipe("convert", source, "-o", tmp_path / "here").code == 0
    away = recpipe("convert", source, "-o", tmp_path / "there", "--executor", workers.url)
    assert away.code == 0, away.err
    assert told(tmp_path / "there") == told(tmp_path / "here")
    checked = recpipe("check", source, "--executor", workers.url, "--json")
    assert [one["verdict"] for one in checked.lines] == ["ok"] * 3


def seconds_of_dask():
    """How long this machine takes, just now, to load it and to leave again."""
    begun = time.monotonic()
    subprocess.run([sys.executable, "-c", "import distributed"], check=True)
    return time.monotonic() - begun


def test_an_interrupt_returns_at_once_and_loses_nothing(workers, launch, recpipe, tmp_path):
    workers.start_workers("a")
    source = write_copies(tmp_path / "in", 6)
    args = ["convert", source, "-o", tmp_path / "out", "--executor", workers.url, "--json"]
    command = launch(*args)
    outcomes(command, 1)
    begun = time.monotonic()
    command.send_signal(signal.SIGINT)
    command.communicate(timeout=30)
    assert command.returncode == 130
    assert time.monotonic() - begun < 5 + seconds_of_dask()
    assert recpipe(*args).code == 0
    assert len([name for name in names(tmp_path / "out") if name.endswith(".mp4")]) == 6


def test_nobody_there_is_a_temporary_failure(recpipe, tmp_path):
    args = ["convert", write_copies(tmp_path / "in", 1), "-o", tmp_path / "out", "--executor"]
    ended = recpipe(*args, "dask://127.0.0.1:1")
    assert ended.code == 75
    assert "tcp://127.0.0.1:1: no Dask scheduler answers within 10 s" in ended.err


def test_any_other_executor_is_refused(recpipe, tmp_path):
    source = write_copies(tmp_path / "in", 1)
    ended = recpipe("convert", source, "-o", tmp_path / "out", "--executor", "ray://host")
    assert ended.code == 2
    assert "expected local, dask://host:8786 or dask-tls://host:8786" in ended.err


def test_what_is_about_this_machine_or_holds_a_secret_is_not_sent(recpipe, tmp_path):
    args = ["convert", write_copies(tmp_path / "in", 1), "-o", tmp_path / "out"]
    args += ["--executor", "dask://127.0.0.1:1"]
    ended = recpipe(*args, "--bwlimit", "1MB")
    assert ended.code == 2
    assert "--bwlimit is about this machine" in ended.err
    ended = recpipe(*args, "--encode-jobs", 2)
    assert ended.code == 2
    assert "--encode-jobs is about this machine; each worker has its own: RECPIPE_ENC" in ended.err
    ended = recpipe(*args, "--event", "1h")
    assert ended.code == 2
    assert "an event has several; leave out --executor" in ended.err
    ended = recpipe(*args, "--endpoint-url", f"http://me:{SECRET}@127.0.0.1:1")
    assert ended.code == 2
    assert "holds a password, which is not sent" in ended.err
    assert SECRET not in ended.err


def test_files_are_named_so_that_a_worker_finds_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    chosen = {"key": "keys", "names": "who.csv", "request": "layout.json", "deep": False}
    chosen["captions"] = "said.vtt"
    sent = dict(choices(chosen, Options(spool=tmp_path)).named)
    assert sent == {
        "key": str(tmp_path / "keys"),
        "names": str(tmp_path / "who.csv"),
        "request": str(tmp_path / "layout.json"),
        "captions": str(tmp_path / "said.vtt"),
        "deep": False,
        "format": "mp4",
    }
    assert dict(choices({"captions": "off"}, Options(spool=tmp_path)).named)["captions"] == "off"


def test_a_cluster_for_a_try_out_says_where_it_is(launch, recpipe, tmp_path):
    pytest.importorskip("distributed", reason="no distributed: pip install 'recpipe[cluster]'")
    command = launch("cluster", "local", "--workers", 1, "--port", 0)
    url = command.stdout.readline().strip()
    source = write_copies(tmp_path / "in", 1)
    ended = recpipe("convert", source, "-o", tmp_path / "out", "--executor", url)
    assert ended.code == 0, ended.err
    command.terminate()
    command.communicate(timeout=60)
    assert command.returncode == 130


def test_a_client_that_gave_the_scheduler_up(workers):
    """It says so when it is asked to send something: what is in flight may still be published."""
    workers.start_workers("a")

    def send():
        with connected(workers.url) as engine:
            engine.executor._client.status = "closed"
            engine.executor.submit(print)

    with pytest.raises(ExecutorLostError, match="the scheduler is gone; what is published stays"):
        send()
