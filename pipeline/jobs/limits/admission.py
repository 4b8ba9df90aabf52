"""Jobs side by side begin only while disks and memory have room for all of them together."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pipeline.jobs.limits import memory
from pipeline.jobs.limits.disk_space import SPARE, free_bytes
from pipeline.muxing import run


class Room:
    """What the jobs of one run have been promised on each disk.  Shared by its threads.

    What a job has written already counts twice, as promised and as not free: others begin rather
    too late than too early.
    """

    def __init__(
        self,
        free: Callable[[Path], int] = free_bytes,
        free_memory: Callable[[], float] = memory.free_bytes,
    ) -> None:
        self._free, self._free_memory = free, free_memory
        self._begun = 0  # jobs that were admitted and have not ended
        self._promised: Counter[int] = Counter()  # bytes by device
        self._changed = threading.Condition()

    @contextmanager
    def admitted(self, needs: Mapping[Path, int], waiting: Callable[[], None]) -> Iterator[None]:
        """Wait until so many bytes fit into each folder and one more job into memory, or until
        nobody else holds any of it: a job that is alone begins, and fails by itself if there is too
        little.

        ``waiting`` is called again and again meanwhile; what it raises ends the wait.
        """
        with self._changed:
            while not self._fit(needs):
                waiting()
                self._changed.wait(timeout=run.AWAKE)
            promised = Counter[int]()
            for folder, size in needs.items():
                promised[_device(folder)] += size
            self._promised += promised
            self._begun += 1
        try:
            yield
        finally:
            with self._changed:
                self._promised -= promised
                self._begun -= 1
                self._changed.notify_all()

    def _fit(self, needs: Mapping[Path, int]) -> bool:
        if self._begun and self._free_memory() < memory.EACH:
            return False
        here = Counter[int]()
        for folder, size in needs.items():
            here[_device(folder)] += size
        return all(
            not self._promised[device]
            or here[device] + self._promised[device] + SPARE <= self._free(folder)
            for folder in needs
            for device in [_device(folder)]
        )


def _device(folder: Path) -> int:
    return folder.stat().st_dev
