"""Recordings of fragmented MP4 and of H.265: everything they hold is in the MP4, damage is told."""

import hashlib
import re
import shutil
import subprocess
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.model import Severity, Verdict
from tests import recordings as r
from tests.jobs.test_wrapped import KEYS
from tests.media.containers.test_aes128 import encrypted

SECONDS = 12
SOUND = 564  # frames


def encode(ffmpeg, folder, *, codec="libx264", fragmented=True, extra=()):
    """Slices of 4 s as ffmpeg's HLS muxer writes them."""
    folder.mkdir()
    size = "testsrc2=size=320x180:rate=15"
    argv = [str(ffmpeg.ffmpeg), "-v", "error", "-nostdin", "-y", "-f", "lavfi", "-i", size]
    argv += ["-f", "lavfi", "-i", "anoisesrc=color=pink:seed=7:amplitude=0.4:sample_rate=48000"]
    argv += ["-vf", "noise=alls=24:all_seed=5", "-pix_fmt", "yuv420p", "-c:v", codec, *extra]
    argv += ["-preset", "ultrafast", "-b:v", "300k", "-bf", "2", "-g", "60"]
    argv += ["-force_key_frames", "expr:gte(t,n_forced*4)", "-c:a", "aac", "-b:a", "64k"]
    argv += ["-ac", "1", "-t", str(SECONDS), "-f", "hls", "-hls_time", "4", "-hls_list_size", "0"]
    argv += ["-hls_segment_type", "fmp4" if fragmented else "mpegts", "index.m3u8"]
    subprocess.run(argv, cwd=folder, env=ffmpeg.env or None, check=True)
    return folder


H265 = ("-x265-params", "log-level=error:keyint=60", "-tag:v", "hvc1")


@pytest.fixture(scope="session")
def fmp4(library, tmp_path_factory):
    return encode(library.ffmpeg, tmp_path_factory.mktemp("fmp4") / "r")


@pytest.fixture
def made(fmp4, tmp_path):
    """One to damage."""
    shutil.copytree(fmp4, tmp_path / "recording")
    return Made(tmp_path / "recording")


class Made:
    """A folder of slices that are no transport streams."""

    def __init__(self, folder):
        self.folder = folder
        self.playlist = folder / "index.m3u8"

    @property
    def paths(self):
        text = self.playlist.read_text()
        return [self.folder / name for name in re.findall(r"^[^#\s].*$", text, re.MULTILINE)]

    def edit(self, change):
        self.playlist.write_text(change(self.playlist.read_text()))


def packets(ffmpeg, path):
    """Kind, time and digest of every packet as ffprobe reads them."""
    found = r.recorded(r.samples(path, ffmpeg))
    first = min(sample.pts for sample in found)
    return Counter((s.kind, round((s.pts - first) / 90), s.digest) for s in found)


def shown(library, path):
    """When each picture is shown, in ticks of 90 kHz, as ffprobe reads it."""
    argv = [str(library.ffmpeg.ffprobe), "-v", "error", "-select_streams", "v", "-of", "csv=p=0"]
    argv += ["-show_entries", "packet=pts_time", path]
    env = library.ffmpeg.env or None
    said = subprocess.run(argv, env=env, capture_output=True, check=True).stdout.split()
    return [round(float(line.strip(b",")) * 90_000) for line in said]


def convert(library, folder, out, **chosen):
    return r.convert(folder / "index.m3u8", out, library.ffmpeg, **chosen)


# --- nothing is lost ---------------------------------------------------------------------------


def test_fragmented_mp4(library, made, tmp_path):
    """Every sample is there, at its time; ffprobe joins the fragments by its own rules."""
    before = {path: path.read_bytes() for path in made.folder.iterdir()}
    report = convert(library, made.folder, tmp_path / "out")
    assert report.verdict is Verdict.OK, r.said(report)
    assert report.proof.holds
    assert r.check(made.folder).verdict is Verdict.OK
    assert {path: path.read_bytes() for path in made.folder.iterdir()} == before
    joined = tmp_path / "joined.mp4"
    parts = [made.folder / "init.mp4", *made.paths]
    joined.write_bytes(b"".join(path.read_bytes() for path in parts))
    wanted = packets(library.ffmpeg, joined)
    found = packets(library.ffmpeg, Path(report.output))
    # the first picture of each segment has the parameter sets in front of it
    assert sum((wanted - found).values()) == len(made.paths)
    assert {(kind, at) for kind, at, _ in wanted} == {(kind, at) for kind, at, _ in found}
    names = {path.name for path in made.folder.iterdir()}
    receipt = Path(report.receipt).read_text()
    assert all(f'"{name}"' in receipt for name in names)


def test_media_behind_the_initialisation_section(library, made, tmp_path):
    """As ffmpeg writes it with a duration of fragments: the first segment is hardly a header."""
    whole = convert(library, made.folder, tmp_path / "whole")
    init, first = made.folder / "init.mp4", made.paths[0]
    begin = first.read_bytes().index(b"moof") - 4
    init.write_bytes(init.read_bytes() + first.read_bytes()[begin:])
    first.write_bytes(first.read_bytes()[:begin])
    report = convert(library, made.folder, tmp_path / "out")
    assert report.verdict is Verdict.OK, r.said(report)
    assert report.sha256 == whole.sha256
    assert [(f.id, f.segment) for f in report.findings] == [("PL_MAP", first.name)]


def test_it_can_be_decoded(library, made, tmp_path):
    report = convert(library, made.folder, tmp_path / "out")
    argv = [str(library.ffmpeg.ffmpeg), "-v", "error", "-xerror", "-i", report.output]
    env = library.ffmpeg.env or None
    done = subprocess.run([*argv, "-f", "null", "-"], env=env, capture_output=True, check=True)
    assert done.stderr == b""


@pytest.mark.parametrize("fragmented", [True, False], ids=["fMP4", "TS"])
def test_h265(library, tmp_path, fragmented):
    folder = tmp_path / "recording"
    try:
        encode(library.ffmpeg, folder, codec="libx265", fragmented=fragmented, extra=H265)
    except subprocess.CalledProcessError:
        pytest.skip("this ffmpeg has no H.265 encoder")
    report = convert(library, folder, tmp_path / "out")
    # ffmpeg 8.1 writes the time of another picture with the key picture of a later fragment
    told_twice = len(set(shown(library, folder / "index.m3u8"))) < SECONDS * 15
    assert report.verdict is (Verdict.REPAIRED if told_twice else Verdict.OK), r.said(report)
    assert report.proof.holds
    assert (report.tracks[0].codec, report.tracks[0].samples) == ("hevc", SECONDS * 15)
    times = sorted(shown(library, report.output))
    assert {later - time for time, later in pairwise(times)} == {6000}
    argv = [str(library.ffmpeg.ffprobe), "-v", "error", "-select_streams", "v", "-of", "csv=p=0"]
    argv += ["-show_entries", "stream=codec_tag_string", report.output]
    env = library.ffmpeg.env or None
    assert subprocess.run(argv, env=env, capture_output=True, check=True).stdout == b"hvc1\n"


def test_damaged_h265(library, tmp_path):
    folder = tmp_path / "recording"
    try:
        encode(library.ffmpeg, folder, codec="libx265", fragmented=False, extra=H265)
    except subprocess.CalledProcessError:
        pytest.skip("this ffmpeg has no H.265 encoder")
    path = folder / "index1.ts"
    data = r.packets(path.read_bytes())
    path.write_bytes(b"".join(data[:100] + data[105:]))
    report = convert(library, folder, tmp_path / "out")
    assert report.verdict is Verdict.DEGRADED, r.said(report)
    assert report.proof.holds
    assert 0 < report.lost_seconds["video"] + report.lost_seconds["audio"] < 1


def test_one_file_of_byte_ranges(library, made, tmp_path):
    plain = convert(library, made.folder, tmp_path / "plain").sha256
    parts = [made.folder / "init.mp4", *made.paths]
    blobs = [path.read_bytes() for path in parts]
    lines, at = [], len(blobs[0])
    for blob in blobs[1:]:
        lines += [f"#EXTINF:4,\n#EXT-X-BYTERANGE:{len(blob)}@{at}\nall.mp4"]
        at += len(blob)
    for path in parts:
        path.unlink()
    (made.folder / "all.mp4").write_bytes(b"".join(blobs))
    head = f'#EXTM3U\n#EXT-X-MAP:URI="all.mp4",BYTERANGE="{len(blobs[0])}@0"\n'
    made.playlist.write_text(head + "\n".join(lines) + "\n#EXT-X-ENDLIST\n")
    report = convert(library, made.folder, tmp_path / "out")
    assert report.verdict is Verdict.OK, r.said(report)
    assert report.sha256 == plain


def test_encrypted_with_its_initialisation_section(library, made, tmp_path):
    plain = convert(library, made.folder, tmp_path / "plain").sha256
    iv = bytes(range(16))
    for path in [made.folder / "init.mp4", *made.paths]:
        path.write_bytes(encrypted(path.read_bytes(), KEYS[0], iv))
    (made.folder / "k").write_bytes(KEYS[0])
    tag = f'#EXT-X-KEY:METHOD=AES-128,URI="k",IV=0x{iv.hex()}\n#EXT-X-MAP'
    made.edit(lambda text: text.replace("#EXT-X-MAP", tag))
    report = convert(library, made.folder, tmp_path / "out")
    assert report.verdict is Verdict.OK, r.said(report)
    assert report.sha256 == plain
    (made.folder / "k").write_bytes(KEYS[1])
    report = convert(library, made.folder, tmp_path / "other")
    assert report.verdict is Verdict.REJECTED


def test_segments_that_hold_their_own_movie_box(library, made, tmp_path):
    plain = convert(library, made.folder, tmp_path / "plain").sha256
    init = (made.folder / "init.mp4").read_bytes()
    for path in made.paths:
        path.write_bytes(init + path.read_bytes())
    (made.folder / "init.mp4").unlink()
    made.edit(lambda text: re.sub("#EXT-X-MAP.*\n", "", text))
    report = convert(library, made.folder, tmp_path / "out")
    assert report.verdict is Verdict.OK, r.said(report)
    assert report.sha256 == plain


# --- something is lost -------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_missing_fragment(library, made, tmp_path, number):
    made.paths[number].unlink()
    all_but_what_is_gone(convert(library, made.folder, tmp_path / "out"))


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("share", [0.3, 0.62, 0.9999])
def test_a_fragment_cut_off(library, made, tmp_path, number, share):
    path = made.paths[number]
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    all_but_what_is_gone(convert(library, made.folder, tmp_path / "out"))


def all_but_what_is_gone(report):
    """What is not in the MP4 is lost, and counted."""
    assert report.verdict is Verdict.DEGRADED, r.said(report)
    assert report.proof.holds
    length = {"video": 1 / 15, "audio": 1024 / 48000}
    there = {"video": SECONDS * 15, "audio": SOUND}
    for track in report.tracks:
        gone = (there[track.type] - r.own(report)[track.type]) * length[track.type]
        lost = report.lost_seconds[track.type]
        assert lost == pytest.approx(gone, abs=0.1), r.said(report)


@pytest.mark.parametrize("flip", range(0, 12, 2))
def test_a_box_overwritten(library, made, tmp_path, flip):
    """Nothing of what it could hold instead is taken for the recording."""
    path = made.paths[1]
    data = bytearray(path.read_bytes())
    moof = data.index(b"moof")
    data[moof + 8 + flip * 9] ^= 0xFF
    path.write_bytes(data)
    whole = convert(library, made.folder, tmp_path / "out")
    if whole.verdict in (Verdict.OK, Verdict.REPAIRED):
        assert not any(whole.lost_seconds.values())
        assert [t.samples for t in whole.tracks] == [SECONDS * 15, SOUND], r.said(whole)


@pytest.mark.parametrize(
    ("content", "id"),
    [
        pytest.param(None, "PL_MAP", id="gone"),
        pytest.param(r.HTML, "PL_MAP", id="an error page"),
        pytest.param(b"\0\0\0\x10ftypisom\0\0\0\0", "ES_ABSENT", id="without a movie box"),
    ],
)
def test_no_initialisation_section(library, made, tmp_path, content, id):
    path = made.folder / "init.mp4"
    path.unlink() if content is None else path.write_bytes(content)
    report = convert(library, made.folder, tmp_path / "out")
    assert report.verdict is Verdict.REJECTED
    assert id in {f.id for f in report.findings if f.severity is Severity.FATAL}, r.said(report)


@pytest.mark.parametrize("kind", [b"encv", b"vp08", b"mp4v"])
def test_a_codec_that_cannot_be_copied(library, made, tmp_path, kind):
    path = made.folder / "init.mp4"
    path.write_bytes(path.read_bytes().replace(b"avc1", kind))
    report = convert(library, made.folder, tmp_path / "out")
    assert report.verdict is Verdict.REJECTED, r.said(report)
    assert "ES_CODEC" in {f.id for f in report.findings if f.severity is Severity.FATAL}


def test_the_same_recording_gives_the_same_file(library, made, tmp_path):
    digests = set()
    for n in range(2):
        report = convert(library, made.folder, tmp_path / str(n))
        digests.add(hashlib.sha256(Path(report.output).read_bytes()).hexdigest())
    assert len(digests) == 1
