"""Recordings into a store: all files at once, or as they would appear while recording."""

import hashlib
import heapq
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct, field
from msgspec.structs import replace

from pipeline.agora.names import backup_name
from pipeline.errors import ExistsError, NotFoundError
from pipeline.simulator.recorder.mux import mux_all
from pipeline.simulator.recorder.values import HZ, Playlist, RecordedPart, Segment
from pipeline.storage import Storage
from pipeline.storage.oserrors import os_errors

TYPES = {
    ".m3u8": "application/vnd.apple.mpegurl",
    ".ts": "video/mp2t",
    ".webm": "video/webm",
    ".mp4": "video/mp4",
    ".m4s": "video/iso.segment",
    ".json": "application/json",
    ".vtt": "text/vtt",
}


class Shelf(Struct, frozen=True):
    """The folder of a store that a recording is put into.  Raises the errors of the store."""

    storage: Storage
    prefix: str = ""  # empty, or ending in a slash

    def put(self, name: str, data: bytes) -> None:
        """Store a file, whole or not at all."""
        suffix = Path(name).suffix
        kind = TYPES.get(suffix, "application/octet-stream")
        with os_errors("write a temporary file"), tempfile.NamedTemporaryFile() as file:
            file.write(data)
            file.flush()
            digest = hashlib.sha256(data).hexdigest()
            self.storage.put(Path(file.name), self.prefix + name, sha256=digest, content_type=kind)

    def put_segment(self, segment: Segment) -> None:
        """Store the file of a segment, if it has one."""
        if segment.stored:
            self.put(segment.name, segment.data)

    def put_playlist(self, playlist: Playlist) -> None:
        """Store the playlist as it is now, in place of what was there."""
        self.put(playlist.name, playlist.data)

    def refuse_other(self, name: str, known: str) -> None:
        """Raise ``ExistsError`` if a file of that name is there and does not contain ``known``."""
        try:
            found = b"".join(self.storage.open(self.prefix + name))
        except NotFoundError:
            return
        if known.encode() not in found:
            where = self.storage.url(self.prefix + name)
            raise ExistsError(f"{where}: of another recording; name a folder of its own")


class Backup(Shelf, frozen=True):
    """Agora's backup cloud: keeps files that could not be uploaded until they are forwarded."""

    held: dict[str, bytes] = field(default_factory=dict)

    def put(self, name: str, data: bytes) -> None:
        """Keep a file."""
        self.held[name] = data

    def forward(self, tick: int) -> None:
        """Store all that is kept; playlists last, as ``<stem>_<tick>_0.m3u8``, to replace none."""
        shelf = Shelf(self.storage, self.prefix)
        for name, data in sorted(self.held.items(), key=lambda one: one[0].endswith(".m3u8")):
            stem, _, suffix = name.rpartition(".")
            shelf.put(backup_name(stem, tick, 0) if suffix == "m3u8" else name, data)
        self.held.clear()


def publish(shelf: Shelf, parts: Sequence[RecordedPart]) -> None:
    """Store everything at once, each playlist after its segments."""
    for part in parts:
        for segment in mux_all(part.segments):
            shelf.put_segment(segment)
        for name, data in part.files.items():
            shelf.put(name, data)
        shelf.put_playlist(part.playlist)


def publish_live(
    shelf: Shelf,
    parts: Sequence[RecordedPart],
    *,
    speed: float = 1.0,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Store every slice when it would be complete, and the playlist after each; ENDLIST last.

    ``speed`` times as fast as recorded.
    """
    began = clock()
    for part in parts:
        for name, data in part.files.items():
            shelf.put(name, data)
        for number, segment in enumerate(mux_all(part.segments)):
            due = began + (segment.begin + segment.length) / HZ / speed
            sleep(max(0.0, due - clock()))
            shelf.put_segment(segment)
            shelf.put_playlist(_so_far(part, number))
        shelf.put_playlist(part.playlist)


def publish_together(
    shelf: Shelf,
    parts: Sequence[RecordedPart],
    *,
    speed: float = 1.0,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Store parts that were recorded at the same time, as :func:`publish_live` does; all playlists
    end when the last slice is stored, and what else lies beside them comes then.
    """
    began = clock()
    for due, number, segment, part in heapq.merge(*map(_timed, parts), key=lambda one: one[0]):
        sleep(max(0.0, began + due / HZ / speed - clock()))
        shelf.put_segment(segment)
        shelf.put_playlist(_so_far(part, number))
    for part in parts:
        for name, data in part.files.items():
            shelf.put(name, data)
        shelf.put_playlist(part.playlist)


def _timed(part: RecordedPart) -> Iterator[tuple[int, int, Segment, RecordedPart]]:
    """Every segment with the tick at which it is complete, and its number."""
    for number, segment in enumerate(mux_all(part.segments)):
        yield segment.begin + segment.length, number, segment, part


def _so_far(part: RecordedPart, number: int) -> Playlist:
    """What is listed when this segment has been stored."""
    later = {segment.name for segment in part.segments[number + 1 :]}
    known = part.playlist
    upto = next((n for n, e in enumerate(known.entries) if e.uri in later), len(known.entries))
    listed = known.entries[:upto]
    return replace(known, entries=listed, ended=False, after=(), cut=0)
