"""The trash of a source: what was deleted but can still be brought back."""

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from pipeline.errors import (
    ChangedError,
    NotFoundError,
    RecpipeError,
    StorageError,
    UsageError,
)
from pipeline.model import StoredObject
from pipeline.retention import document
from pipeline.retention.document import CleanupPlan, Doomed
from pipeline.retention.plan import SKEW, GuardError
from pipeline.storage import Storage
from pipeline.storage.names import TRASH
from pipeline.storage.spool import put_bytes

PLAN = "plan.json"
PROBE = ".recpipe-probe"


class ObjectState(StrEnum):
    """Where an object of a plan is."""

    THERE = "there"  # untouched, or copied but not yet deleted
    TRASHED = "trashed"  # only in the trash
    CHANGED = "changed"  # another object has its key
    GONE = "gone"  # neither there nor in the trash


class Deleter(Struct, frozen=True):
    """Deletes objects with the right ETag: by a condition if the store honours one, else after a
    look at the object.
    """

    storage: Storage
    conditional: bool

    def delete(self, key: str, etag: str) -> None:
        """Delete an object.  Raises ``ChangedError`` if it has another ETag.  Safe to repeat."""
        if self.conditional:
            self.storage.delete(key, etag=etag)
            return
        with suppress(NotFoundError):
            if self.storage.head(key).etag != etag:
                raise ChangedError(f"{self.storage.url(key)}: changed since it was planned")
            self.storage.delete(key)


def home_of(run: str) -> str:
    """The prefix of all keys of a run in the trash."""
    return f"{TRASH}{run}/"


def objects_of(run: str) -> str:
    """The prefix of the keys of a run's copies."""
    return f"{home_of(run)}objects/"


class Trash(Protocol):
    """The trash of a run: where its objects wait, and how they get there and back."""

    def state(self, one: Doomed) -> ObjectState:
        """Where an object is now."""

    def put_away(self, one: Doomed) -> None:
        """Delete an object so that it can be brought back.

        Raises ``ChangedError`` if it is another one by now.
        """

    def bring_back(self, one: Doomed) -> bool:
        """Undo ``put_away``; False if there is nothing to undo.

        Raises ``ChangedError`` if another object is there, which is not replaced, ``StorageError``
        if it is neither there nor in the trash.
        """

    def waiting(self, one: Doomed) -> str | None:
        """The handle with which ``let_go`` deletes it; None if it does not wait in the trash."""

    def protection(self, one: Doomed, handle: str) -> str | None:
        """Why the store refuses to let it go; None if it does not."""

    def let_go(self, one: Doomed, handle: str) -> None:
        """Delete it for good."""

    def clear(self, plan: CleanupPlan) -> None:
        """Remove what is left of a run whose plan is gone."""


class Copies(Struct, frozen=True):
    """Copies below ``.trash/<run>/objects/``; in a folder they are links, and cost no room."""

    storage: Storage
    run: str
    deleter: Deleter

    def state(self, one: Doomed) -> ObjectState:
        """Where an object is now."""
        with suppress(NotFoundError):
            found = self.storage.head(one.key)
            same = (found.size, found.etag) == (one.size, one.etag)
            return ObjectState.THERE if same else ObjectState.CHANGED
        with suppress(NotFoundError):
            if self.storage.head(self._copy(one)).size == one.size:
                return ObjectState.TRASHED
        return ObjectState.GONE

    def put_away(self, one: Doomed) -> None:
        """Copy, then delete.  After a crash at any moment it is in one place or both."""
        copied = self.storage.copy(one.key, self._copy(one), etag=one.etag)
        if copied.size != one.size:
            where = self.storage.url(copied.key)
            raise StorageError(f"{where}: {copied.size} bytes, expected {one.size}")
        self.deleter.delete(one.key, one.etag)

    def bring_back(self, one: Doomed) -> bool:
        """Copy it back, compare the SHA-256, then delete the copy."""
        where = self.storage.url(one.key)
        try:
            stored = self.storage.head(self._copy(one))
        except NotFoundError:
            if self._digest(one.key) == one.sha256:
                return False
            raise StorageError(f"{where}: neither there nor in the trash") from None
        try:
            self.storage.head(one.key)
        except NotFoundError:
            self.storage.copy(stored.key, one.key, etag=stored.etag)
        if self._digest(one.key) != one.sha256:
            raise ChangedError(f"{where}: another object is there by now; left alone")
        assert stored.etag is not None
        self.deleter.delete(stored.key, stored.etag)
        return True

    def waiting(self, one: Doomed) -> str | None:
        """The ETag of its copy.  Raises ``ChangedError`` if that is not what was put there."""
        try:
            found = self.storage.head(self._copy(one))
        except NotFoundError:
            return None
        if found.size != one.size or found.etag is None:
            raise ChangedError(f"{self.storage.url(found.key)}: not what was put there; left alone")
        return found.etag

    def protection(self, one: Doomed, handle: str) -> str | None:
        """Why the store refuses to delete the copy; None if it does not."""
        return self.storage.protection(self._copy(one))

    def let_go(self, one: Doomed, handle: str) -> None:
        """Delete the copy."""
        self.deleter.delete(self._copy(one), handle)

    def clear(self, plan: CleanupPlan) -> None:
        """Remove empty folders."""
        self.storage.prune(home_of(plan.run))

    def _copy(self, one: Doomed) -> str:
        return objects_of(self.run) + one.key

    def _digest(self, key: str) -> str:
        digest = hashlib.sha256()
        try:
            for chunk in self.storage.open(key):
                digest.update(chunk)
        except NotFoundError:
            return ""
        return digest.hexdigest()


def write_plan(storage: Storage, plan: CleanupPlan, spool: Path) -> StoredObject:
    """Put the plan beside the objects of its run: restoring needs nothing else."""
    key = home_of(plan.run) + PLAN
    return put_bytes(storage, key, plan.text, spool, content_type="application/json")


def read_plan(storage: Storage, run: str) -> CleanupPlan:
    """The plan of a run.  Raises ``NotFoundError`` if there is no such run, ``GuardError`` or
    ``UsageError`` for a plan of another run or one that was changed.
    """
    key = home_of(run) + PLAN
    plan = document.parse(b"".join(storage.open(key)), storage.url(key))
    if plan.run != run:
        raise GuardError(f"{storage.url(key)}: the plan of {plan.run}, not of this run")
    return plan


def forget(storage: Storage, trash: Trash, plan: CleanupPlan) -> None:
    """Remove the plan of a run whose trash is empty; with other objects in it, the plan stays."""
    home = home_of(plan.run)
    if any(found.key != home + PLAN for found in storage.list(home)):
        return
    storage.delete(home + PLAN)
    trash.clear(plan)


def runs(storage: Storage) -> Iterator[tuple[str, StoredObject]]:
    """The name of every run that has a trash, and the entry of its plan."""
    for found in storage.list(TRASH):
        parts = found.key.split("/")
        if len(parts) == 3 and parts[2] == PLAN:
            yield parts[1], found


class Content(Struct, frozen=True):
    """What a run has in the trash of a source, by its plan."""

    run: str
    since: float  # seconds since the epoch
    recordings: tuple[str, ...]
    objects: int
    size: int  # bytes


def contents(storage: Storage) -> Iterator[Content]:
    """Every run, the oldest first; a plan that cannot be read is one without recordings."""
    for run, found in sorted(runs(storage), key=lambda one: one[1].modified):
        try:
            plan = read_plan(storage, run)
        except UsageError:
            yield Content(run, found.modified, (), 0, 0)
            continue
        objects = [doomed for one in plan.recordings for doomed in one.objects]
        names = tuple(one.recording for one in plan.recordings)
        yield Content(run, found.modified, names, len(objects), sum(one.size for one in objects))


def try_out(storage: Storage, run: str, spool: Path, now: float, *, trusting: bool) -> Deleter:
    """Find out what the store does with conditions, and what time it is there.

    Raises ``GuardError`` if its clock and ours differ by more than :data:`SKEW`, and, unless
    ``trusting``, if it deletes an object although the ETag is wrong: there an object that was
    replaced a moment ago would be lost.
    """
    key = home_of(run) + PROBE  # always the same: a run that was killed leaves one
    stored = put_bytes(storage, key, b"recpipe", spool, content_type="text/plain")
    try:
        if abs(stored.modified - now) > SKEW:
            said = f"{storage.url()}: its clock and ours differ by {stored.modified - now:.0f} s"
            raise GuardError(f"{said}; set the clock of this machine")
        return Deleter(storage, _refuses_wrong_etags(storage, key, trusting=trusting))
    finally:
        storage.delete(key)


def _refuses_wrong_etags(storage: Storage, key: str, *, trusting: bool) -> bool:
    wrong = "0" * 32
    try:
        storage.delete(key, etag=wrong)
    except ChangedError:
        return True
    except RecpipeError:
        return False  # it says that it cannot
    if not trusting:
        said = f"{storage.url()}: deletes whatever the condition (If-Match) says"
        raise GuardError(f"{said}; --no-conditions looks at each object right before instead")
    return False
