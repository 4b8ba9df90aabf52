"""Sources named in a list: one per line, or in the column ``source`` of a CSV file."""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

import click

from pipeline.cli.options import all_of
from pipeline.errors import UsageError

PLAYLIST = "#EXTM3U"
COLUMN = "source"
STDIN = "-"

arguments = all_of(
    click.argument("sources", metavar="[SRC]...", nargs=-1),
    click.option(
        "--from",
        "from_file",
        metavar="FILE",
        help='Also the sources in this list: one per line, or the column "source" of a CSV file.',
    ),
)


def sources(given: Sequence[str], file: str | None = None) -> Iterator[str]:
    """Every source of the command line and of the list in a ``file``; - is standard input."""
    if not given and file is None:
        raise UsageError("no source given; name a SRC, or a list of them with --from FILE")
    for source in (*given, *([file] if file == STDIN else [])):
        if source == STDIN:
            yield from listed(sys.stdin.buffer if sys.stdin is not None else (), "standard input")
        else:
            yield source
    if file is not None and file != STDIN:
        from pipeline.storage.oserrors import os_errors

        if "://" in file or file.startswith("@") or Path(file).is_dir():
            said = "is a folder or a store, expected a file that lists sources"
            raise UsageError(f"--from {file}: {said}; it is a source itself, without --from")
        with os_errors(f"read {file}"), Path(file).open("rb") as lines:
            yield from listed(lines, file)


def listed(lines: Iterable[bytes], name: str) -> Iterator[str]:
    """The sources in a list, as they were written; ``name`` is what messages call it."""
    text = (os.fsdecode(line.removeprefix(b"\xef\xbb\xbf")) for line in lines)
    first = next(text, "")
    if first.startswith(PLAYLIST):
        raise UsageError(f"{name} is a playlist, expected names of them; name the file")
    head = [cell.strip().strip('"').lower() for cell in first.split(",")]
    if COLUMN in head and (len(head) > 1 or name.lower().endswith(".csv")):
        yield from _column(text, head.index(COLUMN), name)
        return
    for line in chain([first], text):
        if (source := line.strip()) and not source.startswith("#"):
            yield source


def _column(lines: Iterator[str], column: int, name: str) -> Iterator[str]:
    import csv

    try:
        for number, row in enumerate(csv.reader(lines), 2):
            if row and (len(row) <= column or not row[column].strip()):
                raise UsageError(f"{name}: row {number} has no {COLUMN}")
            if row:
                yield row[column].strip()
    except csv.Error as error:
        raise UsageError(f"{name}: {error}, expected CSV with a column {COLUMN}") from error
