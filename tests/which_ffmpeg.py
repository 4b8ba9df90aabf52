"""Which ffmpeg the tests use: the packaged one, which starts twenty times as fast as that of a
distribution; with ``--installed-ffmpeg`` the one of this machine.

Every run with the packaged one notes which tests start ffmpeg, or something that may; the other
leaves out those that are known not to.  Nobody has to mark them.
"""

import os
import sys
import tempfile
from pathlib import Path

import pytest

from pipeline.muxing.locate import packaged

PROGRAMS = ("ffmpeg", "ffprobe")
SUSPECTS = (*PROGRAMS, "python", "recpipe")  # the last two may start the others
MEMORY = "recpipe/without-ffmpeg"
MARK = ("starts", "ffmpeg")


def pytest_addoption(parser: pytest.Parser) -> None:
    text = "use the ffmpeg of this machine, and leave out tests that never started any"
    parser.addoption("--installed-ffmpeg", action="store_true", help=text)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Watch(), "ffmpeg-watch")
    if hasattr(config, "workerinput"):
        return  # it inherits the PATH, and tells the controller what it saw
    if packaged() and not config.getoption("installed_ffmpeg"):
        links = tempfile.TemporaryDirectory()
        config.add_cleanup(links.cleanup)
        os.environ["PATH"] = without_ffmpeg(os.environ["PATH"], Path(links.name))
    config.pluginmanager.register(Memory(config), "ffmpeg-memory")


def without_ffmpeg(search: str, links: Path) -> str:
    """A PATH on which all is found but ffmpeg: by links to what lies beside it."""
    folders = [Path(folder) for folder in search.split(os.pathsep) if folder]
    for number, folder in enumerate(folders):
        if any((folder / name).exists() for name in PROGRAMS):
            folders[number] = links / str(number)
            folders[number].mkdir()
            for path in folder.iterdir():
                if path.name not in PROGRAMS:
                    (folders[number] / path.name).symlink_to(path)
    return os.pathsep.join(map(str, folders))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("installed_ffmpeg"):
        known = set(config.cache.get(MEMORY, []))
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid in known])
        items[:] = [item for item in items if item.nodeid not in known]


class Watch:
    """Sees which tests start ffmpeg: themselves, or through a fixture made earlier."""

    def __init__(self) -> None:
        self._test: pytest.Item | None = None
        self._making: list[str] = []  # fixtures, one for another
        self._fixtures: set[str] = set()  # that started it
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple) -> None:
        if event == "subprocess.Popen":
            words = arguments[1] if isinstance(arguments[1], list | tuple) else [arguments[1]]
            told = any(name in os.fsdecode(word) for word in words for name in SUSPECTS)
        else:  # where it is remembered that ffmpeg works
            told = event == "open" and str(arguments[0]).endswith("recpipe/ffmpeg.json")
        if told:
            self._fixtures.update(self._making)
            self._mark()

    def _mark(self) -> None:
        if self._test is not None and MARK not in self._test.user_properties:
            self._test.user_properties.append(MARK)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef):
        self._making.append(fixturedef.argname)
        try:
            return (yield)
        finally:
            self._making.pop()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item):
        self._test = item
        try:
            return (yield)
        finally:
            self._test = None

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_setup(self, item):
        if self._fixtures & {*item.fixturenames}:
            self._mark()


class Memory:
    """Tests that ended without starting ffmpeg."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._ran: set[str] = set()
        self._started: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "teardown":
            self._ran.add(report.nodeid)
        if report.skipped or MARK in map(tuple, report.user_properties):
            self._started.add(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        known = set(self._config.cache.get(MEMORY, []))
        self._config.cache.set(MEMORY, sorted((known | self._ran) - self._started))
