"""What was done, one JSON line each, on the disk before the act.

Whoever else wants to know, such as a ledger, is one more function to tell.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.archive.premis import moment
from pipeline.retention.plan import SKEW, GuardError
from pipeline.storage.oserrors import os_errors

FILE = "audit.jsonl"
Tell = Callable[[dict[str, Any]], None]


class Audit:
    """The trail of one machine, and those who listen."""

    def __init__(self, folder: Path, now: Callable[[], float], *listeners: Tell) -> None:
        self.path, self._now, self._listeners = folder / FILE, now, listeners
        with os_errors(f"make {folder}"):
            folder.mkdir(parents=True, exist_ok=True)

    def tell(self, event: str, run: str, **fields: Any) -> None:
        """Note an event; it is on the disk once this returns."""
        seconds = self._now()
        told = {"time": moment(seconds), "seconds": seconds, "event": event, "run": run, **fields}
        data = (json.dumps(told) + "\n").encode()
        with os_errors(f"write {self.path}"):
            handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                os.write(handle, data)
                os.fsync(handle)
            finally:
                os.close(handle)
        for listener in self._listeners:
            listener(told)

    def refuse_a_clock_that_went_back(self) -> None:
        """GuardError if the last event is in the future."""
        last = self._last()
        if last > self._now() + SKEW:
            said = f"{self.path}: the last event is of {moment(last)}, which is in the future"
            raise GuardError(f"{said}; set the clock of this machine")

    def _last(self) -> float:
        try:
            with self.path.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - (1 << 20)))
                lines = file.read().splitlines()
        except FileNotFoundError:
            return 0.0
        for line in reversed(lines):
            try:
                return float(json.loads(line)["seconds"])
            except (ValueError, KeyError, TypeError):  # cut off by a crash
                continue
        return 0.0
