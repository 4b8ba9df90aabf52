"""Fixtures every test may ask for, and what a skipped test means where nothing may be missing."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from pipeline.errors import FfmpegMissingError
from pipeline.muxing.locate import Ffmpeg, locate
from tests.recordings import Library

pytest_plugins = ["tests.databases", "tests.packaged", "tests.servers"]

settings.register_profile("untimed", deadline=None)  # a busy machine proves nothing
settings.load_profile("untimed")

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
    """Spread what plays in real time over all tests: while one waits, others work."""
    playing = [item for item in items if item.get_closest_marker("plays")]
    others = [item for item in items if not item.get_closest_marker("plays")]
    apart = len(others) // (len(playing) + 1)
    for number, item in enumerate(playing, 1):
        others.insert(number * (apart + 1) - 1, item)
    items[:] = others


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
