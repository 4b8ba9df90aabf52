"""Recordings of WebM slices, as web users' streams are recorded, and single WebM files."""

import subprocess
import tempfile
from functools import cache
from pathlib import Path

import pytest

from pipeline.agora import names
from pipeline.model import Severity, Verdict
from tests import recordings as r

SECONDS = 3
SLICES = 3


def encode(ffmpeg, path, *, codec="libvpx", sound="libopus", size="320x180", start=0, look=0):
    """A whole WebM file whose clock begins at ``start``."""
    path.write_bytes(encoded(ffmpeg, codec, sound, size, start, look))


@cache
def encoded(ffmpeg, codec, sound, size, start, look):
    """Each made once: its pictures and sound are the same every time."""
    argv = [str(ffmpeg.ffmpeg), "-v", "error", "-nostdin", "-y"]
    argv += ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate=15,hue=h={40 * look}"]
    argv += [
        "-f",
        "lavfi",
        "-i",
        f"anoisesrc=color=pink:seed={7 + look}:amplitude=0.4:sample_rate=48000",
    ]
    argv += ["-t", str(SECONDS), "-c:v", codec, "-deadline", "realtime", "-cpu-used", "8"]
    own = ("-strict", "-2", "-ac", "2") if sound == "vorbis" else ("-ac", "1")
    argv += ["-b:v", "200k", "-c:a", sound, *own, "-output_ts_offset", str(start)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "made.webm"
        try:
            subprocess.run([*argv, str(path)], env=ffmpeg.env or None, check=True)
        except subprocess.CalledProcessError:
            pytest.skip(f"this ffmpeg cannot encode with {codec} and {sound}")
        return path.read_bytes()


def publish(folder, ffmpeg, *, going_on=False, sizes=("320x180",) * SLICES, **chosen):
    folder.mkdir()
    lines = ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-MEDIA-SEQUENCE:0", "#EXT-X-TARGETDURATION:4"]
    for n, size in enumerate(sizes):
        name = names.slice_name(r.SID, r.CNAME, r.EPOCH + n * SECONDS).replace(".ts", ".webm")
        start = n * SECONDS if going_on else 0
        encode(ffmpeg, folder / name, size=size, start=start, look=n, **chosen)
        lines += [f"#EXTINF:{SECONDS:.6f}", name]
    text = "\n".join([*lines, "#EXT-X-ENDLIST", ""])
    (folder / names.playlist_name(r.SID, r.CNAME)).write_text(text)
    return r.Recording(folder)


def whole(report, *, codecs=("h264", "opus"), width=320, seconds=SECONDS * SLICES):
    assert report.verdict is Verdict.REPAIRED, r.said(report)
    assert report.proof.holds
    assert report.lost_seconds == {"video": 0, "audio": 0}
    assert [t.codec for t in report.tracks] == list(codecs)
    assert report.tracks[0].samples == seconds * 15
    assert report.tracks[0].width == width
    assert report.duration == pytest.approx(seconds, abs=0.1)


@pytest.mark.parametrize("going_on", [True, False], ids=["one clock", "each from zero"])
def test_slices(library, tmp_path, going_on):
    made = publish(tmp_path / "recording", library.ffmpeg, going_on=going_on)
    before = made.contents()
    report = r.convert(made.folder, tmp_path / "out", library.ffmpeg)
    whole(report)
    assert made.contents() == before
    checked = r.check(made.folder)
    assert checked.verdict is Verdict.REPAIRED, r.said(checked)
    assert checked.duration == pytest.approx(report.duration, abs=0.1)


@pytest.mark.parametrize(("codec", "became"), [("libvpx-vp9", "vp9"), ("libvpx", "h264")])
def test_a_single_file(library, tmp_path, codec, became):
    path = tmp_path / "call.webm"
    encode(library.ffmpeg, path, codec=codec, sound="vorbis")
    report = r.convert(path, tmp_path / "out", library.ffmpeg)
    whole(report, codecs=(became, "aac"), seconds=SECONDS)


def test_slices_of_other_sizes(library, tmp_path):
    """A slice ends where the size changes; the longer part gives the size."""
    sizes = ("320x180", "160x90", "320x180")
    made = publish(tmp_path / "recording", library.ffmpeg, going_on=True, sizes=sizes)
    whole(r.convert(made.folder, tmp_path / "out", library.ffmpeg))


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_missing_slice(library, tmp_path, number):
    made = publish(tmp_path / "recording", library.ffmpeg, going_on=True)
    made.path(number).unlink()
    report = r.convert(made.folder, tmp_path / "out", library.ffmpeg)
    assert report.verdict is Verdict.DEGRADED, r.said(report)
    assert report.proof.holds
    for kind in ("video", "audio"):
        assert report.lost_seconds[kind] == pytest.approx(SECONDS, abs=0.1), r.said(report)


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.99])
def test_a_slice_cut_off(library, tmp_path, number, share):
    made = publish(tmp_path / "recording", library.ffmpeg, going_on=True)
    data = made.data(number)
    made.write(number, data[: int(len(data) * share)])
    report = r.convert(made.folder, tmp_path / "out", library.ffmpeg)
    assert report.verdict is Verdict.DEGRADED, r.said(report)
    assert report.proof.holds
    lost = SECONDS - (report.tracks[0].samples - (SLICES - 1) * SECONDS * 15) / 15
    counted = report.lost_seconds["video"]
    assert counted == pytest.approx(lost, abs=0.15), r.said(report)


def test_overwritten_bytes_are_told(library, tmp_path):
    made = publish(tmp_path / "recording", library.ffmpeg, going_on=True)
    data = bytearray(made.data(1))
    data[len(data) // 3 : len(data) // 3 + 4000] = bytes(4000)
    made.write(1, bytes(data))
    report = r.convert(made.folder, tmp_path / "out", library.ffmpeg)
    assert report.verdict is Verdict.DEGRADED, r.said(report)
    assert {f.id for f in report.findings if f.severity is Severity.ERROR} & {"NOT_TS", "DECODE"}
