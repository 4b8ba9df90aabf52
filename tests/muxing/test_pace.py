"""How fast an ffmpeg remuxes."""

import os
from pathlib import Path

import pytest

from pipeline.muxing import pace as tested
from pipeline.muxing.locate import Ffmpeg
from pipeline.muxing.pace import SLOW, is_dear_to_start, is_slow, pace


def script(path: Path, text: str) -> Ffmpeg:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return Ffmpeg(path, path, "0")


def test_one_that_reads_quickly(tmp_path):
    speed = pace(script(tmp_path / "ffmpeg", "exec cat > /dev/null"))
    assert speed is not None
    assert not is_slow(speed)


def test_one_that_takes_its_time_over_every_byte(tmp_path):
    speed = pace(script(tmp_path / "ffmpeg", "exec od -v > /dev/null"))
    assert speed is not None
    assert is_slow(speed)


def test_it_is_measured_on_one_processor_alone(tmp_path):
    usual = os.sched_getaffinity(0)
    assert pace(script(tmp_path / "ffmpeg", 'cat > /dev/null; test "$(nproc)" = 1')) is not None
    assert os.sched_getaffinity(0) == usual


def test_it_is_measured_where_no_processor_may_be_chosen(tmp_path, monkeypatch):
    def refused(pid, mask):
        raise PermissionError

    monkeypatch.setattr(os, "sched_setaffinity", refused)
    assert pace(script(tmp_path / "ffmpeg", "exec cat > /dev/null")) is not None


def test_a_slow_machine_makes_no_build_slow(monkeypatch):
    counted = 5 * SLOW / 100
    monkeypatch.setattr(tested, "_counted", lambda: counted)
    assert is_slow(15)
    assert not is_slow(25)
    monkeypatch.setattr(tested, "_counted", lambda: 2 * counted)
    assert is_slow(7)
    assert not is_slow(13)


def test_what_a_build_needs_in_its_environment_is_there(tmp_path):
    made = script(tmp_path / "ffmpeg", 'test "$NEEDED" = 1')
    given = Ffmpeg(made.ffmpeg, made.ffprobe, "0", {"NEEDED": "1"})
    assert pace(given) is not None
    assert pace(made) is None


@pytest.mark.parametrize("text", ["exit 1", "kill -SEGV $$"])
def test_one_that_fails_has_no_speed(tmp_path, text):
    assert pace(script(tmp_path / "ffmpeg", text)) is None


def test_one_that_is_gone_has_no_speed(tmp_path):
    assert pace(Ffmpeg(tmp_path / "none", tmp_path / "none", "0")) is None


@pytest.mark.parametrize(
    ("text", "dear"),
    [
        pytest.param("exit 0", False, id="at once"),
        pytest.param("i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done", True, id="after a while"),
        pytest.param("i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done; exit 1", False, id="fails"),
    ],
)
def test_how_dear_it_is_to_start(tmp_path, text, dear):
    assert is_dear_to_start(script(tmp_path / "ffmpeg", text)) is dear


def test_one_that_is_gone_is_not_dear(tmp_path):
    assert not is_dear_to_start(Ffmpeg(tmp_path / "none", tmp_path / "none", "0"))
