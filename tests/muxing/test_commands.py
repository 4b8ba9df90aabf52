"""Command lines, word by word: no ffmpeg is needed to know what it will be told."""

from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.choices import Format
from pipeline.muxing import commands, views

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


def test_captions_are_copied_from_files_of_their_own_on_the_clock_of_the_stream():
    texts = [(Path("a.part"), "eng"), (Path("b.part"), "")]
    argv = commands.mux(FFMPEG, OUT, [256, 257], base=10.0, metadata="data:x", texts=texts)
    assert values(argv, "-i") == ["pipe:0", "data:x", "a.part", "b.part"]
    assert values(argv, "-itsoffset") == ["10", "10"]
    assert values(argv, "-protocol_whitelist") == ["pipe", "data", "file", "file"]
    assert values(argv, "-map") == ["0:i:256", "0:i:257", "2:0", "3:0"]
    assert values(argv, "-metadata:s:2") == ["language=eng"]
    assert argv[-2:] == ["out.part", "-y"]


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
    assert commands.black(FFMPEG, (320, 180), "90000/6000", count=60, parameter_sets=31) == [
        *("/opt/ffmpeg", "-hide_banner", "-nostdin", "-nostats", "-loglevel", "error"),
        *("-f", "lavfi", "-i", "color=black:s=320x180:r=90000/6000"),
        *("-f", "h264", "-bf", "0", "-c:v", "libx264", "-frames:v", "60", "-g", "61"),
        *("-pix_fmt", "yuv420p", "-preset", "veryfast"),
        *("-x264-params", "sps-id=31:aud=1:scenecut=0:threads=1", "pipe:1"),
    ]


@pytest.mark.parametrize(
    ("view", "first"),
    [
        pytest.param(views.UPRIGHT, "scale=320:180", id="as they are"),
        pytest.param(views.View(90), "transpose=clock", id="a quarter"),
        pytest.param(views.View(180), "hflip,vflip", id="half way round"),
        pytest.param(views.View(270), "transpose=cclock", id="three quarters"),
        pytest.param(
            views.View(90, 1.5),
            r"select=gte(t-start_t\,1.500000),transpose",
            id="from a time on",
        ),
        pytest.param(
            views.View(0, 1.5, 2.25),
            r"select=gte(t-start_t\,1.500000)*lt(t-start_t\,2.250000),scale",
            id="between two times",
        ),
        pytest.param(views.View(0, 0.0, 2.0), r"select=lt(t-start_t\,2.000000)", id="up to one"),
    ],
)
def test_pictures_are_turned_before_they_are_fitted_in(view, first):
    options = commands.h264((320, 180), profile="main", level="4", number=3, view=view)
    assert options["vf"].startswith(first)
    assert options["vf"].endswith("pad=320:180:(ow-iw)/2:(oh-ih)/2,setsar=1")
