"""Offset and drift, measured on results whose offset and drift are known."""

from pathlib import Path

import pytest

from pipeline.simulator.measure import Measured, measure
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


def test_pairs_are_those_that_lie_together():
    found = Measured((0.0, 1.0, 2.0, 7.0), (0.03, 1.03, 5.0))
    assert found.offsets == pytest.approx([0.03, 0.03])
    assert found.offset == pytest.approx(0.03)
    assert found.drift == pytest.approx(0)
    assert Measured((1.0,), ()).offset != Measured((1.0,), ()).offset  # not a number
