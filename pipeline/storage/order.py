"""Listings in the order of the keys, however long they are and however a store lists."""

import heapq
import json
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from typing import IO

from msgspec.structs import astuple

from pipeline.errors import StorageError
from pipeline.model import StoredObject

RUN = 50_000  # entries in memory at once; what is more waits on the disk, in sorted runs


def checked(found: Iterable[StoredObject], where: str) -> Iterator[StoredObject]:
    """A listing that the store promises to be in order, as it comes.

    Raises ``StorageError`` at the first key that is not.
    """
    before = ""
    for one in found:
        if one.key < before:
            said = f"{where}: {one.key!r} came after {before!r}, which is not the order of S3"
            raise StorageError(f"{said}; tell us which store this is")
        before = one.key
        yield one


def in_order(found: Iterable[StoredObject]) -> Iterator[StoredObject]:
    """A listing in any order, sorted by key; :data:`RUN` entries in memory, the rest on disk."""
    with ExitStack() as stack:
        runs: list[Iterator[StoredObject]] = []
        last: list[StoredObject] = []
        rest = iter(found)
        while entries := sorted(islice(rest, RUN), key=_key):
            if last:
                runs.append(_kept(stack, last))
            last = entries
        yield from heapq.merge(*runs, last, key=_key)


def _key(one: StoredObject) -> str:
    return one.key


def _kept(stack: ExitStack, run: list[StoredObject]) -> Iterator[StoredObject]:
    opened = tempfile.TemporaryFile("w+", encoding="ascii")  # noqa: SIM115 the stack closes it
    file = stack.enter_context(opened)
    file.writelines(json.dumps(astuple(one)) + "\n" for one in run)
    file.seek(0)
    return _read(file)


def _read(file: IO[str]) -> Iterator[StoredObject]:
    return (StoredObject(*json.loads(line)) for line in file)
