"""What playlists name, so that nothing is deleted that another playlist still needs.

Anybody may have written one over the slices of a recording without converting it, so that no
receipt knows of it.  Therefore every playlist of a source is read.
"""

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import unquote, urlsplit

from pipeline.errors import NotFoundError, StorageError
from pipeline.storage import Storage
from pipeline.storage.names import TRASH

SUFFIXES = (".m3u8", ".m3u")
READERS = 8  # playlists at once
TRIES = 5  # the playlist of a running recording is rewritten every few seconds
LONGEST = 1 << 16  # bytes of a line

_URI = re.compile(r"""URI=["']([^"']*)["']""")

Found = list[tuple[str, str]]  # a key, or a path from elsewhere; the playlist that names it


class Namings:
    """Which playlists of a source name which of the objects that are to be deleted.

    ``doomed`` and ``playlists`` are keys.  Raises ``StorageError`` for a playlist that cannot be
    read.
    """

    def __init__(self, source: Storage, doomed: Iterable[str], playlists: Iterable[str]) -> None:
        self._root = source.url()
        self._names = _hashes(doomed)
        self._keys: dict[str, set[str]] = defaultdict(set)
        self._paths: dict[str, Found] = defaultdict(list)
        with ThreadPoolExecutor(READERS) as pool:
            for keys, paths in pool.map(lambda key: self._read(source, key), playlists):
                for key, playlist in keys:
                    self._keys[key].add(playlist)
                for path, playlist in paths:
                    self._paths[posixpath.basename(path)].append((path, playlist))

    def _read(self, source: Storage, playlist: str) -> tuple[Found, Found]:
        keys, paths = [], []
        for reference in _references(source, playlist):
            for key, path in resolved(reference, posixpath.dirname(playlist)):
                if key is not None and self._maybe(key):
                    keys.append((key, playlist))
                if path is not None and self._maybe(path):
                    paths.append((path, playlist))
        return keys, paths

    def _maybe(self, key: str) -> bool:
        """Whether an object to be deleted may have this name: no other needs to be remembered."""
        wanted = _hash(key)
        at = self._names.searchsorted(wanted)
        return bool(at < len(self._names) and self._names[at] == wanted)

    def of(self, key: str) -> set[str]:
        """The keys of the playlists that name an object."""
        found = set(self._keys.get(key, ()))
        full = f"/{self._root.rstrip('/')}/{key}"
        for path, playlist in self._paths.get(posixpath.basename(key), ()):
            # a web server may show the store under any folder, and any folder of it as its root
            if full.endswith(f"/{path}") or f"/{path}".endswith(f"/{key}"):
                found.add(playlist)
        return found

    def objection(self, keys: Iterable[str]) -> str | None:
        """Why these objects, which are all of one recording, may not go: a playlist that is not
        among them names one.
        """
        own = set(keys)
        for key in sorted(own):
            others = self.of(key) - own
            if others:
                name = posixpath.basename(key)
                return f"{name} is in {min(others)}: another playlist names it as well"
        return None


def resolved(reference: str, folder: str) -> Iterator[tuple[str | None, str | None]]:
    """What a reference may mean (RFC 3986 section 5): a key, or a path from another root."""
    plain = re.split(r"[?#]", reference, maxsplit=1)[0]
    for text in {reference, plain, unquote(reference), unquote(plain)}:
        path = _path_of(text)
        if path is not None:
            yield None, path
            continue
        key = posixpath.normpath(posixpath.join(folder, text))
        if key.startswith("../"):
            yield None, key.replace("../", "")
        else:
            yield key, None


def _path_of(text: str) -> str | None:
    """The path of a URL, or an absolute path, without its first slash; None for a relative one."""
    if "://" in text:
        try:
            text = urlsplit(text).path or text
        except ValueError:
            text = text.partition("://")[2].partition("/")[2]
    elif not text.startswith("/"):
        return None
    return posixpath.normpath(text).lstrip("/")


def _references(source: Storage, playlist: str) -> list[str]:
    for attempt in range(TRIES):
        try:
            return [one for line in _lines(source.open(playlist)) for one in _named(line)]
        except NotFoundError:
            return []
        except StorageError:
            if attempt + 1 == TRIES:
                raise
    raise AssertionError


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).replace(b"\r", b"\n").split(b"\n")
        rest = rest[:LONGEST]
        yield from lines
    yield rest


def _named(line: bytes) -> list[str]:
    """RFC 8216 section 4.1: a line is a URI, or a tag that may hold some, or nothing."""
    text = line.decode("utf-8", "surrogateescape").strip("\ufeff \t")
    if text.startswith("#"):
        return _URI.findall(text)
    return [text] if text else []


def is_playlist(key: str) -> bool:
    """Whether an object is a playlist by its name, and not in the trash."""
    return key.lower().endswith(SUFFIXES) and not key.startswith(TRASH)


def of_source(source: Storage, doomed: Iterable[str]) -> Namings:
    """What the playlists of a source name now; arguments and errors as of :class:`Namings`."""
    playlists = [found.key for found in source.list() if is_playlist(found.key)]
    return Namings(source, doomed, playlists)


def _hashes(keys: Iterable[str]) -> Any:
    """Of the last parts of keys, in order: eight bytes for each of a million objects."""
    import numpy as np

    return np.unique(np.fromiter(map(_hash, keys), dtype=np.int64))


def _hash(key: str) -> int:
    return hash(posixpath.basename(key))
