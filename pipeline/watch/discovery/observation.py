"""What a listing and the playlists in it say of one recording.  Pure."""

import hashlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest

from msgspec import Struct
from msgspec.structs import replace

from pipeline.agora import names
from pipeline.errors import RecpipeError
from pipeline.ledger.discovery import PartSeen
from pipeline.ledger.sources import identity
from pipeline.model import Part, Playlist, Recording, StoredObject
from pipeline.stages.discover import MEDIA
from pipeline.stages.inspect import find

MOST_PARTS = 3  # failover parts, as Agora counts them
SEGMENTS = tuple(suffix for suffix in MEDIA if suffix != ".mp4")  # results may lie beside


class Observation(Struct, frozen=True):
    """One look at one recording."""

    recording: Recording
    fingerprint: str  # of its listing
    newest: float  # when its last object was stored: seconds since the epoch, the store's clock
    parts: tuple[PartSeen, ...]
    copies: bool  # playlists from the backup cloud are there
    error: RecpipeError | None = None  # why its playlists could not be read

    @property
    def ended(self) -> bool:
        """Whether it has ended: its last part has, which also ends the parts before; of a session
        the last part of each stream.
        """
        pairs = zip_longest(self.parts, self.parts[1:])
        last = [part for part, later in pairs if later is None or later.bak is None]
        return bool(last) and all(part.ended for part in last)

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of segments that are listed and not there, or empty."""
        return tuple(name for part in self.parts for name in part.missing)

    @property
    def listed(self) -> int:
        """How many segments the playlists of all parts list."""
        return sum(part.listed for part in self.parts)


class Folders:
    """The names beside and below each playlist, sorted once."""

    def __init__(self) -> None:
        self._sorted: dict[int, list[tuple[str, str]]] = {}

    def starting(self, part: Part, start: str) -> Iterator[StoredObject]:
        """Objects beside or below a playlist whose names start with ``start``."""
        if id(part.objects) not in self._sorted:
            named = ((one.name, path) for path, one in part.objects.items())
            self._sorted[id(part.objects)] = sorted(named)
        ordered = self._sorted[id(part.objects)]
        for at in range(bisect_left(ordered, (start, "")), len(ordered)):
            name, path = ordered[at]
            if not name.startswith(start):
                return
            yield part.objects[path]


def own_objects(recording: Recording, folders: Folders) -> list[StoredObject]:
    """Playlists and segments of a recording, without other files in its folder.

    Where names are not Agora's, all media of the folder may belong to it.
    """
    found: dict[str, StoredObject] = {}
    for part in recording.parts:
        agora = recording.sid is not None
        for start in _stems(recording) if agora else ("",):
            for one in folders.starting(part, start):
                of_it = names.parse_slice_name(one.name) if agora else one.name.endswith(SEGMENTS)
                if of_it:
                    found[one.key] = one
        for playlist in (part.playlist, *part.copies):
            if playlist is not None:
                found[playlist.key] = playlist
    return list(found.values())


def _stems(recording: Recording) -> list[str]:
    """What names may begin with, also those of a part whose playlist never came."""
    sid, cname = recording.sid or "", recording.cname or ""
    return [names.stem(sid, cname, bak=bak) for bak in (None, *range(MOST_PARTS))]


def fingerprint(objects: Iterable[StoredObject]) -> str:
    """A digest of a listing (hex): equal for equal keys, sizes and ETags."""
    digest = hashlib.sha256()
    for key, size, etag in sorted((o.key, o.size, o.etag or "") for o in objects):
        digest.update(f"{key}\0{size}\0{etag}\0".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def place(recording: Recording) -> str:
    """The key of a recording in its store: that of its sid, or of its playlist."""
    part = recording.parts[0]
    assert part.playlist is not None
    if recording.sid is None:
        return part.playlist.key
    return part.folder + recording.sid


def source(recording: Recording) -> str:
    """The source that identifies a recording in all ledgers."""
    return identity(recording.source)[0]


def unread(
    recording: Recording, objects: Sequence[StoredObject], error: RecpipeError
) -> Observation:
    """The look at a recording whose playlists could not be read: what the listing alone says."""
    empty = replace(recording, parts=())
    return replace(look(empty, {}, objects), recording=recording, error=error)


def look(
    recording: Recording, read: Mapping[str, Playlist], objects: Sequence[StoredObject]
) -> Observation:
    """Compare the playlists of a recording, ``read`` by key, with the objects that are there."""
    parts = []
    for part in _without_indexes(recording):
        playlists = [p for p in (part.playlist, *part.copies) if p is not None]
        best = max(playlists, key=lambda p: (len(read[p.key].segments), read[p.key].ended))
        playlist = read[best.key]
        missing = []
        wanted = {s.uri: None for s in playlist.segments if not s.gap}
        for uri in wanted:
            name, found = find(part, uri)
            if found is None or not found.size:
                missing.append(name)
        parts.append(PartSeen(best.key, part.bak, playlist.ended, len(wanted), tuple(missing)))
    return Observation(
        recording=recording,
        fingerprint=fingerprint(objects),
        newest=max((o.modified for o in objects), default=0.0),
        parts=tuple(parts),
        copies=any(part.copies for part in recording.parts),
    )


def _without_indexes(recording: Recording) -> list[Part]:
    """The parts that a result is made of: an index over streams that are there is none."""
    cnames = [stream.cname or "" for stream in recording.streams]
    indexes = {
        id(part)
        for stream in recording.streams
        if names.is_index(stream.cname or "", cnames)
        for part in stream.parts
    }
    return [part for part in recording.parts if id(part) not in indexes]
