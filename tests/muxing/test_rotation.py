"""The display matrix in a file that ffmpeg made, as others read it."""

import json
import subprocess

import pytest
from msgspec.structs import replace

from pipeline.media.isobmff import sample_tables as mp4
from pipeline.muxing.rotation import tell_rotation
from tests.media.proof.test_compare import AUDIO, VIDEO


@pytest.fixture
def made(ffmpeg, tmp_path):
    """Two tracks, the sound first; pixels are not square."""
    path = tmp_path / "made.mp4"
    argv = [ffmpeg.ffmpeg, "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=320x180:d=1"]
    argv += ["-f", "lavfi", "-i", "sine=d=1", "-map", "1", "-map", "0", "-vf", "setsar=4/3"]
    subprocess.run([*argv, path], check=True, env=ffmpeg.env or None)
    return path


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_ffprobe_reads_what_was_written(made, ffmpeg, degrees):
    before = made.read_bytes()
    tell_rotation(made, [AUDIO, replace(VIDEO, turned=degrees)])
    argv = [ffmpeg.ffprobe, "-v", "error", "-select_streams", "v", "-show_streams", "-of", "json"]
    said = subprocess.run([*argv, made], capture_output=True, check=True, env=ffmpeg.env or None)
    (stream,) = json.loads(said.stdout)["streams"]
    told = [data["rotation"] for data in stream.get("side_data_list", []) if "rotation" in data]
    assert [n % 360 for n in told] == ([-degrees % 360] if degrees else [])
    after = made.read_bytes()
    assert len(after) == len(before)
    changed = [n for n, (a, b) in enumerate(zip(before, after, strict=True)) if a != b]
    assert not changed or changed[-1] - changed[0] < 36


def test_our_own_reader_reads_it_too(made):
    tell_rotation(made, [replace(VIDEO, turned=90), AUDIO])
    data = made.read_bytes()
    moov = mp4.moov_span(lambda at, size: data[at : at + size], len(data)).moov
    movie = mp4.parse_moov(data[moov.offset : moov.offset + moov.size])
    assert {track.handler: track.rotation for track in movie.tracks} == {"soun": 0, "vide": 90}
    shapes = mp4.shapes(data[moov.offset : moov.offset + moov.size])
    assert [shape.handler for shape in shapes] == ["soun", "vide"]
    assert (shapes[1].width >> 16, shapes[1].height >> 16) == (426, 180)


def test_what_is_no_mp4_is_left_alone(tmp_path):
    path = tmp_path / "broken.mp4"
    path.write_bytes(b"no MP4 at all")
    tell_rotation(path, [replace(VIDEO, turned=90)])
    assert path.read_bytes() == b"no MP4 at all"
