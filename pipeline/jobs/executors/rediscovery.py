"""A recording found again where it is worked on, without the listing that it was found in."""

from collections.abc import Iterator, Mapping
from functools import cached_property

from msgspec.structs import replace

from pipeline.agora import names
from pipeline.errors import NotFoundError
from pipeline.model import Recording, StoredObject
from pipeline.stages.discover import discover, grouped, with_parts
from pipeline.storage import Storage

PARTS = (None, 0, 1, 2)  # the main part, and the failover parts: bak0 to bak2


def rediscovered(storage: Storage, key: str, id: str, sid: str | None) -> Recording:
    """The recording ``id`` again, as a listing of all finds it; ``key`` is that of its playlist, or
    of its only file.

    Of Agora's recordings only what is named after the ``sid`` is listed, for a folder may hold
    thousands; all of the folder only when a playlist names something else.  NotFoundError when it
    is gone.
    """
    folder = key[: key.rfind("/") + 1]
    found = _named_after(storage, folder, sid) if sid else discover(storage, key)
    for recording in found:
        if recording.id == id:
            return recording
    raise NotFoundError(f"{storage.url(key)}: the recording is gone since it was listed")


def _named_after(storage: Storage, folder: str, sid: str) -> list[Recording]:
    starts = (folder + names.stem(sid, "", bak=bak) for bak in PARTS)
    objects = [found for start in starts for found in storage.list(start)]
    return [_beside(one, storage, folder) for one in grouped(storage, objects)]


def _beside(recording: Recording, storage: Storage, folder: str) -> Recording:
    """The recording with the rest of its folder within reach."""
    known: dict[int, Beside] = {}
    parts = [
        replace(
            part,
            objects=known.setdefault(id(part.objects), Beside(part.objects, storage, folder)),
        )
        for part in recording.parts
    ]
    return with_parts(recording, parts)


class Beside(Mapping[str, StoredObject]):
    """What lies beside a playlist, by name.  All of the folder is listed when a name is asked for
    that is not among those it begins with.
    """

    def __init__(self, own: Mapping[str, StoredObject], storage: Storage, folder: str) -> None:
        self._own, self._storage, self._folder = own, storage, folder
        self._asked = False

    @cached_property
    def _all(self) -> Mapping[str, StoredObject]:
        self._asked = True
        for recording in grouped(self._storage, self._storage.list(self._folder)):
            for part in recording.parts:
                if part.folder == self._folder:
                    return part.objects  # all parts of a folder share them
        return {}

    def __getitem__(self, name: str) -> StoredObject:
        return self._own[name] if name in self._own else self._all[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all if self._asked else self._own)

    def __len__(self) -> int:
        return len(self._all if self._asked else self._own)
