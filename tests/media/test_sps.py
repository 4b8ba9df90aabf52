"""Parameter sets of real encoders, and bytes that are none."""

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import FfmpegMissingError
from pipeline.media.sps import Sps, parse
from pipeline.muxing import commands
from pipeline.muxing.locate import locate
from tests import ts


def test_the_sample():
    assert parse(ts.SPS) == Sps(0, 66, 16, 16)


@pytest.mark.parametrize("size", [(16, 16), (320, 180), (640, 360), (854, 480), (1920, 1080)])
@pytest.mark.parametrize("number", [0, 31])
def test_what_ffmpeg_encodes(size, number):
    try:
        ffmpeg = locate()
    except FfmpegMissingError:
        pytest.skip("ffmpeg absent")
    argv = commands.black(ffmpeg.ffmpeg, size, "15", 1, number)
    es = subprocess.run(argv, env=ffmpeg.env or None, capture_output=True, check=True).stdout
    (unit,) = [u.rstrip(b"\0") for u in es.split(b"\0\0\1") if u and u[0] & 31 == 7]
    assert parse(unit) == Sps(number, 100, *size)


@pytest.mark.parametrize("profile", ["baseline", "main", "high", "high422", "high444"])
def test_profiles(profile):
    try:
        ffmpeg = locate()
    except FfmpegMissingError:
        pytest.skip("ffmpeg absent")
    pixels = {"high422": "yuv422p", "high444": "yuv444p"}.get(profile, "yuv420p")
    argv = [str(ffmpeg.ffmpeg), "-v", "error", "-f", "lavfi", "-i", "color=s=322x182:r=5"]
    argv += ["-frames:v", "1", "-pix_fmt", pixels, "-c:v", "libx264", "-profile:v", profile]
    argv += ["-x264-params", "cqm=jvt" if profile.startswith("high") else "ref=2"]
    argv += ["-f", "h264", "pipe:1"]
    es = subprocess.run(argv, env=ffmpeg.env or None, capture_output=True, check=True).stdout
    (unit,) = [u.rstrip(b"\0") for u in es.split(b"\0\0\1") if u and u[0] & 31 == 7]
    found = parse(unit)
    assert found is not None
    assert (found.width, found.height) == (322, 182)


@pytest.mark.parametrize("unit", [b"", b"\x67", ts.SPS[:4], ts.SPS[:6]])
def test_no_parameter_set(unit):
    assert parse(unit) is None


@given(st.binary(max_size=60))
def test_any_bytes(data):
    parse(b"\x67" + data)
