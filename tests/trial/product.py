"""The one place where the product is called; everything else here knows nothing of it."""

from dataclasses import dataclass
from pathlib import Path

import pipeline


@dataclass(frozen=True)
class Answer:
    """What the product says of a recording."""

    verdict: str  # or "crash"
    output: Path | None
    lost: dict[str, float]
    findings: tuple[str, ...]


def convert(playlist: Path, folder: Path, *, accept_unfinished: bool = False) -> Answer:
    """Convert one recording, in this process because starting another takes longer than that."""
    (outcome,) = pipeline.convert(
        playlist,
        folder / "out",
        jobs=1,
        spool=folder / "spool",
        accept_unfinished=accept_unfinished,
    )
    return _answer(outcome)


def check(playlist: Path, folder: Path) -> Answer:
    """Look at one recording and make nothing."""
    (outcome,) = pipeline.check(playlist, jobs=1, spool=folder / "spool")
    return _answer(outcome)


def _answer(outcome: object) -> Answer:
    if isinstance(outcome, pipeline.Failure):
        return Answer("crash", None, {}, (repr(outcome.error),))
    assert isinstance(outcome, pipeline.Report)
    said = tuple(
        f"{f.severity} {f.id} {f.segment or ''} {f.detail} -> {f.repair}" for f in outcome.findings
    )
    output = Path(outcome.output) if outcome.output else None
    return Answer(str(outcome.verdict), output, dict(outcome.lost_seconds), said)
