"""A trash without copies: the versions that a bucket keeps of deleted objects (S3 versioning)."""

from msgspec import Struct

from pipeline.errors import ChangedError, StorageError
from pipeline.retention.document import CleanupPlan, Doomed
from pipeline.retention.plan import GuardError
from pipeline.retention.trash import PLAN, PROBE, Deleter, ObjectState, home_of
from pipeline.storage import Storage
from pipeline.storage.versions import ObjectVersions, Version


def of(storage: Storage, *, deleting: bool = True) -> ObjectVersions:
    """The versions of a store's objects.

    Raises ``GuardError`` if it shows none or, when ``deleting``, keeps none of what is deleted now.
    """
    versions = storage.versions()
    if versions is None or (deleting and not versions.kept()):
        said = f"{storage.url()}: keeps no versions of what is deleted"
        raise GuardError(f"{said}; plan with --trash copy, or switch versioning on")
    return versions


class Versions(Struct, frozen=True):
    """Deleted objects lie below a delete marker, which restoring removes."""

    storage: Storage
    versions: ObjectVersions
    deleter: Deleter

    def state(self, one: Doomed) -> ObjectState:
        """Where an object is now."""
        there = self.versions.of(one.key)
        latest = _latest(there)
        if latest is None:
            return ObjectState.GONE
        if not latest.marker:
            return ObjectState.THERE if _is(latest, one) else ObjectState.CHANGED
        return ObjectState.TRASHED if _find(there, one) else ObjectState.GONE

    def put_away(self, one: Doomed) -> None:
        """Delete it, which adds a marker.  Raises ``StorageError`` if no version was kept."""
        self.deleter.delete(one.key, one.etag)
        if self.state(one) is not ObjectState.TRASHED:
            raise StorageError(f"{self.storage.url(one.key)}: no version of it was kept")

    def bring_back(self, one: Doomed) -> bool:
        """Remove the marker; False if there is none.

        Raises ``StorageError`` if its version is gone, ``ChangedError`` if another object is there.
        """
        where = self.storage.url(one.key)
        there = self.versions.of(one.key)
        mine, latest = _find(there, one), _latest(there)
        if mine is None:
            raise StorageError(f"{where}: neither there nor among the versions")
        if latest is None or not (latest.marker or _is(latest, one)):
            raise ChangedError(f"{where}: another object is there by now; left alone")
        if self.versions.sha256(one.key, mine.id) != one.sha256:
            raise ChangedError(f"{where}: its version is another one by now; left alone")
        brought = False
        while latest is not None and latest.marker:  # somebody may have deleted it once more
            self.versions.remove(one.key, latest.id)
            latest, brought = _latest(self.versions.of(one.key)), True
        return brought

    def waiting(self, one: Doomed) -> str | None:
        """The id of its version, unless that is the current one."""
        mine = _find(self.versions.of(one.key), one)
        return None if mine is None or mine.latest else mine.id

    def protection(self, one: Doomed, handle: str) -> str | None:
        """Why the store refuses to delete its version; None if it does not."""
        return self.versions.protection(one.key, handle)

    def let_go(self, one: Doomed, handle: str) -> None:
        """Delete its version for good, and a marker below which nothing is left."""
        self.versions.remove(one.key, handle)
        there = self.versions.of(one.key)
        if all(version.marker for version in there):  # else an older version would come to light
            for version in there:
                self.versions.remove(one.key, version.id)

    def clear(self, plan: CleanupPlan) -> None:
        """Delete all versions of our own plan and probe."""
        for name in (PLAN, PROBE):
            key = home_of(plan.run) + name
            for version in self.versions.of(key):
                self.versions.remove(key, version.id)


def _latest(there: list[Version]) -> Version | None:
    return next((version for version in there if version.latest), None)


def _find(there: list[Version], one: Doomed) -> Version | None:
    return next((version for version in there if _is(version, one)), None)


def _is(version: Version, one: Doomed) -> bool:
    return not version.marker and (version.size, version.etag) == (one.size, one.etag)
