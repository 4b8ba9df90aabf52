"""Stores of which only so many objects are read at the same time."""

import threading
from collections.abc import Callable, Iterator
from typing import Any, cast

from pipeline.storage import Storage

Opener = Callable[[str], tuple[Storage, str]]


class Shared:
    """A store whose readers share a number of places; everything else is done by the store itself.

    Nobody may open another object while reading one.
    """

    def __init__(self, storage: Storage, places: threading.Semaphore) -> None:
        self._storage, self._places = storage, places

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    def open(self, key: str, *, etag: str | None = None) -> Iterator[bytes]:
        """The bytes in chunks, once there is a place."""
        with self._places:
            yield from self._storage.open(key, etag=etag)


def shared(opened: Opener, places: int) -> Opener:
    """An opener of whose stores ``places`` objects are read at once, in all; files of local folders
    do not count.
    """
    free = threading.Semaphore(places)

    def open_shared(location: str) -> tuple[Storage, str]:
        storage, key = opened(location)
        if storage.path("") is not None:
            return storage, key
        return cast(Storage, Shared(storage, free)), key

    return open_shared
