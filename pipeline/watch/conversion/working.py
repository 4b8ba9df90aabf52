"""Of a recording that takes long, a log line every so often: at which stage it is, and how far."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from pipeline.model import Recording
from pipeline.report.words import in_bytes
from pipeline.watch.log import log

EVERY = 30.0  # seconds
OF_THE_SOURCE = ("fetch", "inspect")  # stages that read each byte of the source once


class Working:
    """A callback for progress that hands on what it is told, and logs it; threads may call it."""

    def __init__(
        self,
        recording: Recording,
        progress: Callable[[str, int], None],
        *,
        every: float = EVERY,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._recording, self._progress = recording, progress
        self._every, self._clock = every, clock
        self._lock = threading.Lock()
        self._done = Counter[str]()  # bytes by stage; thousandths of "reencode"
        self._before = Counter[str]()  # the same when it was logged last
        self._logged = clock()

    def __call__(self, stage: str, count: int) -> None:
        """So many bytes more of a stage."""
        self._progress(stage, count)
        with self._lock:
            self._done[stage] += count
            now = self._clock()
            if now - self._logged < self._every:
                return
            said = self._said(stage, now - self._logged)
            self._before, self._logged = self._done.copy(), now
        log.info("at work", recording=self._recording.id, stage=stage, **said)

    def _said(self, stage: str, seconds: float) -> dict[str, Any]:
        done = self._done[stage]
        if stage == "reencode":
            return {"share": f"{min(done, 1000) / 1000:.0%}"}
        if not done:  # it waits
            return {}
        size = {"size": in_bytes(_size(self._recording))} if stage in OF_THE_SOURCE else {}
        speed = (done - self._before[stage]) / seconds
        return {"done": in_bytes(done), **size, "speed": f"{in_bytes(round(speed))}/s"}


def _size(recording: Recording) -> int:
    """Bytes of all that is called like it."""
    every = (one for part in recording.parts for one in part.objects.items())
    return sum(found.size for name, found in every if recording.id in name)
