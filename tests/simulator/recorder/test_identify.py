"""Whom a file shows and plays, and which way up, on files of which that is known."""

import subprocess

import numpy as np
import pytest
from msgspec.structs import replace

from pipeline.errors import MuxingError
from pipeline.simulator.recorder import palette
from pipeline.simulator.recorder.identify import Area, listen_to, look_at
from pipeline.simulator.recorder.material import Look
from pipeline.simulator.session.cast import seen

SIZE = 160, 96
LOOK = Look(*SIZE, fps=10)


@pytest.fixture
def filmed(ffmpeg, tmp_path):
    """These pictures, one behind the other, in a lossless file."""

    def make(*pictures, size=SIZE):
        path = tmp_path / "film.mkv"
        shape = ("-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{size[0]}x{size[1]}", "-r", "10")
        argv = [ffmpeg.ffmpeg, "-v", "error", *shape, "-i", "-", "-c:v", "ffv1", path]
        subprocess.run(argv, input=b"".join(pictures), check=True)
        return look_at(path, ffmpeg)

    return make


@pytest.fixture
def sounded(ffmpeg, tmp_path):
    def make(samples):
        path = tmp_path / "sound.wav"
        shape = ("-f", "s16le", "-ar", "48000", "-ac", "1")
        argv = [ffmpeg.ffmpeg, "-v", "error", *shape, "-i", "-", path]
        subprocess.run(argv, input=samples.astype("<i2").tobytes(), check=True)
        return listen_to(path, ffmpeg)

    return make


def test_each_picture_shows_whoever_has_its_colour(filmed):
    found = filmed(*(seen(LOOK, number).picture(7) for number in range(palette.MOST)))
    assert [found.at(n / 10).number for n in range(palette.MOST)] == list(range(palette.MOST))
    assert found.at(0.19).number == 1
    assert found.at(99).number == palette.MOST - 1


def test_black_and_grey_are_nobody(filmed):
    grey = replace(LOOK, chroma=(128, 128)).picture(7)
    found = filmed(replace(LOOK, black=True).picture(7), grey)
    assert (found.at(0).number, found.at(0).black) == (None, True)
    assert (found.at(0.1).number, found.at(0.1).black) == (None, False)


def test_an_area_is_looked_at_alone(filmed):
    left, right = (np.frombuffer(seen(LOOK, n).picture(7), np.uint8) for n in (3, 8))
    both = b""
    at = 0
    for width, height in (SIZE, (80, 48), (80, 48)):
        one, other = (x[at : at + width * height].reshape(height, width) for x in (left, right))
        both += np.hstack([one[:, : width // 2], other[:, width // 2 :]]).tobytes()
        at += width * height
    found = filmed(both)
    assert found.at(0, Area(0, 0, 0.5, 1)).number == 3
    assert found.at(0, Area(0.5, 0, 0.5, 1)).number == 8


@pytest.mark.parametrize("turned", [0, 90, 180, 270])
def test_a_flash_tells_which_way_up(filmed, turned):
    look = replace(LOOK, turned=turned)
    found = filmed(look.picture(0), look.picture(7))
    assert found.turned_at(0) == turned
    assert found.turned_at(0.1) is None


def tones(*numbers, seconds=1.0, volume=600):
    time = np.arange(round(seconds * 48000)) / 48000
    made = sum(np.sin(2 * np.pi * palette.tone(n) * time) for n in numbers)
    return np.zeros(len(time)) + volume * made


def test_all_who_are_heard_are_told(sounded):
    found = sounded(np.concatenate([tones(0, 5, 23), tones(), tones(7)]))
    assert set(found.at(0.5)) == {0, 5, 23}
    assert found.at(0.5)[5] == pytest.approx(600, rel=0.02)
    assert found.at(1.5) == {}
    assert set(found.at(2.5)) == {7}


def test_beeps_are_nobody(sounded):
    samples = np.frombuffer(seen(LOOK, 4).sound(2), "<i2")
    found = sounded(samples)
    assert set(found.at(0.05 + 0.06)) == set(found.at(0.6)) == {4}


def test_beside_the_end_nothing_is_heard(sounded):
    assert sounded(tones(2)).at(1.5) == {}


def test_a_file_without_sound_is_refused(filmed, tmp_path, ffmpeg):
    filmed(LOOK.picture(0))
    with pytest.raises(MuxingError):
        listen_to(tmp_path / "film.mkv", ffmpeg)
