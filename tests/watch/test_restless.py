"""A store in which 24 recordings run: their playlists are rewritten ten times a second, and what is
finished is published all the same.
"""

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.agora import names
from pipeline.ledger import queries
from pipeline.ledger.ledger import Ledger
from pipeline.storage import Storage
from pipeline.storage.local import LocalStorage
from pipeline.storage.s3.store import S3Storage
from tests.watch.stores import sid

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "sample_media" / "composite"
RUNNING = 24
EVERY = 0.1  # seconds between two versions of one playlist
INTERVAL, SETTLE = 2.0, 2.0
CONVERTING = 8.0  # seconds for a sample of a few seconds
BUSY = 3  # times what it takes all alone, on a machine that has much else to do
ONCE = 4  # cycles of cron
LONGEST = 120.0

pytestmark = pytest.mark.usefixtures("ffmpeg")


@dataclass
class Restless:
    """A store, what reaches it, and how one object gets there."""

    store: Storage
    environment: dict[str, str]
    put: Callable[[str, bytes], None]

    def finish(self, folder: str) -> str:
        """A recording that has ended; returns its name."""
        *segments, playlist = sorted(SAMPLE.iterdir(), key=lambda path: path.suffix == ".m3u8")
        for path in (*segments, playlist):
            self.put(folder + path.name, path.read_bytes())
        return playlist.stem


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Restless:
    """Where recorders write: whole files in a folder, or objects of a real server."""
    if request.param == "folder":
        root = tmp_path / "calls"
        return Restless(LocalStorage(root), {}, lambda key, data: _replace(root / key, data))
    weed = request.getfixturevalue("weed")
    bucket = weed.new_bucket()

    def put(key: str, data: bytes) -> None:
        weed.client.put_object(Bucket=bucket, Key=key, Body=data)

    return Restless(S3Storage(bucket, "", weed.client), weed.environment, put)


def _replace(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{threading.get_ident()}")
    new.write_bytes(data)
    new.replace(path)


@contextlib.contextmanager
def recording(store: Restless) -> Iterator[list[int]]:
    """While all of them run; counts how often a playlist was written."""
    over, written = threading.Event(), [0] * RUNNING

    def run(n: int) -> None:
        name = names.slice_name(sid(n), "room", 1.7e9)
        store.put(f"live/{n}/{name}", bytes(188))
        key = f"live/{n}/{names.playlist_name(sid(n), 'room')}"
        while not over.is_set():
            begin = time.monotonic()
            text = f"#EXTM3U\n#EXT-X-TARGETDURATION:16\n#EXTINF:15.0\n{name}\n## {written[n]}\n"
            store.put(key, text.encode())
            written[n] += 1
            over.wait(max(EVERY - (time.monotonic() - begin), 0.0))

    threads = [threading.Thread(target=run, args=(n,)) for n in range(RUNNING)]
    for thread in threads:
        thread.start()
    try:
        while not all(written):
            time.sleep(0.05)
        yield written
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _argv(store: Restless, tmp_path: Path, *chosen: str) -> list[str]:
    argv = [sys.executable, "-m", "pipeline", "watch", store.store.url(), *chosen]
    argv += ["--to", f"{tmp_path}/out", "--ledger", f"sqlite:///{tmp_path}/ledger.db"]
    return [*argv, "--settle", f"{SETTLE:g}s", "--spool", f"{tmp_path}/spool"]


def _environment(store: Restless) -> dict[str, str]:
    return {**os.environ, **store.environment, "PYTHONPATH": str(ROOT)}


def _until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + LONGEST
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def _alone(tmp_path: Path) -> float:
    """Seconds that this machine needs at the moment for a watcher that has nothing to wait for."""
    argv = [sys.executable, "-m", "pipeline", "watch", str(SAMPLE), "--to", f"{tmp_path}/alone"]
    argv += ["--ledger", f"sqlite:///{tmp_path}/alone.db", "--once", "--settle", "0s"]
    begin = time.monotonic()
    subprocess.run(argv, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True)
    return time.monotonic() - begin


def test_a_finished_recording_does_not_wait_for_those_that_run(store, tmp_path):
    log = tmp_path / "log"
    argv = _argv(store, tmp_path, "--interval", f"{INTERVAL:g}s")
    with recording(store) as written, log.open("w") as errors:
        daemon = subprocess.Popen(argv, cwd=tmp_path, env=_environment(store), stderr=errors)
        try:
            _until(lambda: log.read_text().count("recording  ") >= RUNNING)
            name = store.finish("2026/")
            begin = time.monotonic()
            _until((tmp_path / "out" / f"{name}.receipt.json").exists)
            took = time.monotonic() - begin
            alone = _alone(tmp_path)
        finally:
            daemon.terminate()
            assert daemon.wait(LONGEST) == 0
    assert min(written) > 1
    assert "not looked at" not in log.read_text()
    assert took <= SETTLE + 2 * INTERVAL + max(CONVERTING, BUSY * alone)


def test_cron_succeeds_every_time(store, tmp_path):
    name = store.finish("2026/")
    with recording(store):
        for _ in range(ONCE):
            argv = _argv(store, tmp_path, "--once")
            done = subprocess.run(argv, cwd=tmp_path, env=_environment(store), capture_output=True)
            assert (done.returncode, done.stderr) == (0, b"")
            time.sleep(SETTLE / 2)
    with Ledger(f"sqlite:///{tmp_path}/ledger.db") as ledger:
        states = {row["name"]: row["state"].value for row in queries.status(ledger)}
    assert states.pop(name) == "published"
    assert list(states.values()) == ["recording"] * RUNNING
