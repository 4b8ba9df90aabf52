"""The graphs of filters, as ffmpeg takes them."""

from pathlib import Path

import pytest

from pipeline.media.compose.layout import Canvas, Tile
from pipeline.muxing.composing import Shot, Sound, mixed, scene

FFMPEG, CANVAS = Path("ffmpeg"), Canvas()
TILE = Tile(640, 180, 638, 358)


def graph(argv):
    return argv[argv.index("-filter_complex") + 1]


def test_a_scene_reads_each_file_from_the_picture_that_is_shown_then():
    shots = [Shot(Path("/a.mp4"), 0.5, TILE), Shot(Path("/b.mp4"), 12.0, TILE)]
    argv = scene(FFMPEG, CANVAS, shots, begin=250, count=100)
    first = argv.index("file:/a.mp4")
    assert argv[first - 8 : first] == [
        *("-noaccurate_seek", "-ss", "9.500000"),
        *("-protocol_whitelist", "file", "-f", "mov", "-i"),
    ]
    assert argv.count("-ss") == 1  # the other one has only just begun
    assert argv[argv.index("-frames:v") + 1] == "100"


def test_a_tile_is_filled_or_holds_all():
    filled = graph(scene(FFMPEG, CANVAS, [Shot(Path("a"), 0.0, TILE)], begin=0, count=1))
    assert "force_original_aspect_ratio=increase,crop=638:358" in filled
    whole = Tile(0, 0, 1280, 720, whole=True, alpha=0.5)
    held = graph(scene(FFMPEG, CANVAS, [Shot(Path("a"), 0.0, whole)], begin=0, count=1))
    assert "force_original_aspect_ratio=decrease,format" in held
    assert "crop" not in held
    assert "colorchannelmixer=aa=0.5" in held


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Ann", "text=Ann:"),
        ("O'Neil: 50%, [x];\n\\", r"text=O\\\'Neil\\: 50%\, \[x\]\; \\\\:"),
    ],
)
def test_a_name_is_written_only_where_it_is_known_and_never_read_as_filters(name, written):
    shot = Shot(Path("a"), 0.0, TILE)
    assert "drawtext" not in graph(scene(FFMPEG, CANVAS, [shot], begin=0, count=1))
    named = Shot(Path("a"), 0.0, TILE, name)
    assert written in graph(scene(FFMPEG, CANVAS, [named], begin=0, count=1))


def test_everybody_s_sound_begins_where_the_file_does():
    sounds = [Sound(Path("a"), 0.0), Sound(Path("b"), 1.5)]
    told = graph(mixed(FFMPEG, Path("out"), sounds, channels=2, seconds=10.0))
    assert "adelay=delays=0S:all=1[of0]" in told
    assert "adelay=delays=72000S:all=1[of1]" in told
    assert "amix=inputs=2:normalize=0" in told
    assert "atrim=start_sample=240:end_sample=480240" in told
