"""Single values of a receipt, each refused unless it is what we write; and the refusal."""

import re
from datetime import UTC, datetime
from typing import Any, NoReturn

from pipeline.receipts.write import CONVERTED

_FOREVER = 1e9  # seconds; no recording is so long
_SHA256 = re.compile(r"[0-9a-f]{64}")


def size(value: Any) -> int:
    return value if type(value) is int and value >= 0 else wrong()


def digest(value: Any) -> str:
    return str(value) if _SHA256.fullmatch(value) else wrong()


def moment(value: Any, written: float) -> float:
    """Receipts of earlier versions do not say it: then when they were written."""
    if value is None:
        return written
    return datetime.strptime(text(value), CONVERTED).replace(tzinfo=UTC).timestamp()


def seconds(value: Any) -> float | None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if number and 0 <= value < _FOREVER else None


def text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError
    return value


def wrong() -> NoReturn:
    raise ValueError
