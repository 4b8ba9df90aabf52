"""What is known of one part while its edges are examined, one after the other.

Times are ticks of 90 kHz.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set

from msgspec import Struct, field
from msgspec.structs import replace

from pipeline.media.slots.segments import Placed, Slot
from pipeline.media.timeline.edges.pace import Pace
from pipeline.media.track import NO_PIDS, NOTHING, Lane
from pipeline.media.ts.continuity import continues, moved
from pipeline.media.ts.scan import Stream
from pipeline.model import Finding, Severity


class Marks(Struct, eq=False):
    """What is found of the ends of one segment until all edges are seen: by PID, as in
    :class:`pipeline.media.slots.segments.Placed`.
    """

    torn: set[int] = field(default_factory=set)
    joined: set[int] = field(default_factory=set)
    cut: set[int] = field(default_factory=set)
    whole: set[int] = field(default_factory=set)
    missing: dict[int, int] = field(default_factory=dict)
    silent: dict[int, tuple[tuple[int, int], ...]] = field(default_factory=dict)

    def on(self, segment: Placed) -> Placed:
        """The segment with these marks in place of its own."""
        return replace(
            segment,
            torn=frozenset(self.torn) or NOTHING,
            joined=frozenset(self.joined) or NOTHING,
            cut=frozenset(self.cut) or NOTHING,
            whole=frozenset(self.whole) or NOTHING,
            missing=self.missing or NO_PIDS,
            silent=self.silent or NO_PIDS,
        )

    @property
    def none(self) -> bool:
        """Whether nothing was found."""
        return not (
            self.torn or self.joined or self.cut or self.whole or self.missing or self.silent
        )


_NONE = Marks()


class Edge(Struct, frozen=True, eq=False):
    """Two segments that follow each other, and the ticks between them in each stream, by PID."""

    before: Placed
    segment: Placed
    gaps: Mapping[int, float]

    def beside(self, lane: Lane) -> list[float]:
        """The gaps of the other streams, ticks."""
        return [gap for pid, gap in self.gaps.items() if pid != lane.pid]

    def sides(self, pid: int) -> tuple[Stream, Stream]:
        """A stream in front of the edge and behind it."""
        return self.before.stream(pid), self.segment.stream(pid)

    @property
    def shared(self) -> Set[int]:
        """The PIDs that both segments hold."""
        return self.before.stamps.keys() & self.segment.stamps.keys()


class PartEdges(Struct, eq=False):
    """One part while its edges are examined in order."""

    lanes: Sequence[Lane]
    slots: Sequence[Slot]
    counters_go_on: bool
    counters_begin_anew: bool  # not the opposite: of a short part nobody knows
    paces: Mapping[int, Pace]
    findings: list[Finding] = field(default_factory=list)
    ends: dict[int, float] = field(default_factory=dict)  # by PID: where the stream ended last
    # by PID: the last segment that held the stream, and those since
    chains: dict[int, list[Placed]] = field(default_factory=dict)
    marks: defaultdict[int, Marks] = field(default_factory=lambda: defaultdict(Marks))

    def of(self, segment: Placed) -> Marks:
        """The marks of a segment, to be changed."""
        return self.marks[segment.number]

    def marked(self, segment: Placed) -> Placed:
        """The segment with the marks that were found."""
        return self.marks.get(segment.number, _NONE).on(segment)

    def forget(self, segment: Placed) -> None:
        """Keep no marks of a segment of which nothing was found: there are many such segments."""
        if segment.number in self.marks and self.marks[segment.number].none:
            del self.marks[segment.number]

    def counted(self, edge: Edge) -> set[int]:
        """PIDs whose counters go on over an edge; empty if this writer's never do."""
        pairs = {pid: edge.sides(pid) for pid in (edge.shared if self.counters_go_on else ())}
        return {pid for pid, (a, b) in pairs.items() if continues(a, b) and not moved(a, b)}

    def say(
        self, id: str, severity: Severity, segment: Placed, detail: str, *, pid: int | None = None
    ) -> None:
        """Add a finding about a segment."""
        self.findings.append(Finding(id, severity, segment.slot.name, pid, 1, detail))
