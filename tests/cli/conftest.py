"""The command, run in this process, and recordings to run it on."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli.app import cli
from tests.agora.bodies import START
from tests.agora.server import FakeTime, Server, listening
from tests.agora.service import Service

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "sample_media"
COMPOSITE = "0a93a5e0c1d44f7c8d5e6b7a1f2c3d4e_weekly_meeting"
SECRET = "customerSECRET"


@dataclass(frozen=True)
class Ended:
    """What a command left."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict]:
        """Its JSON."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def line(self) -> dict:
        """The one object of its JSON."""
        (line,) = self.lines
        return line


@pytest.fixture(scope="session")
def cache(tmp_path_factory) -> Path:
    """Shared by all tests, so that ffmpeg is proved once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def clean(tmp_path, monkeypatch, cache) -> Path:
    """No settings of whoever runs the tests; returns the working directory."""
    for name in os.environ:
        if name.startswith(("RECPIPE_", "AWS_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return here


@pytest.fixture
def recpipe(clean) -> Callable[..., Ended]:
    """Runs the command in this process."""

    def run(*args: object, env: Mapping[str, str] | None = None, stdin: bytes = b"") -> Ended:
        result = CliRunner().invoke(cli, [str(arg) for arg in args], env=env, input=stdin)
        return Ended(result.exit_code, result.stdout, result.stderr)

    return run


@contextmanager
def ignoring(numbers: Collection[int]) -> Iterator[None]:
    """What is started meanwhile ignores these signals and no others, also where the tests do."""
    before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    for number, handler in before.items():
        heard = signal.SIG_DFL if handler == signal.SIG_IGN else handler
        signal.signal(number, signal.SIG_IGN if number in numbers else heard)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@pytest.fixture
def launch(clean) -> Callable[..., subprocess.Popen]:
    """Starts the command as a process of its own; those still there are killed in the end."""
    started = []

    def run(*args: object, ignored: Collection[int] = (), **chosen: object) -> subprocess.Popen:
        argv = [sys.executable, "-m", "pipeline", *map(str, args)]
        streams = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
        }
        env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": ""}  # as for users
        with ignoring(ignored):
            process = subprocess.Popen(argv, text=True, **{"env": env, **streams, **chosen})
        started.append(process)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def composite(tmp_path) -> Path:
    """A folder with one recording of four segments, to be damaged at will."""
    return Path(shutil.copytree(SAMPLES / "composite", tmp_path / "composite"))


@pytest.fixture
def samples(tmp_path) -> Path:
    """A folder with three recordings."""
    return Path(shutil.copytree(SAMPLES, tmp_path / "samples"))


class RealTime(FakeTime):
    """For commands that run in their own time."""

    @property
    def time(self):
        return time.time()

    @time.setter
    def time(self, _):
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    """A stand-in for Agora's service."""
    with listening() as server:
        server.service = Service(random.Random(0), RealTime(), ready=2.0)
        server.reply = server.service.reply
        yield server


@pytest.fixture
def agora(server, clean, monkeypatch) -> Server:
    """The settings of a user, and a folder with a request file."""
    for name, value in {
        "AGORA_APP_ID": "app1",
        "AGORA_CUSTOMER_ID": "customer",
        "AGORA_CUSTOMER_SECRET": SECRET,
        "API_URL": server.url,
        "STATE": str(clean / "state"),
    }.items():
        monkeypatch.setenv(f"RECPIPE_{name}", value)
    write(START)
    return server


def write(body: object, name: str = "request.json") -> None:
    """A request file."""
    Path(name).write_text(json.dumps(body))


def segments(folder: Path) -> list[Path]:
    """The segments of a recording in order."""
    return sorted(folder.glob("*.ts"))


def edit_playlist(folder: Path, old: str, new: str) -> None:
    """Change the playlist in a folder."""
    (playlist,) = folder.glob("*.m3u8")
    text = playlist.read_text()
    assert old in text
    playlist.write_text(text.replace(old, new))


def names(folder: Path) -> list[str]:
    """What is in a folder, hidden files too."""
    return sorted(path.name for path in folder.iterdir())


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file with its size and the moment it was last changed."""
    return {
        str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
