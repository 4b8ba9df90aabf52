"""Durations, sizes and shares as people write them: ``30d``, ``2GiB``, ``1%``.

Option types of click: a command gets a float; a text that is none fails as wrong usage.
"""

import re
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:  # generic only since click 8.2
    FloatType = click.ParamType[float]
else:
    FloatType = click.ParamType

_UNITS = {
    "length": {"": 1, "s": 1, "m": 60, "h": 3600},
    "duration": {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400},
    "size": {
        **{"": 1, "B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12},
        **{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40},
        **{"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40},  # as rclone and restic do
    },
}
_EXAMPLES = {
    "length": "90, 20s, 10m or 2h",
    "duration": "30s, 10m, 36h or 30d",
    "size": "500MB or 2GiB",
}
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)")


class _Quantity(FloatType):
    def __init__(self, name: str) -> None:
        self.name = name

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if isinstance(value, int | float):
            return float(value)
        match = _QUANTITY.fullmatch(value.strip())
        unit = _UNITS[self.name].get(match[2]) if match else None
        if match is None or unit is None:
            self.fail(f"{value!r} is no {self.name}; write {_EXAMPLES[self.name]}", param, ctx)
        return float(match[1]) * unit


class _Share(FloatType):
    name = "share"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if isinstance(value, float):
            return value
        match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(%?)", value.strip())
        share = float(match[1]) / (100 if match[2] else 1) if match else 0.0
        if not 0 < share <= 1:
            self.fail(f"{value!r} is no share; write 20% or 0.2", param, ctx)
        return share


LENGTH = _Quantity("length")  # of a recording, seconds
DURATION = _Quantity("duration")  # seconds
SIZE = _Quantity("size")  # bytes
SHARE = _Share()  # above 0, up to 1
