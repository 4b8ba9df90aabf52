"""Parameter sets of real encoders, and bytes that are none."""

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import FfmpegMissingError
from pipeline.media.es.codecs import H264, HEVC
from pipeline.media.es.descriptions import Picture
from pipeline.muxing import commands
from pipeline.muxing.locate import locate
from tests import ts


def test_the_sample():
    assert H264.picture(ts.SPS) == Picture(16, 16, profile=66, level=ts.SPS[3], number=0)


@pytest.mark.parametrize("size", [(16, 16), (320, 180), (640, 360), (854, 480), (1920, 1080)])
@pytest.mark.parametrize("number", [0, 31])
def test_what_ffmpeg_encodes(size, number):
    try:
        ffmpeg = locate()
    except FfmpegMissingError:
        pytest.skip("ffmpeg absent")
    argv = commands.black(ffmpeg.ffmpeg, size, "15", count=1, parameter_sets=number)
    es = subprocess.run(argv, env=ffmpeg.env or None, capture_output=True, check=True).stdout
    (unit,) = [u.rstrip(b"\0") for u in es.split(b"\0\0\1") if u and u[0] & 31 == 7]
    assert H264.picture(unit) == Picture(*size, 100, unit[3], number)


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
    found = H264.picture(unit)
    assert found is not None
    assert (found.width, found.height) == (322, 182)


@pytest.mark.parametrize("size", [(160, 90), (322, 182), (1920, 1080)])
@pytest.mark.parametrize("pixels", ["yuv420p", "yuv422p10le", "yuv444p"])
def test_h265(size, pixels):
    try:
        ffmpeg = locate()
    except FfmpegMissingError:
        pytest.skip("ffmpeg absent")
    argv = [str(ffmpeg.ffmpeg), "-v", "error", "-f", "lavfi"]
    argv += ["-i", "color=s={}x{}:r=5".format(*size), "-frames:v", "1", "-pix_fmt", pixels]
    argv += ["-c:v", "libx265", "-x265-params", "log-level=none", "-f", "hevc", "pipe:1"]
    done = subprocess.run(argv, env=ffmpeg.env or None, capture_output=True, check=False)
    if done.returncode:
        pytest.skip("this ffmpeg cannot encode that")
    (unit,) = [u.rstrip(b"\0") for u in done.stdout.split(b"\0\0\1") if u and u[0] >> 1 & 63 == 33]
    found = HEVC.picture(unit)
    assert found is not None
    assert (found.width, found.height, found.number) == (*size, 0)
    assert HEVC.picture(unit[:20]) is None


def test_what_is_too_large_is_none():
    """A number that no stream may use, and a picture that no level allows."""
    baseline = "010000100000000000001010"  # profile, constraints, level
    rest = "101110"  # log2_max_frame_num 4, type 2, one reference, no gaps
    size = "1111001"
    number_32 = "00000100001"
    huge = "0" * 11 + "1" + "0" * 11

    def unit(bits):
        bits += "1" + "0" * (-len(bits) - 1 & 7)
        return b"\x67" + int(bits, 2).to_bytes(len(bits) // 8, "big")

    assert H264.picture(unit(baseline + "1" + rest + size)) == Picture(16, 16, 66, 10, 0)
    assert H264.picture(unit(baseline + number_32 + rest + size)) is None
    assert H264.picture(unit(baseline + "1" + rest + huge + size[1:])) is None


@pytest.mark.parametrize("unit", [b"", b"\x67", ts.SPS[:4], ts.SPS[:6]])
@pytest.mark.parametrize("codec", [H264, HEVC])
def test_no_parameter_set(unit, codec):
    assert codec.picture(unit) is None


@given(st.binary(max_size=60))
def test_any_bytes(data):
    H264.picture(b"\x67" + data)
    HEVC.picture(b"\x42\x01" + data)
