"""Interrupted, or read by nobody: nothing stays behind, nothing runs on, no traceback."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.muxing.locate import Ffmpeg, locate
from tests.cli.conftest import SAMPLES, names

SECONDS = 30  # a busy machine may take as long


@pytest.fixture
def stuck(tmp_path, clean, ffmpeg) -> Path:
    """An ffmpeg that works until it is to hang; then it notes its process ID and does nothing."""
    program = tmp_path / "bin" / "ffmpeg"
    program.parent.mkdir()
    settings = " ".join(f"{name}='{value}'" for name, value in ffmpeg.env.items())
    program.write_text(
        "#!/bin/sh\n"
        f'if [ -e "{program}.hang" ]; then echo $$ >>"{program}.pids"; exec sleep 600; fi\n'
        f'exec env {settings} "{ffmpeg.ffmpeg}" "$@"\n'
    )
    program.chmod(0o755)
    (program.parent / "ffprobe").symlink_to(ffmpeg.ffprobe)
    assert isinstance(locate(str(program)), Ffmpeg)  # and remembers it
    program.with_name("ffmpeg.hang").touch()
    return program


def wait_for(condition, what: str) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def pids_of(program: Path) -> list[int]:
    noted = program.with_name("ffmpeg.pids")
    return [int(pid) for pid in noted.read_text().split()] if noted.exists() else []


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("jobs", [1, 3])
def test_an_interrupt_leaves_nothing_behind(launch, stuck, tmp_path, number, jobs):
    command = launch(
        "convert", SAMPLES, "-o", tmp_path / "out", "--ffmpeg", stuck, "--jobs", jobs, "--json"
    )
    remuxes = min(jobs, os.cpu_count())  # the others wait for their turn
    wait_for(lambda: len(pids_of(stuck)) == remuxes, "ffmpeg was not started")
    command.send_signal(number)
    out, err = command.communicate(timeout=SECONDS)
    assert (command.returncode, out, err) == (130, "", "recpipe: interrupted\n")
    assert names(tmp_path / "out") == []
    wait_for(lambda: not any(map(is_running, pids_of(stuck))), "ffmpeg was left running")


@pytest.mark.usefixtures("ffmpeg")
def test_after_an_interrupt_the_same_command_finishes(launch, stuck, recpipe, tmp_path):
    args = ["convert", SAMPLES, "-o", tmp_path / "out", "--ffmpeg", stuck]
    command = launch(*args)
    wait_for(lambda: pids_of(stuck), "ffmpeg was not started")
    command.terminate()
    command.communicate(timeout=SECONDS)
    stuck.with_name("ffmpeg.hang").unlink()
    assert recpipe(*args).code == 0
    assert len(list((tmp_path / "out").glob("*.mp4"))) == 3


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT])  # as nohup does, and &
def test_what_was_told_to_ignore_a_signal_ignores_it(launch, stuck, tmp_path, number):
    command = launch(
        "convert", SAMPLES, "-o", tmp_path / "out", "--ffmpeg", stuck, ignored={number}
    )
    wait_for(lambda: pids_of(stuck), "ffmpeg was not started")
    command.send_signal(number)
    time.sleep(0.5)
    assert command.poll() is None
    command.terminate()
    command.communicate(timeout=SECONDS)
    assert command.returncode == 130


@pytest.mark.parametrize(
    "args", [["check", SAMPLES, "--json"], ["check", SAMPLES, "--json", "--jobs", 1], ["--help"]]
)
def test_a_reader_that_leaves_is_no_error(launch, args):
    read, write = os.pipe()
    os.close(read)
    command = launch(*args, stdout=write)
    os.close(write)
    _, err = command.communicate(timeout=SECONDS)
    assert (command.returncode, err) == (130, "")


@pytest.mark.parametrize("args", [["check", SAMPLES, "--json"], ["doctor"]])
def test_a_full_disk_behind_standard_output_is_an_error(launch, args):
    if not Path("/dev/full").exists():
        pytest.skip("platform: no /dev/full")
    with Path("/dev/full").open("w") as full:
        command = launch(*args, stdout=full)
        _, err = command.communicate(timeout=SECONDS)
    assert command.returncode == 75
    assert "no space left" in err
    assert "Traceback" not in err


def test_nobody_reading_the_errors_changes_no_exit_code(launch, tmp_path):
    read, write = os.pipe()
    os.close(read)
    command = launch("check", tmp_path / "nowhere", stderr=write)
    os.close(write)
    command.communicate(timeout=SECONDS)
    assert command.returncode == 2


def test_closed_streams_are_no_error(launch):
    script = f"exec {{}} check '{SAMPLES}' <&- >&- 2>&-"
    done = subprocess.run(
        ["sh", "-c", script.format(f"{sys.executable} -m pipeline")],
        env={**os.environ, "PYTHONPATH": str(SAMPLES.parent)},
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0
