"""Only what is ours, and only what is abandoned, is swept."""

import os
import subprocess
import time
from contextlib import closing

import pytest
from msgspec.structs import replace

from pipeline.errors import ChangedError
from pipeline.jobs.options import Options
from pipeline.jobs.spool import Workspace
from pipeline.model import Recording
from pipeline.retention import leftovers
from pipeline.retention.document import Leftover
from pipeline.retention.leftovers import Ages, Stores, find, remove
from pipeline.storage.s3.store import S3Storage
from tests.retention.conftest import everything, put

DAY = 86400.0


@pytest.fixture
def dead() -> int:
    """The number of a process that is gone."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def aged(path, seconds=2 * DAY):
    os.utime(path, (time.time() - seconds,) * 2)
    return path


def stores(yard) -> Stores:
    return Stores(yard.source, yard.results)


def found(yard, **ages) -> list[Leftover]:
    return list(find(stores(yard), yard.spool, Ages(**ages), time.time()))


def test_temporaries_of_dead_processes_are_found_and_removed(yard, dead):
    folder = yard.results.root / "deep"
    folder.mkdir()
    old = folder / f".recpipe-{dead}-abcdef.part"
    others = [
        folder / f".recpipe-{os.getpid()}-abcdef.part",  # of somebody alive
        folder / ".recpipe-notours.part",
        folder / "mine.part",
    ]
    for path in [old, *others]:
        path.write_bytes(b"x")
        aged(path)
    young = folder / f".recpipe-{dead}-012345.part"
    young.write_bytes(b"x")
    (one,) = found(yard)
    assert (one.kind, one.where) == ("temporary", str(old))
    remove(one, stores(yard))
    assert not old.exists()
    assert young.exists()
    assert all(path.exists() for path in others)
    remove(one, stores(yard))  # safe to repeat


def test_a_spool_that_came_to_life_again_is_left_alone(yard):
    folder = yard.spool / ("ab" * 16)
    folder.mkdir(parents=True)
    (folder / "a.segment").write_bytes(b"x")
    (yard.spool / "mine").mkdir()
    aged(yard.spool / "mine")
    aged(folder / "a.segment")
    aged(folder)
    (one,) = found(yard)
    assert (one.kind, one.where) == ("spool", str(folder))
    (folder / "b.segment").write_bytes(b"x")
    with pytest.raises(ChangedError):
        remove(one, stores(yard))
    assert found(yard) == []
    aged(folder / "b.segment")
    aged(folder)
    (one,) = found(yard)
    remove(one, stores(yard))
    assert [p.name for p in yard.spool.iterdir() if p.is_dir()] == ["mine"]


def test_a_run_that_encodes_for_days_is_in_use(yard):
    """What it encodes has no name that would show it."""
    talk, options = Recording("talk", "/recordings/talk.m3u8", ()), Options(spool=yard.spool)
    with closing(Workspace(talk, options)) as work:
        planned = work.part()().parent.parent
        for path in (*planned.rglob("*"), planned):
            aged(path)
        assert found(yard) == []
        with pytest.raises(ChangedError):
            remove(Leftover("spool", str(planned), 0, time.time()), stores(yard))
    assert not planned.exists()


def test_our_unfinished_uploads_are_aborted(yard, weed):
    def begin(storage, *keys):
        for key in keys:
            weed.client.create_multipart_upload(Bucket=storage.bucket, Key=key)

    yard.source = S3Storage(weed.new_bucket(), "calls", weed.client)
    yard.results = S3Storage(weed.new_bucket(), "mp4", weed.client)
    vault = S3Storage(weed.new_bucket(), "vault", weed.client)
    begin(yard.results, "mp4/call.mp4", "mp4/other.bin", "elsewhere/call.mp4")
    begin(yard.source, "calls/.trash/run/objects/a.ts", "calls/mine.ts")
    begin(vault, "vault/call/data/original/a.ts", "vault/call.tar", "vault/mine.bin")
    every = Stores(yard.source, yard.results, vault)
    assert list(find(every, yard.spool, Ages(), time.time())) == []
    later = time.time() + 2 * DAY
    mine = list(find(every, yard.spool, Ages(), later))
    assert sorted(one.where for one in mine) == [
        ".trash/run/objects/a.ts",
        "call.mp4",
        "call.tar",
        "call/data/original/a.ts",
    ]
    for one in mine:
        remove(one, every)
        remove(one, every)
    left = [key for storage in every.named().values() for key, _, _ in storage.uploads()]
    assert sorted(left) == ["mine.bin", "mine.ts", "other.bin"]
    with pytest.raises(ChangedError):  # a plan cannot make it abort another one
        remove(replace(mine[0], where="mine.ts"), every)


def test_reports_are_kept_unless_asked_for_and_only_ours_go(yard):
    id = yard.published(1)
    for key in (f"{id}.html", "mine.html"):
        put(yard.results, key, b"<html>", yard.spool)
        aged(yard.results.path(key), 100 * DAY)
    assert found(yard) == []
    (one,) = found(yard, reports=90 * DAY)
    assert one.where == f"{id}.html"
    remove(one, stores(yard))
    assert "mine.html" in everything(yard.results)
    assert f"{id}.html" not in everything(yard.results)


def test_expired_trash_is_planned(yard):
    yard.published(1)
    yard.survey()
    yard.apply()
    assert found(yard) == []
    aged(yard.source.path(f".trash/{yard.run}/plan.json"), 8 * DAY)
    (one,) = found(yard)
    assert (one.kind, one.where) == ("trash", yard.run)
    yard.survey(leftovers=[one])
    assert yard.told()["leftovers"][0]["kind"] == "trash"


@pytest.mark.parametrize("kind", ["temporary", "spool"])
def test_a_plan_cannot_make_it_remove_anything_else(yard, kind):
    mine = yard.home / "mine"
    mine.mkdir()
    (mine / "file").write_bytes(b"x")
    for where in (mine, mine / "file", yard.home / "nowhere"):
        with pytest.raises(ChangedError):
            remove(Leftover(kind, str(where), 1, time.time()), stores(yard))
    assert (mine / "file").exists()
    assert leftovers.ABANDONED == DAY
