"""Captions that lie beside a recording, or were named: which files they are, and what they say.

Agora's Real-Time STT writes a playlist (.m3u8) of WebVTT files (.vtt) into the storage it is told;
how it calls them is not documented.  So they are known by what they are, and belong to a recording
by its sid, by its channel, or because no other recording lies there.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from msgspec import Struct

from pipeline.agora import names
from pipeline.errors import ChangedError, DeniedError, NotFoundError, UsageError
from pipeline.media.captions import webvtt
from pipeline.media.captions.languages import in_name
from pipeline.media.captions.listing import is_caption, lists_captions
from pipeline.media.captions.readings import CaptionFile
from pipeline.media.malformed import Malformed
from pipeline.media.playlist import parse as playlists
from pipeline.model import Part, Recording, SourceFile, StoredObject
from pipeline.storage import Storage
from pipeline.storage.names import printable

PLAYLIST = ".m3u8"
GONE = (ChangedError, DeniedError, NotFoundError)  # what costs captions, and nothing else
LARGEST_PLAYLIST = 4 << 20  # bytes
MOST_FILES = 20_000  # of one playlist: a day in slices of 5 seconds
MOST_BYTES = 64 << 20  # of all files of one playlist
DAY = 86_400.0  # seconds
MOST_GROUPS = 16  # subtitle tracks of one file

_NUMBERED = re.compile(r"[._-][0-9]{1,17}$")
_REST = re.compile(  # behind the channel: a language and a time, if any
    r"(?:[._-][a-z]{2,3}(?:[-_][A-Z]{2})?)?(?:_[0-9]{17})?\.(?:vtt|m3u8)", re.IGNORECASE
)
_TIMED = re.compile(r"_([0-9]{17})$")


class Group(Struct, frozen=True, eq=False):
    """Files that become one subtitle track: those of a playlist, or those that are called alike."""

    name: str  # of the playlist, or what all names have in common
    playlist: StoredObject | None
    files: tuple[StoredObject, ...]
    storage: Storage

    @property
    def objects(self) -> tuple[StoredObject, ...]:
        """Everything that is read."""
        return (*([self.playlist] if self.playlist else []), *self.files)


class CaptionsRead(Struct, frozen=True, eq=False):
    """What a group says; ``wrong`` says of files that cannot be used why."""

    name: str
    language: str  # BCP 47, or empty
    files: tuple[CaptionFile, ...] = ()
    sources: tuple[SourceFile, ...] = ()
    wrong: tuple[str, ...] = ()


def beside(recording: Recording, storage: Storage) -> tuple[Group, ...]:
    """The captions that belong to a recording, in the order of their names."""
    part = recording.parts[0]
    near = (one for one in _grouped(belonging(recording), storage) if _in_time(one, part))
    return tuple(islice(near, MOST_GROUPS))


def belonging(recording: Recording) -> Mapping[str, StoredObject]:
    """The captions that are a recording's own by their names, by name, whatever their time."""
    part = recording.parts[0]
    if not part.captions or part.playlist is None:
        return {}
    own = _own(part.captions, recording)
    return own if own or not _alone(recording, part) else part.captions


def _own(captions: Mapping[str, StoredObject], recording: Recording) -> dict[str, StoredObject]:
    """By sid, or by channel, as the names of Agora's files have them; and what is called like a
    playlist of these.
    """
    own = {name for name in captions if _belongs(name.rpartition("/")[2], recording)}
    stems = tuple(_stem(name) for name in own if _is_playlist(name))
    return {name: o for name, o in captions.items() if name in own or name.startswith(stems)}


def _belongs(name: str, recording: Recording) -> bool:
    if recording.sid is None or recording.cname is None:
        return name.startswith(recording.id)
    behind = name.partition("_")[2]
    channels = (recording.cname, names.replaced(recording.cname))
    left = (behind.removeprefix(one) for one in channels if behind.startswith(one))
    return recording.sid in name or any(_REST.fullmatch(one) for one in left)


def _alone(recording: Recording, part: Part) -> bool:
    """No playlist of another recording lies there."""
    own = [one for each in recording.parts for one in (each.playlist, *each.copies) if one]
    keys = {one.key for one in (*own, *part.captions.values())}
    return not any(_is_playlist(name) and o.key not in keys for name, o in part.objects.items())


def _grouped(captions: Mapping[str, StoredObject], storage: Storage) -> Iterator[Group]:
    """Those of each playlist, and the others by what their names have in common."""
    left = sorted(name for name in captions if not _is_playlist(name))
    for name in sorted(filter(_is_playlist, captions), key=lambda one: (-len(one), one)):
        its = [one for one in left if one.startswith(_stem(name))]
        left = [one for one in left if not one.startswith(_stem(name))]
        yield Group(name, captions[name], tuple(captions[one] for one in its), storage)
    alike: dict[str, list[str]] = {}
    for name in left:
        alike.setdefault(_NUMBERED.sub("", _stem(name)), []).append(name)
    for stem, some in alike.items():
        yield Group(stem, None, tuple(captions[one] for one in some), storage)


def _in_time(group: Group, part: Part) -> bool:
    """Not of another day by all its names: a channel may have been recorded a thousand times."""
    times = [_time_in(one.name) for one in group.files]
    known = [time for time in times if time is not None]
    slices = (names.parse_slice_name(name.rpartition("/")[2]) for name in _first_last(part))
    recorded = [one.utc for one in slices if one is not None]
    if len(known) < len(times) or not known or not recorded:
        return True
    return min(known) < max(recorded) + DAY and max(known) > min(recorded) - DAY


def _first_last(part: Part) -> tuple[str, ...]:
    """The first and the last slice of a part, by their names."""
    stem = _stem(part.playlist.name) if part.playlist else ""
    own = [name for name in part.objects if name.startswith(stem) and names.parse_slice_name(name)]
    return (min(own), max(own)) if own else ()


def named(storage: Storage, key: str) -> Group:
    """Captions by the key of their playlist, or of a single file.  UsageError for anything else,
    NotFoundError if it is not there.
    """
    found = storage.head(key)
    if not _is_playlist(found.name):
        return Group(found.name, None, (found,), storage)
    listing = _text(storage, found) if found.size <= LARGEST_PLAYLIST else b""
    if not lists_captions(listing):
        said = "lists no captions; name a playlist of .vtt files, or one such file"
        raise UsageError(f"{storage.url(key)}: {said}")
    folder = found.key.removesuffix(found.name)
    here = (o for o in storage.list(folder) if is_caption(o.key))
    listed = {segment.uri for segment in playlists.parse(listing).segments}
    files = tuple(o for o in here if o.key[len(folder) :] in listed)
    return Group(found.name, found, files, storage)


def read(group: Group) -> CaptionsRead:
    """What the files say, in the order of their playlist or their names."""
    read, sources, wrong, size = [], [], [], 0
    order = _by_name(group.files)
    if group.playlist:
        try:
            listing = _text(group.storage, group.playlist)
            sources.append(_source(group.playlist, listing))
            order = _listed(group, group.playlist, listing)
        except GONE as error:
            wrong.append(printable(error))
    for found, time, lasts in order[:MOST_FILES]:
        size += found.size
        if found.size > webvtt.LARGEST or size > MOST_BYTES:
            wrong.append(f"{found.name}: {found.size} bytes, too much for captions")
            continue
        try:
            data = _text(group.storage, found)
            sources.append(_source(found, data))
            read.append(CaptionFile(webvtt.parse(data), time, lasts))
        except GONE as error:
            wrong.append(printable(error))
        except Malformed as error:
            wrong.append(f"{found.name}: {error}")
    wrong += [f"{group.name}: {len(order)} files, expected at most {MOST_FILES}"] * (
        len(order) > MOST_FILES
    )
    known = {source.key for source in sources}
    sources += [
        SourceFile(o.key, o.size, o.etag, None) for o in group.objects if o.key not in known
    ]
    told = next((one.document.language for one in read if one.document.language), "")
    language = told or in_name(_TIMED.sub("", _stem(group.name) if group.playlist else group.name))
    return CaptionsRead(group.name, language, tuple(read), tuple(sources), tuple(wrong))


Entry = tuple[StoredObject, float | None, float | None]  # time and length: seconds


def _listed(group: Group, playlist: StoredObject, data: bytes) -> list[Entry]:
    """Files in the order of their playlist, with what it says of their time."""
    folder = playlist.key.removesuffix(playlist.name)
    by_name = {o.key.removeprefix(folder): o for o in group.files}
    found: list[Entry] = []
    for segment in playlists.parse(data).segments:
        stored = by_name.get(segment.uri)
        events = [event.time for event in segment.events if event.time is not None]
        told = [time for time in (segment.time, *events) if time is not None]
        if stored is not None:
            time = told[0] if told else _time_in(stored.name)
            found.append((stored, time, segment.duration))
    return found


def _by_name(files: Sequence[StoredObject]) -> list[Entry]:
    """Files in the order of their names, each as long as the next one is away."""
    ordered = sorted(files, key=lambda one: (len(one.name), one.name))
    times = [_time_in(one.name) for one in ordered]
    lasting = [b - a if a and b else None for a, b in zip(times, [*times[1:], None], strict=True)]
    return [(o, time, lasts) for o, time, lasts in zip(ordered, times, lasting, strict=True)]


def _time_in(name: str) -> float | None:
    match = _TIMED.search(_stem(name))
    return names.utc(match[1]) if match else None


def _text(storage: Storage, found: StoredObject) -> bytes:
    return b"".join(storage.open(found.key, etag=found.etag))


def _source(found: StoredObject, data: bytes) -> SourceFile:
    return SourceFile(found.key, found.size, found.etag, hashlib.sha256(data).hexdigest())


def _is_playlist(name: str) -> bool:
    return name.lower().endswith(PLAYLIST)


def _stem(name: str) -> str:
    return name.rpartition(".")[0] or name
