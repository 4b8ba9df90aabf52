"""A folder on a disk of this machine.  Long: one class has all verbs.

Nothing outside its root is read or written.
"""

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO

from pipeline.errors import (
    ChangedError,
    ExistsError,
    NotFoundError,
    RecpipeError,
    UnsafePathError,
    UsageError,
)
from pipeline.model import StoredObject
from pipeline.storage import CHUNK, allowed, temporaries, unchanged
from pipeline.storage.names import printable, safe_key
from pipeline.storage.oserrors import os_errors
from pipeline.storage.sending import Counted, Sent, unseen
from pipeline.storage.temporaries import is_temporary, make_folder, sync


class LocalStorage:
    """Keys are paths below the root.  A link may point anywhere inside the root, never out of it.

    The ETag is size and time of modification (nanoseconds): it shows a rewritten file, at no cost.
    """

    def __init__(self, root: Path) -> None:
        self.creates_once: bool | None = None
        self.shared = False
        self.root = Path(os.path.realpath(root))
        self._root = str(self.root)
        self._inside = f"{self._root.rstrip('/')}/"  # what every path below the root begins with

    def list(self, prefix: str = "", *, after: str = "") -> Iterator[StoredObject]:
        """Every regular file whose key starts with the prefix, in the order of the keys.

        Skips links out of the root, files that vanish meanwhile, and our temporary files.  Raises
        ``NotFoundError`` if the root is not there.
        """
        folder, slash, start = safe_key(prefix).rpartition("/")
        top = self.path(folder)
        with os_errors(f"list {self.url()}"):
            if not self.root.is_dir():
                raise NotFoundError(f"list {self.url()}: no such folder; check the path")
        found = self._walk(top, folder + slash, start, (top,))
        behind = os.fsencode(after)
        yield from (one for one in found if not after or os.fsencode(one.key) > behind)

    def links(self, prefix: str) -> Iterator[str]:
        """The keys of symbolic links: the prefix itself, or all in that folder; not followed."""
        top = self.root / safe_key(prefix).rstrip("/")
        if top.is_symlink():
            yield prefix
            return
        for folder, folders, files in os.walk(top):
            for path in (Path(folder, name) for name in sorted([*folders, *files])):
                if path.is_symlink():
                    yield str(path.relative_to(self.root))

    def head(self, key: str) -> StoredObject:
        """One file's entry.  Raises ``NotFoundError`` also for a folder or a device."""
        with os_errors(f"read {self.url(key)}"):
            status = self.path(key).stat()
        if not stat.S_ISREG(status.st_mode):
            raise NotFoundError(f"read {self.url(key)}: not a regular file; name a file")
        return _stored(key, status)

    def open(self, key: str, *, etag: str | None = None) -> Iterator[bytes]:
        """The file's bytes in chunks of 1 MiB at most.

        Raises ``ChangedError`` if it changes before the last one is read.
        """
        listed = self.head(key).etag  # head first: opening a pipe would wait for ever
        etag = etag or listed
        with os_errors(f"read {self.url(key)}"), self.path(key).open("rb", buffering=0) as file:
            if _etag(os.fstat(file.fileno())) != etag:
                raise ChangedError(f"read {self.url(key)}: changed since it was listed")
            size = 0
            while chunk := file.read(CHUNK):
                size += len(chunk)
                yield chunk
            after = os.fstat(file.fileno())
            if _etag(after) != etag or size != after.st_size:
                raise ChangedError(f"read {self.url(key)}: changed while being read")

    def put(
        self, source: Path, key: str, *, sha256: str, content_type: str, sent: Sent = unseen
    ) -> StoredObject:
        """Copy a file whole or not at all.  A file system keeps neither digest nor content type."""
        with os_errors(f"read {source}"), source.open("rb") as file:
            counted = Counted(os.fstat(file.fileno()).st_size, sent)
            temporary = self.temporary(key)
            try:
                with os_errors(f"write {self.url(key)}"), temporary.open("xb") as copy:
                    _copy(file, copy, counted)
                stored = self.adopt(temporary, key)
            finally:
                temporary.unlink(missing_ok=True)
        counted.rest()
        return stored

    def create(
        self,
        source: Path,
        key: str,
        *,
        sha256: str,
        content_type: str,
        guard: Callable[[], None] = allowed,
        sent: Sent = unseen,
    ) -> StoredObject:
        """Store a file if nothing has this key: of many at once one wins, the others get
        ``ExistsError``.  POSIX link() fails where the name exists; FAT has no links.
        """
        with os_errors(f"read {source}"), source.open("rb") as file:
            counted = Counted(os.fstat(file.fileno()).st_size, sent)
            temporary = self.temporary(key)
            try:
                with os_errors(f"write {self.url(key)}"):
                    with temporary.open("xb") as copy:
                        _copy(file, copy, counted)
                    sync(temporary)
                guard()
                with os_errors(f"write {self.url(key)}"):
                    self._final(key).hardlink_to(temporary)
                    sync(temporary.parent)
            finally:
                temporary.unlink(missing_ok=True)
        counted.rest()
        return self.head(key)

    def temporary(self, key: str, spool: Path | None = None) -> Path:
        """A new name beside the key's final one, not in the spool; ``list`` leaves it out."""
        return temporaries.temporary(self._final(key).parent)

    def flush(self, temporary: Path) -> None:
        """Sync a file to the disk, which takes long, so that adopting it does not."""
        with os_errors(f"write {printable(temporary)}"):
            sync(temporary)

    def adopt(
        self,
        temporary: Path,
        key: str,
        *,
        sha256: str = "",
        content_type: str = "",
        sent: Sent = unseen,
    ) -> StoredObject:
        """Move a file written under a temporary name into place (POSIX rename()).

        Durable once this returns.  A file system keeps neither digest nor content type.  Raises
        ``UnsafePathError`` for a file in another folder.
        """
        final = self._final(key)
        if Path(os.path.realpath(temporary)).parent != final.parent:
            raise UnsafePathError(f"{printable(temporary)}: not in the folder of {self.url(key)}")
        with os_errors(f"write {self.url(key)}"):
            sync(temporary)
            temporary.replace(final)
            sync(final.parent)
        stored = self.head(key)
        Counted(stored.size, sent).rest()
        return stored

    def delete(self, key: str, *, etag: str | None = None) -> None:
        """Remove a file, or a link but not what it points to.  Safe to repeat."""
        self._final(key)
        if etag is not None:
            with suppress(NotFoundError):
                unchanged(self, key, etag)
        parent, _, name = key.rpartition("/")
        with (
            os_errors(f"delete {self.url(key)}"),
            suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError),
        ):
            (self.path(parent) / name).unlink()

    def copy(self, source: str, key: str, *, etag: str | None = None) -> StoredObject:
        """Link a file under another key; where the file system has no links, copy it.

        Raises ``ExistsError`` if another file has that key.
        """
        found = unchanged(self, source, etag)
        final = self._final(key)
        with os_errors(f"make {final.parent}"):
            make_folder(final.parent)
        try:
            with os_errors(f"write {self.url(key)}"), suppress(FileExistsError):
                os.link(self.path(source), final)
                sync(final.parent)
        except RecpipeError:  # no links here, or not to this file
            self.put(self.path(source), key, sha256="", content_type="")
            with os_errors(f"write {self.url(key)}"):
                status = self.path(source).stat()
                os.utime(final, ns=(status.st_atime_ns, status.st_mtime_ns))
        stored = self.head(key)
        if stored.etag != found.etag:
            raise ExistsError(f"{self.url(key)}: another file is there already")
        return stored

    def prune(self, folder: str) -> bool:
        """Remove a folder if no file is in it or below it; whether it is gone.  Never the root."""
        top = self.path(folder)
        if top == self.root:
            return False
        for below, _, _ in os.walk(top, topdown=False):
            with suppress(OSError):  # something is in it, perhaps a temporary file: swept later
                Path(below).rmdir()
        return not os.path.lexists(top)

    def protection(self, key: str) -> None:
        """A file system has no retention."""

    def versions(self) -> None:
        """A file system keeps none."""

    def uploads(self) -> Iterator[tuple[str, str, float]]:
        """None: a file that is not whole yet is a temporary file."""
        return iter(())

    def abort(self, key: str, id: str) -> None:
        """Nothing: there are no uploads."""

    def putting(
        self,
        *,
        storage_class: str | None = None,
        tags: Mapping[str, str] | None = None,
        lock: str | None = None,
        locked_until: float = 0.0,
    ) -> "LocalStorage":
        """Raises ``UsageError``: files have no class, tags or lock."""
        wanted = "storage class, tags or Object Lock"
        raise UsageError(f"{self.url()}: {wanted}: a folder has none; it needs an S3 store")

    def trials(self) -> None:
        """Nothing of a folder has to be tried but ``create``."""

    def path(self, key: str) -> Path:
        """The path of a file or folder with links resolved, whether or not it exists.

        Raises ``UnsafePathError`` if it is outside the root.
        """
        found = os.path.realpath(self._inside + safe_key(key))
        if found != self._root and not found.startswith(self._inside):
            raise UnsafePathError(f"{self.url(key)}: a link on the way leads out of the root")
        return Path(found)

    def url(self, key: str = "") -> str:
        """The path, fit to print."""
        return printable((self._inside + key).rstrip("/") or "/")

    def uri(self, key: str = "") -> str:
        """``file:///path``, links followed."""
        return self.path(key).as_uri()

    def _final(self, key: str) -> Path:
        """Where a file of this key belongs."""
        if key.endswith("/") or self.path(key) == self.root:
            raise UnsafePathError(f"{self.url(key)}: names a folder, expected a file")
        return self.path(key)

    def _walk(
        self, folder: Path, key: str, start: str, above: tuple[Path, ...]
    ) -> Iterator[StoredObject]:
        for name, status in self._entries(folder, start):
            if stat.S_ISREG(status.st_mode):
                yield _stored(key + name, status)
                continue
            below = Path(os.path.realpath(folder / name))
            if below not in above:  # a link to a folder on the way here has no end
                yield from self._walk(below, key + name, "", (*above, below))

    def _entries(self, folder: Path, start: str) -> Iterator[tuple[str, os.stat_result]]:
        """Files and folders in the order of their keys: ``a-b.ts``, ``a.ts``, ``a/``."""
        names: tuple[str, ...] = ()
        with os_errors(f"list {folder}"), suppress(FileNotFoundError, NotADirectoryError):
            names = tuple(path.name for path in folder.iterdir())
        found = {}
        for name in names:
            if name.startswith(start) and not is_temporary(folder / name):
                status = self._status(folder / name)
                if status is not None:
                    found[name + "/" * stat.S_ISDIR(status.st_mode)] = status
        yield from sorted(found.items(), key=lambda item: os.fsencode(item[0]))

    def _status(self, path: Path) -> os.stat_result | None:
        """None for what is gone, leads nowhere or out of the root, and for devices and pipes."""
        with os_errors(f"list {path}"), suppress(FileNotFoundError):
            status = path.lstat()
            if stat.S_ISLNK(status.st_mode):
                target = Path(os.path.realpath(path))
                if not target.is_relative_to(self.root) or target.is_symlink():
                    return None
                status = target.stat()
            if stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode):
                return status
        return None


def _copy(file: IO[bytes], copy: IO[bytes], counted: Counted) -> None:
    while chunk := file.read(CHUNK):
        copy.write(chunk)
        counted.add(len(chunk))


def _stored(key: str, status: os.stat_result) -> StoredObject:
    return StoredObject(key, status.st_size, _etag(status), status.st_mtime)


def _etag(status: os.stat_result) -> str:
    # without the inode number: a restored backup or a remounted share is still the same file
    return f"{status.st_size:x}-{status.st_mtime_ns:x}"
