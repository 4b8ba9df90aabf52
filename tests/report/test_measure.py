"""What is measured on a file that ffmpeg made of known pictures and sound."""

import os
import subprocess

import numpy as np
import pytest

from pipeline.choices import Format
from pipeline.model import Hole
from pipeline.report import measure as measured
from pipeline.report.facts import Measured, Picture


@pytest.fixture(scope="module")
def film(ffmpeg, tmp_path_factory):
    """12 s: a tone, silence from 4 to 8 s, a tone of half the height."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    sound = "sine=440:r=48000:d=12,volume='if(lt(t,4),8,if(lt(t,8),0,4))':eval=frame"
    argv = [ffmpeg.ffmpeg, "-v", "error", "-f", "lavfi", "-i", "testsrc=s=320x180:r=10:d=12"]
    argv += ["-f", "lavfi", "-i", sound, "-c:v", "libx264", "-g", "10", "-c:a", "aac", path]
    subprocess.run(argv, check=True, env={**os.environ, **ffmpeg.env})
    return path


def test_all_of_a_film(film, ffmpeg):
    found = measured.measure(film, Format.MP4, 12.0, ffmpeg)
    assert found.step == pytest.approx(0.1)
    assert len(found.peaks) in (120, 121)
    assert np.array(found.peaks[5:35]) == pytest.approx(1.0, abs=0.1)
    assert np.array(found.peaks[85:115]) == pytest.approx(0.5, abs=0.05)
    ((begin, end),) = found.silences
    assert (begin, end) == (pytest.approx(4.0, abs=0.2), pytest.approx(8.0, abs=0.2))
    assert set(found.rates) == {"video", "audio"}
    assert len(found.pictures) == 12
    assert all(one.jpeg.startswith(b"\xff\xd8\xff") for one in found.pictures)


def test_the_rates_add_up_to_the_file(film):
    rates = measured.bit_rates(film, 1.0, 12)
    held = sum(sum(values) for values in rates.values()) / 8
    assert 0.97 * film.stat().st_size - 10_000 < held < film.stat().st_size


def test_what_is_no_media_measures_nothing(tmp_path, ffmpeg):
    path = tmp_path / "x.mp4"
    path.write_bytes(b"<html>")
    assert measured.measure(path, Format.MP4, 12.0, ffmpeg) == Measured(0.1)


def test_a_file_of_another_format_has_no_index_to_read(film, ffmpeg, tmp_path):
    path = tmp_path / "x.mp3"
    argv = [ffmpeg.ffmpeg, "-v", "error", "-i", film, "-vn", path]
    subprocess.run(argv, check=True, env={**os.environ, **ffmpeg.env})
    found = measured.measure(path, Format.MP3, 12.0, ffmpeg)
    assert (found.rates, found.pictures) == ({}, ())
    assert len(found.silences) == 1


def test_pictures_stand_at_even_distances_and_not_where_none_are():
    assert measured.moments(160.0)[:3] == [5.0, 15.0, 25.0]
    assert len(measured.moments(160.0)) == measured.PICTURES
    assert measured.moments(1.5) == [0.75]
    holes = (Hole("video", 10.0, 10.0, "x"), Hole("audio", 20.0, 100.0, "x"))
    assert measured.moments(160.0, holes)[:3] == [5.0, 25.0, 35.0]


def test_silence_has_to_last():
    fine = np.array([1.0, *[0.0] * 19, 1.0, *[0.0005] * 20, 1.0], np.float32)
    assert measured.silences(fine) == ((2.1, 4.1),)


def test_columns_hold_the_loudest():
    fine = np.array([0.1, 0.2, 0.9, 0.3, 0.4], np.float32)
    assert measured.in_columns(fine, 0.2, 3).tolist() == pytest.approx([0.2, 0.9, 0.4])
    assert measured.in_columns(fine[:0], 0.2, 3).tolist() == []


def test_several_files_are_one_recording():
    first = Measured(
        1.0, (0.5,) * 60, ((10.0, 12.0),), {"video": (9.0,) * 60}, (Picture(1.0, b"a"),)
    )
    second = Measured(
        1.0, (0.25,) * 60, ((0.0, 5.0),), {"audio": (3.0,) * 60}, (Picture(2.0, b"b"),)
    )
    found = measured.together([(0.0, first), (60.0, second)], 120.0)
    assert found.step == 1.0
    assert (found.peaks[0], found.peaks[-1], len(found.peaks)) == (0.5, 0.25, 120)
    assert found.silences == ((10.0, 12.0), (60.0, 65.0))
    assert (found.rates["video"][59:61], found.rates["audio"][59:61]) == ((9.0, 0.0), (0.0, 3.0))
    assert min(found.peaks) > 0
    assert [one.at for one in found.pictures] == [1.0, 62.0]
    assert measured.together([(0.0, first)], 60.0) is first
    assert measured.together([], 60.0) is None


def test_of_many_files_a_contact_sheet_has_no_more_pictures_than_of_one():
    one = Measured(1.0, pictures=tuple(Picture(float(n), b"a") for n in range(10)))
    found = measured.together([(10.0 * n, one) for n in range(8)], 80.0)
    assert [p.at for p in found.pictures] == [5.0 * n for n in range(16)]


@pytest.mark.parametrize(
    ("seconds", "step"), [(6.0, 0.1), (60.0, 0.5), (120.0, 1.0), (600.0, 1.0), (36000.0, 60.0)]
)
def test_columns_are_as_long_as_a_chart_can_show(seconds, step):
    assert measured.step_of(seconds) == pytest.approx(step)
