"""Seconds spent in each stage."""

import contextlib
import time
from collections.abc import Iterator

STAGES = ("fetch", "inspect", "convert", "verify", "publish")


class Clock:
    """Runs from its making; stages may be entered several times."""

    def __init__(self) -> None:
        self._spent = dict.fromkeys(STAGES, 0.0)
        self._begin = time.perf_counter()

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the time inside for a stage."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self._spent[name] += time.perf_counter() - begin

    def timings(self) -> dict[str, float]:
        """What a report says of it."""
        spent = {name: round(seconds, 4) for name, seconds in self._spent.items()}
        return {**spent, "total": round(time.perf_counter() - self._begin, 4)}
