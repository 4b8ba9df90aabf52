"""Stores that are read at a pace."""

import pytest

from pipeline.errors import UsageError
from pipeline.storage.local import LocalStorage
from pipeline.storage.pace import PIECE, SLOWEST, Pace, Paced, paced
from tests.watch.stores import Counting


class Time:
    """Passes while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock():
    return Time()


@pytest.fixture
def pace(clock):
    return Pace(SLOWEST, now=lambda: clock.now, sleep=clock.sleep)


@pytest.fixture
def store():
    store = Counting()
    store.texts["a"] = "x" * (3 * PIECE + 7)
    return store


def test_it_takes_as_long_as_the_bytes_take(store, pace, clock):
    read = list(Paced(store, pace).open("a"))
    assert [len(piece) for piece in read] == [PIECE, PIECE, PIECE, 7]
    assert "".join(piece.decode() for piece in read) == store.texts["a"]
    assert clock.now - 100 == pytest.approx((3 * PIECE + 7) / SLOWEST)


def test_time_that_went_by_unused_is_not_saved_up(store, pace, clock):
    clock.now += 3600
    list(Paced(store, pace).open("a"))
    assert clock.now - 3700 == pytest.approx(3, abs=0.01)


def test_all_readers_share_it(pace, clock):
    for _ in range(4):
        pace.wait(SLOWEST)
    assert clock.now - 100 == pytest.approx(4, abs=0.01)


def test_all_else_is_the_stores_own(store, pace):
    one = Paced(store, pace)
    store.put("b")
    assert [found.key for found in one.list()] == ["b"]
    assert one.url("b") == "s3://calls/b"
    one.creates_once = True  # noted here, by whoever tried it out
    assert one.creates_once


def test_folders_are_not_slowed(tmp_path, store):
    local = LocalStorage(tmp_path)
    opened = paced({"here": (local, "k"), "there": (store, "")}.__getitem__, SLOWEST)
    assert opened("here") == (local, "k")
    assert isinstance(opened("there")[0], Paced)


def test_too_slow_is_refused():
    with pytest.raises(UsageError, match="expected at least 65536"):
        Pace(SLOWEST - 1)
