"""What already exists under the name of a result, by the receipt beside it."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from msgspec import Struct

from pipeline.errors import ChangedError, NotFoundError
from pipeline.receipts.read import Published, ReceiptError, read
from pipeline.stages.publish import is_plain, receipt_key
from pipeline.storage import Storage


class Earlier(Struct, frozen=True):
    """What already exists under the result's name."""

    key: str
    size: int  # bytes
    published: Published | None  # None: no receipt that fits, after a crash or of another tool

    @property
    def receipt(self) -> Mapping[str, Any] | None:
        """The receipt, if it is of the files that are there."""
        return self.published.receipt if self.published else None

    @property
    def files(self) -> tuple[str, ...]:
        """The keys of all files in the receipt."""
        return tuple(one.key for one in self.published.outputs) if self.published else ()


def earlier(destination: Storage, key: str) -> Earlier | None:
    """An earlier result, None when there is none.  Raises the errors of the store."""
    published = _beside(destination, key)
    own = published.key if published else key
    for name in dict.fromkeys((own, key)):
        try:
            there = destination.head(name)
        except NotFoundError:
            continue
        whole = published is not None and name == own and stands(destination, published)
        return Earlier(name, there.size, published if whole else None)
    return None


def stands(destination: Storage, published: Published) -> bool:
    """Whether every file of a receipt is there, with its size."""
    try:
        return all(destination.head(one.key).size == one.size for one in published.outputs)
    except NotFoundError:
        return False


def lost(destination: Storage, key: str, placed: str, *more: str) -> bool:
    """Whether the receipt of ``key`` is by now of another run's result; then our own files,
    ``placed`` and ``more``, are deleted.

    A receipt that cannot be read is being written: a file too many is better than one too few.
    """
    published = None if is_plain(key, placed) else _beside(destination, key)
    if published is None or published.key == placed:
        return False
    for one in (placed, *more):
        destination.delete(one)
    return True


def _beside(destination: Storage, key: str) -> Published | None:
    """The receipt of a result; None if there is none, or it is another tool's or result's."""
    with suppress(ChangedError):  # another run replaced it just now: that one counts
        return _of(destination, key)
    return _of(destination, key)


def _of(destination: Storage, key: str) -> Published | None:
    try:
        published = read(destination, receipt_key(key))
    except (NotFoundError, ReceiptError):
        return None
    return published if published.plain == key else None
