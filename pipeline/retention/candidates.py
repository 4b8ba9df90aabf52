"""Recordings that the rules let go, in a file: only offsets and times are in memory."""

import json
from array import array
from collections.abc import Iterator, Mapping
from typing import IO, Any


class Candidates:
    """Recordings that the rules let go, oldest first, as JSON lines in a file."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._at, self._settled = file, array("Q"), array("d")

    def add(self, told: Mapping[str, Any], settled: float) -> None:
        """Keep one, with the time its age counts from (seconds since the epoch)."""
        self._at.append(self._file.tell())
        self._settled.append(settled)
        self._file.write(json.dumps(told).encode() + b"\n")

    def oldest_first(self) -> Iterator[dict[str, Any]]:
        """Each of them; those of the same time in the order they were added."""
        for number in sorted(range(len(self._at)), key=self._settled.__getitem__):
            self._file.seek(self._at[number])
            told: dict[str, Any] = json.loads(self._file.readline())
            yield told

    def keys(self) -> Iterator[str]:
        """The keys of all their objects."""
        return (one["key"] for told in self.oldest_first() for one in told["objects"])
