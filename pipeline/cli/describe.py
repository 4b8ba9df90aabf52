"""What became of a recording, for people: a line or a few, and a summary of many."""

from collections import Counter
from collections.abc import Iterator, Mapping

import click
from msgspec.structs import replace

from pipeline.jobs.explain.cause import cause, head, lost, said
from pipeline.jobs.outcomes import Failure, Outcome, Planned
from pipeline.model import Report, Severity, Verdict
from pipeline.report.words import in_bytes, plural
from pipeline.storage.names import printable

MOST_FINDINGS = 20  # shown to people; the receipt and --json have all of them
COLOURS = {
    "ok": "green",
    "repaired": "cyan",
    "degraded": "yellow",
    "rejected": "red",
    "pending": "blue",
    "failed": "red",
    "warning": "yellow",
    "error": "red",
    "fatal": "red",
}
COMPOSED = "M_COMPOSED"  # the id of the finding that says so


def is_of_all(session: Report) -> bool:
    """Whether one file was made of all users of a session."""
    return any(finding.id == COMPOSED for finding in session.findings)


def as_text(outcome: Outcome) -> Iterator[str]:
    """The lines for people, the most important first; none for a failure."""
    if not isinstance(outcome, Report):
        return
    whole = is_of_all(outcome)
    for user in outcome.users:
        yield from as_text(replace(user, output=None) if whole else user)
    if outcome.users:
        yield f"{_styled(outcome.verdict.value, 9)} {printable(outcome.recording)}"
        files, users = 1 if whole else len(outcome.users), _count_of_users(outcome)
        yield f"  session {plural(files, 'file')} of {plural(users, 'user')}"
        yield from _file_of_all(outcome) if whole else ()
        return
    yield f"{_styled(outcome.verdict.value, 9)} {printable(outcome.recording)}"
    for label, text in _facts(outcome):
        yield f"  {label:<7} {printable(text)}"
    above = [f for f in outcome.findings if f.severity != Severity.INFO]
    shown = above[:MOST_FINDINGS]
    width = max((len(head(f)) for f in shown), default=0)
    for finding in shown:
        yield f"  {_styled(finding.severity.value, 7)} {head(finding):<{width}}  {said(finding)}"
    if len(above) > len(shown):
        yield f"  {'':7} and {len(above) - len(shown)} more; --json and the receipt have them all"


def _file_of_all(session: Report) -> Iterator[str]:
    for finding in session.findings:
        if finding.id == COMPOSED:
            yield f"  proof   {printable(finding.detail)}"
    size = in_bytes(session.size) if session.size is not None else "none"
    yield f"  file    {printable(session.output)} ({size}, {session.duration:.3f} s)"


def _count_of_users(session: Report) -> int:
    return len({user.uid for user in session.users})


def as_line(outcome: Outcome, *, known: bool = True) -> str | None:
    """For ``--quiet``: one line if a person should know, None if all is well.

    ``known``: also for what an earlier run made and reported.
    """
    if not isinstance(outcome, Report) or (done_before(outcome) and not known):
        return None
    if outcome.verdict in (Verdict.OK, Verdict.REPAIRED):
        return None
    why = cause(outcome)
    about = f": {why}" if why else ""
    return f"recpipe: {outcome.verdict.value}: {printable(outcome.recording)}{about}"


def done_before(outcome: Outcome) -> bool:
    """Whether an earlier run made the result."""
    return isinstance(outcome, Report) and outcome.output is not None and not outcome.made


def word(outcome: Outcome) -> str:
    """The verdict, or "failed" where there is none."""
    return outcome.verdict.value if isinstance(outcome, Report) else "failed"


def summary(words: Mapping[str, int], before: int = 0, left: int = 0) -> str:
    """The last line about many recordings: how many have each word; ``before`` were made by an
    earlier run, ``left`` are left for the next run.
    """
    counts = [f"{words[word]} {word}" for word in COLOURS if words.get(word)]
    counts += [f"{before} done before"] if before else []
    counts += [f"{left} left for the next run"] if left else []
    return f"{sum(words.values()) + left} recordings: {', '.join(counts)}"


def planned_text(planned: Planned) -> str:
    """The lines of ``--dry-run`` about one recording."""
    there = f"{planned.found} of " if planned.found != planned.listed else ""
    would = f"nothing would be made: {planned.verdict.value}" if planned.verdict else planned.output
    lines = [
        printable(planned.recording),
        f"  source   {planned.source}",
        f"  segments {there}{planned.listed} ({in_bytes(planned.size)})",
        f"  output   {would}{' (exists)' if planned.exists else ''}",
    ]
    lines += [f"  {f.severity.value:<8} {head(f)}  {said(f)}" for f in planned.findings]
    return "\n".join(lines)


def complaint(failure: Failure, *, among_many: bool) -> str:
    """The line about a failure; with the recording's name only ``among_many``."""
    of = f"{printable(failure.recording)}: " if among_many and failure.recording else ""
    return f"recpipe: error: {of}{failure.message}"


def _facts(report: Report) -> Iterator[tuple[str, str]]:
    if report.name:
        yield "user", f"{report.name} ({report.role})" if report.role else report.name
    if lost(report):
        of = f" of {report.duration:.3f} s" if report.duration else ""
        yield "lost", f"{lost(report)}{of}"
    if report.absences:
        yield "away", _away(report)
    if report.proof is not None or report.output:
        yield "proof", _proof(report)
    if report.reencoded:
        yield "encoded", _reencoded(report)
    for piece in report.pieces:
        size = f"{in_bytes(piece.size)}, " if piece.size is not None else ""
        name = piece.output or "one file"
        yield "file", f"{name} ({size}{piece.duration:.3f} s, from {piece.begin:.3f} s on)"
    if report.output and not report.pieces:
        size = f"{in_bytes(report.size)}, " if report.size is not None else ""
        yield "file", f"{report.output} ({size}{report.duration:.3f} s)"
    if report.page:
        yield "page", report.page
    if report.verdict == "pending":
        yield "advice", "run again when it has ended, or take what is there: --accept-unfinished"


def _away(report: Report) -> str:
    """When and why a user sent nothing; what is not sent is no loss."""
    sums: Counter[str] = Counter()
    for absence in report.absences:
        sums[f"{absence.kind} {absence.cause}"] += round(absence.length * 1000)
    return ", ".join(f"{what} {ms / 1000:.3f} s" for what, ms in sums.items())


def _reencoded(report: Report) -> str:
    """What was re-encoded."""
    lasts: Counter[tuple[str, str, str]] = Counter()
    for one in report.reencoded:
        lasts[one.kind, one.was, one.now] += one.units
    said = [f"{n} units of {kind} from {was} to {now}" for (kind, was, now), n in lasts.items()]
    asked = any(finding.id == "ENCODED" for finding in report.findings)
    how = "as was asked for, each at its time" if asked else "equal in number and time"
    return f"{' and '.join(said)}: re-encoded, {how}"


def _proof(report: Report) -> str:
    proof = report.proof
    if proof is None:
        return "none: this format holds no samples to compare; it was read to its end"
    every = [t for piece in report.pieces for t in piece.tracks] or report.tracks
    sums: Counter[str] = Counter()
    for track in every:
        sums[track.type] += track.samples
    counts = [f"{samples} {kind}" for kind, samples in sums.items()]
    samples = f"{' and '.join(counts) or 'no'} samples"
    if proof.holds:
        equal = "byte" if proof.timestamps is None else "time stamp and byte"
        put_in = f"; {proof.filled} of them put in" if proof.filled else ""
        return f"{samples}, every {equal} equal{put_in}"
    wrong = [
        what
        for what, holds in (
            ("their number", proof.counts),
            ("their time stamps", proof.timestamps is not False),
            ("their bytes", proof.bytes),
        )
        if not holds
    ]
    return f"{samples}, not equal to the source: {', '.join(wrong)}"


def _styled(word: str, width: int) -> str:
    return click.style(f"{word:<{width}}", fg=COLOURS.get(word), bold=True)
