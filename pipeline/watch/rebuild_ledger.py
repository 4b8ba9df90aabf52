"""A lost ledger made anew from the receipts at the destination."""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pipeline.errors import ChangedError, DeniedError, NotFoundError
from pipeline.jobs.targets import file_name
from pipeline.ledger.claims import Made
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.restore import Restored, enter
from pipeline.ledger.sources import identity
from pipeline.model import Format, SourceFile, Verdict
from pipeline.stages import publish
from pipeline.storage import Storage

_VERSION = re.compile(r"\.v([1-9][0-9]{0,5})")
NOT_THERE = (ChangedError, DeniedError, NotFoundError)  # one receipt that cannot be read


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What became of the receipts."""

    added: int = 0
    known: int = 0  # the ledger had them already
    unreadable: int = 0  # no receipt of ours, or of a result that is not there


def rebuild(ledger: Ledger, destination: Storage) -> Rebuilt:
    """Enter every published version.  Safe to repeat; what the ledger knows better stays."""
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
    """Where a version of a recording lies at its destination."""
    number = f".v{version}" if version > 1 else ""
    return f"{name}{number}.{format.value}"


def _receipts(destination: Storage) -> Iterator[Restored | None]:
    for found in destination.list():
        if "/." in f"/{found.key}" or not found.key.endswith(publish.RECEIPT):
            continue
        receipt = next(filter(None, _results(destination, found.key)), None)
        if receipt or "/" not in found.key:  # below lie results of other commands too
            yield receipt


def _results(destination: Storage, receipt: str) -> Iterator[Restored | None]:
    """What a receipt may be of: ``a.m4a.receipt.json`` is of ``a.m4a``, or of ``a.m4a.mp4``."""
    stem = receipt.removesuffix(publish.RECEIPT)
    others = tuple(f".{format.value}" for format in Format if format is not Format.MP4)
    for key in (stem, f"{stem}.mp4") if stem.endswith(others) else (f"{stem}.mp4",):
        with suppress(*NOT_THERE):
            earlier = publish.earlier(destination, key)
            yield read(earlier, key, destination) if earlier else None


def read(earlier: publish.Earlier, key: str, destination: Storage) -> Restored | None:
    """A receipt that lies beside a result; None if it is that of another one, or of no one."""
    try:
        return _read(earlier.receipt, earlier, key, destination) if earlier.receipt else None
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _read(
    receipt: Mapping[str, Any], earlier: publish.Earlier, key: str, destination: Storage
) -> Restored | None:
    id, output = receipt["recording"], receipt["output"]
    format = Format(receipt["settings"].get("format", Format.MP4))
    stem = key.removesuffix(f".{format.value}")
    if stem == key:
        return None
    called = receipt.get("name")  # by a template
    name = called if isinstance(called, str) and called else file_name(id)
    number = _VERSION.fullmatch(stem.removeprefix(name))
    version = 1 if stem == name else int(number[1]) if number else None
    if version is None:
        return None
    inputs = [SourceFile(**one) for one in receipt["inputs"]]
    note = destination.url(publish.receipt_key(key))
    verdict = Verdict(receipt["verdict"])
    made = Made(
        version,
        verdict,
        destination.url(earlier.key),
        note,
        output["size"],
        output["sha256"],
        (*inputs,),
        tuple(
            (destination.url(at), piece["size"], piece["sha256"])
            for at, piece in zip(earlier.files, receipt.get("pieces", ()), strict=False)
        )[1:],
    )
    source, sid = identity(receipt["source"])
    return Restored(id, source, sid, made)
