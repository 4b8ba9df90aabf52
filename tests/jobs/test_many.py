"""Many recordings: all are tried, each once, whatever becomes of one."""

import dataclasses
import os
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from msgspec.structs import replace

from pipeline.choices import Format
from pipeline.errors import NotFoundError, StorageError, UsageError
from pipeline.jobs import many
from pipeline.jobs.limits.budget import Budget
from pipeline.jobs.many import Task, aim, convert_all, find
from pipeline.jobs.options import Options, options
from pipeline.jobs.outcomes import code_of
from pipeline.jobs.output.destinations import destination
from pipeline.jobs.selection import Selection
from pipeline.model import Recording, Report, Verdict
from pipeline.storage.local import LocalStorage
from pipeline.storage.locations import open_storage

SAMPLES = Path(__file__).parents[2] / "sample_media"


def work(id: str, folder: Path = SAMPLES) -> Task:
    return Task(Recording(id, f"/in/{id}.m3u8", ()), LocalStorage(folder))


def report(work: Task, verdict: Verdict = Verdict.OK) -> Report:
    return Report(work.recording.id, work.recording.source, verdict)


def attempted(action, limit=None):
    return many._within(Budget(limit), action, many._made)


def run(works, action, jobs=1, limit=None):
    return list(many.each(works, attempted(action, limit), jobs, None))


@pytest.mark.parametrize("jobs", [1, 4])
def test_a_limit_counts_what_is_made_and_nothing_else(jobs):
    """However many were done before or cannot be done: the next ones are reached."""

    def action(work, progress):
        time.sleep(0.001)
        number = int(work.recording.id)
        if number % 3 == 0:
            raise StorageError("away")
        return replace(report(work), made=number % 3 == 1)

    works = [work(str(n)) for n in range(30)]
    outcomes = run(works, action, jobs, limit=4)
    made = [one for one in outcomes if isinstance(one, Report) and one.made]
    assert len(made) == 4
    assert len(outcomes) < 30
    assert sorted(int(one.recording) for one in made) == [1, 4, 7, 10] or jobs > 1
    assert len(run(works, action, jobs, limit=99)) == 30


def test_only_what_is_meant_is_found():
    """That nothing is selected is no failure; that nothing is there is one."""
    works, failures = find([str(SAMPLES)], open_storage, Selection(include=("*weekly*",)))
    assert [work.recording.cname for work in works] == ["weekly_meeting"]
    assert find([str(SAMPLES)], open_storage, Selection(exclude=("*",))) == ([], [])
    assert failures == []


@pytest.mark.parametrize("jobs", [1, 3])
def test_one_that_fails_stops_no_other(jobs):
    def action(work, progress):
        if work.recording.id == "b":
            raise StorageError("the store is away")
        if work.recording.id == "c":
            raise KeyError("secret")
        return report(work)

    outcomes = run([work(id) for id in "abcd"], action, jobs)
    by_id = {outcome.recording: outcome for outcome in outcomes}
    assert [by_id[id].verdict for id in "ad"] == [Verdict.OK, Verdict.OK]
    assert by_id["b"].message == "the store is away"
    assert by_id["c"].message.startswith("/in/c.m3u8: unexpected KeyError in test_many.py, line ")
    assert "secret" not in by_id["c"].message
    assert [code_of(by_id[id]) for id in "abcd"] == [0, 75, 1, 0]


def test_with_one_job_outcomes_come_in_order():
    ids = [f"{number:03d}" for number in range(50)]
    outcomes = run([work(id) for id in ids], lambda work, progress: report(work))
    assert [outcome.recording for outcome in outcomes] == ids


def test_outcomes_come_as_soon_as_they_are_there():
    first_is_seen = threading.Event()

    def action(work, progress):
        if work.recording.id == "slow":
            assert first_is_seen.wait(30)
        return report(work)

    outcomes = many.each([work("slow"), work("quick")], attempted(action), 2, None)
    assert next(outcomes).recording == "quick"
    first_is_seen.set()
    assert [outcome.recording for outcome in outcomes] == ["slow"]


def test_never_more_at_once_than_asked_for():
    lock, running, most = threading.Lock(), [0], [0]

    def action(work, progress):
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.01)
        with lock:
            running[0] -= 1
        return report(work)

    assert len(run([work(str(n)) for n in range(12)], action, 3)) == 12
    assert most[0] <= 3


def test_giving_up_ends_what_is_running_and_begins_nothing_more():
    begun, ended = [], []

    def action(work, progress):
        begun.append(work.recording.id)
        if work.recording.id == "first":
            return report(work)
        try:
            while True:
                time.sleep(0.005)
                progress("convert", 1)
        finally:
            ended.append(work.recording.id)

    works = [work("first"), *(work(str(n)) for n in range(20))]
    outcomes = many.each(works, attempted(action), 2, None)
    next(outcomes)
    outcomes.close()
    assert sorted(ended) == sorted(begun[1:])
    assert len(begun) <= 4


def opened(location):
    return many.opener(1)(location)


def test_sources_that_hold_nothing_are_failures_beside_the_others(tmp_path):
    works, failures = find([str(tmp_path), str(SAMPLES), str(tmp_path / "x.m3u8")], opened)
    assert len(works) == 3
    assert [failure.source for failure in failures] == [str(tmp_path), str(tmp_path / "x.m3u8")]
    assert all(isinstance(failure.error, NotFoundError) for failure in failures)


def test_a_recording_is_found_once_however_it_is_named():
    (playlist,) = (SAMPLES / "composite").glob("*.m3u8")
    named = [str(SAMPLES), str(SAMPLES / "composite"), str(playlist), str(SAMPLES) + "/"]
    works, failures = find(named, opened)
    assert (len(works), failures) == (3, [])


def test_one_file_takes_only_one_recording(tmp_path):
    to = destination(str(tmp_path / "x.mp4"), Format.MP4, opened)
    assert aim([work("a")], to)[0][0].target.url == str(tmp_path / "x.mp4")
    with pytest.raises(UsageError, match="one file for 2 recordings"):
        aim([work("a"), work("b")], to)


def test_names_that_become_the_same_are_all_refused(tmp_path):
    to = destination(str(tmp_path), Format.MP4, opened)
    works, refused = aim([work("a/b"), work("c"), work("a_b"), work("a\\b")], to)
    assert [one.recording.id for one in works] == ["c"]
    assert [one.recording for one in refused] == ["a/b", "a_b", "a\\b"]
    for failure in refused:
        assert failure.exit_code == 2
        assert "/in/a/b.m3u8 and /in/a_b.m3u8 and /in/a\\b.m3u8 would all be" in failure.message


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("recordings/été", "recordings/été"),
        ("s3://bucket/a b/", "s3://bucket/a b/"),
        ("s3://AKIA:se/cret@bucket/x", "s3://...@bucket/x"),
        ("https://me:secret@host/x?sig=secret", "https://...@host/x"),
        ("a\nb", "a\\nb"),
    ],
)
def test_sources_are_shown_without_secrets(source, shown):
    assert many.shown(source) == shown


@pytest.mark.usefixtures("ffmpeg")
def test_real_recordings_side_by_side(ffmpeg, tmp_path):
    seen = []
    works, _ = find([str(SAMPLES)], opened)
    works, _ = aim(works, destination(str(tmp_path / "out"), Format.MP4, opened))
    options = Options(spool=tmp_path / "spool")

    def watch(work):
        return lambda stage, count: seen.append((work.recording.id, stage))

    outcomes = list(convert_all(works, ffmpeg, options, jobs=3, watch=watch))
    assert [outcome.verdict for outcome in outcomes] == [Verdict.OK] * 3
    assert len({id for id, _ in seen}) == 3
    stages = {stage for _, stage in seen} - {"wait"}  # for a turn, where there are 2 processors
    assert stages == {"inspect", "convert", "verify", "publish"}


@pytest.fixture
def counted(tmp_path, ffmpeg):
    """An ffmpeg that takes its time, and how many of it were remuxing and encoding at once."""
    program, log = tmp_path / "ffmpeg", tmp_path / "log"
    program.write_text(
        "#!/bin/sh\n"
        'case "$*" in *libx264*) kind=encode;; *) kind=remux;; esac\n'
        f'echo "$kind 1" >>"{log}"; sleep 0.2\n'
        f'"{ffmpeg.ffmpeg}" "$@"; code=$?\n'
        f'echo "$kind -1" >>"{log}"; exit $code\n'
    )
    program.chmod(0o755)

    def most():
        now, seen = Counter(), Counter()
        for kind, step in map(str.split, log.read_text().splitlines()):
            now[kind] += int(step)
            seen[kind] = max(seen[kind], now[kind])
        return seen

    return dataclasses.replace(ffmpeg, ffmpeg=program), most


@pytest.mark.parametrize(
    ("encodes", "expected"),
    [
        pytest.param(None, {"remux": 2, "encode": 1}, id="for two processors"),
        pytest.param(2, {"remux": 2, "encode": 2}, id="as it is said"),
    ],
)
def test_more_jobs_than_processors_remux_and_encode_in_turn(
    counted, tmp_path, monkeypatch, encodes, expected
):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    slow, most = counted
    works, _ = find([str(SAMPLES)], opened)
    works, _ = aim(works, destination(str(tmp_path / "out"), Format.MP4, opened))
    chosen = options(tmp_path / "spool", picture_width=160, picture_height=90)
    outcomes = list(convert_all(works, slow, chosen, jobs=3, encodes=encodes))
    assert [outcome.verdict for outcome in outcomes] == [Verdict.OK] * 3
    found = most()
    assert found.keys() == expected.keys()
    assert found <= Counter(expected)  # of each kind
