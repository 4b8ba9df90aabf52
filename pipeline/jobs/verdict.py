"""Findings and losses of one recording, and the verdict they come to."""

from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from pipeline.choices import OnLoss
from pipeline.errors import RefusedError
from pipeline.jobs.evidence import Evidence
from pipeline.jobs.sessions.judging import apart, beside
from pipeline.media.clock import BASE, HZ
from pipeline.media.finding_ids import hole_reason
from pipeline.media.findings import bounded
from pipeline.media.loss import absences, account, balance, coverage, distance
from pipeline.media.loss import holes as losses
from pipeline.media.loss import rules as checks
from pipeline.media.timeline.plan import Plan
from pipeline.media.timeline.wall_clock import iso, wall_clock
from pipeline.media.track import Lane
from pipeline.model import (
    Absence,
    AccountEntry,
    Coverage,
    Finding,
    Hole,
    Recording,
    Report,
    Seam,
    Severity,
    Verdict,
)
from pipeline.stages.mux.converted import Converted
from pipeline.storage.names import printable


def judged(
    recording: Recording,
    evidence: Evidence,
    read: Converted,
    on_loss: OnLoss,
    *,
    proved: Iterable[Finding] = (),
) -> Report:
    """The report so far: verdict, findings, what was lost and where.  The streams of a user are
    judged each for itself.
    """
    if not evidence.streams:
        return _judged(recording, evidence, read, on_loss, proved=proved)
    pairs = apart(evidence, read)
    reports = [
        _judged(recording, one, own, on_loss, proved=() if number else proved)
        for number, (one, own) in enumerate(pairs)
    ]
    return beside(recording, evidence, pairs, reports)


def _judged(
    recording: Recording,
    evidence: Evidence,
    read: Converted,
    on_loss: OnLoss,
    *,
    proved: Iterable[Finding] = (),
) -> Report:
    plan = evidence.plan
    findings = [*evidence.findings, *plan.findings, *checks.examine(plan), *read.findings]
    lost = {"video": 0.0, "audio": 0.0}
    entries: list[AccountEntry] = []
    loose: list[Finding] = []
    elsewhere = {name: f"{part} holds its time" for name, part in plan.covered.whole.items()}
    end = max(losses.span(x, s)[1] for x, s in zip(read.lanes, read.held, strict=True))
    for lane, stretches in zip(read.lanes, read.held, strict=True):
        promised = plan.promised[lane.pid]
        inside = losses.holes(lane, stretches, promised.silent)
        closed = losses.closed_holes(lane, promised)
        ticks = losses.lost_ticks(lane, inside, stretches, promised)
        lost[lane.codec.kind] = max(lost[lane.codec.kind], round(ticks / HZ, 3))
        findings += losses.irregularities(lane, stretches)
        filled = read.filled(lane)
        of = lane, plan.placed, plan.slots, stretches, [*inside, *closed], promised, elsewhere
        told = [e for e in account.entries(*of) if evidence.answers_for(e.slot)]
        own = [replace(entry, filled=filled.get(entry.slot, 0)) for entry in told]
        own += account.aside(lane, evidence.aside)
        loose += balance.unbalanced(lane, own)
        entries += own
        findings += put_in(lane, sum(filled.values()))
    held = dict(zip(read.lanes, read.held, strict=True))
    loose += distance.asunder(plan.placed, held, entries)
    outside, clock = _outside(evidence), wall_clock(plan.placed)
    weighed = account.weighed([*findings, *proved], entries, evidence.slots)
    said = bounded(_with_consequence(f, on_loss, outside) for f in (*weighed, *loose))
    return Report(
        recording.id,
        recording.source,
        account.verdict(said),
        said,
        duration=round((end - BASE) / HZ, 6),
        lost_seconds=lost,
        started=iso(clock.at(0.0)),
        holes=holes(evidence, read, on_loss),
        joins=tuple(Seam(x.time, x.part, x.reason, iso(clock.at(x.time))) for x in plan.joins),
        reencoded=evidence.reencoded,
        account=account.summed(entries),
        coverage=_coverage(plan, read),
        absences=absences.timed(_away(plan, read), clock),
    )


def _coverage(plan: Plan, read: Converted) -> Coverage:
    """Which media stands where."""
    tracks = (
        coverage.covered(lane, stretches, plan.promised[lane.pid])
        for lane, stretches in zip(read.lanes, read.held, strict=True)
    )
    return Coverage(tuple(placed.slot.name for placed in plan.placed), tuple(tracks))


def _away(plan: Plan, read: Converted) -> Iterator[Absence]:
    """When streams that may pause were not sent."""
    for lane, stretches in zip(read.lanes, read.held, strict=True):
        if lane.pauses:
            inside = losses.holes(lane, stretches, plan.promised[lane.pid].silent)
            yield from absences.measured(lane, stretches, inside)


def put_in(lane: Lane, count: int) -> Iterator[Finding]:
    """What stands where the source has none: silence, or black pictures."""
    if lane.codec.kind == "audio" and count:
        detail = f"{count} frames of silence where no sound was sent, or none is left"
        yield Finding("AUDIO_FILLED", Severity.INFO, None, lane.pid, count, detail)
    elif count:
        detail = f"{count} black pictures where none was sent, or none is left"
        yield Finding("VIDEO_FILLED", Severity.INFO, None, lane.pid, count, detail)


CONSEQUENCES = {
    OnLoss.HOLD: "hole kept",
    OnLoss.CLOSE: "hole closed",
    OnLoss.FILL: "hole filled where it reaches to the next segment, else kept",
}


def holes(evidence: Evidence, read: Converted, on_loss: OnLoss) -> tuple[Hole, ...]:
    """Every hole of every track, why it is there and what became of it."""
    found: list[Hole] = []
    clock = wall_clock(evidence.plan.placed)
    for lane, stretches in zip(read.lanes, read.held, strict=True):
        behind = [stretches[fill.before].units for fill in read.fills if fill.pid == lane.pid]
        filled = {int(units.dts[0]) for units in behind if len(units.dts)}
        promised = evidence.plan.promised[lane.pid]
        told = bool(read.filled(lane))
        inside = losses.holes(lane, stretches, promised.silent)
        closed = losses.closed_holes(lane, promised)
        for hole in (*inside, *closed):
            at = round((hole.start + hole.length) * HZ) + BASE
            silent = on_loss is OnLoss.FILL and lane.codec.kind == "audio" and told
            became = "filled" if silent or filled & {at - 1, at, at + 1} else hole.became
            reason = _reason(evidence, hole.segment)
            utc = iso(clock.at(max(hole.start, 0.0)))
            found.append(replace(hole, reason=reason, became=became, utc=utc))
    return tuple(sorted(found, key=lambda hole: hole.start))


def _reason(evidence: Evidence, segment: str) -> str:
    """The plainest of what was found between the last segment before a hole and the one behind."""
    names = evidence.names
    placed = {p.slot.name for p in evidence.plan.placed}
    at = names.index(segment)
    before = next((n for n in range(at - 1, -1, -1) if names[n] in placed), 0)
    near = {*names[before : at + 1]}
    errors = {
        f.id
        for f in (*evidence.findings, *evidence.plan.findings)
        if f.severity == Severity.ERROR and f.segment in near
    }
    return hole_reason(errors).value


def rejected(recording: Recording, findings: Sequence[Finding]) -> Report:
    """No MP4; there is always a finding that says why."""
    if not any(f.severity == Severity.FATAL for f in findings):
        detail = "not one segment holds audio or video that can be read"
        findings = (*findings, Finding("ES_ABSENT", Severity.FATAL, detail=detail))
    return Report(recording.id, recording.source, Verdict.REJECTED, bounded(findings))


def refused(recording: Recording, evidence: Evidence, error: RefusedError) -> Report:
    """Its packets are whole, and yet no file can be made of what they carry."""
    said = Finding("M_REFUSED", Severity.FATAL, detail=printable(error))
    return rejected(recording, (*evidence.findings, *evidence.plan.findings, said))


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
    repair = CONSEQUENCES[on_loss]
    if finding.segment in outside:
        repair = "left out: nothing stands beyond it"
    return replace(finding, repair=finding.repair or repair)
