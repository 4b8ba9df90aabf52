"""Watchers that are killed, stores that fail, disks that fill up: nothing is lost or made twice.

RECPIPE_TEST_ROUNDS is how often watchers are killed; there is one recording for four kills.
With 200 it takes a quarter of an hour for each database.
"""

import hashlib
import json
import os
import random
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa

from pipeline.ledger import queries
from pipeline.ledger.database.tables import artifacts, attempts, events, recordings
from pipeline.ledger.ledger import Ledger
from pipeline.storage import Storage
from pipeline.storage.local import LocalStorage
from pipeline.storage.s3.store import S3Storage
from tests.proxy import faulty
from tests.servers import S3Server

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "sample_media" / "composite"
SID = "0a93a5e0c1d44f7c8d5e6b7a1f2c3d4e"
ROUNDS = int(os.environ.get("RECPIPE_TEST_ROUNDS", "2"))
RECORDINGS = max(ROUNDS // 4, 2)
SEED = int(os.environ.get("RECPIPE_TEST_SEED", "5"))
HURRY = ("--interval", "1s", "--lease", "2s", "--max-attempts", "100000")
SETTLE = ("0s", "1s")  # with the second one, what is complete is converted ahead
LONGEST = 300.0
LONGEST_WORK = 1.0  # seconds from a claim to behind its end


def names_of(count: int) -> list[str]:
    return [f"{n:032x}_weekly_meeting" for n in range(count)]


def fill(server: S3Server, count: int) -> str:
    """A bucket with so many recordings, and nothing else."""
    bucket = server.new_bucket()
    for n in range(count):
        add(server, bucket, n)
    return bucket


def add(server: S3Server, bucket: str, n: int) -> None:
    """One more recording, its playlist last."""
    for path in sorted(SAMPLE.iterdir(), key=lambda path: path.suffix == ".m3u8"):
        data = path.read_bytes()
        if path.suffix == ".m3u8":
            data = data.replace(SID.encode(), f"{n:032x}".encode())
        key = f"2026/11/22/{path.name.replace(SID, f'{n:032x}')}"
        server.client.put_object(Bucket=bucket, Key=key, Body=data)


def at_work(ledger: Ledger, pids: Collection[str], *, within: float) -> str:
    """The one of these processes that has begun to work last, "" if none does in time."""
    chosen = sa.select(recordings.c.lease_owner).where(recordings.c.state == "working")
    end = time.monotonic() + within
    while time.monotonic() < end:
        with ledger.reading() as connection:
            owners = connection.execute(chosen.order_by(recordings.c.since.desc())).scalars()
            if found := [o for owner in owners if (o := owner.rpartition(":")[2]) in pids]:
                return found[0]
        time.sleep(0.02)
    return ""


Watcher = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def watcher(tmp_path: Path) -> Iterator[Watcher]:
    """Starts watchers, which share a spool; those still there are killed in the end."""
    started = []

    def start(
        bucket: str, to: str, url: str, *more: str, env: dict[str, str], settle: str = "0s"
    ) -> subprocess.Popen[str]:
        argv = [sys.executable, "-m", "pipeline", "watch", f"s3://{bucket}/", "--to", to]
        argv += ["--ledger", url, "--spool", str(tmp_path / "spool"), *HURRY, *more]
        argv += ["--settle", settle]
        given = {**os.environ, **env, "PYTHONPATH": str(ROOT)}
        given["XDG_CACHE_HOME"] = str(tmp_path / "cache")
        with (tmp_path / "log").open("a") as log:
            process = subprocess.Popen(argv, cwd=tmp_path, env=given, stderr=log, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def finish(watcher: Watcher, *args: str, url: str, count: int, env: dict[str, str]) -> None:
    """Cron goes on until all is done."""
    end = time.monotonic() + LONGEST
    while time.monotonic() < end:
        watcher(*args, "--once", env=env).wait(LONGEST)
        with Ledger(url) as ledger:
            states = [row["state"] for row in queries.status(ledger)]
        if Counter(states) == {"published": count}:
            watcher(*args, "--once", env=env).wait(LONGEST)  # the next run
            return
        time.sleep(1)
    pytest.fail(f"not done: {Counter(states)}")


def judged(to: Storage, url: str, count: int, spool: Path) -> Counter[str]:
    """Everything there once, proven, and nothing else; returns the outcomes of all attempts."""
    ids = names_of(count)
    there = sorted(f.key for f in to.list())
    # where the probe of a failing store proved nothing, results lie under names of one run alone
    plain = [re.sub(r"\.[0-9a-f]{16}\.mp4$", ".mp4", key) for key in there]
    wanted = [*(f"{i}.mp4" for i in ids), *(f"{i}.receipt.json" for i in ids)]
    assert sorted(plain) == sorted(wanted)
    if isinstance(to, LocalStorage):
        assert sorted(path.name for path in to.root.iterdir()) == there
    for id in ids:
        receipt = json.loads(b"".join(to.open(f"{id}.receipt.json")))
        file = receipt["output"]["file"]
        assert file in there
        assert receipt["verdict"] == "ok"
        assert all(receipt["proof"][part] for part in ("counts", "timestamps", "bytes"))
        digest = hashlib.sha256(b"".join(to.open(file))).hexdigest()
        assert digest == receipt["output"]["sha256"]
    left = [p for p in spool.rglob("*") if p.is_file() and p.parent.name != "locks"]
    assert left == []
    with Ledger(url) as ledger, ledger.reading() as connection:
        kinds = Counter(connection.execute(sa.select(artifacts.c.kind)).scalars())
        told = connection.execute(sa.select(events.c.rec_id, events.c.detail)).all()
        ends = Counter(connection.execute(sa.select(attempts.c.outcome)).scalars())
    assert kinds == {"mp4": count, "receipt": count}
    published = Counter(rec for rec, detail in told if detail.get("after") == "published")
    assert len(published) == count
    assert set(published.values()) == {1}
    return ends


def test_two_watchers_killed_at_random_moments(url, weed, watcher, tmp_path):
    """To a folder with SQLite, to a bucket with PostgreSQL.

    Most of them in the middle of their work, at a moment between the claim and long after it.
    """
    chance = random.Random(SEED)
    bucket = fill(weed, 2)
    folder, archive = tmp_path / "out", weed.new_bucket()
    local = url.startswith("sqlite")
    to = LocalStorage(folder) if local else S3Storage(archive, "", weed.client)
    args = (bucket, str(folder) if local else f"s3://{archive}/", url)
    env = weed.environment
    running = [watcher(*args, env=env, settle=settle) for settle in SETTLE]
    busy = 0
    with Ledger(url) as ledger:
        for turn in range(ROUNDS):
            if turn % 4 == 3 and 2 + turn // 4 < RECORDINGS:
                add(weed, bucket, 2 + turn // 4)
            pids = [str(process.pid) for process in running]
            number = at_work(ledger, pids, within=3.0)
            time.sleep(chance.uniform(0.0, LONGEST_WORK))
            victim = pids.index(number) if number in pids else chance.randrange(2)
            busy += number in pids
            running[victim].kill()
            running[victim].wait()
            running[victim] = watcher(*args, env=env, settle=chance.choice(SETTLE))
    for process in running:
        process.kill()
        process.wait()
    for n in range(2 + ROUNDS // 4, RECORDINGS):
        add(weed, bucket, n)
    finish(watcher, *args, url=url, count=RECORDINGS, env=env)
    ends = judged(to, url, RECORDINGS, tmp_path / "spool")
    print(f"{ROUNDS} kills, {busy} of them at work, {RECORDINGS} recordings: {dict(ends)}")


def test_a_store_that_fails_in_every_way(weed, watcher, tmp_path):
    count = max(RECORDINGS // 2, 2)
    bucket, archive = fill(weed, count), weed.new_bucket()
    url = f"sqlite:///{tmp_path}/ledger.db"
    with faulty(weed.endpoint_url) as (proxy, faults):
        env = {**weed.environment, "AWS_ENDPOINT_URL": proxy}
        args = (bucket, f"s3://{archive}/", url)
        both = [watcher(*args, env=env, settle=settle) for settle in SETTLE]
        time.sleep(2)
        faults.down = True  # for a moment nothing is answered
        time.sleep(1)
        faults.down = False
        end = time.monotonic() + LONGEST
        done = 0
        while done < count and time.monotonic() < end:
            time.sleep(0.5)
            with Ledger(url) as ledger:
                rows = queries.status(ledger)
                done = sum(row["state"] == "published" for row in rows)
                for row in rows:
                    if row["state"] == "retry":  # the pauses are long
                        queries.retry(ledger, row["name"])
        for process in both:
            process.terminate()
        assert [process.wait(LONGEST) for process in both] == [0, 0]
        faults.share = 0.0
        finish(watcher, *args, url=url, count=count, env=env)
    judged(S3Storage(archive, "", weed.client), url, count, tmp_path / "spool")
    assert faults.happened
    print(f"{count} recordings, faults: {dict(faults.happened)}")


def test_a_destination_that_is_down_at_the_beginning_is_waited_for(weed, watcher, tmp_path):
    """A new ledger has to learn from it first what was made before."""
    bucket, archive = fill(weed, 1), weed.new_bucket()
    url, log = f"sqlite:///{tmp_path}/ledger.db", tmp_path / "log"
    with faulty(weed.endpoint_url) as (proxy, faults):
        faults.share, faults.down = 0.0, True
        env = {**weed.environment, "AWS_ENDPOINT_URL": proxy}
        process = watcher(bucket, f"s3://{archive}/", url, env=env)
        _wait_until(process, lambda: "waits for the destination" in log.read_text())
        faults.down = False
        with Ledger(url) as ledger:
            states = partial(queries.status, ledger)
            _wait_until(process, lambda: [row["state"] for row in states()] == ["published"])
        process.terminate()
        assert process.wait(LONGEST) == 0
    judged(S3Storage(archive, "", weed.client), url, 1, tmp_path / "spool")


def test_a_watcher_that_waits_for_its_destination_can_be_stopped(weed, watcher, tmp_path):
    url, archive = f"sqlite:///{tmp_path}/ledger.db", weed.new_bucket()
    log = tmp_path / "log"
    with faulty(weed.endpoint_url) as (proxy, faults):
        faults.down = True
        env = {**weed.environment, "AWS_ENDPOINT_URL": proxy}
        process = watcher(archive, f"s3://{archive}/", url, env=env)
        _wait_until(process, lambda: "waits for the destination" in log.read_text())
        process.terminate()
        assert process.wait(LONGEST) == 0


def _wait_until(process: subprocess.Popen[str], done: Callable[[], bool]) -> None:
    """Which the process has to bring about, and must not end before."""
    end = time.monotonic() + LONGEST
    while not done():
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_full_spool_is_waited_for(weed, watcher, tmp_path):
    """A spool on a file system too small for the segments."""
    spool = tmp_path / "spool"
    spool.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "recpipe-test", str(spool)]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("platform: no tmpfs may be mounted")
    try:
        bucket, url = fill(weed, 1), f"sqlite:///{tmp_path}/ledger.db"
        args = (bucket, str(tmp_path / "out"), url)
        assert watcher(*args, "--once", env=weed.environment).wait(LONGEST) == 75
        with Ledger(url) as ledger:
            (row,) = queries.status(ledger)
            assert (row["state"], row["attempts"]) == ("retry", 0)
            assert "bytes free" in row["why"]
            subprocess.run(["mount", "-o", "remount,size=512m", str(spool)], check=True)
            queries.retry(ledger, row["name"])
        finish(watcher, *args, url=url, count=1, env=weed.environment)
        judged(LocalStorage(tmp_path / "out"), url, 1, spool)
    finally:
        subprocess.run(["umount", str(spool)], check=True)
