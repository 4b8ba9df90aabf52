"""Locks between real processes."""

import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.errors import RecpipeError
from pipeline.jobs.limits.locks import locked

HOLDER = """
import sys
from pathlib import Path
from pipeline.jobs.limits.locks import locked
print("ready", flush=True)
with locked(Path(sys.argv[1]), sys.argv[2]):
    print("in", flush=True)
    sys.stdin.readline()
print("out", flush=True)
"""
LATER = 30.0  # seconds; a busy machine takes many times as long as an idle one


class Process:
    """Another process that takes a lock and holds it until it is told to go on."""

    def __init__(self, spool, name):
        self.child = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(spool), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[3],
        )
        self.words = []
        self._new = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        for line in self.child.stdout:
            with self._new:
                self.words.append(line.strip())
                self._new.notify_all()

    def says(self, word, within=LATER):
        """It said so, or does within the time."""
        with self._new:
            return self._new.wait_for(lambda: word in self.words, within)

    def go_on(self):
        self.child.stdin.write("\n")
        self.child.stdin.flush()

    def end(self):
        self.child.kill()
        self.child.wait()
        self._reader.join()
        self.child.stdin.close()
        self.child.stdout.close()


@contextmanager
def processes(*made):
    """Ended however the test ends."""
    try:
        yield made
    finally:
        for process in made:
            process.end()


def test_the_second_waits_for_the_first(tmp_path):
    with processes(Process(tmp_path, "a")) as (first,):
        assert first.says("in")
        with processes(Process(tmp_path, "a")) as (second,):
            assert second.says("ready")
            assert not second.says("in", within=0.3)
            first.go_on()
            assert first.says("out")
            assert second.says("in")


def test_other_names_and_other_spools_do_not_wait(tmp_path):
    with processes(
        Process(tmp_path / "1", "a"), Process(tmp_path / "1", "b"), Process(tmp_path / "2", "a")
    ) as started:
        assert all(process.says("in") for process in started)


def test_a_killed_holder_holds_nothing(tmp_path):
    with processes(Process(tmp_path, "a")) as (first,):
        assert first.says("in")
    with locked(tmp_path, "a"):
        pass


def test_threads_wait_for_each_other_too(tmp_path):
    inside, most = [], []

    def work():
        with locked(tmp_path, "a"):
            inside.append(1)
            time.sleep(0.01)
            most.append(len(inside))
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 8


def test_an_error_inside_frees_it(tmp_path):
    with pytest.raises(ZeroDivisionError), locked(tmp_path, "a"):
        raise ZeroDivisionError
    with locked(tmp_path, "a"):
        pass


@pytest.mark.parametrize("name", ["../../etc/x", "s3://b/\N{SNOWMAN}" * 99, "a\nb", ""])
def test_any_name_is_a_file_in_the_folder_of_locks(tmp_path, name):
    with locked(tmp_path / "spool", name):
        (file,) = (tmp_path / "spool" / "locks").iterdir()
    assert len(file.name) == 32
    assert [p.name for p in tmp_path.iterdir()] == ["spool"]


def test_a_spool_that_cannot_be_is_named(tmp_path):
    (tmp_path / "spool").write_text("a file")
    with (
        pytest.raises(RecpipeError, match=f"lock in {tmp_path}/spool/locks"),
        locked(tmp_path / "spool", "a"),
    ):
        pass
