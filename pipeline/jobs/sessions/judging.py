"""The streams of a user in one file, judged each for itself: what of the file is whose, and their
reports as one.
"""

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from pipeline.agora.names import parse_slice_name, parse_stream
from pipeline.jobs.evidence import Evidence
from pipeline.media.clock import BASE, HZ
from pipeline.media.findings import bounded
from pipeline.media.loss import absences, account
from pipeline.media.loss.balance import at_both_ends
from pipeline.media.loss.fills import Fill
from pipeline.media.loss.holes import Stretch, span
from pipeline.media.timeline.side_by_side import renumbered
from pipeline.media.timeline.wall_clock import iso, wall_clock
from pipeline.media.track import Lane
from pipeline.model import Absence, Recording, Report
from pipeline.stages.mux.converted import Converted


def apart(evidence: Evidence, read: Converted) -> list[tuple[Evidence, Converted]]:
    """What was fed to the muxer of each stream, as if that had been alone; streams that the format
    has no room for are left out.
    """
    every = renumbered([one.plan for one in evidence.streams])
    found, before = [], 0
    for one, pids in zip(evidence.streams, every, strict=True):
        numbers = range(before, before + len(one.segments))
        turns = [placed.number in numbers for placed in evidence.plan.placed]
        own = [lane for lane in one.plan.lanes if pids[lane.pid] in {x.pid for x in read.lanes}]
        if own:
            found.append((one, _own(one, own, read, pids=pids, turns=turns)))
        before = numbers.stop
    return found


def _own(
    one: Evidence,
    lanes: Sequence[Lane],
    read: Converted,
    *,
    pids: dict[int, int],
    turns: Sequence[bool],
) -> Converted:
    places = {lane.pid: n for n, lane in enumerate(read.lanes)}
    names = [placed.slot.name for placed in one.plan.placed]
    expected = [_stretches(read.expected[places[pids[x.pid]]], turns, names) for x in lanes]
    known = {*one.names}
    back = {new: old for old, new in pids.items()}
    fills = [
        Fill(back[f.pid], sum(turns[: f.before]), f.pts, f.dts) for f in read.fills if f.pid in back
    ]
    said = tuple(finding for finding in read.findings if finding.segment in known)
    return replace(
        read,
        lanes=tuple(lanes),
        expected=tuple(map(tuple, expected)),
        findings=said,
        fills=tuple(fills),
    )


def _stretches(
    every: Sequence[Stretch], turns: Sequence[bool], names: Sequence[str]
) -> Iterator[Stretch]:
    """Those of its own segments; what was put in beside others belongs to the next of its own."""
    turn = own = 0
    for stretch in every:
        name = names[min(own, len(names) - 1)]
        if stretch.made:
            yield replace(stretch, segment=name)
            continue
        if turns[turn]:
            yield stretch
            own += 1
        elif len(stretch.units.sizes):
            yield replace(stretch, segment=name, made=True)
        turn += 1


def beside(
    recording: Recording,
    evidence: Evidence,
    pairs: Sequence[tuple[Evidence, Converted]],
    reports: Sequence[Report],
) -> Report:
    """The ``reports`` of the streams as one: worst verdict, every finding, what was lost of each,
    and why what was not sent was not.
    """
    gone = [finding for one in evidence.gone for finding in (*one.findings, *one.plan.findings)]
    said = [finding for report in reports for finding in report.findings]
    findings = bounded([*said, *gone, *evidence.plan.findings])
    accounts = [report.account for report in reports if report.account]
    end = max(report.duration for report in reports)
    clock = wall_clock(evidence.plan.placed)
    return Report(
        recording.id,
        recording.source,
        account.verdict(findings),
        findings,
        duration=end,
        lost_seconds=_lost(evidence, reports),
        started=iso(clock.at(0.0)),
        holes=tuple(sorted((h for r in reports for h in r.holes), key=lambda hole: hole.start)),
        joins=tuple(sorted((j for r in reports for j in r.joins), key=lambda join: join.at)),
        reencoded=evidence.reencoded,
        account=account.together(accounts),
        absences=absences.timed(_absences(evidence, pairs, reports, end), clock),
    )


def _lost(evidence: Evidence, reports: Sequence[Report]) -> dict[str, float]:
    """Of a stream of which nothing is left, all that was promised."""
    lost = {"video": 0.0, "audio": 0.0}
    for report in reports:
        lost = {kind: lost[kind] + report.lost_seconds[kind] for kind in lost}
    for slot in (slot for one in evidence.gone for slot in one.slots):
        named = parse_slice_name(slot.name.rpartition("/")[2])
        stream = parse_stream(named.cname) if named else None
        if stream is not None and stream.kind in lost:
            lost[stream.kind] += slot.duration or 0.0
    return {kind: round(seconds, 3) for kind, seconds in lost.items()}


def _absences(
    evidence: Evidence,
    pairs: Sequence[tuple[Evidence, Converted]],
    reports: Sequence[Report],
    end: float,
) -> list[Absence]:
    """Those between units, at both ends of the file, and those that were left out."""
    found = [absence for report in reports for absence in report.absences]
    kinds = []
    for one, read in pairs:
        for lane, stretches in zip(read.lanes, read.held, strict=True):
            kinds.append(lane.codec.kind)
            late, early = at_both_ends(lane, stretches, one.plan.promised[lane.pid])
            first, last = ((tick - BASE) / HZ for tick in span(lane, stretches))
            found += absences.at_the_ends(kinds[-1], first - late, last + early, end)
    return absences.blackened(
        [*absences.explained(found, kinds), *absences.left_out(evidence.closed, kinds)],
        [fill for _, read in pairs for fill in read.fills],
    )
