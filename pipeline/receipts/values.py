"""Single values of a receipt, each refused with a ValueError unless it is what we write."""

import re
from datetime import UTC, datetime
from typing import Any, NoReturn

from pipeline.agora import names
from pipeline.model import SourceFile
from pipeline.receipts.write import CONVERTED
from pipeline.storage.names import printable

_FOREVER = 1e9  # seconds; no recording is so long
_SHA256 = re.compile(r"[0-9a-f]{64}")


def size(value: Any) -> int:
    """A number of bytes, or of anything else that is counted."""
    return value if type(value) is int and value >= 0 else wrong()


def digest(value: Any) -> str:
    """A SHA-256 in hexadecimal."""
    return str(value) if _SHA256.fullmatch(value) else wrong()


def moment(value: Any, written: float) -> float:
    """Seconds since the epoch.  Receipts of earlier versions do not say it: then when they were
    ``written``.
    """
    if value is None:
        return written
    return datetime.strptime(text(value), CONVERTED).replace(tzinfo=UTC).timestamp()


def seconds(value: Any) -> float | None:
    """A length; None, and not refused, where it is no number that a recording can have."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if number and 0 <= value < _FOREVER else None


def text(value: Any) -> str:
    """A text that is not empty."""
    if not isinstance(value, str) or not value:
        raise ValueError
    return value


def root(source: str, inputs: tuple[SourceFile, ...]) -> str:
    """The source is the URL of an input, or of the playlist that an input is a later copy of: what
    is left in front of its key.
    """
    name = source.rpartition("/")[2]
    stem = name.rpartition(".")[0] or name
    for one in inputs:
        folder, slash, own = one.key.rpartition("/")
        called = name if names.backup_copy(own, stem) else own
        key = printable(f"{folder}{slash}{called}")
        if source.endswith(f"/{key}"):
            return source[: -len(key)]
        session = printable(f"{folder}{slash}{name}")  # of which no playlist has the name
        if own.startswith(f"{name}__uid_s_") and source.endswith(f"/{session}"):
            return source[: -len(session)]
    raise ValueError(source)


def wrong() -> NoReturn:
    """What is there instead is refused."""
    raise ValueError
