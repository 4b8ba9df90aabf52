"""A black picture under the parameter sets of another stream: decoded by ffmpeg, it is black."""

import subprocess

import numpy as np
import pytest

from pipeline.media.es.black_picture import adapted, coding
from pipeline.media.es.nal import nal_units
from pipeline.muxing import commands
from tests import ts

SIZE = 176, 112


def encoded(ffmpeg, *options, source="testsrc2"):
    argv = [str(ffmpeg.ffmpeg), "-v", "error", "-f", "lavfi", "-i", f"{source}=s=176x112:r=15"]
    argv += ["-frames:v", "6", "-c:v", "libx264", "-preset", "veryfast", *options]
    argv += ["-pix_fmt", "yuv420p"] if "-pix_fmt" not in options else []
    done = subprocess.run([*argv, "-f", "h264", "-"], env=ffmpeg.env, capture_output=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def decoded(ffmpeg, es):
    """Luma and chroma of every picture; any fault is fatal."""
    argv = [str(ffmpeg.ffmpeg), "-v", "error", "-xerror", "-err_detect", "explode", "-f", "h264"]
    argv += ["-i", "pipe:0", "-fps_mode", "passthrough", "-pix_fmt", "yuv420p", "-f", "rawvideo"]
    done = subprocess.run([*argv, "-"], input=es, env=ffmpeg.env, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    return np.frombuffer(done.stdout, np.uint8).reshape(-1, SIZE[0] * SIZE[1] * 3 // 2)


def sets(es):
    found = {nal[0] & 31: nal for nal in nal_units(es)}
    return found[7], found[8]


def black(ffmpeg, sps, pps):
    form = coding(sps, pps)
    coded = {"cabac": form.cabac, "eight": form.eight}
    argv = commands.black(ffmpeg.ffmpeg, SIZE, "15", count=1, parameter_sets=0, **coded)
    done = subprocess.run(argv, env=ffmpeg.env, capture_output=True, check=True)
    return done.stdout


FORMS = {
    "main": ["-profile:v", "main", "-bf", "0"],
    "main with B pictures": ["-profile:v", "main", "-bf", "2"],
    "high": ["-profile:v", "high"],
    "high without CABAC": ["-profile:v", "high", "-coder", "0"],
    "baseline": ["-profile:v", "baseline"],
    "another quantiser": ["-qp", "45"],
    "without a filter": ["-x264-params", "no-deblock=1"],
    "another number": ["-x264-params", "sps-id=9"],
}


@pytest.mark.parametrize("form", FORMS)
def test_it_is_black_under_the_sets_of_another_stream(ffmpeg, form):
    es = encoded(ffmpeg, *FORMS[form])
    sps, pps = sets(es)
    pictures = adapted(black(ffmpeg, sps, pps), sps, pps)
    assert len(pictures) == 2
    shown = decoded(ffmpeg, es + b"".join(pictures) * 2 + es)
    assert len(shown) == 6 + 4 + 6
    luma, chroma = shown[6:10, : SIZE[0] * SIZE[1]], shown[6:10, SIZE[0] * SIZE[1] :]
    assert (luma == 16).all()
    assert (chroma == 128).all()
    assert (shown[:6] == shown[10:]).all()  # those of the stream are what they were


def test_neighbours_are_told_apart_by_their_numbers(ffmpeg):
    sps, pps = sets(encoded(ffmpeg))
    first, second = adapted(black(ffmpeg, sps, pps), sps, pps)
    assert first != second
    assert sets(first) == sets(second) == (sps, pps)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(["-x264-params", "interlaced=1"], id="fields"),
        pytest.param(["-pix_fmt", "yuv444p", "-profile:v", "high444"], id="4:4:4"),
        pytest.param(["-x264-params", "cqm=jvt", "-profile:v", "high"], id="scaling lists"),
    ],
)
def test_what_is_coded_in_another_way_is_left_alone(ffmpeg, options):
    assert coding(*sets(encoded(ffmpeg, *options))) is None


def test_another_size_is_not_taken(ffmpeg):
    sps, pps = sets(encoded(ffmpeg))
    unit = encoded(ffmpeg, "-vf", "scale=320:180", "-frames:v", "1")
    assert adapted(unit, sps, pps) == ()


@pytest.mark.parametrize("broken", [b"", b"\x67", b"\x67\x64\x00\x1f", ts.noise(40)])
def test_sets_that_make_no_sense(ffmpeg, broken):
    sps, pps = sets(encoded(ffmpeg))
    unit = black(ffmpeg, sps, pps)
    assert adapted(unit, broken, pps) == ()
    assert adapted(unit, sps, broken) == ()
