"""A listing becomes recordings: playlists grouped by sid, and the objects beside them."""

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice, takewhile

from msgspec.structs import replace

from pipeline.agora import names
from pipeline.errors import DeniedError, NotFoundError, UsageError
from pipeline.media.captions.listing import is_caption, lists_captions
from pipeline.media.playlist import parse as playlists
from pipeline.model import Part, Recording, StoredObject
from pipeline.storage import Storage
from pipeline.storage.names import TRASH

PLAYLIST = ".m3u8"
_VERSION = re.compile(r"_\d+_\d+$")  # what a forwarded playlist has behind its stem
MEDIA = (".ts", ".aac", ".m4a", ".mp4", ".m4s", ".webm", ".mkv", ".m2ts", ".mts", ".mp3")
_ELSE = (*MEDIA, ".json", ".jpg", ".jpeg", ".png")  # no name of a playlist
SMALL = 16 << 20  # bytes: a playlist may have some hundred thousand lines
MOST_TRIED = 32  # files of other names that are looked into, in a whole listing

Folders = Mapping[str, Mapping[str, StoredObject]]  # by key of the folder, then by name


def is_playlist(name: str) -> bool:
    """Whether a file has the suffix of a playlist (.m3u8)."""
    return name.lower().endswith(PLAYLIST)


def discover(storage: Storage, key: str) -> list[Recording]:
    """The recordings under a prefix, or the one of a playlist or single media file.

    NotFoundError if there is none: it says what was there instead.
    """
    if is_playlist(key):
        return [_of_playlist(storage, storage.head(key))]
    if key and not key.endswith("/"):
        found = _named(storage, key)
        if found is not None:
            return [found]
    objects = [o for o in storage.list(key) if f"/{TRASH}" not in f"/{o.key}"]
    recordings = grouped(storage, objects, set(_called_otherwise(storage, objects)))
    if not recordings:
        raise NotFoundError(f"{storage.url(key)}: no recording found: {_instead(objects)}")
    return recordings


def _instead(objects: list[StoredObject]) -> str:
    media = sum(o.key.lower().endswith(MEDIA) for o in objects)
    if not objects:
        return "nothing is there; name a folder or prefix that holds playlists (.m3u8)"
    if media:
        return (
            f"{media} media files but no playlist (.m3u8); name a single file to convert it alone"
        )
    return f"{len(objects)} files, none of them a playlist (.m3u8)"


def _named(storage: Storage, key: str) -> Recording | None:
    """The recording of a file that was named itself; None when there is no such object."""
    try:
        found = storage.head(key)
    except NotFoundError:
        return None
    if _begins_as_playlist(storage, found):
        return _of_playlist(storage, found)
    return alone(storage, found)


def alone(storage: Storage, found: StoredObject) -> Recording:
    """One media file as a recording of its own, whatever it holds."""
    part = Part(None, found.key.removesuffix(found.name), {found.name: found})
    return Recording(_stem(found.name), storage.url(found.key), (part,))


def _begins_as_playlist(storage: Storage, found: StoredObject) -> bool:
    """Whether the first line is that of a playlist; reads no more than the first chunk."""
    return playlists.begins(next(iter(storage.open(found.key, etag=found.etag)), b""))


def _called_otherwise(storage: Storage, objects: Iterable[StoredObject]) -> Iterator[str]:
    """Keys of playlists under other names, in folders without a playlist: a few files are looked
    into, those first whose names resemble one.
    """
    folders = _folders(objects)
    homes = {folder for folder, beside in folders.items() if any(map(is_playlist, beside))}
    tried = [
        found
        for folder, beside in folders.items()
        if _home(folder, homes) is None
        for name, found in beside.items()
        if 0 < found.size <= SMALL and not name.startswith(".")
        if not name.lower().endswith(_ELSE)
    ]
    tried.sort(key=lambda found: (".m3u" not in found.name.lower(), found.key))
    for found in tried[:MOST_TRIED]:
        with suppress(NotFoundError, DeniedError):
            if _begins_as_playlist(storage, found):
                yield found.key


def _stem(name: str) -> str:
    return name.rpartition(".")[0] or name


def _of_playlist(storage: Storage, playlist: StoredObject) -> Recording:
    """The recording a playlist belongs to, with the failover parts beside it."""
    folder = playlist.key[: len(playlist.key) - len(playlist.name)]
    beside = [o for o in storage.list(folder) if "/" not in o.key[len(folder) :]]
    for recording in grouped(storage, beside, (playlist.key,)):
        for part in recording.parts:
            if playlist.key in (part.playlist and part.playlist.key, *(c.key for c in part.copies)):
                return recording
    if _holds(storage, playlist):
        said = "lists captions, no media; name the recording, and give these with --captions"
        raise UsageError(f"{storage.url(playlist.key)}: {said}")
    raise NotFoundError(f"{storage.url(playlist.key)}: not in the listing of its folder; run again")


def grouped(
    storage: Storage, objects: Iterable[StoredObject], playlists: Collection[str] = ()
) -> list[Recording]:
    """The recordings of a listing, each with the objects of its folder and of those below it that
    hold no playlist themselves.  ``playlists`` are keys of playlists without the suffix.
    """
    folders = _folders(objects)
    listed, told = {}, set[str]()
    for folder, beside in sorted(folders.items()):
        found = sorted(n for n in beside if is_playlist(n) or folder + n in playlists)
        of_captions = _of_captions(storage, found, beside)
        told |= {folder + name for name in of_captions}
        if media := [name for name in found if name not in of_captions]:
            listed[folder] = media
    below = _with_what_lies_below(folders, listed)
    recordings: dict[str, Recording] = {}
    for folder, its in listed.items():
        beside = below[folder]
        captions = {n: o for n, o in beside.items() if is_caption(n) or folder + n in told}
        copies = _backup_copies(its, beside)
        for name in sorted({copies.get(name, name) for name in its}):
            own = [beside[c] for c, of in copies.items() if of == name]
            main = beside[name] if name in beside else own.pop()
            part = Part(main, folder, beside, captions, copies=tuple(own))
            key, one = _of_part(storage, folder, name, part)
            known = recordings.get(key)
            recordings[key] = replace(known, parts=(*known.parts, *one.parts)) if known else one
    return _sessions(storage, map(_in_order, recordings.values()))


def _of_captions(
    storage: Storage, playlists: Sequence[str], beside: Mapping[str, StoredObject]
) -> set[str]:
    """Playlists of captions: those are looked into that have captions called like them, and no
    media.
    """
    if not any(map(is_caption, beside)):
        return set()
    ordered = sorted(beside)
    return {one for one in playlists if _may_hold(one, ordered) and _holds(storage, beside[one])}


def _may_hold(name: str, ordered: Sequence[str]) -> bool:
    """By the names that begin with its own; all names are ``ordered``."""
    stem = _stem(name)
    like = takewhile(lambda one: one.startswith(stem), ordered[bisect_left(ordered, stem) :])
    found = [one for one in like if one != name]
    return any(map(is_caption, found)) and not any(n.lower().endswith(MEDIA) for n in found)


def _holds(storage: Storage, playlist: StoredObject) -> bool:
    if not 0 < playlist.size <= SMALL:
        return False
    with suppress(NotFoundError, DeniedError):
        return lists_captions(b"".join(storage.open(playlist.key, etag=playlist.etag)))
    return False


def _sessions(storage: Storage, recordings: Iterable[Recording]) -> list[Recording]:
    """Streams of users (individual mode) of one sid become one session; the rest stays as it is."""
    found: dict[str, list[Recording]] = {}
    for recording in recordings:
        key = recording.parts[0].folder + (recording.sid or "")
        own = key if _stream(recording) else f"{key}/{recording.id}"
        found.setdefault(own, []).append(recording)
    return [_session(storage, some) if _stream(some[0]) else some[0] for some in found.values()]


def _stream(recording: Recording) -> names.UserStream | None:
    return names.parse_stream(recording.cname) if recording.sid and recording.cname else None


def _session(storage: Storage, streams: list[Recording]) -> Recording:
    """By user, pictures first."""
    told = sorted(((_stream(one), one) for one in streams), key=lambda pair: pair[1].id)
    known = [(stream, one) for stream, one in told if stream is not None]
    known.sort(key=lambda pair: (int(pair[0].uid), pair[0].kind != "video", pair[1].id))
    first, every = known[0][1], tuple(one for _, one in known)
    cname = known[0][0].cname
    parts = tuple(part for one in every for part in one.parts)
    id = names.stem(first.sid or "", cname)
    source = storage.url(parts[0].folder + id)
    return Recording(id, source, parts, first.sid, cname, every)


def with_parts(recording: Recording, parts: Sequence[Part]) -> Recording:
    """The same with its parts as they were looked up again, in the same order."""
    left = iter(parts)
    streams = (replace(s, parts=tuple(islice(left, len(s.parts)))) for s in recording.streams)
    return replace(recording, parts=tuple(parts), streams=tuple(streams))


def _folders(objects: Iterable[StoredObject]) -> Folders:
    folders: dict[str, dict[str, StoredObject]] = defaultdict(dict)
    for found in objects:
        if f"/{TRASH}" not in f"/{found.key}":
            folders[found.key[: len(found.key) - len(found.name)]][found.name] = found
    return folders


def _with_what_lies_below(folders: Folders, homes: Collection[str]) -> Folders:
    """The folders of playlists, each with those below it that belong to no nearer one."""
    whole = {home: dict(folders[home]) for home in homes}
    for folder, beside in folders.items():
        home = _home(folder, homes)
        if home is not None and home != folder:
            whole[home].update((folder[len(home) :] + name, o) for name, o in beside.items())
    return whole


def _home(folder: str, homes: Collection[str]) -> str | None:
    """The nearest of these folders above a folder, or itself."""
    while folder not in homes:
        if not folder:
            return None
        folder = folder[: folder.rfind("/", 0, -1) + 1]
    return folder


def _backup_copies(playlists: list[str], beside: Iterable[str]) -> dict[str, str]:
    """Playlists that the backup cloud forwarded under another name, and the original of each.

    The original may never have arrived; then the slices show its name.
    """
    known = set(playlists)
    copies: dict[str, str] = {}
    for name in sorted(playlists, key=len):
        original = _VERSION.sub("", _stem(name)) + PLAYLIST
        if original == name or names.parse_playlist_name(original) is None:
            continue
        if original not in known and not _slices_are_called(original, name, beside):
            continue
        if names.backup_copy(name, _stem(original)):
            copies[name] = copies.get(original, original)
    return copies


def _slices_are_called(original: str, name: str, beside: Iterable[str]) -> bool:
    """Whether there are slices named like the original, and none like the other."""
    stems = [f"{_stem(playlist)}_" for playlist in (original, name)]
    counts = [0, 0]
    for found in beside:
        if found.startswith(stems[0]) and names.parse_slice_name(found):
            counts[found.startswith(stems[1])] += 1
    return counts[0] > 0 and not counts[1]


def _of_part(storage: Storage, folder: str, name: str, part: Part) -> tuple[str, Recording]:
    """A key that is unique to a recording, and the recording as far as this part says."""
    source, agora = storage.url(folder + name), names.parse_playlist_name(name)
    if agora is None:
        return folder + name, Recording(_stem(name), source, (part,))
    stream = names.parse_stream(agora.cname)
    key = folder + agora.sid + (f"/{agora.cname}" if stream else "")
    id, parts = names.stem(agora.sid, agora.cname), (replace(part, bak=agora.bak),)
    return key, Recording(id, source, parts, agora.sid, agora.cname)


def _in_order(recording: Recording) -> Recording:
    """The main part first, then the failover parts by number."""
    parts = sorted(recording.parts, key=lambda part: -1 if part.bak is None else part.bak)
    return replace(recording, parts=tuple(parts))
