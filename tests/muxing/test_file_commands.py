"""Command lines, word by word: no ffmpeg is needed to know what it will be told."""

from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.choices import Format
from pipeline.muxing import file_commands

FFMPEG = Path("/opt/ffmpeg")
OUT = Path("out.part")


def values(argv, name):
    """What an option is set to, each time it is given."""
    return [value for option, value in pairwise(argv) if option == name]


def output_part(argv):
    """Everything behind the input."""
    return argv[argv.index("-i") + 2 :]


def test_a_file_is_copied_to_another_format():
    argv = file_commands.convert_file(
        FFMPEG,
        (Path("/a b/in.mp4"), Format.MP4),
        (Path("-o.ts"), Format.TS),
        [0, 2],
        copy=True,
    )
    assert argv == [
        *("/opt/ffmpeg", "-hide_banner", "-nostdin", "-nostats", "-loglevel", "error"),
        *("-f", "mov", "-analyzeduration", "600M", "-probesize", "100M"),
        *("-protocol_whitelist", "file", "-i", "file:/a b/in.mp4"),
        *("-map", "0:0", "-map", "0:2"),
        *("-f", "mpegts", "-c", "copy", "-copyinkf", "-muxdelay", "0", "-muxpreload", "0"),
        *("file:-o.ts", "-y"),
    ]


@pytest.mark.parametrize(
    ("wanted", "encoder", "own"),
    [
        pytest.param(Format.MP3, "libmp3lame", ("-q:a", ["2"]), id="mp3"),
        pytest.param(Format.WAV, "pcm_s16le", ("-rf64", ["auto"]), id="wav past 4 GiB"),
        pytest.param(Format.AAC, "aac", ("-f", ["adts"]), id="aac"),
    ],
)
def test_a_file_is_encoded_to_another_format(wanted, encoder, own):
    source, output = (Path("in.ts"), Format.TS), (Path("out"), wanted)
    argv = file_commands.convert_file(FFMPEG, source, output, [1], copy=False)
    part = output_part(argv)
    assert values(part, "-c:a") == [encoder]
    assert values(part, "-af") == ["aresample=async=1"]
    assert "-c" not in part
    assert values(part, own[0]) == own[1]


@pytest.mark.parametrize("format", list(file_commands.DEMUXERS))
def test_a_file_is_only_what_its_suffix_says(format):
    path = Path("concat:x|y")
    listing = file_commands.list_packets(FFMPEG, path, format)
    copying = file_commands.convert_file(FFMPEG, (path, format), (OUT, Format.TS), [0], copy=True)
    for argv in (listing, copying[: copying.index("-map")]):
        assert values(argv, "-f") == [file_commands.DEMUXERS[format]]
        assert values(argv, "-protocol_whitelist") == ["file"]
        assert argv[-1] == "file:concat:x|y"


def test_packets_are_listed_with_their_streams():
    assert file_commands.list_packets(Path("ffprobe"), Path("in.mp4"), Format.MP4) == [
        *("ffprobe", "-v", "error", "-of", "compact", "-f", "mov"),
        *("-protocol_whitelist", "file", "-probesize", "100M", "-analyzeduration", "600M"),
        "-show_entries",
        "packet=stream_index,pts_time,duration_time,flags"
        ":stream=index,codec_name,codec_type,duration:stream_disposition=attached_pic",
        "file:in.mp4",
    ]


def test_the_sound_of_a_file_is_listened_to_from_its_beginning_on():
    argv = file_commands.listen(FFMPEG, Path("/a b.mp4"), Format.M4A)
    assert argv[argv.index("-i") + 1] == "file:/a b.mp4"
    assert values(argv, "-protocol_whitelist") == ["file"]
    assert values(argv, "-f") == ["mov", "s16le"]
    assert values(argv, "-map") == ["0:a:0"]
    assert values(argv, "-af") == ["aresample=4000:async=1:first_pts=0"]
    assert argv[-1] == "pipe:1"


def test_a_picture_is_small_and_sought_before_it_is_decoded():
    argv = file_commands.picture(FFMPEG, Path("x.ts"), Format.TS, 12.5)
    assert argv.index("-ss") < argv.index("-i")
    assert values(argv, "-ss") == ["12.5"]
    assert values(argv, "-f") == ["mpegts", "image2pipe"]
    assert values(argv, "-frames:v") == ["1"]
    assert "scale=w=240:h=240" in values(argv, "-vf")[0]
