"""What became of recordings, and the exit code it comes to."""

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from pipeline.errors import RecpipeError
from pipeline.model import Finding, Report, Verdict
from pipeline.storage.names import printable

UNPLANNED = 1  # exit codes, see docs/design.md
SOME_FAILED = 5
TEMPORARY = 75
EXIT_CODES = {
    Verdict.OK: 0,
    Verdict.REPAIRED: 0,
    Verdict.DEGRADED: 3,
    Verdict.REJECTED: 4,
    Verdict.PENDING: TEMPORARY,
}


class Failure(Struct, frozen=True):
    """A recording that came to no verdict; ``recording`` is None if a source held none."""

    recording: str | None
    source: str
    error: Exception

    @property
    def exit_code(self) -> int:
        """What a command ends with if this is all there was to do."""
        return self.error.exit_code if isinstance(self.error, RecpipeError) else UNPLANNED

    @property
    def message(self) -> str:
        """One line.  The text of an error nobody planned is left out: it may hold anything."""
        if isinstance(self.error, RecpipeError):
            return printable(self.error)
        return f"{self.source}: unexpected {type(self.error).__name__}{_place(self.error)}"


class Planned(Struct, frozen=True):
    """What would be done with one recording, from the listing and the playlist alone."""

    recording: str
    source: str
    output: str
    exists: bool  # something has that name already
    listed: int
    found: int
    size: int  # bytes of the segments found
    verdict: Verdict | None  # known already when nothing can be made
    findings: tuple[Finding, ...]


Outcome = Report | Failure


def code_of(outcome: Outcome) -> int:
    """What a command ends with if this is all there was to do."""
    return EXIT_CODES[outcome.verdict] if isinstance(outcome, Report) else outcome.exit_code


def exit_code(codes: Sequence[int]) -> int:
    """What a command ends with, docs/design.md: one code speaks for itself, many need a look."""
    if len(codes) == 1:
        return codes[0]
    failed = {code for code in codes if code}
    if not failed:
        return 0
    return TEMPORARY if failed == {TEMPORARY} else SOME_FAILED


def _place(error: Exception) -> str:
    """Where an error came from: enough to report it by."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return ""
    return f" in {Path(trace.tb_frame.f_code.co_filename).name}, line {trace.tb_lineno}"
