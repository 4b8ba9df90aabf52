"""The plan of a recording with what it stands on."""

from msgspec import Struct

from pipeline.media.slots.segments import Slot
from pipeline.media.timeline.plan import Plan
from pipeline.model import Finding, Reencoded, Severity
from pipeline.stages.segments import LocalSegment, slots_of


class Evidence(Struct, frozen=True, eq=False):
    """The plan with what it stands on."""

    plan: Plan
    findings: tuple[Finding, ...]
    fetched: tuple[LocalSegment, ...] = ()  # all segments listed, as they were found
    segments: tuple[LocalSegment, ...] = ()  # what the plan was made of
    reencoded: tuple[Reencoded, ...] = ()
    aside: tuple[Slot, ...] = ()  # those of which another one holds all
    own: frozenset[str] | None = None  # segments of one file of several; None: all of them
    streams: tuple["Evidence", ...] = ()  # of a user: what it was put together of, in its time
    gone: tuple["Evidence", ...] = ()  # streams of the user of which nothing is left
    closed: tuple[tuple[int, int], ...] = ()  # ticks in which nothing was sent, left out

    @property
    def rejected(self) -> bool:
        """Nothing may be made of this recording."""
        return self.plan.rejected or any(f.severity == Severity.FATAL for f in self.findings)

    @property
    def slots(self) -> tuple[Slot, ...]:
        """Of all segments, as the plan knows them."""
        return tuple(slots_of(self.segments))

    @property
    def names(self) -> tuple[str, ...]:
        """Of all segments."""
        return tuple(slot.name for slot in self.slots)

    def answers_for(self, name: str) -> bool:
        """A segment belongs to what is made of this."""
        return self.own is None or name in self.own
