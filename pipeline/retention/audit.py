"""What was done, one line of JSON each, on disk before the act; and in the ledger, if any."""

import json
import os
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from pipeline.archive.premis import moment
from pipeline.ledger import custody
from pipeline.ledger.ledger import Ledger
from pipeline.retention.plan import SKEW, GuardError
from pipeline.storage import Storage
from pipeline.storage.oserrors import os_errors

FILE = "audit.jsonl"
Tell = Callable[[dict[str, Any]], None]


class Audit:
    """The audit trail of one machine; ``listeners`` get each event as well."""

    def __init__(self, folder: Path, now: Callable[[], float], *listeners: Tell) -> None:
        self.path, self._now, self._listeners = folder / FILE, now, listeners
        with os_errors(f"make {folder}"):
            folder.mkdir(parents=True, exist_ok=True)

    def tell(self, event: str, run: str, **fields: Any) -> None:
        """Note an event; it is on disk once this returns.  Raises what a listener raises."""
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

    def unname(self, uid: str) -> None:
        """Overwrite a user's uid in the names of objects that were deleted before.

        In place and with the same length: other processes may be appending to the file.
        """
        pattern = re.compile(rb"(?<=__uid_s_)" + uid.encode() + rb"(?![0-9])")
        with (
            os_errors(f"write {self.path}"),
            suppress(FileNotFoundError),
            self.path.open("r+b") as file,
        ):
            at = 0
            for line in file:
                for found in pattern.finditer(line):
                    os.pwrite(file.fileno(), b"x" * len(uid), at + found.start())
                at += len(line)
            os.fsync(file.fileno())

    def refuse_a_clock_that_went_back(self) -> None:
        """Raise ``GuardError`` if the last event is more than :data:`SKEW` in the future."""
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


def to_ledger(ledger: Ledger, results: Storage) -> Tell:
    """A listener that notes events in the ledger, of objects only number and bytes: the file has
    each of them.
    """

    def tell(told: dict[str, Any]) -> None:
        receipt, objects = told.get("receipt"), told.get("objects")
        left = ("time", "seconds", "event", "recording", "receipt", "objects")
        detail = {k: v for k, v in told.items() if k not in left and v is not None}
        if objects is not None:
            detail |= {"objects": len(objects), "bytes": sum(one["size"] for one in objects)}
        url = results.url(receipt) if receipt else ""
        custody.note(ledger, told["event"], detail, name=told.get("recording", ""), receipt=url)

    return tell
