"""Recordings are followed while they run; the spool stays small and is never needed."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.jobs import one
from pipeline.jobs.limits.locks import locked
from pipeline.jobs.options import Options
from pipeline.jobs.output.destinations import Target
from pipeline.jobs.spool import spool_of
from pipeline.model import Verdict
from pipeline.stages.fetch import fetched
from pipeline.storage.local import LocalStorage
from pipeline.storage.s3.store import S3Storage
from pipeline.watch.conversion.prefetch import Prefetcher, forget, sweep, tidy, tidy_results
from pipeline.watch.discovery.readiness import Patience
from pipeline.watch.discovery.store_watcher import StoreWatcher

SAMPLE = Path(__file__).parents[3] / "sample_media" / "composite"
SEGMENTS = sorted(SAMPLE.glob("*.ts"))
(PLAYLIST,) = SAMPLE.glob("*.m3u8")
SID = PLAYLIST.name.partition("_")[0]
ROOM = 1 << 30


class Remote:
    """A bucket that is a folder: nothing of it can be read in place.  Counts what is opened."""

    def __init__(self, folder: Path) -> None:
        self.inner = LocalStorage(folder)
        self.opened: list[str] = []

    def open(self, key: str, *, etag: str | None = None) -> Iterator[bytes]:
        self.opened.append(key)
        return self.inner.open(key, etag=etag)

    def path(self, key: str) -> None:
        return None

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    @property
    def segments(self) -> list[str]:
        found = [key for key in self.opened if key.endswith(".ts")]
        self.opened.clear()
        return sorted(found)


@pytest.fixture
def store(tmp_path):
    """The recording while it runs: all but its last segment and its end."""
    folder = tmp_path / "bucket"
    shutil.copytree(SAMPLE, folder)
    (folder / SEGMENTS[-1].name).unlink()
    playlist = folder / PLAYLIST.name
    playlist.write_text(playlist.read_text().replace("#EXT-X-ENDLIST\n", ""))
    return Remote(folder)


@pytest.fixture
def options(tmp_path):
    return Options(spool=tmp_path / "spool")


@pytest.fixture
def look(store):
    return lambda: StoreWatcher(store, "/out", Patience()).one(SID)


def never(seen):
    """No recording is done."""
    return False


def follow(store, options, look, limit=ROOM, done=never):
    follower = Prefetcher(options, limit, done)
    follower.follow(store, [look()])
    follower.idle()
    follower.close()
    return store.segments


def kept(options):
    return sorted(options.spool.rglob("*.segment"))


def arrive(store):
    """The rest of it."""
    shutil.copy(SEGMENTS[-1], store.inner.root)
    shutil.copy(PLAYLIST, store.inner.root)


def test_when_the_last_segment_comes_only_that_one_is_fetched(
    store, options, look, ffmpeg, tmp_path, monkeypatch
):
    before = [path.name for path in SEGMENTS[:-1]]
    assert follow(store, options, look) == before
    assert follow(store, options, look) == []
    arrive(store)
    scans = []
    real = fetched.scan_of
    monkeypatch.setattr(fetched, "scan_of", lambda *given: scans.append(given[0]) or real(*given))
    target = Target(LocalStorage(tmp_path / "out"), "a.mp4")
    report = one.process(look().recording, store, target, ffmpeg, options)
    assert report.verdict is Verdict.OK
    assert store.segments == scans == [SEGMENTS[-1].name]
    assert kept(options) == []


def test_the_result_is_the_same_as_without_following(store, options, look, ffmpeg, tmp_path):
    follow(store, options, look)
    arrive(store)
    made = []
    for name in ("followed", "fresh"):
        own = options if name == "followed" else Options(spool=tmp_path / "other")
        target = Target(LocalStorage(tmp_path / name), "a.mp4")
        made.append(one.process(look().recording, store, target, ffmpeg, own))
    assert made[0].sha256 == made[1].sha256
    assert made[0].findings == made[1].findings


def test_what_changes_in_the_spool_is_read_again(store, options, look, ffmpeg, tmp_path):
    follow(store, options, look)
    arrive(store)
    spoiled = kept(options)[0]
    spoiled.write_bytes(spoiled.read_bytes()[:-188] + bytes(188))
    target = Target(LocalStorage(tmp_path / "out"), "a.mp4")
    report = one.process(look().recording, store, target, ffmpeg, options)
    assert report.verdict is Verdict.OK
    assert len(store.segments) == 2  # fetched once more


def test_what_changes_in_the_store_is_another_segment(store, options, look):
    follow(store, options, look)
    path = store.inner.root / SEGMENTS[0].name
    os.utime(path, (1, 1))
    assert follow(store, options, look) == [SEGMENTS[0].name]


def test_damaged_segments_are_looked_at_again_in_the_end(store, options, look):
    (store.inner.root / SEGMENTS[0].name).write_bytes(b"<html>502</html>" * 20)
    follow(store, options, look)
    assert set(follow(store, options, look)) == {SEGMENTS[0].name}


def test_the_spool_stays_within_its_limit_and_the_oldest_goes_first(store, options, look):
    size = sum(path.stat().st_size for path in SEGMENTS[:-1])
    assert follow(store, options, look, limit=size) != []
    for age, path in enumerate(kept(options)):
        os.utime(path, (1000 + age, 1000 + age))
    oldest = kept(options)[0]
    assert sweep(options.spool, size, needed=1)
    assert oldest not in kept(options)
    assert len(kept(options)) == len(SEGMENTS) - 2
    assert not sweep(options.spool, 10, needed=11)
    assert follow(store, options, look, limit=10) == []


def test_what_is_in_use_stays(store, options, look):
    follow(store, options, look)
    folder = spool_of(look().recording, options)
    before = kept(options)
    with locked(options.spool, str(folder)):
        assert not sweep(options.spool, 0, needed=1)
        forget(look().recording, options)
    assert kept(options) == before
    forget(look().recording, options)
    assert not folder.exists()


def test_behind_a_crash_everything_is_tidied(store, options, look):
    follow(store, options, look)
    folder = spool_of(look().recording, options)
    dead = subprocess.Popen(["true"])
    dead.wait()
    for name in (f".recpipe-{dead.pid}-ab.part", f".recpipe-{dead.pid}-ab.receipt.part"):
        (options.spool / name).touch()
    mine = options.spool / f".recpipe-{os.getpid()}-ab.part"
    mine.touch()
    (folder / "half.part").touch()
    (folder / "work-killed" / "0").mkdir(parents=True)
    empty = options.spool / ("0" * 32)
    empty.mkdir()
    (options.spool / "not ours").touch()
    with locked(options.spool, str(folder)):
        tidy(options.spool)
        assert (folder / "half.part").exists()
    tidy(options.spool)
    assert not (folder / "half.part").exists()
    assert not (folder / "work-killed").exists()
    assert not empty.exists()
    assert len(kept(options)) == len(SEGMENTS) - 1
    left = {path.name for path in options.spool.iterdir() if path.is_file()}
    assert left == {mine.name, "not ours"}


def test_results_that_a_killed_watcher_was_writing_go_at_once(tmp_path):
    dead, other = (subprocess.Popen(["true"]) for _ in range(2))
    dead.wait(), other.wait()
    to = LocalStorage(tmp_path)
    mine = [f".recpipe-{os.getpid()}-ab.part", f".recpipe-{other.pid}-ab.part", "a.mp4"]
    for name in (*mine, f".recpipe-{dead.pid}-ab.part", f".recpipe-{dead.pid}-ab.receipt.part"):
        (tmp_path / name).touch()
    tidy_results(to, {dead.pid, os.getpid()})  # the other one is not known to be a watcher's
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(mine)


def test_what_is_done_is_not_fetched(store, options, look):
    assert follow(store, options, look, done=lambda seen: True) == []
    assert not kept(options)


def test_what_is_done_meanwhile_does_not_stay(store, options, look):
    """Who published it could not remove what was being fetched."""
    asked = []

    def done(seen):
        asked.append(seen.recording.id)
        return len(asked) > 1

    assert follow(store, options, look, done=done) == [path.name for path in SEGMENTS[:-1]]
    assert len(asked) == 2
    assert not list(options.spool.rglob("*.s*"))


def test_what_lies_in_a_folder_is_not_copied(store, options, look):
    follower = Prefetcher(options, ROOM, never)
    follower.follow(store.inner, [look()])
    follower.idle()
    follower.close()
    assert kept(options) == []


def test_a_store_that_fails_is_no_reason_to_stop(store, options, look, monkeypatch):
    seen = look()
    shutil.rmtree(store.inner.root)
    follower = Prefetcher(options, ROOM, never)
    follower.follow(store, [seen])
    follower.idle()
    follower.close()


def test_from_a_real_bucket(weed, options):
    bucket = weed.new_bucket()
    for path in [*SEGMENTS[:-1], PLAYLIST]:
        weed.client.put_object(Bucket=bucket, Key=path.name, Body=path.read_bytes())
    storage = S3Storage(bucket, "", weed.client)
    follower = Prefetcher(options, ROOM, never)
    follower.follow(storage, [StoreWatcher(storage, "/out", Patience()).one(SID)])
    follower.idle()
    follower.close()
    assert len(kept(options)) == len(SEGMENTS) - 1
    assert len(list(options.spool.rglob("*.scan"))) == len(SEGMENTS) - 1
