"""Findings as people read them: each kind once, with where it is, what it costs and what to do."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from pipeline.media.finding_ids import IDS, Cost
from pipeline.model import Finding, Report, Severity
from pipeline.report.advice import ADVICE, repaired
from pipeline.report.lanes import Places

MUST = (Severity.FATAL, Severity.ERROR)  # a person must look; of the rest one should know
COSTS: Mapping[Cost, str] = {
    Cost.CLAIMED: "what the account finds missing there",
    Cost.MISSING: "the media that should stand there",
    Cost.PENDING: "what is still to come",
    Cost.REFUSED: "the whole file",
}
NOTHING = "Costs nothing: all that was promised is there."


class Instance(Struct, frozen=True):
    """One finding; ``at`` is the moment of the result to look at, None where nobody knows it."""

    segment: str
    at: float | None
    detail: str
    repair: str
    count: int


class Told(Struct, frozen=True):
    """All findings of one id and severity."""

    id: str
    severity: Severity
    meaning: str
    cause: str
    cost: str  # a sentence
    repair: str  # a sentence for all of them; empty if they differ or nothing was done
    advice: str  # a sentence; empty if there is nothing to do
    segments: int  # that have it; 0: it is of the recording as a whole
    instances: tuple[Instance, ...]

    @property
    def must(self) -> bool:
        """A person must look at it."""
        return self.severity in MUST


def told(report: Report, where: Places) -> tuple[Told, ...]:
    """Those of a report, the worst first."""
    groups: dict[tuple[str, Severity], list[Finding]] = {}
    for finding in report.findings:
        groups.setdefault((finding.id, finding.severity), []).append(finding)
    order = [Severity.FATAL, Severity.ERROR, Severity.WARNING, Severity.INFO]
    found = [_told(id, severity, of, where) for (id, severity), of in groups.items()]
    return tuple(sorted(found, key=lambda one: order.index(one.severity)))


def _told(id: str, severity: Severity, of: Sequence[Finding], where: Places) -> Told:
    known = IDS.get(id)
    repairs = {repaired(finding.repair) for finding in of}
    return Told(
        id,
        severity,
        known.meaning if known else "written by another version",
        known.cause if known else "",
        _cost(severity, known.costs if known else ()),
        repairs.pop() if len(repairs) == 1 else "",
        ADVICE.get(id, "") if severity in MUST else "",
        len({finding.segment for finding in of if finding.segment}),
        tuple(
            Instance(
                finding.segment or "",
                where.at.get(finding.segment or ""),
                finding.detail,
                repaired(finding.repair),
                finding.count,
            )
            for finding in of
        ),
    )


def _cost(severity: Severity, costs: Sequence[Cost]) -> str:
    if severity not in MUST:
        return NOTHING
    if severity is Severity.FATAL:
        return f"Costs {COSTS[Cost.REFUSED]}."
    told = [COSTS[cost] for cost in costs if cost is not Cost.REFUSED]
    return f"Costs {told[0]}." if told else "Costs media."
