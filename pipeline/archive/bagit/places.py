"""Bags in a folder or a bucket: one object for each file, or one tar for each bag."""

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from enum import StrEnum
from itertools import groupby
from pathlib import Path
from typing import IO, Any, cast

from msgspec import Struct

from pipeline.archive.bagit import bag
from pipeline.errors import NotFoundError, StorageError
from pipeline.storage import Storage
from pipeline.storage.oserrors import os_errors
from pipeline.storage.spool import put_bytes

STATE = ".recpipe/"  # what is remembered of an archive; hidden, and in no bag
STAGING = ".recpipe-ingest/"  # bags that are not whole yet
TAR = ".tar"
CHUNK = 1 << 20  # bytes
CUT = "not a whole tar; see recpipe archive verify --repair-from"


class Form(StrEnum):
    """How a bag is stored."""

    OBJECTS = "objects"
    TAR = "tar"


class BagLocation(Struct, frozen=True):
    """One bag of an archive.  ``name`` is empty if the whole storage is the bag."""

    name: str
    form: Form = Form.OBJECTS

    @property
    def key(self) -> str:
        """The key of the tar, or the prefix of all keys of the bag."""
        if self.form is Form.TAR:
            return self.name + TAR
        return f"{self.name}/" if self.name else ""


def places(storage: Storage) -> list[BagLocation]:
    """Every bag of an archive, whole or not, in the order of the keys.

    Every folder should be a bag: one without ``bagit.txt`` is not skipped.
    """
    found: list[BagLocation] = []
    for name, objects in groupby(storage.list(), lambda entry: entry.key.partition("/")[0]):
        inside = any(entry.key != name for entry in objects)
        if name == bag.DECLARATION and not inside:
            return [BagLocation("")]
        if name.startswith("."):
            continue
        if inside:
            found.append(BagLocation(name))
        elif name.endswith(TAR):
            found.append(BagLocation(name.removesuffix(TAR), Form.TAR))
    return found


def named(storage: Storage, name: str) -> BagLocation | None:
    """The bag of this name, if it is whole; without ``bagit.txt`` (RFC 8493 section 2.1.1) it is
    none.
    """
    for place in (BagLocation(name), BagLocation(name, Form.TAR)):
        inside = bag.DECLARATION if place.form is Form.OBJECTS else ""
        try:
            storage.head(place.key + inside)
        except NotFoundError:
            continue
        return place
    return None


def links(storage: Storage, place: BagLocation) -> list[str]:
    """Every symbolic link in a bag, or in its place: what it leads to is not in the archive."""
    return [key.removeprefix(place.key) for key in storage.links(place.key)]


def read(storage: Storage, place: BagLocation, path: str) -> bytes:
    """One small file of a bag.  Raises ``NotFoundError`` if the bag has none of that path."""
    if place.form is Form.OBJECTS:
        return b"".join(storage.open(place.key + path))
    for found, _, chunks in members(storage, place):
        if found == path:
            return b"".join(chunks)
    said = f"holds no {path}; see recpipe archive verify"
    raise NotFoundError(f"{storage.url(place.key)}: {said}")


def members(storage: Storage, place: BagLocation) -> Iterator[tuple[str, int, Iterator[bytes]]]:
    """Path, size and bytes of every file in a tar, in one pass over it.

    Raises ``StorageError`` if it is not a tar to its end, or holds anything but files below its own
    name.
    """
    where = f"read {storage.url(place.key)}"
    stream = cast(IO[bytes], io.BufferedReader(_Chunks(storage.open(place.key)), CHUNK))
    try:
        with tarfile.open(fileobj=stream, mode="r|", bufsize=CHUNK) as tar:
            for member in tar:
                if member.isdir():
                    continue
                path = member.name.removeprefix(f"{place.name}/")
                file = tar.extractfile(member) if member.isfile() else None
                if file is None or path == member.name:
                    said = f"{member.name!r} is no file of this bag; make the tar again"
                    raise StorageError(f"{where}: {said}")
                yield path, member.size, _read(file, where)
        while stream.read(CHUNK):  # the store counts what it sends, and says so at the end
            pass
    except tarfile.TarError as error:
        raise StorageError(f"{where}: {CUT}") from error


def _read(file: IO[bytes], where: str) -> Iterator[bytes]:
    try:
        while chunk := file.read(CHUNK):
            yield chunk
    except tarfile.TarError as error:
        raise StorageError(f"{where}: {CUT}") from error


class _Chunks(io.RawIOBase):
    """An iterator of bytes as a file to read."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._rest = chunks, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = chunk
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


def pack(storage: Storage, name: str, paths: list[str], to: Path) -> str:
    """Write the files of a bag as one tar, in this order; returns the tar's SHA-256 in hex."""
    with os_errors(f"write {to}"), to.open("wb") as file:
        hashing = _Hashing(file)
        with tarfile.open(fileobj=cast(IO[bytes], hashing), mode="w|", bufsize=CHUNK) as tar:
            for path in paths:
                key = f"{name}/{path}"
                member = tarfile.TarInfo(key)
                member.size, member.mode = storage.head(key).size, 0o644
                content = cast(IO[bytes], io.BufferedReader(_Chunks(storage.open(key)), CHUNK))
                tar.addfile(member, content)
    return hashing.digest.hexdigest()


class _Hashing:
    """A file that hashes what is written to it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.digest = file, hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        return self._file.write(data)


def remember_tar(storage: Storage, name: str, told: dict[str, Any], spool: Path) -> None:
    """Note what a tar holds: it may get a storage class that cannot be read at once."""
    write_state(storage, f"tars/{name}.json", told, spool)


def recall_tar(storage: Storage, name: str) -> dict[str, Any] | None:
    """What ``remember_tar`` noted of a tar; None if nothing."""
    told = read_state(storage, f"tars/{name}.json")
    return told if isinstance(told, dict) else None


def write_state(storage: Storage, name: str, told: Any, spool: Path) -> None:
    """Keep a JSON value in the archive's own hidden folder, whole or not at all."""
    data = (json.dumps(told, indent=1, sort_keys=True) + "\n").encode()
    put_bytes(storage, STATE + name, data, spool, content_type="application/json")


def read_state(storage: Storage, name: str) -> Any:
    """The value that ``write_state`` kept; None if there is none, or it is no JSON."""
    try:
        return json.loads(b"".join(storage.open(STATE + name)))
    except (NotFoundError, ValueError, RecursionError):
        return None
