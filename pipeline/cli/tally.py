"""What became of many recordings, as a table at the end."""

from collections.abc import Iterator

from pipeline.cli.describe import COLOURS, word
from pipeline.jobs.outcomes import Outcome
from pipeline.model import Report
from pipeline.report.words import in_bytes

FEW = 5  # outcomes that are all still to be seen without a table
_HEAD = ("", "recordings", "media", "results", "lost")


class Tally:
    """Counts outcomes by their word, with the seconds and bytes of each."""

    def __init__(self) -> None:
        self._rows: dict[str, list[float]] = {}  # recordings, seconds, bytes, seconds lost

    def add(self, outcome: Outcome) -> None:
        """Count one more."""
        row = self._rows.setdefault(word(outcome), [0, 0, 0, 0])
        row[0] += 1
        if isinstance(outcome, Report):
            lost = max(outcome.lost_seconds.values(), default=0.0)
            for place, more in enumerate((outcome.duration, outcome.size or 0, lost), 1):
                row[place] += more

    def lines(self) -> list[str]:
        """The table; nothing where a few outcomes stand for themselves."""
        if sum(row[0] for row in self._rows.values()) <= FEW:
            return []
        rows = [_HEAD, *self._cells()]
        widths = [max(len(row[place]) for row in rows) for place in range(len(_HEAD))]
        return [_line(row, widths) for row in rows]

    def _cells(self) -> Iterator[tuple[str, ...]]:
        known = [name for name in COLOURS if name in self._rows]
        for name in known:
            yield _row(name, self._rows[name])
        if len(known) > 1:
            columns = zip(*self._rows.values(), strict=True)
            yield _row("all", [sum(column) for column in columns])


def _row(name: str, row: list[float]) -> tuple[str, ...]:
    count, seconds, size, lost = row
    return (
        name,
        f"{count:.0f}",
        f"{seconds / 3600:.2f} h",
        in_bytes(int(size)),
        f"{lost:.1f} s" if lost else "-",
    )


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    first, *others = zip(row, widths, strict=True)
    cells = [f"{cell:>{width}}" for cell, width in others]
    return "  ".join([f"{first[0]:<{first[1]}}", *cells]).rstrip()
