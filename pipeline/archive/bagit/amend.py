"""A bag that holds less than it did: files go or are rewritten, and its tag files say so.

What is not touched keeps the digests it was archived with: damage stays visible.
"""

import hashlib
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from pipeline.archive.bagit import bag, places
from pipeline.archive.bagit.bag import Digests
from pipeline.archive.bagit.places import BagLocation, Form
from pipeline.archive.bagit.staging import digest
from pipeline.errors import NotFoundError, StorageError
from pipeline.storage import Storage
from pipeline.storage.locations import folder
from pipeline.storage.names import printable, safe_key
from pipeline.storage.oserrors import os_errors
from pipeline.storage.spool import put_bytes
from pipeline.storage.temporaries import temporary

Say = Callable[["Held"], "Change"]


class Held(Struct, frozen=True):
    """What a bag holds: the paths of its files, also those that only a manifest lists; ``read``
    gives a small one.
    """

    paths: Sequence[str]
    read: Callable[[str], bytes]


class Change(Struct, frozen=True):
    """What becomes of a bag.  Saying it again of what is left must change nothing."""

    gone: Sequence[str]  # paths, in the order in which they go
    written: Mapping[str, bytes]  # by path
    info: Mapping[str, str]  # labels of bag-info.txt that get another value
    noted: Mapping[str, str]  # what is remembered of a tar


def amend(storage: Storage, place: BagLocation, say: Say, spool: Path) -> list[str]:
    """Change a bag; returns the keys that were written or deleted.  After a crash the bag may be
    damaged until this is run again.

    A tar is packed again.  Raises ``StorageError`` for a bag that is not whole, and the errors of
    the store.
    """
    if place.form is Form.OBJECTS:
        _, keys = _amend_files(storage, place, say, spool)
        return keys
    # always the same: a run that was killed leaves one, and all that is to go in it
    unpacked = spool / "amend" / hashlib.sha256(storage.url(place.key).encode()).hexdigest()[:32]
    shutil.rmtree(unpacked, ignore_errors=True)
    try:
        for path, _, chunks in places.members(storage, place):
            _unpack(unpacked / place.name, path, chunks)
        home = folder(unpacked)
        change, _ = _amend_files(home, BagLocation(place.name), say, spool)
        _pack(storage, place, home, spool=spool, told=change.noted)
    finally:
        shutil.rmtree(unpacked, ignore_errors=True)
    return [place.key, f"{places.STATE}tars/{place.name}.json"]


def _unpack(home: Path, path: str, chunks: Any) -> None:
    target = home / safe_key(path)
    with os_errors(f"write {target}"):
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as file:
            for chunk in chunks:
                file.write(chunk)


def _pack(
    storage: Storage, place: BagLocation, home: Storage, *, spool: Path, told: Mapping[str, Any]
) -> None:
    prefix = f"{place.name}/"
    paths = [found.key.removeprefix(prefix) for found in home.list(prefix)]
    packed = temporary(spool)
    try:
        ordered = sorted(paths, key=lambda path: (bag.is_payload(path), path))
        sha256 = places.pack(home, place.name, ordered, packed)
        stored = storage.put(packed, place.key, sha256=sha256, content_type="application/x-tar")
    finally:
        packed.unlink(missing_ok=True)
    before = places.recall_tar(storage, place.name) or {}
    info = bag.parse_info(places.read(home, BagLocation(place.name), bag.INFO))
    told = {**told, "oxum": info["Payload-Oxum"]}
    noted = {**before, **told, "sha256": sha256, "size": stored.size, "etag": stored.etag}
    places.remember_tar(storage, place.name, noted, spool)


def _amend_files(
    storage: Storage, place: BagLocation, say: Say, spool: Path
) -> tuple[Change, list[str]]:
    """The manifests go first, then what they do not list any more: what is left by a crash is known
    by its name.
    """
    tags = _Tags(storage, place)
    change = say(tags.held)
    written = {**change.written, **tags.fetch(change), **tags.manifests(change)}
    oxum = tags.oxum(change, written.get(bag.FETCH, b""))
    written[bag.INFO] = tags.info(change, oxum)
    written |= tags.of_tags({p: d for p, d in written.items() if not bag.is_payload(p)})
    for path, data in written.items():
        _put(storage, place.key + path, data, spool)
    for path in change.gone:
        storage.delete(place.key + path)
        storage.prune(place.key + path.rpartition("/")[0])
    return change, [place.key + path for path in (*change.gone, *written)]


def _put(storage: Storage, key: str, data: bytes, spool: Path) -> None:
    from pipeline.archive.premis import format_of

    kind = "text/plain" if key.endswith(".txt") else format_of(key)
    put_bytes(storage, key, data, spool, content_type=kind)


class _Tags:
    """The tag files of a bag as they were found."""

    def __init__(self, storage: Storage, place: BagLocation) -> None:
        self._sizes = {f.key.removeprefix(place.key): f.size for f in storage.list(place.key)}
        names = [bag.manifest_name(a, tags=t) for a in bag.ALGORITHMS for t in (False, True)]

        def read(path: str) -> bytes:
            return places.read(storage, place, path)

        try:
            self._listed = {name: bag.parse_manifest(read(name)) for name in names}
            self._info = read(bag.INFO)
            self._fetch = read(bag.FETCH) if bag.FETCH in self._sizes else None
        except (NotFoundError, ValueError) as error:
            said = "a bag that is damaged; see recpipe archive verify"
            raise StorageError(f"{storage.url(place.key)}: {said} ({printable(error)})") from error
        paths = {*self._sizes, *(path for one in self._listed.values() for path in one)}
        self.held = Held(sorted(paths), read)

    def oxum(self, change: Change, fetch: bytes) -> str:
        """Bytes and number of the payload after the change."""
        sizes = {path: len(data) for path, data in change.written.items()}
        sizes = {path: one.size for path, one in bag.parse_fetch(fetch).items()} | sizes
        sizes = self._sizes | sizes
        left = [n for p, n in sizes.items() if bag.is_payload(p) and p not in change.gone]
        return f"{sum(left)}.{len(left)}"

    def fetch(self, change: Change) -> dict[str, bytes]:
        """``fetch.txt`` without what is gone, if there is one."""
        if self._fetch is None:
            return {}
        left = [one for p, one in bag.parse_fetch(self._fetch).items() if p not in change.gone]
        return {bag.FETCH: bag.fetch(left)}

    def manifests(self, change: Change) -> dict[str, bytes]:
        """Both payload manifests."""
        payload = {p: digest([d]) for p, d in change.written.items() if bag.is_payload(p)}
        return {
            name: self._manifest(name, algorithm, payload, change.gone)
            for algorithm in bag.ALGORITHMS
            for name in [bag.manifest_name(algorithm)]
        }

    def info(self, change: Change, oxum: str) -> bytes:
        """``bag-info.txt`` with other values."""
        text = self._info
        for label, value in {**change.info, "Payload-Oxum": oxum}.items():
            line = re.compile(rb"^" + re.escape(label.encode()) + rb":[^\r\n]*", re.MULTILINE)
            text = line.sub(f"{label}: {printable(value)}".encode().replace(b"\\", b"\\\\"), text)
        return text

    def of_tags(self, written: Mapping[str, bytes]) -> dict[str, bytes]:
        """Both tag manifests."""
        tags = {path: digest([data]) for path, data in written.items()}
        return {
            name: self._manifest(name, algorithm, tags, ())
            for algorithm in bag.ALGORITHMS
            for name in [bag.manifest_name(algorithm, tags=True)]
        }

    def _manifest(
        self, name: str, algorithm: str, written: Mapping[str, Digests], gone: Sequence[str]
    ) -> bytes:
        left = {path: one for path, one in self._listed[name].items() if path not in gone}
        left |= {path: one.of(algorithm) for path, one in written.items()}
        return bag.manifest_of(left)
