"""One progress bar for a whole command, over the bytes of all its recordings; terminals only."""

import sys
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pipeline.choices import Format
from pipeline.cli.output import is_terminal
from pipeline.jobs.many import Outcome, Task
from pipeline.jobs.options import unwatched

PROVED = (Format.MP4.value, Format.M4A.value)  # formats for which the result is read as well
MEDIA = (".ts", ".aac")


class NoBar:
    """Stands in for :class:`Bar` where nobody looks."""

    def __enter__(self) -> "NoBar":
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def watch(self, work: Task) -> Callable[[str, int], None]:
        """A callback that ignores progress."""
        return unwatched

    def done(self, outcome: Outcome) -> None:
        """Ignore that a recording is done."""


class Bar:
    """Counts bytes of the sources, each once although it is read ``passes`` times.

    The size of a recording is estimated from the listing; one that is done counts in full.
    """

    def __init__(self, works: Sequence[Task], passes: int) -> None:
        self._passes = passes
        self._sizes = {id(work): size for work, size in _sizes(works)}
        self._left: dict[tuple[str, str], list[float]] = {}
        self._lock = threading.Lock()
        self._progress = _columns()
        self._total = len(works)
        self._task = self._progress.add_task(self._label(0), total=sum(self._sizes.values()))
        self._count = 0

    def __enter__(self) -> "Bar":
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def watch(self, work: Task) -> Callable[[str, int], None]:
        """A callback that counts the bytes one recording reports, never more than it holds; threads
        may call it.
        """
        left = [float(self._sizes[id(work)])]
        self._left[work.recording.id, work.recording.source] = left

        def report(stage: str, count: int) -> None:
            with self._lock:
                step = min(count / self._passes, left[0])
                left[0] -= step
            self._progress.advance(self._task, step)

        return report

    def done(self, outcome: Outcome) -> None:
        """Count the rest of a recording, which may have taken no work at all."""
        self._count += 1
        left = self._left.pop((outcome.recording or "", outcome.source), [0.0])
        self._progress.update(self._task, advance=left[0], description=self._label(self._count))

    def _label(self, count: int) -> str:
        return f"{count} of {self._total}" if self._total > 1 else ""


def _columns() -> Any:
    from rich import progress
    from rich.console import Console

    return progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.TaskProgressColumn(),
        progress.DownloadColumn(),
        progress.TransferSpeedColumn(),
        progress.TimeRemainingColumn(),
        console=Console(stderr=True, soft_wrap=True),
        redirect_stdout=is_terminal(sys.stdout),  # what goes into a pipe stays there
        transient=True,
    )


def _sizes(works: Sequence[Task]) -> Iterator[tuple[Task, int]]:
    """About how many bytes each recording holds: media beside its playlist named like it."""
    folders: dict[int, list[str]] = {}
    for work in works:
        size = 0
        for part in work.recording.parts:
            names = folders.setdefault(id(part.objects), sorted(part.objects))
            start = work.recording.id
            first = bisect_left(names, start)
            while first < len(names) and names[first].startswith(start):
                if names[first].lower().endswith(MEDIA):
                    size += part.objects[names[first]].size
                first += 1
        yield work, size
