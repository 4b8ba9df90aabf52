"""What was joined of failover parts so far, and which segments are no longer needed."""

from collections.abc import Iterable, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from pipeline.media.clock import HZ
from pipeline.media.finding_ids import AT_THE_HEAD, AT_THE_TAIL
from pipeline.media.slots.segments import Placed, Slot
from pipeline.media.track import Lane
from pipeline.model import Finding, Severity


class Join(Struct, frozen=True):
    """Where a recording goes on with another part."""

    time: float  # seconds from the beginning of the MP4
    part: str
    reason: str  # for people

    @classmethod
    def at(cls, segment: Placed, reason: str, base: int) -> "Join":
        """In front of a segment that has its final place; ``base`` is the tick at which the
        recording begins.
        """
        begin = min(segment.presented(pid)[0] for pid in segment.stamps)
        return cls(round((begin - base) / HZ, 6), segment.slot.part, reason)


class Covered(Struct, frozen=True):
    """Which part holds the time of a segment as well, by the segment's name."""

    whole: dict[str, str] = field(default_factory=dict)
    head: dict[str, str] = field(default_factory=dict)  # of what lies in front of it
    tail: dict[str, str] = field(default_factory=dict)  # of its end

    def without_loss(self, findings: Iterable[Finding]) -> list[Finding]:
        """The findings, with errors in what is not needed lowered to warnings: nothing is lost."""
        return [self._judged(f) if f.severity == Severity.ERROR else f for f in findings]

    def _judged(self, finding: Finding) -> Finding:
        name = finding.segment or ""
        holder = self.whole.get(name)
        holder = holder or (self.head.get(name) if finding.id in AT_THE_HEAD else None)
        holder = holder or (self.tail.get(name) if finding.id in AT_THE_TAIL else None)
        if holder is None:
            return finding
        repair = f"not needed: {holder} holds this time"
        return replace(finding, severity=Severity.WARNING, repair=repair)


class Joined(Struct, eq=False):
    """What was joined so far of the parts of a recording, with its lanes and the listed slots."""

    segments: list[Placed]
    lanes: Sequence[Lane]
    slots: Sequence[Slot]
    findings: list[Finding] = field(default_factory=list)
    covered: Covered = field(default_factory=lambda: Covered())
    joins: list[tuple[int, str]] = field(default_factory=list)  # number of a first segment, reason
