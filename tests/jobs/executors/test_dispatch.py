"""Recordings handed to any executor of the standard library, as they are to a cluster."""

import pickle
import threading
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import pytest
from msgspec.structs import replace

from pipeline.choices import Format
from pipeline.errors import ExecutorLostError, StorageError, UnplannedError, UsageError
from pipeline.jobs.executors import worker
from pipeline.jobs.executors.assignment import Answer, Choices, Stores, assignment
from pipeline.jobs.executors.dispatch import Engine, Run, dispatched
from pipeline.jobs.executors.worker import carry_out, identity
from pipeline.jobs.limits.budget import Budget
from pipeline.jobs.many import aim, find, opener
from pipeline.jobs.options import Options
from pipeline.jobs.outcomes import Failure
from pipeline.jobs.output.destinations import destination
from pipeline.model import Report, Verdict
from tests.copies import write_copies

CHOSEN = Choices((("format", "mp4"),))


class Place:
    """Recordings, and how they are assigned."""

    def __init__(self, folder, count, by) -> None:
        self.out, self.by = folder / "out", by
        opened = opener(1)
        works, _ = find([str(write_copies(folder / "in", count))], opened)
        to = destination(f"{self.out}/", Format.MP4, opened)
        self.works, _ = aim(works, to)
        self.options = Options(spool=folder / "spool")

    def assigned(self, task):
        return assignment(task, CHOSEN, Stores(), self.by, output=f"{self.out}/")

    def run(self, executor, slots=2, **more):
        engine = Engine(executor, "tcp://nowhere", self.by, lambda: slots, poisoned=MemoryError)
        return dispatched(self.works, engine, Run(self.assigned, self.options, True, **more))


@pytest.fixture
def by(ffmpeg, tmp_path, monkeypatch):
    monkeypatch.setenv("RECPIPE_SPOOL", str(tmp_path / "worker"))
    worker._chosen.cache_clear()
    return identity()


class Asked(Executor):
    """Notes what it is given, and answers a moment later."""

    def __init__(self, answer) -> None:
        self.given: list = []
        self.most = self._busy = 0
        self._answer, self._lock = answer, threading.Lock()

    def submit(self, fn, given):
        assert fn is carry_out
        future: Future = Future()
        self.given.append(given)
        with self._lock:
            self._busy += 1
            self.most = max(self.most, self._busy)
        threading.Timer(0.02, self._end, (future, given)).start()
        return future

    def _end(self, future, given):
        with self._lock:
            self._busy -= 1
        self._answer(future, given)


def made(future, given):
    report = Report(given.id, given.source, Verdict.OK, made=True)
    future.set_result(Answer(report, read=100))


def test_each_is_made_once_and_the_second_run_asks_nobody(tmp_path, by):
    place = Place(tmp_path, 3, by)
    with ThreadPoolExecutor(2) as pool:
        outcomes = list(place.run(pool))
    assert sorted(one.recording for one in outcomes) == [w.recording.id for w in place.works]
    assert all(one.made and one.proof.holds for one in outcomes)
    assert {p.suffix for p in place.out.iterdir()} == {".mp4", ".json"}
    asked = Asked(made)
    again = list(place.run(asked))
    assert asked.given == []
    assert not any(one.made for one in again)
    assert len(again) == 3


def test_a_worker_finds_captions_that_are_not_called_after_the_recording(tmp_path, by):
    folder = write_copies(tmp_path / "in", 1)
    (folder / "any.vtt").write_text("WEBVTT\n\n00:00.100 --> 00:01.000\nhello\n")
    place = Place(tmp_path, 1, by)
    with ThreadPoolExecutor(1) as pool:
        (outcome,) = place.run(pool)
    assert [(track.name, track.cues) for track in outcome.captions] == [("any", 1)]


def test_what_is_sent_is_small_whatever_lies_beside_it_and_holds_no_secret(
    tmp_path, by, monkeypatch
):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "sesame-of-aws")
    place = Place(tmp_path, 50, by)
    sent = [pickle.dumps(place.assigned(task)) for task in place.works]
    assert max(map(len, sent)) < 1500
    assert not any(b"sesame" in one for one in sent)


def test_no_more_are_in_flight_than_twice_the_slots(tmp_path, by):
    place, asked = Place(tmp_path, 12, by), Asked(made)
    assert len(list(place.run(asked, slots=1))) == 12
    assert asked.most == 2
    asked = Asked(made)
    assert len(list(place.run(asked, most=1))) == 12
    assert asked.most == 1


def test_a_limit_counts_what_is_made(tmp_path, by):
    place, asked = Place(tmp_path, 6, by), Asked(made)
    outcomes = list(place.run(asked, budget=Budget(results=4)))
    assert len(outcomes) == len(asked.given) == 4
    asked = Asked(made)
    assert len(list(place.run(asked, slots=1, budget=Budget(size=250)))) in (3, 4)


def test_a_worker_that_is_something_else_ends_the_run(tmp_path, by):
    place = Place(tmp_path, 1, replace(by, recpipe="0.0.1"))
    with (
        ThreadPoolExecutor(1) as pool,
        pytest.raises(UsageError, match=r"expected recpipe 0\.0\.1"),
    ):
        list(place.run(pool))
    assert not place.out.exists()


def test_a_scheduler_that_is_gone_is_a_temporary_failure(tmp_path, by):
    place = Place(tmp_path, 2, by)
    with pytest.raises(ExecutorLostError) as raised:
        list(place.run(Asked(lambda future, _: future.cancel()), slots=4))
    assert raised.value.exit_code == 75


def failing(error):
    return lambda future, _: future.set_exception(error)


def test_a_pool_whose_process_died_is_one_too(tmp_path, by):
    place = Place(tmp_path, 2, by)
    with pytest.raises(ExecutorLostError, match="what is published stays"):
        list(place.run(Asked(failing(BrokenProcessPool()))))


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [(MemoryError(), ExecutorLostError, 75), (KeyError("sesame"), UnplannedError, 1)],
)
def test_what_takes_workers_down_stops_no_other(tmp_path, by, error, kind, code):
    place, asked = Place(tmp_path, 2, by), Asked(failing(error))
    outcomes = list(place.run(asked, slots=1))
    assert [type(one.error) for one in outcomes] == [kind] * 2
    assert [one.exit_code for one in outcomes] == [code] * 2
    assert "sesame" not in outcomes[0].message


def test_what_fails_on_a_worker_can_be_sent_back(tmp_path, by, monkeypatch):
    place = Place(tmp_path, 1, by)
    given = place.assigned(place.works[0])
    (playlist,) = (tmp_path / "in").glob("*.m3u8")
    playlist.unlink()
    gone = pickle.loads(pickle.dumps(carry_out(given))).outcome
    assert isinstance(gone, Failure)
    assert gone.message == f"{playlist}: the recording is gone since it was listed"
    monkeypatch.setattr(worker, "_found", lambda _: 1 / 0)
    failed = pickle.loads(pickle.dumps(carry_out(given))).outcome
    assert isinstance(failed.error, UnplannedError)
    assert "unexpected ZeroDivisionError in test_dispatch.py" in failed.message


def test_an_answer_about_a_store_that_is_away(tmp_path, by):
    place = Place(tmp_path, 1, by)
    away = Failure("a", "b", StorageError("away"))
    asked = Asked(lambda future, _: future.set_result(Answer(away)))
    assert list(place.run(asked)) == [away]
