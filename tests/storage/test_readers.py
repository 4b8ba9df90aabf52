"""Only so many objects of all stores are read at once."""

import threading

import pytest

from pipeline.errors import StorageError
from pipeline.storage.local import LocalStorage
from pipeline.storage.readers import shared
from tests.watch.stores import Counting


@pytest.fixture
def store():
    store = Counting()
    for key, text in (("a", "first"), ("b", "second")):
        store.put(key)
        store.texts[key] = text
    return store


def test_a_reader_waits_until_another_has_finished(store):
    opened = shared(lambda location: (store, ""), 1)
    one, other = opened("s3://one/")[0], opened("s3://other/")[0]
    first, seen = one.open("a"), []
    next(first)
    thread = threading.Thread(target=lambda: seen.extend(other.open("b")))
    thread.start()
    thread.join(0.1)
    assert (thread.is_alive(), seen) == (True, [])
    assert list(first) == []
    thread.join(10)
    assert b"".join(seen) == b"second"


def test_who_fails_or_stops_reading_leaves_its_place(store):
    one, _ = shared(lambda location: (store, ""), 1)("s3://one/")
    for _ in range(3):
        store.errors["a"] = [StorageError("away")]
        with pytest.raises(StorageError):
            list(one.open("a"))
        next(one.open("a"))
    assert b"".join(one.open("a")) == b"first"


def test_all_else_is_the_stores_own_and_folders_are_left_alone(store, tmp_path):
    one, _ = shared(lambda location: (store, ""), 1)("s3://one/")
    assert [found.key for found in one.list()] == ["a", "b"]
    local, _ = shared(lambda location: (LocalStorage(tmp_path), ""), 1)(str(tmp_path))
    assert isinstance(local, LocalStorage)
