"""What became of a recording, for programs: a line of JSON for each file."""

from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import to_builtins

from pipeline.cli.describe import is_of_all
from pipeline.jobs.outcomes import Failure, Outcome, Planned
from pipeline.model import Proof, Report, TrackInfo

_KINDS = ("video", "audio")


def as_lines(outcome: Outcome) -> Iterator[dict[str, Any]]:
    """One line for a recording; of a session, one for each of its files."""
    if isinstance(outcome, Report) and is_of_all(outcome):
        yield _report(outcome) | _everyone(outcome)
    elif isinstance(outcome, Report) and outcome.users:
        yield from (_report(user) | _user(user) for user in outcome.users)
    else:
        yield as_json(outcome)


def _user(user: Report) -> dict[str, Any]:
    """What a line has besides where it is of one user of a session."""
    absences = [to_builtins(absence) for absence in user.absences]
    who = {"session": user.session, "uid": user.uid, "name": user.name, "role": user.role}
    return {**who, "absences": absences}


def _everyone(session: Report) -> dict[str, Any]:
    """What the line of such a file has besides."""
    uids = [user.uid for user in session.users if user.output]
    absences = [
        {"uid": user.uid, **to_builtins(one)} for user in session.users for one in user.absences
    ]
    return {"session": session.recording, "uids": uids, "absences": absences}


def as_json(outcome: Outcome) -> dict[str, Any]:
    """The JSON line of ``convert`` and ``check``; see docs/design.md.  Keys are never renamed."""
    return _report(outcome) if isinstance(outcome, Report) else _failure(outcome)


def planned_json(planned: Planned) -> dict[str, Any]:
    """The JSON line of ``--dry-run``: the keys of ``convert``, as far as they are known."""
    return {
        "recording": planned.recording,
        "source": planned.source,
        "verdict": planned.verdict and planned.verdict.value,
        "made": False,
        "output": None if planned.verdict else planned.output,
        "receipt": None,
        "dry_run": True,
        "exists": planned.exists,
        "segments": {
            "listed": planned.listed,
            "found": planned.found,
            "bytes": planned.size,
        },
        "findings": [to_builtins(finding) for finding in planned.findings],
    }


def _report(report: Report) -> dict[str, Any]:
    return {
        "recording": report.recording,
        "source": report.source,
        "verdict": report.verdict.value,
        "made": report.made,
        "output": report.output,
        "receipt": report.receipt,
        "page": report.page,
        "duration": report.duration,
        "lost_seconds": {kind: report.lost_seconds.get(kind) for kind in _KINDS},
        "size": report.size,
        "sha256": report.sha256,
        "tracks": _tracks(report.tracks),
        "proof": _held(report.proof),
        "findings": [to_builtins(finding) for finding in report.findings],
        "started": report.started,
        "holes": [to_builtins(hole) for hole in report.holes],
        "joins": [to_builtins(join) for join in report.joins],
        "reencoded": [to_builtins(one) for one in report.reencoded],
        "pieces": [
            {**to_builtins(piece), "tracks": _tracks(piece.tracks), "proof": _held(piece.proof)}
            for piece in report.pieces
        ],
        **({"captions": [to_builtins(one) for one in report.captions]} if report.captions else {}),
        "account": report.account and to_builtins(report.account),
        "timings": dict(report.timings),
    }


def _tracks(tracks: Sequence[TrackInfo]) -> list[dict[str, Any]]:
    return [
        {key: value for key, value in to_builtins(track).items() if value is not None}
        for track in tracks
    ]


def _held(proof: Proof | None) -> dict[str, bool | int | None] | None:
    if proof is None:
        return None
    kinds = {"counts": proof.counts, "timestamps": proof.timestamps, "bytes": proof.bytes}
    return {**kinds, "filled": proof.filled}


def _failure(failure: Failure) -> dict[str, Any]:
    return {
        "recording": failure.recording,
        "source": failure.source,
        "verdict": None,
        "made": False,
        "output": None,
        "receipt": None,
        "error": {"message": failure.message, "exit": failure.exit_code},
        "findings": [],
    }
