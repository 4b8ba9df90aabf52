"""scripts/convert_v2.py: the options and names of Agora's newest script."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.simulator.session.cast import crew, parse_act
from pipeline.simulator.session.session import SessionOrder
from tests.jobs.sessions import played

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "scripts" / "convert_v2.py"
SLICES = ROOT / "sample_media" / "composite"
SID = "0a93a5e0c1d44f7c8d5e6b7a1f2c3d4e"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="module")
def both(tmp_path_factory, ffmpeg) -> Path:
    """A recording of each mode in one folder; the second user is only heard."""
    folder = tmp_path_factory.mktemp("rec")
    acts = (parse_act("1002:camera_off@0"),)
    order = SessionOrder(crew(2, played.LOOK, 0, acts=acts), acts, (), duration=10.0, slice=5)
    played.put(order, folder, ffmpeg)
    shutil.copytree(SLICES, folder, dirs_exist_ok=True)
    return folder


@pytest.fixture
def folder(both, tmp_path) -> Path:
    """A copy of it."""
    shutil.copytree(both, tmp_path / "rec")
    return tmp_path / "rec"


def run(*args) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *map(str, args)]
    return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)


def tracks(path: Path, ffmpeg) -> list[str]:
    argv = [str(ffmpeg.ffprobe), "-v", "error", "-show_entries", "stream=codec_type,width,height"]
    said = subprocess.run([*argv, "-of", "csv=p=0", str(path)], capture_output=True, check=True)
    return said.stdout.decode().split()


def new(folder: Path, both: Path) -> list[str]:
    return sorted({p.name for p in folder.iterdir()} - {p.name for p in both.iterdir()})


def test_the_documented_names_of_both_modes(folder, both, ffmpeg):
    ended = run("--dir", folder)
    assert (ended.returncode, ended.stdout) == (0, ""), ended.stderr
    assert ended.stderr == "convert_v2: 1 done, 0 failed\n"
    assert new(folder, both) == ["1001_0_merge_av.mp4", "1002_0_merge.m4a"]
    ended = run("--dir", folder, "--recording_mode", "mix", "--json", "--quiet")
    assert (ended.returncode, ended.stderr) == (0, "")
    line = json.loads(ended.stdout)
    assert (line["outputs"], line["done"]) == ([f"{SID}_0_merge_av.mp4"], True)
    assert new(folder, both) == [
        f"{SID}_0_merge_av.mp4",
        "1001_0_merge_av.mp4",
        "1002_0_merge.m4a",
    ]
    assert tracks(folder / "1001_0_merge_av.mp4", ffmpeg) == ["video,160,96", "audio"]
    again = run("--dir", folder)
    assert (again.returncode, "exists already; give --force" in again.stderr) == (5, True)
    assert run("--dir", folder, "--force", "--quiet").returncode == 0


def test_one_kind_of_one_user(folder, both, ffmpeg):
    for avtype in ("audio_only", "video_only"):
        ended = run("--dir", folder, "--uid", "1001", "--avtype", avtype)
        assert ended.returncode == 0, ended.stderr
    assert new(folder, both) == ["1001_0_merge.m4a", "1001_0_merge.mp4"]
    assert tracks(folder / "1001_0_merge.mp4", ffmpeg) == ["video,160,96"]
    ended = run("--dir", folder, "--avtype", "audio_video")
    assert ended.returncode == 5
    assert "1002: there is audio alone, which is not audio_video" in ended.stderr
    assert len(new(folder, both)) == 2  # nor the file of the other user


def test_the_pictures_of_a_mix_in_another_size(folder, both, ffmpeg):
    size = ("--width", "321", "--height", "181", "--video_framerate", "5")
    ended = run("--dir", folder, "--recording_mode", "mix", "--avtype", "video_only", *size)
    assert ended.returncode == 0, ended.stderr
    assert new(folder, both) == [f"{SID}_0_merge.mp4"]
    assert tracks(folder / f"{SID}_0_merge.mp4", ffmpeg) == ["video,320,180"]


def test_a_slice_that_is_missing_fails_all_of_its_recording(folder, both):
    next(folder.glob("*__uid_s_1002__uid_e_audio_*.ts")).unlink()
    ended = run("--dir", folder, "--fill_strategy", "black_frame")
    assert ended.returncode == 5
    assert "user 1002: SEG_MISSING: " in ended.stderr
    assert new(folder, both) == []


def test_a_recording_that_goes_on(folder, both):
    playlist = next(folder.glob("*1001*video.m3u8"))
    playlist.write_text(playlist.read_text().replace("#EXT-X-ENDLIST\n", ""))
    ended = run("--dir", folder)
    assert (ended.returncode, "it has not ended" in ended.stderr) == (5, True)
    assert new(folder, both) == []


def test_damage_is_told_and_converted(folder, both):
    slice = sorted(folder.glob(f"{SID}*.ts"))[1]
    data = slice.read_bytes()
    slice.write_bytes(data[: 500 * 188] + data[600 * 188 :])
    ended = run("--dir", folder, "--recording_mode", "web")
    assert ended.returncode == 3
    assert "CC: " in ended.stderr
    assert new(folder, both) == [f"{SID}_0_merge_av.mp4"]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        pytest.param((), "required: --dir", id="no folder"),
        pytest.param(("--dir", "."), "no recording", id="an empty folder"),
        pytest.param(("--dir", ".", "--width", "640"), "given together", id="a width alone"),
        pytest.param(("--dir", ".", "--video_bitrate", "9"), "9: expected 50 to 6300", id="low"),
        pytest.param(("--dir", ".", "--avtype", "sound"), "invalid", id="an unknown kind"),
        pytest.param(
            ("--dir", ".", "--recording_mode", "mix", "--uid", "1"), "has no users", id="mix"
        ),
        pytest.param(("--dir", ".", "--uid", "joe"), "expected a number", id="no number"),
        pytest.param(
            ("--dir", ".", "--width", "1920", "--height", "1200"), "at most 1920x1080", id="large"
        ),
        pytest.param(
            ("--dir", ".", "--video_bitrate", "99", "--avtype", "audio_only"),
            "holds no pictures",
            id="a bit rate of sound",
        ),
    ],
)
def test_wrong_usage(args, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ended = run(*args)
    assert (ended.returncode, said in ended.stderr) == (2, True), ended.stderr
    assert [*tmp_path.iterdir()] == []


def test_two_sessions_in_one_folder(folder, both):
    for path in [*folder.glob("*__uid_s_*")]:
        sid, _, rest = path.name.partition("_")
        other = sid[::-1]
        (folder / f"{other}_{rest}").write_bytes(
            path.read_bytes().replace(sid.encode(), other.encode())
        )
    before = new(folder, both)
    ended = run("--dir", folder)
    assert (ended.returncode, "2 sessions whose files would have" in ended.stderr) == (2, True)
    assert new(folder, both) == before


def test_without_the_package_it_says_how_to_install_it(folder):
    command = [sys.executable, "-S", "-I", str(SCRIPT), "--dir", str(folder)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert f"-m pip install '{ROOT}[ffmpeg]'" in ended.stderr
