"""A receipt: what was read, what was made of it, and the proof (JSON beside every result)."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec import to_builtins

from pipeline.model import Piece, Report, SourceFile
from pipeline.stages import publish
from pipeline.version import VERSION

CONVERTED = "%Y-%m-%dT%H:%M:%SZ"  # when the result was proven: UTC, to the second


def software() -> str:
    """Name and version of this tool."""
    return f"recpipe {VERSION}"


def receipt(
    report: Report,
    inputs: Sequence[SourceFile],
    *,
    settings: Mapping[str, str],
    muxer: Mapping[str, Any],
) -> dict[str, Any]:
    """The receipt as JSON values: all that is needed to judge the result without this tool.

    Seconds, bytes and hex as in :mod:`pipeline.model`.  The same input gives the same receipt but
    for ``converted``.
    """
    return {
        "schema": publish.SCHEMA,
        "software": software(),
        "converted": datetime.now(UTC).strftime(CONVERTED),
        "recording": report.recording,
        "source": report.source,
        "settings": dict(settings),
        "verdict": report.verdict.value,
        "lost_seconds": dict(report.lost_seconds),
        "findings": [to_builtins(finding) for finding in report.findings],
        "started": report.started,
        "holes": [to_builtins(hole) for hole in report.holes],
        "joins": [to_builtins(join) for join in report.joins],
        "reencoded": [to_builtins(one) for one in report.reencoded],
        "pieces": [_piece(piece) for piece in report.pieces],
        **({"users": [_user(user) for user in report.users]} if report.users else {}),
        **({"captions": [to_builtins(one) for one in report.captions]} if report.captions else {}),
        "account": report.account and to_builtins(report.account),
        "coverage": report.coverage and to_builtins(report.coverage),
        "proof": to_builtins(report.proof) if report.proof else None,
        "inputs": [to_builtins(source) for source in inputs],
        "output": {
            "name": report.output,
            "size": report.size,
            "sha256": report.sha256,
            "duration": report.pieces[0].duration if report.pieces else report.duration,
            "tracks": [to_builtins(track) for track in report.tracks],
        },
        "muxer": dict(muxer),
    }


def _piece(piece: Piece) -> dict[str, Any]:
    assert piece.output is not None
    return {**to_builtins(piece), "file": piece.output.rpartition("/")[2]}


TOLD_OF_USERS = (
    *(
        "recording",
        "session",
        "uid",
        "name",
        "role",
        "verdict",
        "findings",
        "duration",
        "lost_seconds",
        "started",
    ),
    *("holes", "absences", "joins", "reencoded", "account"),
)


def _user(user: Report) -> dict[str, Any]:
    """What became of a user; of the files all is said under ``pieces``."""
    said = {name: to_builtins(getattr(user, name)) for name in TOLD_OF_USERS}
    said |= {"captions": to_builtins(user.captions)} if user.captions else {}
    outputs = [one.output for one in user.pieces] or [user.output]
    return {**said, "files": [output.rpartition("/")[2] for output in outputs if output]}
