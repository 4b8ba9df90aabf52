"""The folder of a run: its own, gone when the run ends, however it ends."""

import subprocess
import sys
from contextlib import closing

import pytest

from pipeline.jobs.options import Options
from pipeline.jobs.spool import Workspace, forget, is_in_use, spool_of, tidy_work
from pipeline.model import Recording

TALK = Recording("talk", "/recordings/talk.m3u8", ())


@pytest.fixture
def options(tmp_path):
    return Options(spool=tmp_path / "spool")


@pytest.fixture
def home(options):
    return spool_of(TALK, options)


def put(folder):
    path = folder() / "0.reencoded"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


def test_nothing_is_made_until_it_is_needed(options):
    with closing(Workspace(TALK, options)) as work:
        work.part()
    assert not options.spool.exists()


def test_what_was_written_goes_at_the_end(options):
    with closing(Workspace(TALK, options)) as work:
        assert put(work.part()).exists()
    assert list(options.spool.iterdir()) == []


def test_it_goes_after_a_failure_and_what_was_fetched_stays(options, home):
    home.mkdir(parents=True)
    (home / "a.segment").touch()

    def failing():
        with closing(Workspace(TALK, options)) as work:
            put(work.part())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing()
    assert [path.name for path in home.iterdir()] == ["a.segment"]
    forget(TALK, options)
    assert not home.exists()


def test_two_parts_and_two_runs_write_beside_each_other(options):
    with closing(Workspace(TALK, options)) as one, closing(Workspace(TALK, options)) as other:
        part = one.part()
        made = {put(part), put(one.part()), put(other.part())}
        assert len(made) == 3
        assert put(part) in made
        forget(TALK, options)
        assert all(path.exists() for path in made)


def test_what_a_killed_run_left_goes_with_the_next(options, home):
    code = (
        "import os, sys\n"
        "from contextlib import closing\n"
        "from pathlib import Path\n"
        "from pipeline.jobs.options import Options\n"
        "from pipeline.jobs.spool import Workspace\n"
        "from pipeline.model import Recording\n"
        "talk, options = Recording('talk', sys.argv[1], ()), Options(spool=Path(sys.argv[2]))\n"
        "with closing(Workspace(talk, options)) as work:\n"
        "    folder = work.part()()\n"
        "    folder.mkdir()\n"
        "    (folder / '0.reencoded').write_bytes(b'x')\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    argv = [sys.executable, "-c", code, TALK.source, str(options.spool)]
    assert subprocess.run(argv, check=False).returncode == -9
    assert [path.name for path in home.rglob("*.reencoded")] == ["0.reencoded"]
    with closing(Workspace(TALK, options)):
        assert not home.exists() or not list(home.iterdir())


def test_nobody_tidies_up_what_is_in_use(options, home):
    with closing(Workspace(TALK, options)) as work:
        made = put(work.part())
        tidy_work(home)
        assert made.exists()
        assert is_in_use(home)
    assert not is_in_use(home)


def test_a_claim_that_was_tidied_up_before_it_was_locked_is_made_again(options, home):
    (home / "work-half").mkdir(parents=True)  # its lock is not there yet
    with closing(Workspace(TALK, options)) as work:
        assert not (home / "work-half").exists()
        assert put(work.part()).exists()
