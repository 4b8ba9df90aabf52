"""Fixtures every test may ask for, and what a skipped test means where nothing may be missing."""

import os
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

from pipeline.errors import FfmpegMissingError
from pipeline.muxing.locate import Ffmpeg, locate
from tests.recordings import Library

pytest_plugins = ["tests.databases", "tests.servers", "tests.which_ffmpeg"]

settings.register_profile("untimed", deadline=None)  # a busy machine proves nothing
settings.load_profile("untimed")

IN_MEMORY = Path("/dev/shm")
ROOM = 6 << 30  # bytes free there: a run needs a quarter of it


def _use_memory() -> None:
    """Keep what tests write in memory, where there is room and programs may be started from it:
    most of the time of a test that writes is spent waiting until the disk has it.
    """
    if os.name != "posix" or "TMPDIR" in os.environ or not os.access(IN_MEMORY, os.W_OK):
        return
    told = os.statvfs(IN_MEMORY)
    if told.f_bavail * told.f_frsize > ROOM and not told.f_flag & os.ST_NOEXEC:
        os.environ["TMPDIR"] = tempfile.tempdir = str(IN_MEMORY)


_use_memory()  # before anything asks where temporary files go
# What is compiled is kept: else each of hundreds of processes compiles the whole package again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

REQUIRED = os.environ.get("RECPIPE_TEST_REQUIRE") == "1"  # set by .ci/run


@pytest.fixture(scope="session")
def ffmpeg() -> Ffmpeg:
    """A pair of binaries that work."""
    try:
        return locate()
    except FfmpegMissingError:
        pytest.skip("ffmpeg absent")


@pytest.fixture(scope="session")
def library(ffmpeg: Ffmpeg, tmp_path_factory: pytest.TempPathFactory) -> Library:
    """The recordings of this test run, each made when it is first asked for."""
    return Library(tmp_path_factory.mktemp("recordings"), ffmpeg)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Where results go; it is not there yet."""
    return tmp_path / "out"


def pytest_collection_modifyitems(items):
    """What plays in real time comes first: while it waits, others work."""
    items.sort(key=lambda item: item.get_closest_marker("plays") is None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Where nothing may be missing, only what the platform cannot do at all may be skipped, and
    what a probe of the store has just shown that it cannot do.
    """
    report = yield
    if REQUIRED and report.skipped and not hasattr(report, "wasxfail"):
        reason = str(call.excinfo.value) if call.excinfo else str(report.longrepr)
        if not reason.startswith(("platform:", "store:")):
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid}: skipped, but nothing may be missing here: {reason}"
    return report
