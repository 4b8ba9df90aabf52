"""Recorders that go on together: one of each playlist of a recording."""

from collections.abc import Sequence

from msgspec import Struct

from pipeline.simulator.recorder.material import Material
from pipeline.simulator.recorder.publish import Backup, Shelf
from pipeline.simulator.recorder.recorder import Recorder, Setup
from pipeline.simulator.recorder.values import RecordedPart


class Ensemble(Struct, frozen=True):
    """Does what a recorder does, with all of its own; they have the same clock."""

    members: tuple[Recorder, ...]

    @classmethod
    def of(cls, setups: Sequence[Setup], material: Material, shelf: Shelf) -> "Ensemble":
        """One for each setup."""
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
        return self.members[0].setup.epoch

    def advance(self, seconds: float) -> None:
        """Record so much more."""
        for member in self.members:
            member.advance(seconds)

    def stop(self) -> list[RecordedPart]:
        """Store the last slices, and end the playlists."""
        return [member.stop() for member in self.members]

    def kill(self) -> list[RecordedPart]:
        """Write nothing any more."""
        return [member.kill() for member in self.members]

    def take_over(self, after: float) -> "Ensemble":
        """Those that go on; UsageError after the third time."""
        return Ensemble(tuple(member.take_over(after) for member in self.members))

    def parts(self) -> list[RecordedPart]:
        """What is stored so far."""
        return [member.part() for member in self.members]

    def into_backup(self) -> Backup:
        """From now on nothing is stored where it belongs."""
        shelf = self.members[0].shelf
        backup = Backup(shelf.storage, shelf.prefix)
        for member in self.members:
            member.shelf = backup
        return backup
