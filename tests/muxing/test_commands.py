"""Command lines, word by word: no ffmpeg is needed to know what it will be told."""

from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.choices import Format
from pipeline.muxing import commands

FFMPEG = Path("/opt/ffmpeg")
OUT = Path("out.part")
FEED = ["-f", "mpegts", "-copyts", "-protocol_whitelist", "pipe", "-i", "pipe:0"]


def values(argv, name):
    """What an option is set to, each time it is given."""
    return [value for option, value in pairwise(argv) if option == name]


def output_part(argv):
    """Everything behind the input."""
    return argv[argv.index("-i") + 2 :]


def test_a_remux_in_one_pass():
    argv = commands.mux(
        FFMPEG, OUT, [256, 257], adts=True, picture_ticks=6000, base=10.0, moov_size=5000
    )
    assert argv == [
        *("/opt/ffmpeg", "-hide_banner", "-nostats", "-loglevel", "warning"),
        *FEED,
        *("-map", "0:i:256", "-map", "0:i:257"),
        *("-f", "mp4", "-bsf:a", "aac_adtstoasc"),
        *("-bsf:v", "setts=pts=PTS:dts=DTS:duration=6000"),
        *("-c", "copy", "-chunk_duration", "1000000", "-copyinkf", "-map_metadata", "-1"),
        *("-moov_size", "5000", "-movie_timescale", "90000", "-output_ts_offset", "-10"),
        *("-video_track_timescale", "90000", "out.part", "-y"),
    ]


def test_a_remux_with_nothing_special():
    argv = commands.mux(FFMPEG, OUT, [257])
    assert argv == [
        *("/opt/ffmpeg", "-hide_banner", "-nostats", "-loglevel", "warning"),
        *FEED,
        *("-map", "0:i:257", "-f", "mp4"),
        *("-c", "copy", "-chunk_duration", "1000000", "-copyinkf", "-map_metadata", "-1"),
        *("-movflags", "+faststart", "-movie_timescale", "90000"),
        *("-video_track_timescale", "90000", "out.part", "-y"),
    ]


def test_streams_are_mapped_by_pid_in_the_order_of_the_lanes():
    argv = commands.mux(FFMPEG, OUT, [4096, 33, 256])
    assert values(argv, "-map") == ["0:i:4096", "0:i:33", "0:i:256"]


def test_languages_stand_at_their_streams():
    argv = commands.mux(FFMPEG, OUT, [256, 257, 258], languages=["", "eng", ""])
    assert values(argv, "-metadata:s:1") == ["language=eng"]
    assert sum(one.startswith("-metadata") for one in argv) == 1


def test_what_introduces_late_streams_is_dropped():
    """Before anything else is done with the packets."""
    argv = commands.mux(FFMPEG, OUT, [256], adts=True, picture_ticks=6000, drop_before=450000)
    assert values(argv, "-bsf:a") == [r"noise=drop=lt(pts\,450000),aac_adtstoasc"]
    setts = "setts=pts=PTS:dts=DTS:duration=6000"
    assert values(argv, "-bsf:v") == [rf"noise=drop=lt(pts\,450000),{setts}"]
    assert "-probesize" not in argv


@pytest.mark.parametrize(
    ("size", "room", "flags"),
    [
        pytest.param(65536, ["65536"], [], id="room in front"),
        pytest.param(None, [], ["+faststart"], id="moved in front at the end"),
    ],
)
@pytest.mark.parametrize("format", [Format.MP4, Format.M4A])
def test_the_index_comes_first_either_way(format, size, room, flags):
    argv = commands.mux(FFMPEG, OUT, [256], format=format, moov_size=size)
    assert (values(argv, "-moov_size"), values(argv, "-movflags")) == (room, flags)


@pytest.mark.parametrize(
    ("format", "muxer", "own"),
    [
        pytest.param(Format.AAC, "adts", [], id="aac"),
        pytest.param(Format.MP3, "mp3", ["-c:a", "libmp3lame", "-q:a", "2"], id="mp3"),
        pytest.param(Format.WAV, "wav", ["-c:a", "pcm_s16le"], id="wav"),
    ],
)
def test_formats_without_an_index_get_no_options_of_mp4(format, muxer, own):
    argv = commands.mux(
        FFMPEG, OUT, [257], format=format, adts=True, picture_ticks=6000, moov_size=9
    )
    part = output_part(argv)
    assert values(part, "-f") == [muxer]
    assert set(own) <= set(part)
    assert not {"-bsf:a", "-bsf:v", "-moov_size", "-movflags", "-movie_timescale"} & set(part)


@pytest.mark.parametrize("format", [f for f in Format if f is not Format.TS])
def test_every_format_is_fed_through_the_pipe_alone(format):
    argv = commands.mux(FFMPEG, Path("-o http:x"), [257], format=format)
    assert values(argv, "-protocol_whitelist") == ["pipe"]
    assert values(argv, "-i") == ["pipe:0"]
    assert argv[-2:] == ["-o http:x", "-y"]


def test_a_file_is_copied_to_another_format():
    argv = commands.convert_file(
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
    argv = commands.convert_file(FFMPEG, source, output, [1], copy=False)
    part = output_part(argv)
    assert values(part, "-c:a") == [encoder]
    assert values(part, "-af") == ["aresample=async=1"]
    assert "-c" not in part
    assert values(part, own[0]) == own[1]


@pytest.mark.parametrize("format", list(commands.DEMUXERS))
def test_a_file_is_only_what_its_suffix_says(format):
    path = Path("concat:x|y")
    listing = commands.list_packets(FFMPEG, path, format)
    copying = commands.convert_file(FFMPEG, (path, format), (OUT, Format.TS), [0], copy=True)
    for argv in (listing, copying[: copying.index("-map")]):
        assert values(argv, "-f") == [commands.DEMUXERS[format]]
        assert values(argv, "-protocol_whitelist") == ["file"]
        assert argv[-1] == "file:concat:x|y"


def test_packets_are_listed_with_their_streams():
    assert commands.list_packets(Path("ffprobe"), Path("in.mp4"), Format.MP4) == [
        *("ffprobe", "-v", "error", "-of", "compact", "-f", "mov"),
        *("-protocol_whitelist", "file", "-probesize", "100M", "-analyzeduration", "600M"),
        "-show_entries",
        "packet=stream_index,pts_time,duration_time,flags"
        ":stream=index,codec_name,codec_type,duration:stream_disposition=attached_pic",
        "file:in.mp4",
    ]


def test_chapters_come_from_a_second_input():
    """Of which nothing else is taken, and which can open nothing."""
    uri = "data:text/plain;base64,AAAA"
    argv = commands.mux(FFMPEG, OUT, [256], metadata=uri)
    second = ["-f", "ffmetadata", "-protocol_whitelist", "data", "-i", uri]
    at = argv.index("pipe:0") + 1
    assert argv[at : at + len(second)] == second
    assert values(argv, "-map") == ["0:i:256"]
    assert (values(argv, "-map_metadata"), values(argv, "-map_chapters")) == (["1"], ["1"])


def test_pictures_with_parameters_of_their_own():
    argv = commands.mux(FFMPEG, OUT, [256], parameters_inside=True)
    assert values(argv, "-tag:v") == ["avc3"]


def test_black_pictures():
    assert commands.black(FFMPEG, (320, 180), "90000/6000", 60, 31) == [
        *("/opt/ffmpeg", "-hide_banner", "-nostdin", "-nostats", "-loglevel", "error"),
        *("-f", "lavfi", "-i", "color=black:s=320x180:r=90000/6000"),
        *("-f", "h264", "-bf", "0", "-c:v", "libx264", "-frames:v", "60", "-g", "61"),
        *("-pix_fmt", "yuv420p", "-preset", "veryfast"),
        *("-x264-params", "sps-id=31:aud=1:scenecut=0:threads=1", "pipe:1"),
    ]
