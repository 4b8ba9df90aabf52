"""Single values of a receipt, each refused with a ValueError unless it is what we write."""

import re
from datetime import UTC, datetime
from typing import Any, NoReturn

from pipeline.receipts.write import CONVERTED

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


def wrong() -> NoReturn:
    """What is there instead is refused."""
    raise ValueError
