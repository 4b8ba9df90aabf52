"""Bags for other archives: as OCFL 1.1 objects, or as one tar each.

Every digest is taken from the bag's manifests and compared while copying; none is made twice.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

from pipeline.archive.bagit import bag, places
from pipeline.archive.bagit.bag import Digests
from pipeline.archive.bagit.fixity import LINKED, CheckedFile, Contents, judge, summary
from pipeline.archive.bagit.places import BagLocation, Form
from pipeline.archive.bagit.staging import digest
from pipeline.archive.premis import moment
from pipeline.errors import ExistsError, StorageError
from pipeline.receipts.write import software
from pipeline.storage import Storage
from pipeline.storage.locations import folder
from pipeline.storage.oserrors import os_errors

OBJECT = "ocfl_object_1.1"
ROOT = "ocfl_1.1"
LAYOUT = "0003-hash-and-id-n-tuple-storage-layout"


def to_tar(storage: Storage, place: BagLocation, to: Path) -> Path:
    """Write a bag as one tar into a folder, checked on the way; safe to repeat.

    Raises ``StorageError`` for a bag that is damaged or holds a link.
    """
    key = f"{place.name or 'bag'}{places.TAR}"
    home = folder(to)
    work = _workplace(home.root, place)
    try:
        paths = sorted(_copy(storage, place, work), key=lambda p: (bag.is_payload(p), p))
        temporary = home.temporary(key)
        try:
            places.pack(folder(work), place.name or "bag", paths, temporary)
            home.adopt(temporary, key)
        finally:
            temporary.unlink(missing_ok=True)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return home.root / key


def to_ocfl(storage: Storage, place: BagLocation, to: Path, *, now: float) -> Path:
    """Write a bag as version 1 of an OCFL 1.1 object, in an OCFL storage root; returns its path.

    ``now`` is in seconds since the epoch.  Raises ``ExistsError`` for an object that is there, or
    a folder that is no storage root, ``StorageError`` for a bag that is damaged.
    """
    root = folder(to).root
    _make_root(root)
    id = f"urn:x-recpipe:recording:{quote(place.name or 'bag')}"
    final = root / _layout(id)
    with os_errors(f"write {final}"):
        if final.exists():
            raise ExistsError(f"{final}: exported before; OCFL objects are not replaced")
        work = _workplace(root, place)
    try:
        inner = work / "v1" / "content"
        held = _copy(storage, place, inner)
        with os_errors(f"write {work}"):
            (inner / (place.name or "bag")).rename(work / "bag")
            inner.rmdir()
            (work / "bag").rename(inner)
            (work / f"0={OBJECT}").write_text(f"{OBJECT}\n")
            inventory = _inventory(id, held, now)
            for where in (work, work / "v1"):
                (where / "inventory.json").write_bytes(inventory)
                told = f"{hashlib.sha512(inventory).hexdigest()} inventory.json\n"
                (where / "inventory.json.sha512").write_text(told)
            final.parent.mkdir(parents=True, exist_ok=True)
            work.rename(final)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return final


def _workplace(root: Path, place: BagLocation) -> Path:
    digest_of_name = hashlib.sha256(place.key.encode()).hexdigest()[:16]
    work = root.parent / f".recpipe-export-{digest_of_name}"  # an OCFL root holds objects only
    with os_errors(f"write {work}"):
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
    return work


def _copy(storage: Storage, place: BagLocation, to: Path) -> dict[str, Digests]:
    """Every file of a bag, below its name; StorageError unless all are what the manifests say."""
    linked = places.links(storage, place)
    if linked:
        raise StorageError(f"{storage.url(place.key + linked[0])}: a link: {LINKED}")
    held: dict[str, Digests] = {}
    home = folder(to)
    for path, chunks in _files(storage, place):
        key = f"{place.name or 'bag'}/{path}"
        temporary = home.temporary(key)
        try:
            with os_errors(f"write {temporary}"), temporary.open("wb") as file:
                held[path] = digest(chunks, file.write)
            home.adopt(temporary, key)
        finally:
            temporary.unlink(missing_ok=True)
    _refuse_damage(storage, place, home, held)
    return held


def _files(storage: Storage, place: BagLocation) -> Iterator[tuple[str, Iterator[bytes]]]:
    if place.form is Form.TAR:
        for path, _, chunks in places.members(storage, place):
            yield path, chunks
    else:
        for found in list(storage.list(place.key)):
            yield found.key[len(place.key) :], storage.open(found.key)


def _refuse_damage(
    storage: Storage, place: BagLocation, copy: Storage, held: Mapping[str, Digests]
) -> None:
    contents = Contents({path: CheckedFile(one.size, one) for path, one in held.items()})
    for path in held:
        if not bag.is_payload(path):
            contents.texts[path] = b"".join(copy.open(f"{place.name or 'bag'}/{path}"))
    problems = list(judge(contents))
    if problems or not held:
        said = summary(problems) or "empty"
        raise StorageError(f"{storage.url(place.key)}: {said}; see recpipe archive verify")


def _make_root(root: Path) -> None:
    with os_errors(f"write {root}"):
        root.mkdir(parents=True, exist_ok=True)
        if (root / f"0={ROOT}").exists():
            return
        if any(root.iterdir()):
            raise ExistsError(f"{root}: not empty, and no OCFL storage root; name another")
        layout = {"extension": LAYOUT, "description": "Hashed and encapsulated by identifier"}
        (root / "ocfl_layout.json").write_text(json.dumps(layout, indent=1) + "\n")
        extension = root / "extensions" / LAYOUT
        extension.mkdir(parents=True)
        hashing = {"digestAlgorithm": "sha256", "tupleSize": 3, "numberOfTuples": 3}
        settings = {"extensionName": LAYOUT, **hashing}
        (extension / "config.json").write_text(json.dumps(settings, indent=1) + "\n")
        (root / f"0={ROOT}").write_text(f"{ROOT}\n")


def _layout(id: str) -> str:
    """An object's path by OCFL extension 0003: three tuples of the hash, then the encoded id."""
    name = hashlib.sha256(id.encode()).hexdigest()
    encoded = re.sub(r"%..", lambda code: code[0].lower(), quote(id, safe=""))
    encoded = encoded.replace(".", "%2e").replace("~", "%7e")
    if len(encoded) > 100:
        encoded = f"{encoded[:100]}-{name}"
    return f"{name[:3]}/{name[3:6]}/{name[6:9]}/{encoded}"


def _inventory(id: str, held: Mapping[str, Digests], now: float) -> bytes:
    manifest: dict[str, list[str]] = {}
    state: dict[str, list[str]] = {}
    fixity: dict[str, list[str]] = {}
    for path, digests in sorted(held.items()):
        manifest.setdefault(digests.sha512, []).append(f"v1/content/{path}")
        fixity.setdefault(digests.sha256, []).append(f"v1/content/{path}")
        state.setdefault(digests.sha512, []).append(path)
    version = {
        "created": moment(now),
        "message": "exported from a BagIt bag",
        "state": state,
        "user": {"name": software(), "address": "urn:x-recpipe:software"},
    }
    told = {
        "id": id,
        "type": "https://ocfl.io/1.1/spec/#inventory",
        "digestAlgorithm": "sha512",
        "head": "v1",
        "manifest": manifest,
        "fixity": {"sha256": fixity},
        "versions": {"v1": version},
    }
    return (json.dumps(told, indent=1, ensure_ascii=False) + "\n").encode()
