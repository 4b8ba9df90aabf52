"""Parameter sets that change on the way while one decoder can follow: nothing is re-encoded.

Every decoded picture is compared with what the slices decode to, behind one another.
"""

import re
import subprocess
from pathlib import Path

import pytest
from msgspec.structs import replace

from pipeline.model import Verdict
from tests import recordings as r

H264 = replace(r.AV_B, parameters="level=3.0")
H265 = replace(r.AV_B, codec="libx265", parameters="log-level=none:repeat-headers=1:signhide=1")


def pictures(argv, ffmpeg, data=None):
    """The checksum of every picture, in the order they are shown."""
    done = subprocess.run(
        [str(ffmpeg.ffmpeg), "-v", "error", *argv, "-map", "0:v", "-f", "framemd5", "-"],
        env=ffmpeg.env or None,
        input=data,
        capture_output=True,
        check=True,
    )
    lines = done.stdout.decode().splitlines()
    return [line.rsplit(",", 1)[1].strip() for line in lines if line and line[0] != "#"]


def entry(path):
    """The sample entry of the pictures."""
    (found,) = {*re.findall(rb"stsd.{12}(....)", Path(path).read_bytes(), re.DOTALL)} - {b"mp4a"}
    return found


@pytest.mark.parametrize("numbers", [(2,), (0, 3)], ids=["middle", "first and another"])
@pytest.mark.parametrize(
    ("one", "other", "tag"),
    [
        pytest.param(H264, "level=3.1", b"avc3", id="level"),
        pytest.param(H264, "level=3.0:ref=4", b"avc3", id="reference pictures"),
        pytest.param(H264, "level=3.0:chroma-qp-offset=3", b"avc3", id="a picture's set alone"),
        pytest.param(H264, "level=3.0:sps-id=1", b"avc1", id="number"),
        pytest.param(H264, "level=3.0:colorprim=bt709", b"avc3", id="colours"),
        pytest.param(
            H265, "log-level=none:repeat-headers=1:signhide=0", b"hev1", id="H.265, a picture's set"
        ),
        pytest.param(
            H265, "log-level=none:repeat-headers=1:signhide=1:ref=5", b"hev1", id="H.265, all sets"
        ),
    ],
)
def test_every_picture_is_that_of_the_slices(library, changed, tmp_path, one, other, tag, numbers):
    made = changed(replace(one, parameters=other), numbers, one)
    report = r.convert(made.folder, tmp_path / "out", library.ffmpeg)
    assert report.verdict is Verdict.OK, r.said(report)
    assert report.reencoded == ()
    whole = b"".join(made.contents())
    wanted = pictures(["-f", "mpegts", "-i", "pipe:0"], library.ffmpeg, whole)
    assert len(wanted) == 300
    assert pictures(["-i", report.output], library.ffmpeg) == wanted
    assert entry(report.output) == tag
