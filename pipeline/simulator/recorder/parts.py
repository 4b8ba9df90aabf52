"""Recorders that run together: one for each playlist of a recording."""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from pipeline.simulator.recorder.material import Material
from pipeline.simulator.recorder.publish import Backup, Shelf
from pipeline.simulator.recorder.recorder import Recorder, Setup
from pipeline.simulator.recorder.values import RecordedPart


class Member(Protocol):
    """What records one playlist, as :class:`Recorder` does."""

    shelf: Shelf

    @property
    def begin(self) -> int:
        """When it began, in ticks."""

    @property
    def now(self) -> int:
        """How far it is, in ticks."""

    @property
    def epoch(self) -> float:
        """Seconds since 1970 at tick 0."""

    def advance(self, seconds: float) -> None:
        """Record so many seconds more."""

    def stop(self) -> RecordedPart:
        """Store the last slice, and end the playlist."""

    def kill(self) -> RecordedPart:
        """Write nothing more."""

    def take_over(self, after: float) -> "Member":
        """The one that goes on so many seconds later."""

    def part(self) -> RecordedPart:
        """What is stored so far."""


class Ensemble(Struct, frozen=True):
    """Does what a :class:`Recorder` does, with several of them on one clock; errors as of those."""

    members: tuple[Member, ...]

    @classmethod
    def of(cls, setups: Sequence[Setup], material: Material, shelf: Shelf) -> "Ensemble":
        """Recorders on one shelf, one for each setup."""
        return cls(tuple(Recorder(setup, material, shelf) for setup in setups))

    @property
    def begin(self) -> int:
        """When they began, in ticks."""
        return self.members[0].begin

    @property
    def now(self) -> int:
        """How far they are, in ticks."""
        return self.members[0].now

    @property
    def epoch(self) -> float:
        """Seconds since 1970 at tick 0."""
        return self.members[0].epoch

    def advance(self, seconds: float) -> None:
        """Record so many seconds more."""
        for member in self.members:
            member.advance(seconds)

    def stop(self) -> list[RecordedPart]:
        """Store the last slices, and end the playlists."""
        return [member.stop() for member in self.members]

    def kill(self) -> list[RecordedPart]:
        """Write nothing more: what was not stored is lost."""
        return [member.kill() for member in self.members]

    def take_over(self, after: float) -> "Ensemble":
        """The recorders that continue ``after`` seconds; ``UsageError`` after the third time."""
        return Ensemble(tuple(member.take_over(after) for member in self.members))

    def parts(self) -> list[RecordedPart]:
        """What is stored so far."""
        return [member.part() for member in self.members]

    def into_backup(self) -> Backup:
        """Store everything from now on in a backup cloud, which is returned."""
        shelf = self.members[0].shelf
        backup = Backup(shelf.storage, shelf.prefix)
        for member in self.members:
            member.shelf = backup
        return backup
