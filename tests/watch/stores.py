"""Stores that are made up, and count what is asked of them."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.agora import names
from pipeline.errors import NotFoundError
from pipeline.model import StoredObject
from pipeline.storage.names import printable

PAGE = 1000  # keys in one answer of S3


def sid(n: int) -> str:
    return f"{n:032x}"


@dataclass
class Counting:
    """Objects without bytes, but for playlists.  Counts requests as S3 would answer them."""

    objects: dict[str, StoredObject] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    lists: int = 0
    gets: int = 0
    heads: int = 0
    errors: dict[str, list[Exception]] = field(default_factory=dict)  # of the next reads
    _sorted: list[str] = field(default_factory=list)

    def list(self, prefix: str = "", *, after: str = "") -> Iterator[StoredObject]:
        if len(self._sorted) != len(self.objects):
            self._sorted = sorted(self.objects)
        at = max(bisect_left(self._sorted, prefix), bisect_right(self._sorted, after))
        for number in range(at, len(self._sorted)):
            if (number - at) % PAGE == 0:
                self.lists += 1
            if not self._sorted[number].startswith(prefix):
                return
            yield self.objects[self._sorted[number]]
        self.lists += at == len(self._sorted)

    def head(self, key: str) -> StoredObject:
        self.heads += 1
        if key not in self.objects:
            raise NotFoundError(key)
        return self.objects[key]

    def open(self, key: str, *, etag: str | None = None) -> Iterator[bytes]:
        self.gets += 1
        if self.errors.get(key):
            raise self.errors[key].pop(0)
        yield self.texts[key].encode()

    def path(self, key: str) -> Path | None:
        return None

    def url(self, key: str = "") -> str:
        return printable(f"s3://calls/{key}")

    def forget(self) -> None:
        """Begin to count anew."""
        self.lists = self.gets = self.heads = 0

    @property
    def requests(self) -> int:
        return self.lists + self.gets + self.heads

    def put(self, key: str, size: int = 100, *, etag: str = "e", modified: float = 1e9) -> None:
        self.objects[key] = StoredObject(key, size, etag, modified)
        self._sorted = []

    def record(
        self,
        folder: str,
        n: int,
        segments: int = 4,
        *,
        ended: bool = True,
        missing: tuple[int, ...] = (),
        empty: tuple[int, ...] = (),
        bak: int | None = None,
        modified: float = 1e9,
    ) -> str:
        """A recording as Agora uploads it; returns the key of its playlist."""
        lines = ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-TARGETDURATION:16"]
        for k in range(segments):
            name = names.slice_name(sid(n), "room", 1.7e9 + 15 * k, bak=bak)
            lines += ["#EXTINF:15.0", name]
            if k not in missing:
                self.put(folder + name, 0 if k in empty else 100 + k, modified=modified)
        text = "\n".join([*lines, *(["#EXT-X-ENDLIST"] if ended else []), ""])
        key = folder + names.playlist_name(sid(n), "room", bak=bak)
        self.texts[key] = text
        self.put(key, len(text), etag=f"{hash(text):x}", modified=modified)
        return key
