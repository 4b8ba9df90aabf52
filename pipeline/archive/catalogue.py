"""Extra metadata for bags, from a CSV: one row for each recording, one column for each label."""

import csv
from pathlib import Path

from pipeline.archive.bagit import bag
from pipeline.errors import UsageError
from pipeline.storage.names import printable
from pipeline.storage.oserrors import os_errors

KEY = "recording"

Fields = tuple[tuple[str, str], ...]


def read(path: Path) -> dict[str, Fields]:
    """Labels (of bag-info.txt, RFC 8493 section 2.2.2) and values by recording.

    Raises ``UsageError`` with the line that is wrong.
    """
    with os_errors(f"read {path}"):
        data = path.read_bytes()
    try:
        rows = csv.reader(data.decode("utf-8-sig").splitlines(keepends=True), strict=True)
        header = [name.strip() for name in next(rows, [])]
        if KEY not in header:
            raise UsageError(f"{path}: no column {KEY!r} in the first line")
        key = header.index(KEY)
        labels = [name if n == key else bag.label(name) for n, name in enumerate(header)]
        found: dict[str, Fields] = {}
        for row in rows:
            where = f"{path}: line {rows.line_num}"
            if not any(row):
                continue
            if len(row) != len(header):
                raise UsageError(f"{where}: {len(row)} values, expected {len(header)}")
            if row[key] in found:
                raise UsageError(f"{where}: {printable(row[key])} for the second time")
            pairs = zip(labels, row, strict=True)
            found[row[key]] = tuple((k, v) for n, (k, v) in enumerate(pairs) if n != key and v)
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path}: not CSV in UTF-8 ({printable(error)})") from error
    return found
