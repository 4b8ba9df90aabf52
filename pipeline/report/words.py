"""Numbers and names as people read them."""

import math

from pipeline.storage.names import printable

LONGEST = 160  # characters of a name that are shown


def lasting(seconds: float) -> str:
    """A length of time: ``0.07 s``, ``9.9 s``, ``12 min 5 s``, ``2 h 5 min``."""
    if seconds < 59.95:
        return f"{seconds:.{2 if seconds < 0.995 else 1}f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"


def position(seconds: float) -> str:
    """A place in a file, to a tenth of a second: ``0:01:30.0``."""
    tenths = max(round(seconds * 10), 0)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest // 10:02}.{rest % 10}"


def exact(seconds: float) -> str:
    """To the millisecond; a dash for nothing."""
    return f"{seconds:,.3f} s" if seconds else "–"


def number(count: float) -> str:
    """A whole number with commas between thousands."""
    return f"{count:,.0f}"


def in_bytes(count: int) -> str:
    """A size to three digits or so."""
    size, unit = float(count), "bytes"
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if size < 1000 or unit == "TB":
            break
        size /= 1000
    return f"{count} bytes" if unit == "bytes" else f"{size:.1f} {unit}"


def bit_rate(rate: float) -> str:
    """Bits in a second."""
    return f"{rate / 1e6:.2f} Mbit/s" if rate >= 1e6 else f"{rate / 1e3:.0f} kbit/s"


def name(text: object, most: int = LONGEST) -> str:
    """One line of whatever something is called, its middle left out if it is long."""
    line = printable(text)
    if len(line) <= most:
        return line
    half = (most - 1) // 2
    return f"{line[:half]}…{line[-half:]}"


def clock(told: str | None) -> str:
    """A time of a receipt (ISO 8601, UTC), to the second: ``2026-03-02 09:00:02``."""
    return printable(told)[:19].replace("T", " ") if told else ""


def plural(count: int, one: str, many: str = "") -> str:
    """``1 segment``, ``2 segments``."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def listed(words: list[str]) -> str:
    """``a, b and c``."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def decibels(peak: float) -> str:
    """How loud a sample is, of 0 dB at most."""
    return f"{20 * math.log10(peak):.0f} dB" if peak > 1e-4 else "silent"
