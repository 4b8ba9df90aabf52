"""A bag while it is made: every file is hashed while it is copied, and never twice.

Finished files are written to a journal, so that the run after a crash continues there.
"""

import hashlib
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from msgspec import Struct, to_builtins

from pipeline.archive.bagit import bag, places
from pipeline.archive.bagit.bag import Digests
from pipeline.archive.bagit.places import Form
from pipeline.errors import ExistsError, NotFoundError, StorageError
from pipeline.jobs.limits.parallel import Progress
from pipeline.jobs.options import unwatched
from pipeline.model import StoredObject
from pipeline.storage import Storage
from pipeline.storage.locations import folder
from pipeline.storage.oserrors import os_errors
from pipeline.storage.sending import Sent, unseen

Look = Callable[[Path], None]


class Archive(Struct, frozen=True):
    """Where bags go.  ``bags`` writes with the storage class, lock and tags that were asked for."""

    storage: Storage
    bags: Storage
    form: Form = Form.OBJECTS

    def url(self, name: str) -> str:
        """The URL of a bag, fit to print."""
        return self.storage.url(places.BagLocation(name, self.form).key.removesuffix("/"))


class Staging:
    """One bag while it is made: in a hidden folder, or in its place but without ``bagit.txt``.

    ``files`` are the digests of its files so far, by path.
    """

    def __init__(
        self, archive: Archive, name: str, spool: Path, progress: Progress = unwatched
    ) -> None:
        self._archive, self._name, self._progress = archive, name, progress
        self._spool = spool / "ingest"
        with os_errors(f"make {self._spool}"):
            self._spool.mkdir(parents=True, exist_ok=True)
        identity = hashlib.sha256(archive.url(name).encode()).hexdigest()[:32]
        self._hidden = self._hidden_home(identity)
        self._storage: Storage = folder(self._hidden) if self._hidden else archive.bags
        self._prefix = f"{name}/"
        self._journal = self._spool / f"{identity}.jsonl"
        self._lock = threading.Lock()
        self._known = self._recall()
        self.files: dict[str, Digests] = {}

    def _hidden_home(self, identity: str) -> Path | None:
        """The hidden folder; None in a bucket, where a bag cannot be moved in one step."""
        if self._archive.form is Form.TAR:
            return self._spool / identity
        root = self._archive.storage.path("")
        return root / places.STAGING if root is not None else None

    def _recall(self) -> dict[str, tuple[str, Digests]]:
        """What an earlier run left whole: identity of the source and digests, by path."""
        try:
            lines = self._journal.read_text("utf-8").splitlines()
            there = {found.key: found for found in self._storage.list(self._prefix)}
        except (OSError, NotFoundError, UnicodeDecodeError):
            return {}
        known = {}
        for line in lines:
            try:
                told = json.loads(line)
                digests = Digests(**told["digests"])
                stored = there.get(self._prefix + told["path"])
                if stored and [stored.size, stored.etag] == [digests.size, told["etag"]]:
                    known[told["path"]] = (told["identity"], digests)
            except (ValueError, KeyError, TypeError):  # the last line of a run that was killed
                continue
        return known

    def has(self, path: str, identity: str) -> bool:
        """Whether an earlier run made a file of the same source; then it is taken over."""
        there, digests = self._known.get(path, ("", None))
        if there != identity or digests is None:
            return False
        with self._lock:
            self.files[path] = digests
        return True

    def copy(
        self,
        source: Storage,
        key: str,
        path: str,
        *,
        sha256: str | None,
        version: str = "",
        look: Look | None = None,
    ) -> None:
        """Copy an object, hashed in the same read.  Raises ``StorageError`` for another SHA-256.

        Where none is known, ``version`` tells the object from others of its name.  ``look`` may
        read the copy before it is put in place.
        """
        identity = sha256 or version
        if self.has(path, identity):
            return
        temporary = self._temporary(path)
        try:
            with os_errors(f"write {temporary}"), temporary.open("wb") as file:

                def write(chunk: bytes) -> None:
                    file.write(chunk)
                    self.read_on(chunk)

                digests = digest(source.open(key), write)
            if sha256 not in (None, digests.sha256):
                where, found = source.url(key), digests.sha256
                said = f"SHA-256 {found}, its receipt says {sha256}; convert it again"
                raise StorageError(f"{where}: {said}")
            if look is not None:
                look(temporary)
            self._store(temporary, path, digests, identity=identity)
        finally:
            temporary.unlink(missing_ok=True)

    def write(self, path: str, data: bytes, *, identity: str = "") -> None:
        """Write a small file."""
        temporary = self._temporary(path)
        try:
            with os_errors(f"write {temporary}"):
                temporary.write_bytes(data)
            self._store(temporary, path, digest([data]), identity=identity)
        finally:
            temporary.unlink(missing_ok=True)

    def read_on(self, chunk: bytes) -> None:
        """Tell that so much more of a source has been read."""
        self._progress("copy", len(chunk))

    def _sent(self, storage: Storage) -> Sent:
        """Tells what goes to a store; a file that is only moved is no work."""
        return partial(self._progress, "publish") if storage.path("") is None else unseen

    def read(self, path: str) -> bytes:
        """A small file of the bag so far."""
        return b"".join(self._storage.open(self._prefix + path))

    def _temporary(self, path: str) -> Path:
        return self._storage.temporary(self._prefix + path, self._spool)

    def _store(self, temporary: Path, path: str, digests: Digests, *, identity: str) -> None:
        key = self._prefix + path
        if self._hidden is not None:
            with os_errors(f"write {temporary}"):
                temporary.chmod(0o644 & ~_umask())
        content = _content_type(path)
        told = {"sha256": digests.sha256, "content_type": content}
        stored = self._storage.adopt(temporary, key, **told, sent=self._sent(self._storage))
        if stored.size != digests.size:
            where = self._storage.url(key)
            said = f"{stored.size} bytes stored, {digests.size} sent; run again"
            raise StorageError(f"{where}: {said}")
        self._note(path, identity, digests, stored)

    def _note(self, path: str, identity: str, digests: Digests, stored: StoredObject) -> None:
        told = {"path": path, "identity": identity, "etag": stored.etag}
        line = json.dumps({**told, "digests": to_builtins(digests)}) + "\n"
        with self._lock, os_errors(f"write {self._journal}"):
            self.files[path] = digests
            with self._journal.open("a", encoding="utf-8") as file:
                file.write(line)

    def finish(self, told: Mapping[str, Any]) -> None:
        """Make the bag visible, whole; ``told`` is what is remembered of a tar.

        Raises ``ExistsError`` if a file in its place is not of this bag.
        """
        self._refuse_what_is_not_ours()
        self.write(bag.DECLARATION, bag.DECLARED)
        if self._hidden is not None and self._archive.form is Form.TAR:
            self._finish_tar(self._hidden, told)
        elif self._hidden is not None:
            self._finish_folder(self._hidden)
        self._journal.unlink(missing_ok=True)

    def _refuse_what_is_not_ours(self) -> None:
        """A file of an earlier run with other settings, or of somebody else, belongs in no bag."""
        if self._hidden is not None:
            _keep_only(self._hidden / self._name, self.files)
            return
        for found in self._storage.list(self._prefix):
            if found.key.removeprefix(self._prefix) not in self.files:
                where = self._storage.url(found.key)
                raise ExistsError(f"{where}: not of this bag; remove it and run again")

    def _finish_folder(self, hidden: Path) -> None:
        final = hidden.parent / self._name
        with os_errors(f"write {final}"):
            (hidden / self._name).rename(final)
            _sync_folder(final.parent)

    def _finish_tar(self, hidden: Path, told: Mapping[str, Any]) -> None:
        paths = sorted(self.files, key=lambda path: (bag.is_payload(path), path))
        final, key = self._archive.bags, self._name + places.TAR
        temporary = final.temporary(key, self._spool)
        try:
            sha256 = places.pack(self._storage, self._name, paths, temporary)
            told_of = {"sha256": sha256, "content_type": "application/x-tar"}
            stored = final.adopt(temporary, key, **told_of, sent=self._sent(final))
        finally:
            temporary.unlink(missing_ok=True)
        noted = {**told, "sha256": sha256, "size": stored.size, "etag": stored.etag}
        places.remember_tar(self._archive.storage, self._name, noted, self._spool)
        shutil.rmtree(hidden, ignore_errors=True)


def digest(chunks: Iterable[bytes], write: Callable[[bytes], Any] | None = None) -> Digests:
    """Both digests in one pass; each chunk is passed to ``write``, if there is one."""
    short, long, size = hashlib.sha256(), hashlib.sha512(), 0
    for chunk in chunks:
        short.update(chunk)
        long.update(chunk)
        size += len(chunk)
        if write is not None:
            write(chunk)
    return Digests(size, short.hexdigest(), long.hexdigest())


def _content_type(path: str) -> str:
    from pipeline.archive.premis import format_of

    return "text/plain" if path.endswith(".txt") else format_of(path)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _keep_only(folder: Path, files: Mapping[str, Digests]) -> None:
    """Remove all other files from our hidden folder, temporary ones of a killed run too."""
    with os_errors(f"write in {folder}"):
        for path in sorted(folder.rglob("*"), reverse=True):
            if path.is_dir() and not path.is_symlink():
                if not any(path.iterdir()):
                    path.rmdir()
            elif path.relative_to(folder).as_posix() not in files:
                path.unlink()


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
