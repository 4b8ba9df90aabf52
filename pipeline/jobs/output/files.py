"""What each file of a recording is made of: all of it, or one run of segments, of equal format
(``--on-change split``) and not longer than ``--max-length``.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import count

from msgspec import Struct
from msgspec.structs import replace

from pipeline.choices import Format, OnChange
from pipeline.jobs.evidence import Evidence
from pipeline.jobs.options import Options
from pipeline.jobs.verdict import rejected
from pipeline.media.clock import BASE, HZ
from pipeline.media.finding_ids import AT_THE_HEAD
from pipeline.media.loss import account, coverage
from pipeline.media.loss import rules as checks
from pipeline.media.slots.outline import outline
from pipeline.media.timeline.split_plan import Division, Run, divide, runs
from pipeline.model import Coverage, Finding, Piece, Proof, Recording, Report, Severity, Verdict
from pipeline.stages.segments import LocalSegment

PICTURED = (Format.MP4, Format.TS)  # formats with pictures
BETWEEN = "not kept: it lies between two files"


class Told(Struct, frozen=True, eq=False):
    """What reports of a whole recording need of one of its files."""

    begin: float  # seconds from the beginning
    findings: tuple[Finding, ...]
    rejected: bool = False  # nothing can be made of it


class Share(Struct, frozen=True, eq=False):
    """What one file is made of, and where it begins: seconds from the beginning."""

    evidence: Evidence
    begin: float = 0.0

    @property
    def span(self) -> tuple[float, float]:
        """Where it begins and ends: seconds from the beginning."""
        return self.begin, self.begin + (self.evidence.plan.end - BASE) / HZ

    @property
    def told(self) -> Told:
        """What stays of it when its file is made, or another one is."""
        found = self.evidence
        return Told(self.begin, (*found.findings, *found.plan.findings), found.rejected)


def shares(evidence: Evidence, options: Options) -> Iterator[Share]:
    """One share, or several, each made when it is asked for, and not kept: its plan is as large as
    its part of the recording.  Every finding goes to the file that holds its segment.
    """
    expected = checks.expected(evidence.plan, options.stream_types)
    evidence = replace(evidence, findings=(*evidence.findings, *expected))
    kinds = ("video", "audio") if options.format in PICTURED else ("audio",)
    by_format = options.on_change is OnChange.SPLIT
    cut = runs(evidence.plan, kinds, by_format=by_format, longest=options.max_length)
    divisions = divide(evidence.plan, kinds, cut, by_format=by_format)
    if len(cut) == 1 and not by_format:
        yield Share(replace(evidence, plan=next(divisions).plan))
        return
    owners = _owners(evidence, cut)
    yield from map(partial(_share, evidence, owners), divisions, count())


def _owners(evidence: Evidence, cut: Sequence[Run]) -> dict[str | None, int]:
    """Which file each segment belongs to; one that is missing, to the file behind it."""
    placed = {segment.slot.name: number for number, run in enumerate(cut) for segment in run.placed}
    owners: dict[str | None, int] = {}
    following = len(cut) - 1
    for name in reversed(evidence.names):
        following = placed.get(name, following)
        owners[name] = following
    return owners


def _share(
    whole: Evidence, owners: dict[str | None, int], division: Division, number: int
) -> Share:
    return Share(_of_division(whole, division, owners, number), division.begin)


def _of_division(
    whole: Evidence, division: Division, owners: dict[str | None, int], number: int
) -> Evidence:
    first = division.plan.placed[0].slot.name if division.plan.placed else ""
    here = {segment.slot.name for segment in division.plan.placed}

    def own(findings: Sequence[Finding]) -> tuple[Finding, ...]:
        mine = (f for f in findings if owners.get(f.segment, 0) == number)
        return tuple(map(between, mine)) if number else tuple(mine)

    def between(finding: Finding) -> Finding:
        lost = finding.severity is Severity.ERROR and finding.repair is None
        behind = finding.segment in whole.names[whole.names.index(first) :]
        in_front = finding.segment not in here and not behind
        at_head = finding.segment == first and finding.id in AT_THE_HEAD
        return replace(finding, repair=BETWEEN) if lost and (in_front or at_head) else finding

    said = (*own(whole.plan.findings), *division.turned, *division.plan.findings)
    plan = replace(division.plan, findings=said)
    mine = frozenset(name for name, owner in owners.items() if name and owner == number)
    far = {*whole.names} - mine - here
    outlined = {slot: outline(slot) for slot in (*whole.slots, *plan.slots) if slot.name in far}
    return replace(
        whole,
        plan=replace(plan, slots=tuple(outlined.get(slot, slot) for slot in plan.slots)),
        findings=own(whole.findings),
        segments=tuple(
            LocalSegment(one.listed, outlined[one.slot]) if one.slot in outlined else one
            for one in whole.segments
        ),
        aside=() if number else whole.aside,
        own=mine,
    )


def together(recording: Recording, parts: Sequence[Told], reports: Sequence[Report]) -> Report:
    """The report of all files as one: worst verdict, every finding, sum of what was lost."""
    if len(parts) == 1:
        return reports[0]
    findings = tuple(f for n, report in enumerate(reports) for f in _told(parts[n], report, n))
    if any(report.verdict is Verdict.REJECTED for report in reports):
        return rejected(recording, findings)
    pieces = [
        Piece(
            part.begin,
            report.duration,
            report.output,
            report.size,
            report.sha256,
            report.tracks,
            report.proof,
            report.started,
        )
        for part, report in zip(parts, reports, strict=True)
    ]
    holes = [
        replace(hole, start=round(hole.start + part.begin, 6))
        for part, report in zip(parts, reports, strict=True)
        for hole in report.holes
    ]
    joins = [
        replace(join, at=round(join.at + part.begin, 6))
        for part, report in zip(parts, reports, strict=True)
        for join in report.joins
    ]
    lost = {
        kind: round(sum(report.lost_seconds[kind] for report in reports), 3)
        for kind in reports[0].lost_seconds
    }
    return replace(
        reports[0],
        verdict=account.verdict(findings),
        findings=findings,
        duration=round(pieces[-1].begin + pieces[-1].duration, 6),
        lost_seconds=lost,
        proof=_all(pieces),
        holes=tuple(holes),
        joins=tuple(joins),
        account=account.together([one.account for one in reports if one.account]),
        coverage=_coverage(parts, reports),
        pieces=tuple(pieces),
    )


def _coverage(parts: Sequence[Told], reports: Sequence[Report]) -> Coverage:
    """Which media stands where, from the beginning of the first file."""
    each = zip(parts, reports, strict=True)
    return coverage.together([(p.begin, r.coverage) for p, r in each if r.coverage])


def _told(part: Told, report: Report, number: int) -> list[Finding]:
    """The findings of one file; those of no segment say which file they mean."""
    general = {(f.id, f.detail) for f in part.findings}
    return [
        f
        if f.segment is not None or (f.id, f.detail) in general
        else replace(f, detail=f"file {number + 1}: {f.detail}")
        for f in report.findings
    ]


def _all(pieces: Sequence[Piece]) -> Proof | None:
    """What holds for every file."""
    proofs = [piece.proof for piece in pieces if piece.proof is not None]
    if len(proofs) < len(pieces):
        return None
    return Proof(
        all(proof.counts for proof in proofs),
        _times([proof.timestamps for proof in proofs]),
        all(proof.bytes for proof in proofs),
        max(proof.max_error_ticks for proof in proofs),
        sum(proof.filled for proof in proofs),
    )


def _times(told: Sequence[bool | None]) -> bool | None:
    """None where the format has no time stamps."""
    return None if None in told else all(told)
