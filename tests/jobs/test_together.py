"""Short recordings that share one ffmpeg come out as if each had been alone."""

import json
import shutil
import threading

import pytest

from pipeline.choices import Format, OnLoss
from pipeline.errors import StorageError
from pipeline.jobs import many, one
from pipeline.jobs.many import aim, convert_all, find
from pipeline.jobs.options import Options
from pipeline.jobs.output.destinations import destination
from pipeline.model import Verdict
from pipeline.muxing import run, together
from pipeline.storage.locations import open_storage
from tests.jobs import short


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    return short.made(tmp_path_factory.mktemp("short"))


@pytest.fixture
def started(monkeypatch):
    """How many files each ffmpeg that was started has made, or would have."""
    seen = []
    real = run.Muxer.__init__

    def noted(self, argv, **how):
        seen.append(sum(word.startswith("pipe:") for word in argv))
        real(self, argv, **how)

    monkeypatch.setattr(run.Muxer, "__init__", noted)
    return seen


def converted(sources, out, ffmpeg, jobs=2, **chosen):
    works, _ = find([str(sources)], open_storage)
    to = destination(f"{out}/", chosen.get("format", Format.MP4), open_storage)
    works, refused = aim(works, to)
    assert not refused
    options = Options(spool=out.parent / "spool", **chosen)
    return {x.recording: x for x in convert_all(works, ffmpeg, options, jobs=jobs)}


@pytest.mark.parametrize(
    "chosen",
    [{}, {"on_loss": OnLoss.FILL}, {"format": Format.M4A}],
    ids=["usual", "filled", "sound alone"],
)
def test_the_same_files_and_verdicts(sources, tmp_path, ffmpeg, monkeypatch, started, chosen):
    monkeypatch.setattr(many, "is_dear_to_start", lambda _: False)
    alone = converted(sources, tmp_path / "alone", ffmpeg, **chosen)
    assert max(started) == 1
    started.clear()
    monkeypatch.setattr(many, "is_dear_to_start", lambda _: True)
    shared = converted(sources, tmp_path / "shared", ffmpeg, **chosen)
    assert max(started) > 1
    assert len(alone) == short.COUNT
    assert {x: short.comparable(y) for x, y in shared.items()} == {
        x: short.comparable(y) for x, y in alone.items()
    }
    receipts = [sorted((tmp_path / x).glob("*.receipt.json")) for x in ("alone", "shared")]
    assert receipts[0]
    for a, b in zip(*receipts, strict=True):
        first, second = json.loads(a.read_text()), json.loads(b.read_text())
        assert first["muxer"]["command"] == second["muxer"]["command"]
        assert first["output"]["sha256"] == second["output"]["sha256"]


def test_an_ffmpeg_that_fails_for_one_does_not_fail_for_others(
    sources, tmp_path, ffmpeg, monkeypatch, started
):
    """Each is then muxed by itself."""
    real = run.run

    def failing(argv, **how):
        if len(how.get("inputs", ())) > 1:
            raise StorageError("one of them")
        return real(argv, **how)

    monkeypatch.setattr(run, "run", failing)
    monkeypatch.setattr(many, "is_dear_to_start", lambda _: True)
    found = converted(sources, tmp_path / "out", ffmpeg)
    verdicts = [x.verdict for x in found.values()]
    assert verdicts.count(Verdict.OK) >= len(short.KINDS)
    assert max(started) == 1


@pytest.mark.parametrize("jobs", [1, 2])
def test_no_more_are_worked_on_than_asked_for(sources, tmp_path, ffmpeg, monkeypatch, jobs):
    """While others wait to be muxed."""
    lock, now, most = threading.Lock(), [0], [0]
    real = one.inspected

    def counted(*given):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        try:
            return real(*given)
        finally:
            with lock:
                now[0] -= 1

    monkeypatch.setattr(one, "inspected", counted)
    monkeypatch.setattr(many, "is_dear_to_start", lambda _: True)
    assert len(converted(sources, tmp_path / "out", ffmpeg, jobs=jobs)) == short.COUNT
    assert most[0] <= jobs


def test_few_are_not_worth_it(sources, tmp_path, ffmpeg, monkeypatch, started):
    few = tmp_path / "few"
    few.mkdir()
    for path in sorted(sources.iterdir())[: together.MOST - 1]:
        shutil.copytree(path, few / path.name)
    monkeypatch.setattr(many, "is_dear_to_start", lambda _: pytest.fail("not asked"))
    assert len(converted(few, tmp_path / "out", ffmpeg)) == together.MOST - 1
    assert max(started) == 1
