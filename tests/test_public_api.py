"""What ``import pipeline`` offers."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import pipeline

SAMPLES = Path(__file__).parents[1] / "sample_media"


def test_everything_offered_is_there():
    for name in pipeline.__all__:
        assert getattr(pipeline, name).__name__ == name
        assert name in dir(pipeline)


def test_every_error_is_offered():
    from pipeline import errors

    own = {
        n
        for n, v in vars(errors).items()
        if isinstance(v, type) and v.__module__ == errors.__name__
    }
    assert own <= set(pipeline.__all__)


def test_anything_else_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'convrt'"):
        pipeline.convrt  # noqa: B018


@pytest.mark.usefixtures("ffmpeg")
def test_convert_and_check(tmp_path):
    source = shutil.copytree(SAMPLES / "audio_only", tmp_path / "in")
    spool = tmp_path / "spool"
    (checked,) = pipeline.check(source, spool=spool)
    assert isinstance(checked, pipeline.Report)
    (made,) = pipeline.convert(source, tmp_path / "out", format="m4a", spool=spool)
    assert isinstance(made, pipeline.Report)
    assert (checked.verdict, made.verdict) == (pipeline.Verdict.OK, pipeline.Verdict.OK)
    assert Path(made.output).suffix == ".m4a"


def test_a_source_without_a_recording_is_a_failure_among_the_others(tmp_path):
    outcomes = pipeline.check([tmp_path, SAMPLES / "audio_only"], spool=tmp_path / "spool")
    failure, report = outcomes
    assert isinstance(failure, pipeline.Failure)
    assert isinstance(failure.error, pipeline.NotFoundError)
    assert isinstance(report, pipeline.Report)


def test_an_output_that_cannot_be_is_raised(tmp_path):
    with pytest.raises(pipeline.UsageError, match="names one file for 3 recordings"):
        pipeline.convert(SAMPLES, tmp_path / "x.mp4", spool=tmp_path)
    with pytest.raises(ValueError, match="avi"):
        pipeline.convert(SAMPLES, tmp_path, format="avi", spool=tmp_path)


@pytest.mark.usefixtures("ffmpeg")
def test_what_the_command_line_offers_is_a_keyword(tmp_path):
    source = shutil.copytree(SAMPLES / "audio_only", tmp_path / "in")
    key = tmp_path / "a.key"
    key.write_bytes(bytes(range(16)))
    asked = {"on_change": "split", "key": key, "stream_types": "both", "spool": tmp_path / "spool"}
    (made,) = pipeline.convert(source, tmp_path / "out", **asked)
    assert made.verdict is pipeline.Verdict.DEGRADED  # pictures were to be recorded
    (checked,) = pipeline.check(source, **asked)
    assert checked.verdict is pipeline.Verdict.DEGRADED
    with pytest.raises(ValueError, match="never"):
        pipeline.convert(source, tmp_path / "out", on_change="never", spool=tmp_path)
    with pytest.raises(TypeError, match="unexpected keyword: onloss"):
        pipeline.check(source, onloss="fill", spool=tmp_path)
    key.write_bytes(b"short")
    with pytest.raises(pipeline.UsageError, match="no key, expected 16 bytes"):
        pipeline.check(source, key=key, spool=tmp_path)


@pytest.mark.usefixtures("ffmpeg")
def test_any_executor_works_on_them_and_stays_open(tmp_path, monkeypatch):
    """With the spool and the ffmpeg of the workers, wherever those are."""
    monkeypatch.setenv("RECPIPE_SPOOL", str(tmp_path / "spool-of-workers"))
    monkeypatch.chdir(tmp_path)
    shutil.copytree(SAMPLES / "audio_only", tmp_path / "in")
    with ThreadPoolExecutor(1) as workers:
        asked = {"format": "m4a", "spool": tmp_path / "spool", "executor": workers}
        (made,) = pipeline.convert("in", "out/", **asked)
        (again,) = pipeline.convert("in", "out/", **asked)
        (checked,) = pipeline.check("in", spool=tmp_path / "spool", executor=workers)
        assert workers.submit(int).result() == 0
    assert (made.verdict, made.made, again.made) == (pipeline.Verdict.OK, True, False)
    assert Path(made.output) == tmp_path / "out" / f"{made.recording}.m4a"
    assert checked.verdict is pipeline.Verdict.OK


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"executor": "dusk://host"}, "expected local, dask://host:8786"),
        ({"executor": "dask://host", "ffmpeg": "x"}, "ffmpeg: workers have .* RECPIPE_FFMPEG"),
        ({"executor": "dask://host", "encode_jobs": 1}, "RECPIPE_ENCODE_JOBS"),
        ({"encode_jobs": 0}, "encode_jobs: 0, expected at least 1"),
        ({"jobs": -1}, "jobs: -1, expected at least 1"),
    ],
)
def test_what_no_executor_can_be_or_take_is_refused(tmp_path, asked, why):
    with pytest.raises(pipeline.UsageError, match=why):
        pipeline.convert(SAMPLES / "audio_only", tmp_path, spool=tmp_path, **asked)


def test_what_is_no_executor_at_all_is_a_type_error(tmp_path):
    with pytest.raises(TypeError, match="executor: 7 is neither a URL nor"):
        pipeline.convert(SAMPLES / "audio_only", tmp_path, spool=tmp_path, executor=7)
