"""Every reason not to delete a recording that only a look at the stores can tell."""

import hashlib
from collections.abc import Callable

from msgspec import Struct

from pipeline.errors import NotFoundError, RecpipeError
from pipeline.ledger import custody
from pipeline.ledger.ledger import Ledger
from pipeline.receipts.read import Output, Published, read
from pipeline.retention.plan import GuardError, not_good_enough
from pipeline.storage import Storage
from pipeline.storage.names import TRASH, printable

HOLD = ".hold"
TAGS = ".tags"

Objection = Callable[[Published], str | None]  # why not, None if there is no objection


class Checks(Struct, frozen=True):
    """What is checked again at every stage: plan, apply and purge."""

    source: Storage
    results: Storage
    verify: str = "full"  # read every result again; "head": compare its size only
    include_degraded: bool = False
    archived: Objection | None = None  # whether it is safe in the archive
    ledger: Objection | None = None  # whether it is held there, or worked on

    def refusal(self, receipt_key: str, doomed: list[str], *, receipt_sha256: str) -> str | None:
        """Why the objects of this recording must not be deleted now; None if they may.

        ``doomed`` are their keys in the source.  An error of a store is a reason as well.
        """
        try:
            published = read(self.results, receipt_key)
            if published.receipt_sha256 != receipt_sha256:
                return "its receipt is not the one that was planned with"
            return (
                self._held(published)
                or not_good_enough(published, include_degraded=self.include_degraded)
                or self._inside(published, doomed)
                or (self.ledger(published) if self.ledger else None)
                or (self.archived(published) if self.archived else None)
                or self._result(published)  # last: it may read gigabytes
            )
        except RecpipeError as error:
            return printable(error)

    def _held(self, published: Published) -> str | None:
        try:
            self.results.head(published.stem + HOLD)
        except NotFoundError:
            return None
        return "held"

    def _inside(self, published: Published, doomed: list[str]) -> str | None:
        """The result itself must not be among what is deleted, nor in a trash."""
        for kept in (*(one.key for one in published.outputs), published.receipt_key):
            place = self.results.uri(kept)
            if place in {self.source.uri(key) for key in doomed}:
                return "its result is one of its sources"
            if f"/{TRASH}" in place:
                return "its result lies in the trash"
        return None

    def _result(self, published: Published) -> str | None:
        """Why the result is not that of the receipt, file by file, read again."""
        found = (self._output(one, many=bool(published.pieces)) for one in published.outputs)
        return next((why for why in found if why), None)

    def _output(self, one: Output, *, many: bool) -> str | None:
        its = f"its result {one.name}" if many else "its result"
        found = self.results.head(one.key)
        if found.size != one.size:
            return f"{its} has {found.size} bytes, the receipt says {one.size}"
        if self.verify == "head":
            return None
        digest = hashlib.sha256()
        for chunk in self.results.open(one.key, etag=found.etag):
            digest.update(chunk)
        if digest.hexdigest() != one.sha256:
            return f"{its} is not the one of the receipt: SHA-256 differs"
        return None


def asked(ledger: Ledger) -> Objection:
    """The objections of a ledger.

    Raises ``GuardError`` if it knows no recording at all: it has lost its holds as well.
    """
    if custody.is_empty(ledger):
        said = "the ledger knows no recording at all, nor which are held"
        raise GuardError(f"{said}; bring it back, or make it again with recpipe ledger rebuild")

    def objection(published: Published) -> str | None:
        return custody.objection(ledger, published.id, str(published.receipt["source"]))

    return objection


def protected(source: Storage, keys: list[str]) -> str | None:
    """The first object that the store itself refuses to delete, and why; None without any."""
    for key in keys:
        why = source.protection(key)
        if why is not None:
            return f"{key.rpartition('/')[2]}: {why}"
    return None
