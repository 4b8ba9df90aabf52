"""The verdict of a recording as one sentence or two."""

from collections import Counter
from collections.abc import Iterator

from pipeline.media.finding_ids import IDS
from pipeline.model import Report, Severity, Verdict
from pipeline.report.words import lasting, listed, name, plural

KINDS = {"video": "picture", "audio": "sound"}


def sentence(report: Report, segments: int) -> str:
    """What became of it; ``segments`` is how many were promised."""
    match report.verdict:
        case Verdict.OK:
            return f"Complete: {_everything(report, segments)}, and nothing had to be changed."
        case Verdict.REPAIRED:
            return f"Complete: {_everything(report, segments)}. {_repairs(report)}"
        case Verdict.DEGRADED:
            return f"{_lost(report)} {_why(report, segments)}".strip()
        case Verdict.REJECTED:
            return f"Nothing was made: it would mislead or be unsafe. {_fatal(report)}".strip()
        case Verdict.PENDING:
            return "Not finished yet: the playlist has no end, so more may come."


def _everything(report: Report, segments: int) -> str:
    """What was there is there."""
    of = f"all that {plural(segments, 'segment')} held" if segments else "all that was there"
    if report.output is None:
        return f"{of} can be read"
    return f"{of} is in {'the files' if report.pieces else 'the file'}{_proven(report)}"


def _proven(report: Report) -> str:
    if report.proof is None or not report.proof.holds:
        return ""
    return ", proven byte by byte"


def _repairs(report: Report) -> str:
    count = sum(1 for finding in report.findings if finding.repair)
    return f"{plural(count, 'thing was', 'things were')} put right on the way."


def _lost(report: Report) -> str:
    lost = [
        f"{lasting(seconds)} of {KINDS.get(kind, kind)}"
        for kind, seconds in report.lost_seconds.items()
        if seconds
    ]
    if not lost:
        return "The source had lost media."
    return f"{listed(lost)} were lost before they came here."


def _why(report: Report, segments: int) -> str:
    """The plainest reason: holes tell it, or else the first error."""
    lengths: Counter[str] = Counter()
    places: dict[str, set[str]] = {}
    for hole in report.holes:
        lengths[hole.reason] += hole.length  # type: ignore[assignment]  # seconds
        places.setdefault(hole.reason, set()).add(hole.segment)
    if lengths:
        reason = lengths.most_common(1)[0][0]
        count = len(places[reason])
        more = "" if len(lengths) == 1 else f", and {plural(len(lengths) - 1, 'other reason')}"
        times = f" in {plural(count, 'place')}" if count > 1 else ""
        return f"The reason: {name(reason)}{times}{more}."
    error = next((one for one in report.findings if one.severity is Severity.ERROR), None)
    known = IDS.get(error.id) if error else None
    return f"The reason: {known.meaning}." if known else ""


def _fatal(report: Report) -> str:
    said = list(dict.fromkeys(_reasons(report)))
    return " ".join(said[:2])


def _reasons(report: Report) -> Iterator[str]:
    for one in report.findings:
        if one.severity is Severity.FATAL:
            text = name(one.detail or (IDS[one.id].meaning if one.id in IDS else one.id))
            yield f"{text[:1].upper()}{text[1:]}."
