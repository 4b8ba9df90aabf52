"""Which objects of a source the receipts of a destination name."""

from collections.abc import Callable

from pipeline.model import SourceFile
from pipeline.receipts.read import Published, Unreadable, find
from pipeline.retention import plan
from pipeline.retention.interlocks import HOLD, TAGS, Checks
from pipeline.retention.plan import Claim, GuardError
from pipeline.stages.publish import RECEIPT
from pipeline.storage import Storage
from pipeline.storage.names import TRASH, printable

Keep = Callable[[str, str], None]  # recording, why


def refuse_a_whole_store(source: Storage) -> None:
    """Raise ``GuardError`` for a bucket without a prefix, the root of a file system, or a trash."""
    refuse_trash_and_root(source)
    if source.path("") is None and source.url().count("/") < 4:
        raise GuardError(f"{source.url()}: a whole store; name the prefix the recordings are in")


def refuse_trash_and_root(source: Storage) -> None:
    """Raise ``GuardError`` for a trash, or the root of a file system."""
    path = source.path("")
    if f"/{TRASH}" in f"{source.url().rstrip('/')}/":
        raise GuardError(f"{source.url()}: is trash; recpipe clean purge empties it")
    if path is not None and path == path.parent:
        raise GuardError(f"{path}: a whole file system; name the folder the recordings are in")


def claims_of(checks: Checks, keep: Keep) -> tuple[list[Claim], int]:
    """A claim for each receipt of this source, and how many receipts there are in all.

    ``keep`` is called for a receipt that cannot be read.
    """
    marks: dict[str, set[str]] = {HOLD: set(), TAGS: set()}
    receipts = 0
    for found in checks.results.list():
        for suffix, stems in marks.items():
            if found.key.endswith(suffix):
                stems.add(found.key.removesuffix(suffix))
    claims = []
    for one in find(checks.results):
        receipts += 1
        if isinstance(one, Unreadable):
            keep(one.receipt_key.removesuffix(RECEIPT), printable(one.error))
            continue
        inputs = inputs_in(one, checks.source)
        if not inputs:
            continue  # of another source
        tags = _tags(checks.results, one) if one.stem in marks[TAGS] else frozenset()
        channel = one.agora.cname if one.agora else one.root
        begin = one.begin if one.begin is not None else one.converted
        first, last = min(inputs, key=plan.in_order), max(inputs, key=plan.in_order)
        keys = (one.receipt_key, first, last)
        claims.append(Claim(*keys, channel, begin, one.stem in marks[HOLD], tags))
    return claims, receipts


def _tags(results: Storage, published: Published) -> frozenset[str]:
    words = b"".join(results.open(published.stem + TAGS)).decode("utf-8", "replace")
    return frozenset(words.split())


def inputs_in(published: Published, source: Storage) -> dict[str, SourceFile] | None:
    """The inputs of a result by their keys in this source; None if any lies elsewhere."""
    base = source.url().rstrip("/") + "/"
    missing = (SourceFile(key, 0, None, None) for key in published.missing)
    found = {}
    for one in (*published.inputs, *missing):
        full = published.root + one.key
        if not full.startswith(base):
            return None
        found[full[len(base) :]] = one
    return found
