"""What became of a recording: a line of JSON for programs, a few lines of text for people."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import click

from pipeline.jobs.many import Failure, Outcome, Planned
from pipeline.model import Finding, Proof, Report, Severity, TrackInfo, Verdict
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
_KINDS = ("video", "audio")


def as_json(outcome: Outcome) -> dict[str, Any]:
    """The line of ``convert`` and ``check``, docs/design.md.  Keys are never renamed."""
    return _report(outcome) if isinstance(outcome, Report) else _failure(outcome)


def as_text(outcome: Outcome) -> Iterator[str]:
    """What people want to know, line by line; what is asked first comes first."""
    if not isinstance(outcome, Report):
        return
    yield f"{_styled(outcome.verdict.value, 9)} {printable(outcome.recording)}"
    for label, text in _facts(outcome):
        yield f"  {label:<7} {printable(text)}"
    above = [f for f in outcome.findings if f.severity != Severity.INFO]
    shown = above[:MOST_FINDINGS]
    width = max((len(_head(f)) for f in shown), default=0)
    for finding in shown:
        yield f"  {_styled(finding.severity.value, 7)} {_head(finding):<{width}}  {_said(finding)}"
    if len(above) > len(shown):
        yield f"  {'':7} and {len(above) - len(shown)} more; --json and the receipt have them all"


def as_line(outcome: Outcome) -> str | None:
    """For ``--quiet``: one line if a person should know, None if all is well."""
    if not isinstance(outcome, Report) or outcome.verdict in (Verdict.OK, Verdict.REPAIRED):
        return None
    bad = [f for f in outcome.findings if f.severity in (Severity.ERROR, Severity.FATAL)]
    worst = next((f for f in bad if f.severity == Severity.FATAL), bad[0] if bad else None)
    parts = [f"lost {_lost(outcome)}"] if _any_lost(outcome) else []
    if worst is not None:
        more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
        parts.append(f"{_head(worst)}: {_said(worst)}{more}")
    about = f": {'; '.join(parts)}" if parts else ""
    return f"recpipe: {outcome.verdict.value}: {printable(outcome.recording)}{about}"


def word(outcome: Outcome) -> str:
    """The verdict, or that there is none."""
    return outcome.verdict.value if isinstance(outcome, Report) else "failed"


def summary(words: Mapping[str, int]) -> str:
    """The last line about many."""
    counts = [f"{words[word]} {word}" for word in COLOURS if words.get(word)]
    return f"{sum(words.values())} recordings: {', '.join(counts)}"


def planned_json(planned: Planned) -> dict[str, Any]:
    """The line of ``--dry-run``: the keys of ``convert``, as far as they are known."""
    return {
        "recording": planned.recording,
        "source": planned.source,
        "verdict": planned.verdict and planned.verdict.value,
        "output": None if planned.verdict else planned.output,
        "receipt": None,
        "dry_run": True,
        "exists": planned.exists,
        "segments": {
            "listed": planned.listed,
            "found": planned.found,
            "bytes": planned.size,
        },
        "findings": [asdict(finding) for finding in planned.findings],
    }


def planned_text(planned: Planned) -> str:
    """What ``--dry-run`` says of one recording."""
    there = f"{planned.found} of " if planned.found != planned.listed else ""
    would = f"nothing would be made: {planned.verdict.value}" if planned.verdict else planned.output
    lines = [
        printable(planned.recording),
        f"  source   {planned.source}",
        f"  segments {there}{planned.listed} ({in_bytes(planned.size)})",
        f"  output   {would}{' (exists)' if planned.exists else ''}",
    ]
    lines += [f"  {f.severity.value:<8} {_head(f)}  {_said(f)}" for f in planned.findings]
    return "\n".join(lines)


def complaint(failure: Failure, *, among_many: bool) -> str:
    """The one line about a failure."""
    of = f"{printable(failure.recording)}: " if among_many and failure.recording else ""
    return f"recpipe: error: {of}{failure.message}"


def _report(report: Report) -> dict[str, Any]:
    return {
        "recording": report.recording,
        "source": report.source,
        "verdict": report.verdict.value,
        "output": report.output,
        "receipt": report.receipt,
        "duration": report.duration,
        "lost_seconds": {kind: report.lost_seconds.get(kind) for kind in _KINDS},
        "size": report.size,
        "sha256": report.sha256,
        "tracks": _tracks(report.tracks),
        "proof": _held(report.proof),
        "findings": [asdict(finding) for finding in report.findings],
        "holes": [asdict(hole) for hole in report.holes],
        "reencoded": [asdict(one) for one in report.reencoded],
        "pieces": [
            {**asdict(piece), "tracks": _tracks(piece.tracks), "proof": _held(piece.proof)}
            for piece in report.pieces
        ],
        "timings": dict(report.timings),
    }


def _tracks(tracks: Sequence[TrackInfo]) -> list[dict[str, Any]]:
    return [
        {key: value for key, value in asdict(track).items() if value is not None}
        for track in tracks
    ]


def _held(proof: Proof | None) -> dict[str, bool] | None:
    if proof is None:
        return None
    return {"counts": proof.counts, "timestamps": proof.timestamps, "bytes": proof.bytes}


def _failure(failure: Failure) -> dict[str, Any]:
    return {
        "recording": failure.recording,
        "source": failure.source,
        "verdict": None,
        "output": None,
        "receipt": None,
        "error": {"message": failure.message, "exit": failure.exit_code},
        "findings": [],
    }


def _facts(report: Report) -> Iterator[tuple[str, str]]:
    if _any_lost(report):
        of = f" of {report.duration:.3f} s" if report.duration else ""
        yield "lost", f"{_lost(report)}{of}"
    if report.proof is not None or report.output:
        yield "proof", _proof(report)
    if report.reencoded:
        yield "anew", _anew(report)
    for piece in report.pieces:
        size = f"{in_bytes(piece.size)}, " if piece.size is not None else ""
        name = piece.output or "one file"
        yield "file", f"{name} ({size}{piece.duration:.3f} s, from {piece.begin:.3f} s on)"
    if report.output and not report.pieces:
        size = f"{in_bytes(report.size)}, " if report.size is not None else ""
        yield "file", f"{report.output} ({size}{report.duration:.3f} s)"
    if report.verdict == "pending":
        yield "advice", "run again when it has ended, or take what is there: --accept-unfinished"


def _anew(report: Report) -> str:
    """What MP4 could not hold as it was."""
    lasts: Counter[tuple[str, str, str]] = Counter()
    for one in report.reencoded:
        lasts[one.kind, one.was, one.now] += one.units
    said = [f"{n} units of {kind} from {was} to {now}" for (kind, was, now), n in lasts.items()]
    return f"{' and '.join(said)}: encoded anew, equal in number and time"


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
        return f"{samples}, every time stamp and byte equal"
    wrong = [
        what
        for what, holds in (
            ("their number", proof.counts),
            ("their time stamps", proof.timestamps),
            ("their bytes", proof.bytes),
        )
        if not holds
    ]
    return f"{samples}, not equal to the source: {', '.join(wrong)}"


def _any_lost(report: Report) -> bool:
    return any(report.lost_seconds.values())


def _lost(report: Report) -> str:
    return ", ".join(f"{kind} {s:.3f} s" for kind, s in report.lost_seconds.items() if s)


def _head(finding: Finding) -> str:
    times = f" x{finding.count}" if finding.count > 1 else ""
    return f"{finding.id}{times}"


def _said(finding: Finding) -> str:
    where = f"{finding.segment}: " if finding.segment else ""
    pid = f" [PID {finding.pid}]" if finding.pid is not None else ""
    repair = f" ({finding.repair})" if finding.repair else ""
    return printable(f"{where}{finding.detail}{pid}{repair}")


def in_bytes(count: int) -> str:
    """As people read it."""
    size, unit = float(count), "bytes"
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if size < 1000 or unit == "TB":
            break
        size /= 1000
    return f"{count} bytes" if unit == "bytes" else f"{size:.1f} {unit}"


def _styled(word: str, width: int) -> str:
    return click.style(f"{word:<{width}}", fg=COLOURS.get(word), bold=True)
