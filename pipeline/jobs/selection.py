"""Which recordings are meant."""

from fnmatch import fnmatchcase

from msgspec import Struct

from pipeline.model import Recording, StoredObject


class Selection(Struct, frozen=True):
    """What was chosen of all that a source holds.  Ages are in seconds.

    A pattern speaks of the key of the playlist below the source, of its last part, or of the id; a
    star stands for anything, slashes too.
    """

    include: tuple[str, ...] = ()  # any of these; without one, all
    exclude: tuple[str, ...] = ()  # and none of these
    min_age: float | None = None
    max_age: float | None = None

    def takes(self, recording: Recording, now: float) -> bool:
        """Whether a recording is meant, ``now`` in seconds since 1970."""
        names = _names(recording)
        if self.include and not _matches(names, self.include):
            return False
        if _matches(names, self.exclude):
            return False
        age = now - changed(recording)
        too_young = self.min_age is not None and age < self.min_age
        too_old = self.max_age is not None and age > self.max_age
        return not (too_young or too_old)


EVERYTHING = Selection()


def changed(recording: Recording) -> float:
    """When its playlists, or its only file, were last written."""
    return max((found.modified for found in _mains(recording)), default=0.0)


def _mains(recording: Recording) -> list[StoredObject]:
    found = [p for part in recording.parts for p in (part.playlist, *part.copies) if p]
    return found or [one for part in recording.parts for one in part.objects.values()]


def _names(recording: Recording) -> set[str]:
    keys = {found.key for found in _mains(recording)}
    return {recording.id, *keys, *(key.rpartition("/")[2] for key in keys)}


def _matches(names: set[str], patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns for name in names)
