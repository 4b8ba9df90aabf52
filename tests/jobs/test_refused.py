"""Whole packets of streams that ffmpeg cannot take at all: nothing is made, and that is final."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import MuxingError
from pipeline.model import Verdict
from tests import recordings as r

SPS = re.compile(rb"(?<=\x00\x00\x01\x67).{8}", re.S)
ADTS = re.compile(rb"\xff\xf1(.)[\x40-\x7f\x80-\xbf]", re.S)


def nonsense(data: bytes) -> bytes:
    """Every SPS begins as none can."""
    return SPS.sub(b"\x00\x01" * 4, data)


def no_channels(data: bytes) -> bytes:
    """ADTS headers whose channels a PCE should name, ISO/IEC 14496-3 table 1.19, and none does."""
    return ADTS.sub(lambda found: b"\xff\xf1" + bytes([found[1][0] & 0xFE]) + b"\x00", data)


@pytest.mark.parametrize("hurt", [nonsense, no_channels])
def test_what_ffmpeg_cannot_take_is_rejected(copied, library, out, hurt):
    made = copied()
    for number in range(len(made.names)):
        data = hurt(made.data(number))
        assert data != made.data(number)
        made.write(number, data)
    report = r.convert(made.folder, out, library.ffmpeg)
    assert report.verdict is Verdict.REJECTED
    assert "M_REFUSED" in {finding.id for finding in report.findings}
    assert not list(out.glob("*.mp4"))
    assert not list(out.glob(".recpipe-*"))


def sound_behind_a_picture(data: bytes) -> bytes:
    """All sound between the first picture and the second."""
    found = r.packets(data)
    pids = r.stream_pids(data)
    pictures = [p for p in found if r.pid_of(p) == pids["video"]]
    second = [n for n, p in enumerate(pictures) if r.is_pes(p)][1]
    sound = [p for p in found if r.pid_of(p) == pids["audio"]]
    tables = [p for p in found if r.pid_of(p) not in pids.values()]
    return b"".join([*tables, *pictures[:second], *sound, *pictures[second:]])


def test_sound_stamped_long_behind_the_pictures_beside_it(copied, library, out):
    """The silence in front of it is written in one piece, before ffmpeg has seen a picture."""
    made = copied()
    r.shift(made, 30 * 90_000, kinds="audio")
    made.write(0, sound_behind_a_picture(made.data(0)))
    report = r.convert(made.folder, out, library.ffmpeg)
    assert report.proof is not None
    assert report.proof.holds
    assert report.tracks[1].samples > 30 * 46


def test_what_the_machine_cannot_do_is_tried_again(
    copied: Callable[..., r.Recording], library: r.Library, out: Path, tmp_path: Path
):
    broken = tmp_path / "ffmpeg"
    broken.write_text("#!/bin/sh\ncat >/dev/null\necho 'x: Cannot allocate memory' >&2\nexit 244\n")
    broken.chmod(0o755)
    with pytest.raises(MuxingError, match="Cannot allocate memory") as caught:
        r.convert(copied().folder, out, replace(library.ffmpeg, ffmpeg=broken))
    assert caught.value.exit_code == 75
