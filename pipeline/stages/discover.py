"""A listing becomes recordings: playlists grouped by sid, and what lies beside them."""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from pipeline.agora import names
from pipeline.errors import NotFoundError
from pipeline.model import Part, Recording, StoredObject
from pipeline.storage import Storage
from pipeline.storage.names import TRASH

PLAYLIST = ".m3u8"
_VERSION = re.compile(r"_\d+_\d+$")  # what a forwarded playlist has behind its stem
MEDIA = (".ts", ".aac", ".m4a", ".mp4", ".webm", ".mkv", ".m2ts", ".mts", ".mp3")


def discover(storage: Storage, key: str) -> list[Recording]:
    """Recordings under a prefix, or the one that a playlist or a single media file is.

    NotFoundError says what was there instead.
    """
    if key.endswith(PLAYLIST):
        return [_of_playlist(storage, storage.head(key))]
    if key and not key.endswith("/"):
        found = _single(storage, key)
        if found is not None:
            return [found]
    objects = [o for o in storage.list(key) if f"/{TRASH}" not in f"/{o.key}"]
    recordings = grouped(storage, objects)
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


def _single(storage: Storage, key: str) -> Recording | None:
    """A media file that was named itself; None when there is no such object."""
    try:
        found = storage.head(key)
    except NotFoundError:
        return None
    folder = key.rpartition("/")[0]
    part = Part(None, f"{folder}/" if folder else "", {found.name: found})
    return Recording(_stem(found.name), storage.url(key), (part,))


def _stem(name: str) -> str:
    return name.rpartition(".")[0] or name


def _of_playlist(storage: Storage, playlist: StoredObject) -> Recording:
    """The recording a playlist belongs to, with the failover parts that lie beside it."""
    folder = playlist.key[: len(playlist.key) - len(playlist.name)]
    beside = [o for o in storage.list(folder) if "/" not in o.key[len(folder) :]]
    for recording in grouped(storage, beside):
        for part in recording.parts:
            if playlist.key in (part.playlist and part.playlist.key, *(c.key for c in part.copies)):
                return recording
    raise NotFoundError(f"{storage.url(playlist.key)}: not in the listing of its folder; run again")


def grouped(storage: Storage, objects: Iterable[StoredObject]) -> list[Recording]:
    """The recordings of a listing, each with the listing of its folder."""
    folders: dict[str, dict[str, StoredObject]] = defaultdict(dict)
    for found in objects:
        if f"/{TRASH}" in f"/{found.key}":
            continue
        folders[found.key[: len(found.key) - len(found.name)]][found.name] = found
    recordings: dict[str, Recording] = {}
    for folder, beside in sorted(folders.items()):
        playlists = sorted(name for name in beside if name.endswith(PLAYLIST))
        copies = _backup_copies(playlists, beside)
        for name in sorted({copies.get(name, name) for name in playlists}):
            own = [beside[c] for c, of in copies.items() if of == name]
            main = beside[name] if name in beside else own.pop()
            part = Part(main, folder, beside, copies=tuple(own))
            _add(recordings, storage, folder, name, part)
    return [_in_order(recording) for recording in recordings.values()]


def _backup_copies(playlists: list[str], beside: Iterable[str]) -> dict[str, str]:
    """Playlists that the backup cloud forwarded under another name, and which each is one of.

    The original may never have arrived; then the slices tell what it was called.
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
    """There are slices of the one playlist, and none of the other."""
    stems = [f"{_stem(playlist)}_" for playlist in (original, name)]
    counts = [0, 0]
    for found in beside:
        if found.startswith(stems[0]) and names.parse_slice_name(found):
            counts[found.startswith(stems[1])] += 1
    return counts[0] > 0 and not counts[1]


def _add(
    recordings: dict[str, Recording], storage: Storage, folder: str, name: str, part: Part
) -> None:
    agora = names.parse_playlist_name(name)
    if agora is None:
        recordings[folder + name] = Recording(_stem(name), storage.url(folder + name), (part,))
        return
    key = folder + names.one_recording(agora.sid, agora.cname)
    id = names.stem(agora.sid, agora.cname)
    part = replace(part, bak=agora.bak)
    known = recordings.get(key)
    if known is None:
        source = storage.url(folder + name)
        recordings[key] = Recording(id, source, (part,), agora.sid, agora.cname)
    else:
        recordings[key] = replace(known, parts=(*known.parts, part))


def _in_order(recording: Recording) -> Recording:
    """The main part first, then the failover parts by number."""
    parts = sorted(recording.parts, key=lambda part: -1 if part.bak is None else part.bak)
    return replace(recording, parts=tuple(parts))
