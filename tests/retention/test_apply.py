"""Exactly what was planned goes into the trash, comes back byte by byte, and is let go late."""

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.errors import BusyError, StorageError
from pipeline.jobs.limits.locks import locked
from pipeline.retention import document, trash
from pipeline.retention.plan import GuardError
from pipeline.storage.s3.store import S3Storage
from tests.archive.test_premis import P, validate
from tests.retention.conftest import Yard, everything, put
from tests.retention.test_survey import SPEAKS_AGAINST, YEAR

ROUNDS = int(os.environ.get("RECPIPE_TEST_ROUNDS", "3"))


def problems(done) -> list[str]:
    return [one.problem for one in done if one.problem]


def test_apply_then_restore_brings_every_byte_back(anywhere):
    yard = anywhere
    for number in range(2):
        yard.published(number)
    put(yard.source, "2026/mine.txt", b"mine", yard.spool)
    before, results = everything(yard.source), everything(yard.results)
    yard.survey()
    assert [one.objects for one in yard.apply()] == [4, 4]
    assert yard.slices() == ["2026/mine.txt"]
    assert problems(yard.restore()) == []
    assert everything(yard.source) == before
    assert everything(yard.results) == results
    assert yard.survey().recordings == 2  # what came back is what the receipts say


def test_apply_then_purge_frees_the_room(anywhere):
    yard = anywhere
    yard.published(1)
    yard.survey()
    yard.apply()
    assert problems(yard.purge()) == []
    assert everything(yard.source) == {}
    (key,) = (k for k in everything(yard.results) if k.endswith(".premis.xml"))
    root = validate(everything(yard.results)[key])
    assert root.find(f".//{P}eventType").text == "deletion"
    assert len(root.findall(f".//{P}object")) == 4


def test_running_again_is_a_no_op(anywhere):
    anywhere.published(1)
    anywhere.survey()
    anywhere.apply()
    after = everything(anywhere.source)
    assert [(one.objects, one.problem) for one in anywhere.apply()] == [(0, None)]
    assert everything(anywhere.source) == after
    anywhere.restore()
    before = everything(anywhere.source)
    anywhere.survey()
    assert everything(anywhere.source) == before


@pytest.mark.parametrize("what", sorted(set(SPEAKS_AGAINST) - {"a slice more", "a failover part"}))
def test_what_changed_since_the_plan_is_left_alone(yard, what):
    keep, go = yard.published(1), yard.published(2)
    yard.survey()
    SPEAKS_AGAINST[what][0](yard, keep)
    before = {k: v for k, v in everything(yard.source).items() if keep in k}
    done = {one.recording: one.problem for one in yard.apply()}
    assert done[keep]
    assert done[go] is None
    assert {k: v for k, v in everything(yard.source).items() if keep in k} == before


def test_nothing_newer_than_the_plan_is_deleted(yard):
    yard.published(1)
    yard.survey()
    late = yard.published(2)
    yard.apply()
    assert {key for key in yard.slices() if late in key} == set(yard.slices())
    assert len(yard.slices()) == 4


def test_a_source_that_lists_nothing_any_more_is_left_alone(yard):
    yard.published(1)
    yard.survey()
    before = everything(yard.source)
    real = yard.source.head

    def gone(key):
        if key.startswith("2026/"):
            from pipeline.errors import NotFoundError

            raise NotFoundError(f"{key}: no such object")
        return real(key)

    yard.source.head = gone
    assert len(problems(yard.apply())) == 1
    yard.source.head = real
    assert {
        k: v for k, v in everything(yard.source).items() if not k.startswith(".trash")
    } == before


class Lying(S3Storage):
    """A store that takes a condition and deletes whatever it says."""

    def delete(self, key, *, etag=None):
        super().delete(key)


class Unable(S3Storage):
    """A store that says it cannot."""

    def delete(self, key, *, etag=None):
        if etag is not None:
            raise StorageError("the store answered 501 (NotImplemented)")
        super().delete(key)


def test_a_store_that_lies_about_conditions_is_refused(yard, weed):
    yard.source = Lying(weed.new_bucket(), "calls", weed.client)
    yard.published(1)
    yard.survey()
    before = everything(yard.source)
    with pytest.raises(GuardError, match="--no-conditions"):
        yard.apply()
    assert everything(yard.source) == before
    assert problems(yard.apply(trusting=True)) == []
    assert yard.slices() == []


def test_a_store_that_cannot_is_looked_at_right_before(yard, weed):
    bucket = weed.new_bucket()
    yard.source = Unable(bucket, "calls", weed.client)
    keep, _ = yard.published(1), yard.published(2)
    yard.survey()
    key = next(k for k in yard.slices() if keep in k)
    put(yard.source, key, b"another", yard.spool)
    assert len(problems(yard.apply())) == 1
    assert everything(yard.source)[key] == b"another"
    assert len(yard.slices()) == 4


def test_an_object_replaced_in_the_last_moment_survives(yard, weed):
    """Between the copy and the deletion: the condition holds it."""
    yard.source = S3Storage(weed.new_bucket(), "calls", weed.client)
    yard.published(1)
    yard.survey()
    real = yard.source.copy

    def copy(source, key, *, etag=None):
        done = real(source, key, etag=etag)
        if source.endswith(".ts"):
            put(yard.source, source, b"replaced", yard.spool)
        return done

    yard.source.copy = copy
    (done,) = yard.apply()
    assert "changed" in done.problem
    assert b"replaced" in everything(yard.source).values()


def test_a_clock_that_is_a_year_off_stops_everything(yard):
    yard.published(1)
    yard.survey()
    before = everything(yard.source)
    for off in (-YEAR, YEAR):
        with pytest.raises(GuardError, match=r"clock|days old"):
            yard.apply(lambda off=off: time.time() + off)
    assert everything(yard.source) == before
    yard.apply()
    trashed = everything(yard.source)
    for off in (-YEAR, YEAR):
        with pytest.raises(GuardError, match="clock"):
            yard.purge(7, lambda off=off: time.time() + off)
    assert everything(yard.source) == trashed


def test_a_lock_that_was_laid_after_the_plan_keeps_a_recording(yard, monkeypatch):
    yard.published(1)
    yard.survey()
    monkeypatch.setattr(type(yard.source), "protection", lambda self, key: "legal hold")
    (done,) = yard.apply()
    assert done.problem.endswith(": legal hold")
    assert len(yard.slices()) == 4


@pytest.mark.parametrize(
    ("days", "why"), [(7.5, "days old; plan again"), (-0.01, "the plan is from the future")]
)
def test_a_plan_out_of_its_time_is_refused(yard, days, why):
    """Whatever the trail says of the clock."""
    yard.published(1)
    yard.survey()
    with pytest.raises(GuardError, match=why):
        yard.apply(now=lambda: yard.clock() + days * 86400)
    assert len(yard.slices()) == 4


def test_trash_is_kept_for_its_days(yard):
    yard.published(1)
    yard.survey()
    yard.apply()
    with pytest.raises(GuardError, match="not yet 7 days"):
        yard.purge(7)
    plan = yard.source.path(f".trash/{yard.run}/plan.json")
    os.utime(plan, (time.time() - 8 * 86400,) * 2)
    assert problems(yard.purge(7)) == []
    assert everything(yard.source) == {}


@pytest.mark.parametrize("what", ["another MP4", "no MP4", "a hold", "degraded"])
def test_trash_whose_result_is_no_longer_good_is_not_purged(yard, what):
    id = yard.published(1)
    before = everything(yard.source)
    yard.survey()
    yard.apply()
    SPEAKS_AGAINST[what][0](yard, id)
    assert len(problems(yard.purge())) == 1
    yard.restore()
    assert everything(yard.source) == before


def test_what_somebody_put_into_the_trash_is_not_purged(yard):
    yard.published(1)
    yard.survey()
    yard.apply()
    key = f".trash/{yard.run}/objects/2026/mine.ts"
    put(yard.source, key, b"mine", yard.spool)
    yard.purge()
    assert sorted(everything(yard.source)) == [key, f".trash/{yard.run}/plan.json"]


def test_restore_replaces_nothing(yard):
    id = yard.published(1)
    yard.survey()
    yard.apply()
    key = f"2026/{id}.m3u8"
    put(yard.source, key, b"another recording", yard.spool)
    (done,) = yard.restore()
    assert "left alone" in done.problem
    assert everything(yard.source)[key] == b"another recording"
    assert f".trash/{yard.run}/objects/{key}" in everything(yard.source)


def test_the_intent_is_on_the_disk_before_the_act(yard):
    yard.published(1)
    yard.survey()
    real = yard.source.copy

    def copy(source, key, *, etag=None):
        (last,) = (one for one in yard.audit() if one["event"] == "trash")
        assert source in [one["key"] for one in last["objects"]]
        return real(source, key, etag=etag)

    yard.source.copy = copy
    assert problems(yard.apply()) == []
    assert [one["event"] for one in yard.audit()] == ["apply", "trash", "trashed", "applied"]


def test_whoever_listens_is_told_everything(yard):
    from pipeline.retention.audit import Audit

    heard = []
    audit = Audit(yard.home / "state", time.time, heard.append)
    audit.tell("trash", "run", recording="a")
    assert heard == yard.audit()


def test_two_never_run(yard):
    with (
        locked(yard.spool, yard.source.url(), wait=False),
        pytest.raises(BusyError),
        locked(yard.spool, yard.source.url(), wait=False),
    ):
        pass


def test_what_waits_in_the_trash_is_no_recording(yard):
    from pipeline.errors import NotFoundError
    from pipeline.stages.discover import discover

    yard.published(1)
    yard.survey()
    yard.apply()
    with pytest.raises(NotFoundError):
        discover(yard.source, "")


# Killed.

KILLED = """
import sys, time
from pathlib import Path
from pipeline.storage.local import LocalStorage
from pipeline.storage.s3.store import S3Storage
from tests.retention.conftest import Yard
from tests.servers import impatient_client
home = Path(sys.argv[1])
yard = Yard(LocalStorage(home / "source"), LocalStorage(home / "results"), home, time.time)
if len(sys.argv) > 2:
    client = impatient_client(sys.argv[2]).__enter__()
    yard.source = S3Storage(sys.argv[3], "calls", client)
    yard.results = S3Storage(sys.argv[4], "mp4", client)
print("go", flush=True)
for done in yard.apply():
    print(done.objects, flush=True)
"""


@pytest.mark.parametrize("kind", ["local", "weed", "weed, versions"])
def test_killed_at_any_moment_it_finishes_the_same_plan(kind, yard, request, tmp_path, clock):
    """SIGKILL at random moments: every byte is in the source or its trash; then all comes back."""
    from tests.retention.conftest import in_buckets, keeping_versions

    argv = [sys.executable, "-c", KILLED, str(yard.home)]
    if kind != "local":
        server = request.getfixturevalue("weed")
        yard = in_buckets(server, tmp_path, clock)
        yard = keeping_versions(yard) if "versions" in kind else yard
        argv += [server.endpoint_url, yard.source.bucket, yard.results.bucket]
    for number in range(5):
        yard.published(number, count=6)
    before = everything(yard.source)
    yard.survey()
    random.seed(7)
    halves = 0
    for _ in range(ROUNDS):
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
        process.stdout.readline()
        time.sleep(random.random() * (0.06 if kind == "local" else 0.5))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        halves += 0 < len(yard.slices()) < len(before)
        _nothing_is_lost(yard, before)
        if random.random() < 0.3:
            yard.restore() if _has_run(yard) else None
            _nothing_is_lost(yard, before)
    assert problems(yard.apply()) == []
    assert yard.slices() == []
    assert problems(yard.restore()) == []
    assert everything(yard.source) == before
    print(f"{kind}: {halves} of {ROUNDS} kills left it half done")


def _has_run(yard: Yard) -> bool:
    return yard.run in dict(trash.runs(yard.source))


def _nothing_is_lost(yard: Yard, before: dict[str, bytes]) -> None:
    there = everything(yard.source)
    objects = trash.objects_of(yard.run)
    for key, data in before.items():
        if yard.trash == document.VERSIONS:
            digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
            assert digest in [version.etag for version in yard.source.versions().of(key)], key
            continue
        assert there.get(key, there.get(objects + key)) == data, key
    unknown = {k for k in there if not k.startswith(".trash/")} - before.keys()
    assert not unknown


def test_nothing_is_left_in_the_folder_of_the_trash(yard):
    yard.published(1)
    yard.survey()
    yard.apply()
    yard.restore()
    assert list((yard.source.root / ".trash").iterdir()) == []
    yard.survey()
    yard.apply()
    yard.purge()
    assert list((yard.source.root / ".trash").iterdir()) == []


def test_an_empty_plan_leaves_no_trash(yard):
    yard.published(1, verdict="degraded")
    yard.survey()
    assert yard.apply() == []
    assert not (yard.source.root / ".trash").exists()


def test_a_deletion_is_recorded_also_after_a_crash_before_the_record(yard):
    id = yard.published(1)
    yard.survey()
    yard.apply()
    real = yard.results.put

    def crash(source, key, **kept):
        raise KeyboardInterrupt

    yard.results.put = crash
    with pytest.raises(KeyboardInterrupt):
        yard.purge()
    yard.results.put = real
    assert not [key for key in everything(yard.results) if "premis" in key]
    assert problems(yard.purge()) == []
    assert f"{id}.{yard.run}.premis.xml" in everything(yard.results)


def test_names_that_are_not_utf_8_are_in_order(yard):
    for name in (b"2026/\xff.bin", "2026/\U0001f600.bin".encode(), "2026/\uffee.bin".encode()):
        path = os.fsencode(yard.source.root) + b"/" + name
        Path(os.fsdecode(path)).parent.mkdir(exist_ok=True)
        Path(os.fsdecode(path)).write_bytes(b"x")
    yard.published(1)
    made = yard.survey()
    assert (made.recordings, made.seen.unknown) == (1, 3)
