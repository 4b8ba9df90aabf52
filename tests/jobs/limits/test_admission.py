"""Jobs begin only while the disk has room for all of them."""

import threading
from contextlib import ExitStack

import pytest

from pipeline.jobs.limits.admission import Room
from pipeline.jobs.limits.disk_space import SPARE
from pipeline.jobs.limits.memory import EACH


class Waited(Exception):
    """Somebody had to wait."""


def never():
    raise Waited


def room(size):
    return Room(lambda folder: size + SPARE)


def has_to_wait(shared, needs):
    with pytest.raises(Waited), shared.admitted(needs, never):
        pass


def test_what_fits_together_begins_at_once(tmp_path):
    shared = room(100)
    with shared.admitted({tmp_path: 60}, never), shared.admitted({tmp_path: 40}, never):
        has_to_wait(shared, {tmp_path: 1})
    with shared.admitted({tmp_path: 100}, never):
        pass


def test_one_alone_begins_whatever_it_needs(tmp_path):
    with room(100).admitted({tmp_path: 1000}, never):
        pass


def test_two_folders_of_one_disk_are_one(tmp_path):
    shared = room(100)
    other = tmp_path / "other"
    other.mkdir()
    with shared.admitted({tmp_path: 50}, never):
        has_to_wait(shared, {tmp_path: 30, other: 30})


def test_one_more_begins_only_if_memory_is_left(tmp_path):
    left = [EACH - 1]
    shared = Room(lambda folder: 1 << 40, lambda: left[0])
    with shared.admitted({tmp_path: 1}, never):
        has_to_wait(shared, {tmp_path: 1})
        left[0] = EACH
        with shared.admitted({tmp_path: 1}, never):
            pass
    left[0] = 0
    with shared.admitted({tmp_path: 1}, never):
        pass


def test_who_waits_begins_when_another_ends(tmp_path):
    shared, waits, begun = room(100), threading.Event(), threading.Event()

    def second():
        with shared.admitted({tmp_path: 50}, waits.set):
            begun.set()

    thread = threading.Thread(target=second)
    with ExitStack() as first:
        first.enter_context(shared.admitted({tmp_path: 80}, never))
        thread.start()
        assert waits.wait(10)
        assert not begun.is_set()
    thread.join(10)
    assert begun.is_set()


def test_what_failed_holds_nothing(tmp_path):
    shared = room(100)
    with pytest.raises(ZeroDivisionError), shared.admitted({tmp_path: 80}, never):
        raise ZeroDivisionError
    with shared.admitted({tmp_path: 100}, never):
        has_to_wait(shared, {tmp_path: 1})
