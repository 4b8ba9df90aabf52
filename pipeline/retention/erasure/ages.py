"""Which recordings are older than a time: by slices, by receipts, or by when they were stored."""

from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress

from pipeline.agora import names
from pipeline.errors import NotFoundError
from pipeline.receipts.read import ReceiptError, read
from pipeline.retention.erasure.subject import Subject, sid_of
from pipeline.stages.publish import RECEIPT
from pipeline.storage import Storage


def older_than(stores: Mapping[str, Storage], before: float) -> Subject:
    """All recordings recorded entirely before a time, in seconds since the epoch.

    By the names of slices; without slices, by when their objects were stored.
    """
    recorded: dict[str, float] = defaultdict(float)
    stored: dict[str, float] = defaultdict(float)
    for storage in stores.values():
        for found in storage.list():
            slices = [found.name]
            sid = sid_of(found.key)
            if sid is None and found.key.endswith(RECEIPT):
                sid, slices = _told(storage, found.key)
            if sid is None:
                continue
            for name in filter(None, map(names.parse_slice_name, slices)):
                recorded[sid] = max(recorded[sid], name.utc)
            stored[sid] = max(stored[sid], found.modified)
    newest = stored | recorded
    return Subject(frozenset(sid for sid, at in newest.items() if at < before))


def _told(storage: Storage, key: str) -> tuple[str | None, list[str]]:
    """Of a result that has another name: the sid, and the names of what it was made of."""
    with suppress(NotFoundError, ReceiptError):
        made = read(storage, key)
        return sid_of(made.id), [one.key.rpartition("/")[2] for one in made.inputs]
    return None, []
