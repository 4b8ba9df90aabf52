"""The deletion of a recording's sources as a PREMIS 3 event, beside its receipt."""

from collections.abc import Sequence
from pathlib import Path

from pipeline.archive.bagit.bag import Digests
from pipeline.archive.premis import Agent, Event, File, document, format_of
from pipeline.errors import NotFoundError
from pipeline.receipts.write import software
from pipeline.retention.document import Candidate
from pipeline.retention.erasure.document import Erasure
from pipeline.retention.erasure.traces import Trace
from pipeline.stages.publish import RECEIPT
from pipeline.storage import Storage
from pipeline.storage.spool import put_bytes


def _key(one: Candidate, run: str) -> str:
    return f"{one.receipt_key.removesuffix(RECEIPT)}.{run}.premis.xml"


def erased(
    results: Storage, plan: Erasure, gone: Sequence[Trace], *, spool: Path, now: float
) -> None:
    """Write ``erased.<run>.premis.xml``: how much was deleted for good, when, why and by what
    software, without names of files or users.  ``now`` is in seconds since the epoch.
    """
    name, _, version = software().partition(" ")
    files = [File(f"{n}", Digests(o.size, "", ""), format_of(o.key)) for n, o in enumerate(gone, 1)]
    sids = ", ".join(sorted({one.sid for one in gone}))
    event = Event(
        "deletion",
        now,
        "success",
        (Agent(name, version or None),),
        tuple(file.path for file in files),
        detail=f"run {plan.run}: erased for good in every store, of {sids}",
        note=plan.reason,
    )
    data, key = document(files, [event]), f"erased.{plan.run}.premis.xml"
    put_bytes(results, key, data, spool, content_type="application/xml")


def exists(results: Storage, one: Candidate, run: str) -> bool:
    """Whether the record of a recording's deletion was written before."""
    try:
        results.head(_key(one, run))
    except NotFoundError:
        return False
    return True


def write(results: Storage, one: Candidate, run: str, *, spool: Path, now: float) -> None:
    """Write ``<recording>.<run>.premis.xml``: which files were deleted, when, why and by what
    software.  ``now`` is in seconds since the epoch.
    """
    name, _, version = software().partition(" ")
    files = [
        File(o.key, Digests(o.size, o.sha256, ""), format_of(o.key), o.key.rpartition("/")[2])
        for o in one.objects
    ]
    event = Event(
        "deletion",
        now,
        "success",
        (Agent(name, version or None),),
        tuple(o.key for o in one.objects),
        detail=f"run {run}: sources of {one.key}, SHA-256 {one.sha256}, which was read again",
        note=one.reason,
    )
    data = document(files, [event])
    put_bytes(results, _key(one, run), data, spool, content_type="application/xml")
