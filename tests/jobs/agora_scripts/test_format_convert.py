"""Single files: what can become what, and that nothing wrong ever stands under an output's name."""

import os
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.choices import Format
from pipeline.errors import NotFoundError, UsageError
from pipeline.jobs.agora_scripts.format_convert import (
    FORMATS,
    SOUND,
    Outcome,
    Way,
    convert_file,
    exit_code,
    plan,
    sources,
)
from pipeline.muxing.locate import Ffmpeg
from pipeline.muxing.tracks import parse, read_tracks
from pipeline.storage.local import LocalStorage

SLICES = sorted(Path(__file__).parents[3].glob("sample_media/composite/*.ts"))
SILENT = sorted(Path(__file__).parents[3].glob("sample_media/video_only/*.ts"))
PACKET = 188

# the beginning of an ffmpeg that knows where to write
OUTPUT = """#!/bin/sh
for word; do case $word in file:*) out=$word ;; esac; done
"""


@pytest.fixture
def folder(tmp_path: Path) -> LocalStorage:
    """A folder that holds one slice."""
    (tmp_path / "files").mkdir()
    shutil.copy(SLICES[0], tmp_path / "files" / "a.ts")
    return LocalStorage(tmp_path / "files")


@pytest.fixture
def convert(folder, ffmpeg, tmp_path):
    """Convert one file of the folder."""

    def call(name: str, to: str, *, force: bool = False) -> Outcome:
        spool = tmp_path / "spool"
        return convert_file(folder.root, name, Format(to), ffmpeg, spool=spool, force=force)

    return call


def names(folder: LocalStorage) -> set[str]:
    """Everything there, hidden files too."""
    return {path.name for path in folder.root.iterdir()}


def streams(path: Path, ffmpeg: Ffmpeg) -> list[tuple[str, int]]:
    """Codec and number of packets of every stream."""
    return [(t.codec, t.packets) for t in read_tracks(ffmpeg, path, Format(path.suffix[1:]))]


# What can become what


@pytest.mark.parametrize("to", FORMATS)
@pytest.mark.parametrize("source", FORMATS)
def test_sound_never_becomes_pictures_and_nothing_becomes_itself(source, to):
    if source is to or (source in SOUND and to not in SOUND):
        with pytest.raises(UsageError, match=f"{source} to {to}"):
            plan(source, to)
    else:
        assert plan(source, to) is (Way.SOUND if to in SOUND else plan(source, to))


def test_slices_are_proven_and_mp4_is_copied():
    assert plan(Format.TS, Format.MP4) is Way.PROVEN
    assert plan(Format.MP4, Format.TS) is Way.COPIED


def test_m4a_is_none_of_the_formats():
    with pytest.raises(UsageError, match="m4a: not one of mp3 wav aac mp4 ts"):
        plan(Format.M4A, Format.MP3)


# Which files


def test_every_file_with_the_suffix_but_none_below(tmp_path):
    for name in ("b.ts", "a.ts", "A.TS", "-x.ts", "ts", ".ts", "c.mp4"):
        (tmp_path / name).touch()
    (tmp_path / "below.ts").mkdir()
    (tmp_path / "below.ts" / "d.ts").touch()
    assert sources(tmp_path, Format.TS) == ["-x.ts", "a.ts", "b.ts"]


def test_no_such_file_says_what_is_there(tmp_path):
    for name in ("a.TS", "b.TS", "c.mp4", "README"):
        (tmp_path / name).touch()
    with pytest.raises(NotFoundError, match=r"no \.ts files; there are 2 \.TS, 1 "):
        sources(tmp_path, Format.TS)


@pytest.mark.parametrize("kind", ["missing", "file"])
def test_no_such_folder(tmp_path, kind):
    if kind == "file":
        (tmp_path / "it").touch()
    with pytest.raises(NotFoundError, match="check the path"):
        sources(tmp_path / "it", Format.TS)


# How it ended


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        pytest.param([Outcome("a", "b")], 0, id="done"),
        pytest.param([Outcome("a", "b"), Outcome("a", "b", None, ("CC",))], 3, id="lost media"),
        pytest.param([Outcome("a", "b", None, ("CC",)), Outcome("a", problem="x")], 5, id="failed"),
    ],
)
def test_exit_code(outcomes, code):
    assert exit_code(outcomes) == code


# What ffprobe prints


def test_tracks_are_counted_without_what_the_file_itself_cuts_off():
    lines = """\
packet|stream_index=1|pts_time=-0.021333|duration_time=0.021333|flags=KD
packet|stream_index=1|pts_time=0.000000|duration_time=0.021333|flags=K_|side_data|

packet|stream_index=0|pts_time=0.200000|duration_time=N/A|flags=K_
packet|stream_index=0|pts_time=N/A|duration_time=N/A|flags=__
packet|stream_index=0|pts_time=0.100000|duration_time=0.066667|flags=__
stream|index=0|codec_name=h264|codec_type=video|duration=0.3|disposition:attached_pic=0
stream|index=1|codec_name=aac|codec_type=audio|duration=N/A|disposition:attached_pic=0
stream|index=2|codec_name=mjpeg|codec_type=video|duration=N/A|disposition:attached_pic=1
"""
    video, audio, cover = parse(lines.splitlines(keepends=True))
    assert (video.kind, video.codec, video.packets, video.stated) == ("video", "h264", 3, 0.3)
    assert (video.first, video.last, video.end) == (0.1, 0.2, 0.2)
    assert (audio.packets, audio.first, audio.end, audio.stated) == (1, 0.0, 0.021333, None)
    assert cover.cover
    assert not cover.packets


# Converting


def test_a_slice_becomes_a_proven_mp4_with_a_receipt(convert, folder, ffmpeg):
    outcome = convert("a.ts", "mp4")
    assert (outcome.output, outcome.problem, outcome.warnings) == ("a.mp4", None, ())
    assert names(folder) == {"a.ts", "a.mp4", "a.receipt.json"}
    found = streams(folder.root / "a.mp4", ffmpeg)
    assert found == streams(folder.root / "a.ts", ffmpeg)


def test_there_and_back_loses_no_packet(convert, folder, ffmpeg):
    assert convert("a.ts", "mp4").output
    before = streams(folder.root / "a.ts", ffmpeg)
    assert convert("a.mp4", "ts", force=True).output == "a.ts"
    assert streams(folder.root / "a.ts", ffmpeg) == before


def test_a_cover_picture_is_no_video(convert, folder, ffmpeg):
    source, cover = folder.root / "a.ts", "color=size=64x64:duration=1:rate=1"
    command = [str(ffmpeg.ffmpeg), "-v", "error", "-i", str(source), "-f", "lavfi", "-i", cover]
    command += ["-map", "0", "-map", "1", "-c", "copy", "-c:v:1", "mjpeg", "-disposition:v:1"]
    command += ["attached_pic", "-bsf:a", "aac_adtstoasc", str(folder.root / "b.mp4")]
    subprocess.run(command, env={**os.environ, **ffmpeg.env}, check=True)
    assert len(streams(folder.root / "b.mp4", ffmpeg)) == 3
    assert convert("b.mp4", "ts").problem is None
    assert streams(folder.root / "b.ts", ffmpeg) == streams(source, ffmpeg)


@pytest.mark.parametrize("source", ["ts", "mp4"])
@pytest.mark.parametrize(("to", "codec"), [("mp3", "mp3"), ("wav", "pcm_s16le"), ("aac", "aac")])
def test_sound_of_pictures(convert, folder, ffmpeg, source, to, codec):
    if source == "mp4":
        convert("a.ts", "mp4")
    outcome = convert(f"a.{source}", to)
    assert (outcome.problem, outcome.warnings) == (None, ())
    (made,) = read_tracks(ffmpeg, folder.root / f"a.{to}", Format(to))
    assert made.codec == codec
    assert made.end - made.first == pytest.approx(15.2, abs=0.1)


def test_aac_is_copied_frame_by_frame(convert, folder, ffmpeg):
    convert("a.ts", "aac")
    (aac,) = streams(folder.root / "a.aac", ffmpeg)
    assert aac in streams(folder.root / "a.ts", ffmpeg)


def test_sound_from_format_to_format(convert, folder):
    chain = ["ts", "wav", "mp3", "aac", "wav"]
    for source, to in pairwise(chain):
        assert convert(f"a.{source}", to, force=True).problem is None
    assert names(folder) == {"a.ts", "a.wav", "a.mp3", "a.aac"}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("with space.ts", id="a space"),
        pytest.param("-i.ts", id="a dash"),
        pytest.param("concat:a|b.ts", id="a protocol"),
        pytest.param("Sitzung-Zürich-会议.ts", id="UTF-8"),
        pytest.param("100%d #1?.ts", id="a pattern"),
        pytest.param("line\nbreak'\".ts", id="a line break"),
        pytest.param("a.b.ts", id="two dots"),
    ],
)
@pytest.mark.parametrize("to", ["mp4", "wav"])
def test_any_name(convert, folder, name, to):
    (folder.root / "a.ts").rename(folder.root / name)
    outcome = convert(name, to)
    assert outcome.problem is None
    assert outcome.output == name.removesuffix("ts") + to
    assert outcome.output in names(folder)


# What is refused


@pytest.mark.parametrize("to", ["mp4", "wav"])
def test_a_name_that_is_not_utf_8(convert, folder, to):
    name = "a\udcff.ts"  # as Python has a byte 0xFF
    (folder.root / "a.ts").rename(folder.root / name)
    assert convert(name, to).problem == "its name, or its folder's, is not UTF-8; rename it"
    assert names(folder) == {name}


@pytest.mark.parametrize("to", ["mp4", "mp3"])
def test_an_output_is_not_replaced_without_force(convert, folder, to):
    output = folder.root / f"a.{to}"
    output.write_bytes(b"dear to somebody")
    outcome = convert("a.ts", to)
    assert outcome.output is None
    assert outcome.problem == f"a.{to} exists already; give --force to replace it"
    assert output.read_bytes() == b"dear to somebody"
    assert convert("a.ts", to, force=True).problem is None
    assert output.read_bytes() != b"dear to somebody"


def test_a_link_that_leads_nowhere_counts_as_an_output(convert, folder):
    (folder.root / "a.wav").symlink_to("nowhere")
    assert convert("a.ts", "wav").problem == "a.wav exists already; give --force to replace it"


@pytest.mark.parametrize("to", ["mp4", "wav"])
def test_a_link_out_of_the_folder_is_not_followed(convert, folder, tmp_path, to):
    shutil.copy(SLICES[0], tmp_path / "outside.ts")
    (folder.root / "b.ts").symlink_to(tmp_path / "outside.ts")
    assert "leads out of" in convert("b.ts", to).problem
    assert names(folder) == {"a.ts", "b.ts"}


def test_an_output_does_not_go_through_a_link_out_of_the_folder(convert, folder, tmp_path):
    outside = tmp_path / "outside.wav"
    outside.write_bytes(b"not yours")
    (folder.root / "a.wav").symlink_to(outside)
    assert "leads out of" in convert("a.ts", "wav", force=True).problem
    assert outside.read_bytes() == b"not yours"


@pytest.mark.parametrize(
    ("suffix", "to"), [("ts", "mp4"), ("ts", "mp3"), ("mp4", "ts"), ("aac", "wav")]
)
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<Error>no</Error>" * 100, id="an error page"),
        pytest.param(b"#EXTM3U\n#EXTINF:4,\na.ts\n#EXT-X-ENDLIST\n", id="a playlist"),
        pytest.param(b"ffconcat version 1.0\nfile a.ts\n", id="a list of files"),
    ],
)
def test_what_is_no_media_leaves_nothing(convert, folder, suffix, to, data):
    (folder.root / f"bad.{suffix}").write_bytes(data)
    outcome = convert(f"bad.{suffix}", to)
    assert outcome.problem
    assert outcome.problem.isprintable()
    assert names(folder) == {"a.ts", f"bad.{suffix}"}


def test_no_sound_to_make_sound_of(convert, folder):
    shutil.copy(SILENT[0], folder.root / "silent.ts")
    assert convert("silent.ts", "mp3").problem == "no sound in it"
    assert names(folder) == {"a.ts", "silent.ts"}


def test_an_mp4_that_is_cut_off_is_not_taken_for_a_short_one(convert, folder):
    assert convert("a.ts", "mp4").output
    whole = (folder.root / "a.mp4").read_bytes()
    (folder.root / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    for to in ("wav", "ts", "aac"):
        assert convert("cut.mp4", to).problem.startswith("cut short: ")
    assert not names(folder) & {"cut.wav", "cut.ts", "cut.aac"}


@pytest.mark.parametrize("to", ["mp4", "wav"])
def test_lost_packets_are_said_and_the_rest_is_converted(convert, folder, to):
    data = (folder.root / "a.ts").read_bytes()
    (folder.root / "lost.ts").write_bytes(data[: 500 * PACKET] + data[600 * PACKET :])
    outcome = convert("lost.ts", to)
    assert outcome.output == f"lost.{to}"
    assert any(text.startswith("CC: ") for text in outcome.warnings)
    assert exit_code([outcome]) == 3


def test_an_ffmpeg_that_fails_leaves_nothing(folder, ffmpeg, tmp_path):
    broken = tmp_path / "ffmpeg"
    broken.write_text(f'{OUTPUT}echo half >"${{out#file:}}"\nexit 1\n')
    broken.chmod(0o755)
    half = Ffmpeg(broken, ffmpeg.ffprobe, "0")
    outcome = convert_file(folder.root, "a.ts", Format.WAV, half, spool=tmp_path / "spool")
    assert outcome.problem == "ffmpeg ended with 1: it said nothing"
    assert names(folder) == {"a.ts"}


@pytest.mark.parametrize(
    ("options", "to", "problem"),
    [
        pytest.param(
            "-t 5 -vn -c:a pcm_s16le -f wav", "wav", "s came out, expected 15", id="short"
        ),
        pytest.param("-an -c copy -f mpegts", "ts", "video h264 came out, expected", id="no sound"),
        pytest.param(
            "-t 9 -c copy -f mpegts", "ts", "packets of h264 came out, expected", id="cut"
        ),
        pytest.param("-vn -c:a mp2 -f mp2", "mp3", "audio mp2 came out", id="another codec"),
    ],
)
def test_an_ffmpeg_that_lies_is_found_out(convert, folder, ffmpeg, tmp_path, options, to, problem):
    if to == "ts":
        assert convert("a.ts", "mp4").output
    name = "a.mp4" if to == "ts" else "a.ts"
    liar = tmp_path / "ffmpeg"
    call = f'"{ffmpeg.ffmpeg}" -v error -y -i "{folder.root / name}" {options} "$out"'
    liar.write_text(f"{OUTPUT}exec {call}\n")
    liar.chmod(0o755)
    before = names(folder)
    lying = Ffmpeg(liar, ffmpeg.ffprobe, "0")
    made = convert_file(folder.root, name, Format(to), lying, spool=tmp_path / "spool", force=True)
    assert made.output is None
    assert problem in made.problem
    assert names(folder) == before


def test_a_source_that_changes_meanwhile_is_not_converted(folder, ffmpeg, tmp_path):
    slow = tmp_path / "ffmpeg"
    source = folder.root / "a.ts"
    slow.write_text(f'#!/bin/sh\n"{ffmpeg.ffmpeg}" "$@"\ntouch "{source}"\n')
    slow.chmod(0o755)
    lying = Ffmpeg(slow, ffmpeg.ffprobe, "0")
    made = convert_file(folder.root, "a.ts", Format.WAV, lying, spool=tmp_path / "spool")
    assert made.problem == "changed while it was converted; run again"
    assert names(folder) == {"a.ts"}
