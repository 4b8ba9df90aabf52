"""Agora's own MP4s, which lie beside the slices of a recording and are not read for it."""

from collections.abc import Iterator

from pipeline.agora import names
from pipeline.model import StoredObject
from pipeline.receipts.read import Published
from pipeline.storage import Storage


def mp4s(published: Published, source: Storage) -> tuple[StoredObject, ...]:
    """The objects ``<sid>_<cname>_0.mp4``, ``_1.mp4`` and so on of a recording, by key.

    Those of failover parts as well.  Raises the errors of the store.
    """
    found = {one.key: one for one in _beside(published, source)}
    return tuple(found[key] for key in sorted(found))


def _beside(published: Published, source: Storage) -> Iterator[StoredObject]:
    for one in published.inputs:
        folder, slash, name = one.key.rpartition("/")
        playlist = names.parse_playlist_name(name)
        if playlist is None:
            continue
        stem = names.stem(playlist.sid, playlist.cname, bak=playlist.bak)
        for stored in source.list(f"{folder}{slash}{stem}_"):
            beside = stored.key.removeprefix(folder + slash)
            mp4 = names.parse_mp4_name(beside)
            if mp4 and (mp4.sid, mp4.cname) == (playlist.sid, playlist.cname):
                yield stored
