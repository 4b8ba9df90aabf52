"""Durations and sizes as people write them: ``30s 10m 36h 30d``, ``500MB 2GiB``."""

import re

import click

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {
    **{"": 1.0, "b": 1.0, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12},
    **{"kib": 2.0**10, "mib": 2.0**20, "gib": 2.0**30, "tib": 2.0**40},
}
_NUMBER = re.compile(r"\s*([0-9]{1,15}(?:\.[0-9]{1,6})?)\s*([A-Za-z]*)\s*")


def seconds(context: click.Context, option: click.Parameter, text: str) -> float:
    """A duration, as an option's callback."""
    return _read(text, _SECONDS, "a number and s, m, h or d, such as 10m")


def size(context: click.Context, option: click.Parameter, text: str) -> int:
    """Bytes, as an option's callback."""
    return int(_read(text, _BYTES, "a number and a unit, such as 20GiB"))


def _read(text: str, units: dict[str, float], expected: str) -> float:
    match = _NUMBER.fullmatch(text)
    if match is None or match[2].lower() not in units:
        raise click.BadParameter(f"{text!r}, expected {expected}")
    return float(match[1]) * units[match[2].lower()]
