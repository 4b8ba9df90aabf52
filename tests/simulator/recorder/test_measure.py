"""Offset and drift, measured on results whose offset and drift are known."""

import math
import subprocess
from pathlib import Path

import pytest

from pipeline.simulator.recorder.measure import Mark, Measured, measure
from tests import recordings as r

MILLISECOND = 0.001


@pytest.fixture
def measured(stored, ffmpeg, tmp_path):
    def convert(*faults):
        report = r.convert(stored(*faults), tmp_path / "out", ffmpeg)
        return measure(Path(report.output), ffmpeg)

    return convert


def test_an_unfaulted_conversion_is_in_step(measured):
    found = measured()
    assert len(found.flashes) == len(found.beeps) == len(found.offsets) == 20
    assert abs(found.offset) <= 2 * MILLISECOND
    assert abs(found.drift) <= 2 * MILLISECOND
    assert found.flashes == pytest.approx([0.0213 + n for n in range(20)], abs=MILLISECOND)


def test_a_drift_is_measured(measured):
    assert measured("av_drift_1pct").drift == pytest.approx(0.19, abs=0.003)


def test_beeps_behind_missing_sound_stay_where_they_are(measured):
    found = measured("audio_missing_one_seg:2")
    assert len(found.beeps) == 16
    assert abs(found.offset) <= 2 * MILLISECOND
    assert abs(found.drift) <= 2 * MILLISECOND


def test_black_and_silence_have_no_marks(measured):
    assert measured("black", "silent") == Measured((), ())


def marks(*pairs):
    return tuple(Mark(*pair) for pair in pairs)


def test_pairs_are_those_of_one_second():
    shown = marks((0.0, 0), (1.0, 1), (2.0, 2), (7.0, 7))
    found = Measured(shown, marks((0.03, 0), (1.03, 1), (5.0, 5)))
    assert found.offsets == pytest.approx([0.03, 0.03])
    assert found.offset == pytest.approx(0.03)
    assert found.drift == pytest.approx(0)
    assert math.isnan(Measured(shown, ()).offset)


def test_a_shift_by_whole_seconds_is_seen():
    shown = marks(*((float(n), n) for n in range(8)))
    early = marks(*((n - 4.0, n) for n in range(4, 8)))
    assert Measured(shown, early).offset == -4


def test_sound_that_a_hole_has_drawn_near_is_seen(stored, ffmpeg, tmp_path):
    """Decoded frame behind frame, a sparse track is as much too early as its hole is long."""
    faults = stored("audio_missing_one_seg:2")
    report = r.convert(faults, tmp_path / "out", ffmpeg, sparse_sound=True)
    wav = tmp_path / "sparse.wav"
    argv = [str(ffmpeg.ffmpeg), "-v", "error", "-i", report.output, str(wav)]
    subprocess.run(argv, env=ffmpeg.env, check=True)
    heard = measure(wav, ffmpeg, ("audio",)).heard
    assert [mark.second for mark in heard] == [n for n in range(20) if not 8 <= n < 12]
    late = [mark.at - mark.second for mark in heard if mark.second >= 12]
    assert late == pytest.approx([-4.0] * 8, abs=0.05)
