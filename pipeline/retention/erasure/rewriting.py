"""What is of others as well is rewritten without the subject: sessions, their bags, our lists.

Each step may be done again: then it changes nothing.
"""

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec import Struct

from pipeline.archive import premis
from pipeline.archive.bagit.amend import Change, Held, amend
from pipeline.archive.bagit.places import TAR, BagLocation, Form
from pipeline.errors import NotFoundError, RecpipeError
from pipeline.receipts.read import Published, read
from pipeline.retention import document, trash
from pipeline.retention.erasure import bags, traces
from pipeline.retention.erasure.mentions import DELETED
from pipeline.retention.erasure.sessions import without_user
from pipeline.retention.erasure.subject import Subject, without
from pipeline.retention.erasure.traces import Trace, Traces
from pipeline.retention.plan import GuardError
from pipeline.storage import Storage
from pipeline.storage.names import TRASH
from pipeline.storage.spool import put_bytes

JSON = "application/json"


class Rewrite(Struct, frozen=True):
    """Where something is rewritten, and without whom."""

    stores: Mapping[str, Storage]
    subject: Subject
    spool: Path

    @property
    def results(self) -> Storage:
        """Where the receipts are that plans in the trash speak of."""
        return self.stores["results"]


def session(one: Trace, rewrite: Rewrite) -> None:
    """A session at its destination: the document about it, records of what was deleted, and its
    receipt.
    """
    storage = rewrite.stores[one.store]
    with suppress(NotFoundError):
        made = read(storage, one.key)
        left = without_user(made, rewrite.subject, lambda one: b"".join(storage.open(one.key)))
        for one_of_them, text in left.documents.items():
            _put(storage, one_of_them.key, text, rewrite)
        for found in list(storage.list(f"{made.stem}.")):
            if DELETED.fullmatch(found.key, len(made.stem)):
                record = b"".join(storage.open(found.key))
                _put(storage, found.key, _record(record, found.key, rewrite.subject), rewrite)
        _put(storage, one.key, left.published.text, rewrite)


def _record(text: bytes, key: str, subject: Subject) -> bytes:
    try:
        return premis.without(text, lambda said: subject.named(said.encode()), digests={})
    except ValueError as error:
        raise GuardError(f"{key}: {error}; it names what was erased: look at it yourself") from None


def _put(storage: Storage, key: str, data: bytes, rewrite: Rewrite) -> None:
    put_bytes(storage, key, data, rewrite.spool, content_type=premis.format_of(key))
    _forget_earlier(storage, [key])


def in_bag(one: Trace, rewrite: Rewrite, *, run: str, now: float) -> None:
    """The bag of a session; ``run`` names the erasure, ``now`` is in seconds since the epoch."""
    storage, top = rewrite.stores[one.store], one.key.partition("/")[0]
    tar = top == one.key
    place = BagLocation(top.removesuffix(TAR), Form.TAR) if tar else BagLocation(top)

    def say(held: Held) -> Change:
        return bags.change(held, place.name, rewrite.subject, run=run, now=now)

    _forget_earlier(storage, amend(storage, place, say, rewrite.spool))


def lists(left: Traces, rewrite: Rewrite) -> None:
    """Our own lists: plans in the trash, checks of bags, users of sessions without a receipt."""
    for store, key in traces.lists(left, rewrite.stores, rewrite.subject):
        storage = rewrite.stores[store]
        told = _without(b"".join(storage.open(key)), key, rewrite)
        if told is None:
            storage.delete(key)
            storage.prune(trash.home_of(key.split("/")[1]))
        else:
            put_bytes(storage, key, told, rewrite.spool, content_type=JSON)
        _forget_earlier(storage, [key])


def _without(text: bytes, key: str, rewrite: Rewrite) -> bytes | None:
    """A list without the subject; None if nothing is left of it."""
    try:
        told: Any = json.loads(text)
    except (ValueError, RecursionError):
        raise GuardError(f"{key}: no JSON; it names what was erased: look at it yourself") from None
    if not key.startswith(TRASH):
        left = without(told, rewrite.subject)
        return json.dumps(left, indent=1, ensure_ascii=False).encode() + b"\n"
    kept = [left for one in told["recordings"] if (left := _candidate(one, rewrite)) is not None]
    return document.sealed({**told, "recordings": kept}) if kept else None


def _candidate(told: Any, rewrite: Rewrite) -> Any:
    """A recording in the trash without the subject; None if nothing of others is in it.  That of a
    session names the receipt and the first file that it has now.
    """
    subject = rewrite.subject
    if subject.owner(told["receipt_key"]) or subject.owner(told["recording"]):
        return None
    objects = without(told["objects"], subject)
    if not objects:
        return None
    if objects == told["objects"]:
        return told
    made = _receipt(rewrite.results, told["receipt_key"])
    first: dict[str, Any] = {"key": told["receipt_key"]}  # of a session without any receipt
    if made is not None:
        first = {"key": made.key, "size": made.size, "sha256": made.sha256}
        first["receipt_sha256"] = made.receipt_sha256
    return {**told, **first, "objects": objects}


def _receipt(results: Storage, key: str) -> Published | None:
    with suppress(RecpipeError):
        return read(results, key)
    return None


def _forget_earlier(storage: Storage, keys: Iterable[str]) -> None:
    """Remove the versions of what was rewritten, or is gone."""
    versions = traces.versions_of(storage)
    if versions is None:
        return
    for key in keys:
        found = [*versions.of(key)]
        there = any(one.latest and not one.marker for one in found)
        for one in found:
            if not (there and one.latest):
                versions.remove(key, one.id)
