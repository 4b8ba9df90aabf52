"""A lost ledger rebuilt from the receipts at the destination."""

import re
from collections.abc import Iterator
from contextlib import suppress

from msgspec import Struct

from pipeline.choices import Format
from pipeline.errors import ChangedError, DeniedError, NotFoundError
from pipeline.jobs.output.destinations import file_name
from pipeline.ledger.claims import PublishedVersion
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.restore import Restored, enter
from pipeline.ledger.sources import identity
from pipeline.model import SourceFile
from pipeline.receipts.earlier import stands
from pipeline.receipts.read import Published, ReceiptError, Unreadable, find
from pipeline.storage import Storage

_VERSION = re.compile(r"\.v([1-9][0-9]{0,5})")
NOT_THERE = (ChangedError, DeniedError, NotFoundError)  # one receipt that cannot be read


class Rebuilt(Struct, frozen=True):
    """How many receipts there were."""

    added: int = 0
    known: int = 0  # the ledger had them already
    unreadable: int = 0  # not a receipt of ours, or of a result that is not there


def rebuild(ledger: Ledger, destination: Storage) -> Rebuilt:
    """Enter every published version.  Safe to repeat; newer entries of the ledger stay.

    Raises the errors of the store that do not concern one receipt alone.
    """
    added = known = unreadable = 0
    where = destination.url()
    for receipt in _receipts(destination):
        if receipt is None:
            unreadable += 1
        elif enter(ledger, where, receipt):
            added += 1
        else:
            known += 1
    return Rebuilt(added, known, unreadable)


def result_key(name: str, version: int, format: Format = Format.MP4) -> str:
    """The key of a version of a recording at its destination; the first has no number."""
    number = f".v{version}" if version > 1 else ""
    return f"{name}{number}.{format.value}"


def _receipts(destination: Storage) -> Iterator[Restored | None]:
    for found in find(destination):
        receipt = _readable(found, destination)
        if receipt or "/" not in found.receipt_key:  # below lie results of other commands too
            yield receipt


def _readable(found: Published | Unreadable, destination: Storage) -> Restored | None:
    if isinstance(found, Unreadable):
        if isinstance(found.error, (ReceiptError, *NOT_THERE)):
            return None
        raise found.error
    with suppress(*NOT_THERE):
        return restored(found, destination) if stands(destination, found) else None
    return None


def restored(published: Published, destination: Storage) -> Restored | None:
    """What the ledger keeps of a receipt; None if it lies beside a result of another name."""
    receipt = published.receipt
    version = _version(published)
    if version is None:
        return None
    made = PublishedVersion(
        version,
        published.verdict,
        destination.url(published.key),
        destination.url(published.receipt_key),
        published.size,
        published.sha256,
        tuple(SourceFile(i["key"], i["size"], i["etag"], i["sha256"]) for i in receipt["inputs"]),
        tuple((destination.url(o.key), o.size, o.sha256) for o in published.outputs[1:]),
        published.seconds,
        published.lost,
    )
    source, sid = identity(receipt["source"])
    return Restored(published.id, source, sid, made)


def _version(published: Published) -> int | None:
    """Which version of its recording it is, by its name."""
    receipt = published.receipt
    stem = published.plain.removesuffix(f".{receipt['settings']['format']}")
    called = receipt.get("name")  # by a template
    name = called if isinstance(called, str) and called else file_name(published.id)
    if stem == name:
        return 1
    number = _VERSION.fullmatch(stem.removeprefix(name))
    return int(number[1]) if number else None
