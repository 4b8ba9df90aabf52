"""Findings and losses of one recording, and the verdict they come to."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from pipeline.jobs.evidence import Evidence
from pipeline.media import checks, losses
from pipeline.media.lane import BASE, HZ
from pipeline.model import Finding, Hole, OnLoss, Recording, Report, Severity, Verdict
from pipeline.stages.convert import Converted


def judged(
    recording: Recording,
    evidence: Evidence,
    read: Converted,
    on_loss: OnLoss,
    proved: Iterable[Finding] = (),
) -> Report:
    """The report so far: verdict, findings, what was lost and where."""
    plan = evidence.plan
    findings = [*evidence.findings, *plan.findings, *checks.examine(plan), *read.findings]
    lost = {"video": 0.0, "audio": 0.0}
    holes: list[Hole] = []
    end = max(losses.span(x, s)[1] for x, s in zip(read.lanes, read.expected, strict=True))
    for lane, stretches in zip(read.lanes, read.expected, strict=True):
        found = losses.holes(lane, stretches)
        holes += found
        ticks = losses.lost_ticks(lane, found, stretches, plan.promised[lane.pid])
        lost[lane.codec.kind] = max(lost[lane.codec.kind], round(ticks / HZ, 3))
        findings += losses.irregularities(lane, stretches)
    if any(lost.values()) and not any(f.severity == Severity.ERROR for f in findings):
        detail = "media is missing although no rule says why"  # a loss is never passed over
        findings.append(Finding("DTS_GAP", Severity.ERROR, detail=detail))
    outside = _outside(evidence)
    said = tuple(_with_consequence(f, on_loss, outside) for f in (*findings, *proved))
    return Report(
        recording.id,
        recording.source,
        checks.verdict(said),
        said,
        duration=round((end - BASE) / HZ, 6),
        lost_seconds=lost,
        holes=tuple(sorted(holes, key=lambda hole: hole.start)),
        reencoded=evidence.reencoded,
    )


def rejected(recording: Recording, findings: Sequence[Finding]) -> Report:
    """No MP4; there is always a finding that says why."""
    if not any(f.severity == Severity.FATAL for f in findings):
        detail = "not one segment holds audio or video that can be read"
        findings = (*findings, Finding("ES_ABSENT", Severity.FATAL, detail=detail))
    return Report(recording.id, recording.source, Verdict.REJECTED, tuple(findings))


def _outside(evidence: Evidence) -> frozenset[str]:
    """Segments in front of what could be placed, or behind it."""
    placed = [segment.position for segment in evidence.plan.placed]
    names = evidence.names
    return frozenset((*names[: placed[0]], *names[placed[-1] + 1 :]))


def _with_consequence(finding: Finding, on_loss: OnLoss, outside: frozenset[str]) -> Finding:
    """Say what became of a loss; with ``--on-loss fail`` it is a reason to make nothing."""
    if finding.severity != Severity.ERROR:
        return finding
    if on_loss is OnLoss.FAIL:
        return replace(finding, severity=Severity.FATAL)
    repair = "hole closed" if on_loss is OnLoss.CLOSE else "hole kept"
    if finding.segment in outside:
        repair = "left out: nothing stands beyond it"
    return replace(finding, repair=finding.repair or repair)
