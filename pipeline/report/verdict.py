"""The verdict of a recording as one sentence or two."""

from collections.abc import Iterator, Mapping

from pipeline.media.finding_ids import IDS, HoleReason
from pipeline.model import Report, Severity, Verdict
from pipeline.report.words import lasting, listed, name, plural

KINDS = {"video": "picture", "audio": "sound"}
REASONS: Mapping[str, str] = {
    HoleReason.MISSING: "segments are missing",
    HoleReason.EMPTY: "segments are empty",
    HoleReason.UNREADABLE: "segments cannot be read",
    HoleReason.DECLARED: "the playlist declares a gap",
    HoleReason.ABSENT: "a stream is missing from segments",
    HoleReason.CUT: "segments are cut off",
    HoleReason.OVERWRITTEN: "segments were overwritten",
    HoleReason.PACKETS: "packets were lost",
    HoleReason.NOTHING: "nothing was recorded for a while",
    HoleReason.UNKNOWN: "media was lost",
}


def sentence(report: Report, segments: int) -> str:
    """What became of it; ``segments`` is how many were promised."""
    match report.verdict:
        case Verdict.OK:
            return f"Complete: {_everything(report, segments)}, and nothing had to be changed."
        case Verdict.REPAIRED:
            return f"Complete: {_everything(report, segments)}. {_repairs(report)}"
        case Verdict.DEGRADED:
            return " ".join(filter(None, (_lost(report), _why(report), _rest(report))))
        case Verdict.REJECTED:
            return f"Nothing was made: it would mislead or be unsafe. {_fatal(report)}".strip()
        case Verdict.PENDING:
            return "Not finished yet: the playlist has no end, so more may come."


def _everything(report: Report, segments: int) -> str:
    """What was there is there."""
    of = f"all that {plural(segments, 'segment')} held" if segments else "all that was there"
    if report.output is None:
        return f"{of} can be read"
    return f"{of} is in {_files(report)}{_proven(report)}"


def _files(report: Report) -> str:
    return "the files" if report.pieces else "the file"


def _proven(report: Report) -> str:
    if report.proof is None or not report.proof.holds:
        return ""
    return ", proven byte by byte"


def _repairs(report: Report) -> str:
    count = sum(1 for finding in report.findings if finding.repair)
    return f"{plural(count, 'thing was', 'things were')} put right on the way."


def _lost(report: Report) -> str:
    lost = [
        f"{lasting(seconds)} of {KINDS.get(kind, name(kind))}"
        for kind, seconds in report.lost_seconds.items()
        if seconds
    ]
    if not lost:
        return "The source had lost media."
    of = f"Of {lasting(report.duration)}, " if report.duration else ""
    return f"{of}{listed(lost)} are missing: the source had lost them."


def _why(report: Report) -> str:
    """The plainest reason: the longest holes tell it, or else the first error."""
    lengths: dict[str, float] = {}
    for hole in report.holes:
        lengths[hole.reason] = lengths.get(hole.reason, 0.0) + hole.length
    if lengths:
        reason = max(lengths, key=lambda one: lengths[one])
        if report.joins and reason == HoleReason.UNKNOWN:
            return "Why: one recorder failed before another took over."
        more = ", among other reasons" if len(lengths) > 1 else ""
        return f"Why: {REASONS.get(reason, name(reason))}{more}."
    error = next((one for one in report.findings if one.severity is Severity.ERROR), None)
    known = IDS.get(error.id) if error else None
    return f"Why: {known.meaning}." if known else ""


def _rest(report: Report) -> str:
    """What became of all that was not lost."""
    if report.output is None:
        return ""
    return f"All that is left is in {_files(report)}{_proven(report)}."


def _fatal(report: Report) -> str:
    said = list(dict.fromkeys(_reasons(report)))
    return " ".join(said[:2])


def _reasons(report: Report) -> Iterator[str]:
    for one in report.findings:
        if one.severity is Severity.FATAL:
            text = name(one.detail or (IDS[one.id].meaning if one.id in IDS else one.id))
            yield f"{text[:1].upper()}{text[1:]}."
