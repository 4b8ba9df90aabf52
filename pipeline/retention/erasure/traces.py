"""Everything there is of a subject in all stores: what must go, and what only mentions it."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from msgspec import Struct, field

from pipeline.agora import names
from pipeline.archive.bagit.places import STATE, TAR
from pipeline.errors import NotFoundError
from pipeline.retention.erasure.subject import Subject, sid_of, without
from pipeline.retention.interlocks import HOLD
from pipeline.stages.publish import RECEIPT
from pipeline.storage import Storage
from pipeline.storage.names import TRASH
from pipeline.storage.versions import ObjectVersions

ARCHIVE = "archive"  # begins the names of stores with bags
LARGEST = 64 << 20  # bytes of a text that is searched
SESSION = ".session.json"  # the users of a session of individual mode
RECORD = re.compile(r"erased\.[^/]+\.premis\.xml")  # what erasing leaves
SLICE = 20.0  # seconds that a slice lasts at most

_TEXTS = (".m3u8", ".m3u", ".json", ".jsonl", ".xml", ".txt", ".html", ".csv", ".tags")
_OURS = re.compile(rf"{re.escape(TRASH)}[^/]+/plan\.json|{re.escape(STATE)}fixity\.json")


class Trace(Struct, frozen=True):
    """One object, or one version of it, that has to go."""

    store: str
    key: str
    sid: str
    size: int  # bytes
    version: str | None = None
    marker: bool = False  # a delete marker, where versions are kept


class Upload(Struct, frozen=True):
    """A multipart upload that was never completed."""

    store: str
    key: str
    sid: str
    id: str


class _Spans:
    """When whom was recorded, from the names of slices: of all, and of each user."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._spans: dict[tuple[str, str], list[float]] = {}

    def add(self, key: str) -> None:
        """Add a slice, wherever it lies."""
        if self._subject.uid is None:
            return
        name = names.parse_slice_name(key.rpartition("/")[2])
        if name is not None:
            begin, end = name.utc, name.utc + SLICE
            span = self._spans.setdefault((name.sid, name.cname), [begin, end])
            span[:] = [min(span[0], begin), max(span[1], end)]

    def add_receipt(self, storage: Storage, key: str) -> None:
        """Add the slices of a receipt, which may be gone."""
        if self._subject.uid is None:
            return
        try:
            for one in json.loads(b"".join(storage.open(key)))["inputs"]:
                self.add(one["key"])
        except (NotFoundError, ValueError, KeyError, TypeError, AttributeError):
            return

    def mixed(self) -> set[str]:
        """Recordings of all users of a channel made while the user was recorded there."""
        users, others = [], []
        for (sid, cname), span in self._spans.items():
            stream = names.parse_stream(cname)
            if stream is None:
                others.append((sid, cname, span))
            elif self._subject.owner(f"{sid}_{cname}"):
                users.append((stream.cname, span))
        return {
            f"{sid}_{cname}"
            for sid, cname, span in others
            for channel, own in users
            if names.same_channel(channel, cname) and span[0] <= own[1] and own[0] <= span[1]
        }


class Traces(Struct):
    """What was found; pairs are store and key."""

    spans: _Spans
    objects: list[Trace] = field(default_factory=list)
    uploads: list[Upload] = field(default_factory=list)
    held: dict[str, str] = field(default_factory=dict)  # by sid, why
    texts: list[tuple[str, str]] = field(default_factory=list)  # that may mention it
    receipts: list[tuple[str, str]] = field(default_factory=list)
    tars: list[tuple[str, str]] = field(default_factory=list)  # bags that the user may be in
    holds: set[tuple[str, str]] = field(default_factory=set)  # results that are held: their stems
    bygone: list[Trace] = field(default_factory=list)  # versions of texts about sessions
    inside: list[Trace] = field(default_factory=list)  # files of the user in bags of others too
    sessions: list[Trace] = field(default_factory=list)  # receipts the user is to be taken out of
    bags: list[Trace] = field(default_factory=list)  # the same in bags: their receipts, or tars
    rewritten: list[tuple[str, str]] = field(default_factory=list)  # lists of ours
    mixed: set[str] = field(default_factory=set)  # recordings that hold the user among others
    named: set[str] = field(default_factory=set)  # URLs of objects of others that mention it
    elsewhere: set[str] = field(default_factory=set)  # stores that were not searched

    @property
    def sids(self) -> list[str]:
        """The recordings that lose something."""
        return sids_of(self.objects, self.uploads, self.sessions, self.bags)


def sids_of(*all_of: Sequence[Trace | Upload]) -> list[str]:
    """The recordings that lose something."""
    return sorted({one.sid for some in all_of for one in some})


class Listed(NamedTuple):
    """An entry of a store; ``version`` where it keeps some."""

    key: str
    size: int  # bytes
    modified: float  # seconds since the epoch; 0 for a version
    version: str | None = None
    marker: bool = False
    latest: bool = True


def versions_of(storage: Storage) -> ObjectVersions | None:
    """The versions of a store; None if it has none."""
    versions = storage.versions()
    return versions if versions is not None and versions.any() else None


def listing(storage: Storage, prefix: str = "") -> Iterator[Listed]:
    """Everything in a store whose key begins so, with its trash and the versions it keeps."""
    versions = versions_of(storage)
    if versions is None:
        yield from (Listed(one.key, one.size, one.modified) for one in storage.list(prefix))
        return
    for key, one in versions.all(prefix):
        yield Listed(key, one.size, 0.0, one.id, one.marker, one.latest)


def unheard() -> None:
    """Nobody asked how far it is."""


def look(
    stores: Mapping[str, Storage], subject: Subject, seen: Callable[[], None] = unheard
) -> Traces:
    """List all stores, without reading objects; ``seen`` is called for each.  Raises the errors of
    a store.
    """
    found = Traces(spans=_Spans(subject))
    for store, storage in stores.items():
        for one in listing(storage):
            seen()
            found.spans.add(one.key)
            sid = _owner(subject, store, one.key)
            if sid is not None:
                found.objects.append(trace_of(store, one, sid))
            elif inside := subject.owner(one.key):
                found.inside.append(trace_of(store, one, inside))
            earlier = subject.session(one.key) if one.marker or not one.latest else None
            if earlier is not None and sid is None and one.key.endswith(_TEXTS):
                found.bygone.append(trace_of(store, one, earlier))
            if one.latest and not one.marker:
                _note(found, subject, store, one, owned=sid is not None)
        found.uploads += _uploads(subject, store, storage)
    return found


def trace_of(store: str, one: Listed, sid: str) -> Trace:
    """An entry of a store that has to go."""
    return Trace(store, one.key, sid, one.size, one.version, one.marker)


def _owner(subject: Subject, store: str, key: str) -> str | None:
    """In an archive all of a bag goes, or none of it: without a file it would be damaged."""
    top = key.partition("/")[0]
    if store.startswith(ARCHIVE) and not top.startswith("."):
        return subject.owner(top)
    return subject.owner(key)


def _note(found: Traces, subject: Subject, store: str, one: Listed, *, owned: bool) -> None:
    """Note holds, and objects to be read."""
    if one.key.endswith(HOLD):
        stem = one.key.removesuffix(HOLD)
        sid = subject.owner(stem) or subject.session(stem)
        found.held |= {sid: "held"} if sid is not None else {}
        found.holds.add((store, stem))
    if store.startswith(ARCHIVE) and one.key.endswith(TAR):
        found.tars += [(store, one.key)] if _may_hold(subject, one.key) else []
    if one.key.endswith(RECEIPT):
        found.receipts.append((store, one.key))
    if not owned and one.size <= LARGEST and one.key.lower().endswith(_TEXTS):
        found.texts.append((store, one.key))


def _may_hold(subject: Subject, tar: str) -> bool:
    """Whether a tar may hold the subject among others, or under a name that tells nothing."""
    return sid_of(tar) is None or (subject.uid is not None and subject.session(tar) is not None)


def text_of(storage: Storage, key: str) -> bytes:
    """All of a text; empty if it is gone."""
    try:
        return b"".join(storage.open(key))
    except NotFoundError:
        return b""


def lists(found: Traces, stores: Mapping[str, Storage], subject: Subject) -> list[tuple[str, str]]:
    """Store and key of our own lists that have an entry of the subject."""
    return [
        (store, key)
        for store, key in found.texts
        if is_list(found, store, key)
        and is_list_of(store, key, text_of(stores[store], key), subject)
    ]


def is_list(found: Traces, store: str, key: str) -> bool:
    """Whether it may be a list of ours; the document beside a receipt is written with that."""
    if key.endswith(SESSION):
        return (store, key.removesuffix(SESSION) + RECEIPT) not in found.receipts
    return _OURS.fullmatch(key) is not None


def is_list_of(store: str, key: str, text: bytes, subject: Subject) -> bool:
    """Whether an object is a list of ours that has to be rewritten without the subject."""
    if key.endswith(SESSION):
        outside = not store.startswith(ARCHIVE) and subject.session(key) is not None
        return outside and _tells_of(text, subject)
    return _OURS.fullmatch(key) is not None and subject.mentioned(text)


def _tells_of(text: bytes, subject: Subject) -> bool:
    """Whether a list of users has an entry of the subject."""
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return bool(without(told, subject) != told)


def _uploads(subject: Subject, store: str, storage: Storage) -> Iterator[Upload]:
    for key, id, _ in storage.uploads():
        sid = _owner(subject, store, key)
        if sid is not None:
            yield Upload(store, key, sid, id)


def protection(storage: Storage, versions: ObjectVersions | None, one: Trace) -> str | None:
    """Why the store itself refuses to delete an object; None if it does not."""
    with suppress(NotFoundError):
        if versions is None or one.version is None:
            return storage.protection(one.key)
        if not one.marker:
            return versions.protection(one.key, one.version)
    return None


def remove(storage: Storage, versions: ObjectVersions | None, one: Trace) -> None:
    """Delete an object or version for good.  Safe to repeat."""
    if versions is not None and one.version is not None:
        versions.remove(one.key, one.version)
    else:
        storage.delete(one.key)


def prune(storage: Storage, removed: Iterable[Trace]) -> None:
    """Remove the folders named for recordings of these objects, and those of bags, as far as they
    are empty.
    """
    folders = {(one.key.rpartition("/")[0], one.store.startswith(ARCHIVE)) for one in removed}
    for folder, of_bag in sorted(folders, reverse=True):
        while folder and (of_bag or sid_of(folder) is not None) and storage.prune(folder):
            folder = folder.rpartition("/")[0]
