"""How far a command is: counted once, and shown as bars, as plain lines or as lines of JSON."""

import sys
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, TypeVar

from pipeline import config
from pipeline.choices import Format
from pipeline.cli import output
from pipeline.cli.moment import PUBLISH, REENCODE, Moment, Part
from pipeline.jobs.many import Task
from pipeline.jobs.options import unwatched
from pipeline.jobs.outcomes import Outcome
from pipeline.storage.names import printable

PROVED = (Format.MP4.value, Format.M4A.value)  # formats for which the result is read as well
MEDIA = (".ts", ".aac", ".webm", ".mkv", ".m4s")
PLAIN_EVERY, JSON_EVERY, BARS_EVERY = 30.0, 1.0, 0.1  # seconds

Item = TypeVar("Item")
Show = Callable[[Moment], None]


class Meter:
    """Counts what is done and lets ``show`` see it every so many seconds; threads may call it.

    ``sizes`` are bytes of the sources, by the id() of a task; each counts once, although it is read
    ``passes`` times.  With ``prompt`` it is also shown whenever one recording is done.
    """

    def __init__(
        self,
        show: Show,
        every: float,
        *,
        total: int | None,
        noun: str = "recordings",
        sizes: Mapping[int, int] | None = None,
        passes: int = 1,
        prompt: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._show, self._every, self._prompt, self._clock = show, every, prompt, clock
        self._noun, self._total, self._sizes, self._passes = noun, total, sizes or {}, passes
        self._size = float(sum(self._sizes.values()))
        self._parts: dict[tuple[str, str], Part] = {}
        self._own: dict[tuple[str, str], int] = {}  # bytes of each that is watched
        self._latest = ("", "")
        self._finished, self._before, self._worked = 0, 0.0, 0.0
        self._sized = True
        self._begun = self._shown = clock()
        self._lock = threading.Lock()

    def watch(self, work: Task) -> Callable[[str, int], None]:
        """A callback that counts the bytes one recording reports, never more than it holds."""
        key = (work.recording.id, work.recording.source)
        self._own[key] = self._sizes[id(work)]

        def report(stage: str, count: int) -> None:
            with self._lock:
                self._moved(key, stage, count)
                self._tell(at_once=False)

        return report

    def done(self, outcome: Outcome) -> None:
        """Count the rest of a recording, which may have taken no work at all."""
        key = (outcome.recording or "", outcome.source)
        with self._lock:
            part, size = self._parts.pop(key, None), self._own.pop(key, 0)
            self._finish(size - (part.done if part else 0.0))

    def begin(self, name: str, size: int, passes: int) -> None:
        """Of things that are done one after the other, and that nobody has counted: the next one,
        of so many bytes.  ``report`` is of it.
        """
        with self._lock:
            self._latest, self._passes = (name, ""), passes
            self._own[self._latest] = size
            self._size += size
            self._sized = False

    def report(self, stage: str, count: int) -> None:
        """So many bytes more of what was begun last."""
        with self._lock:
            self._moved(self._latest, stage, count)
            self._tell(at_once=False)

    def counted(self) -> None:
        """One more is done, of what is counted by number; all that was begun is."""
        with self._lock:
            rest = sum(self._own.values()) - sum(part.done for part in self._parts.values())
            self._own.clear()
            self._parts.clear()
            self._finish(rest)

    def _finish(self, rest: float) -> None:
        self._finished += 1
        self._before += rest
        self._tell(at_once=self._prompt)

    def _moved(self, key: tuple[str, str], stage: str, count: int) -> None:
        part = self._parts.get(key) or Part(printable(key[0]), self._own.get(key, 0), self._clock())
        part = part.in_stage(stage)
        step = part.step(stage, count if stage == REENCODE else count / self._passes)
        self._worked += step
        part = part.moved(stage, step)
        self._parts[key] = part.sent_on(count, self._clock()) if stage == PUBLISH else part

    def _tell(self, *, at_once: bool) -> None:
        now = self._clock()
        if at_once or now - self._shown >= self._every:
            self._shown = now
            self._show(self._moment(now))

    def _moment(self, now: float) -> Moment:
        return Moment(
            noun=self._noun,
            finished=self._finished,
            total=self._total,
            worked=self._worked,
            before=self._before,
            size=self._size,
            seconds=now - self._begun,
            now=now,
            parts=tuple(self._parts.values()),
            sized=self._sized,
        )


class NoMeter:
    """Stands in for :class:`Meter` where nobody looks."""

    def watch(self, work: Task) -> Callable[[str, int], None]:
        """A callback that ignores progress."""
        return unwatched

    def done(self, outcome: Outcome) -> None:
        """Ignore that a recording is done."""

    def begin(self, name: str, size: int, passes: int) -> None:
        """Ignore that one is begun."""

    def report(self, stage: str, count: int) -> None:
        """Ignore how far it is."""

    def counted(self) -> None:
        """Ignore that one more is done."""


def of_recordings(
    works: Sequence[Task], chosen: Mapping[str, Any]
) -> AbstractContextManager[Meter | NoMeter]:
    """Shows how far each recording is, and all of them, as ``--progress`` says."""
    meter = partial(Meter, sizes=dict(_sizes(works)), passes=_passes(works, chosen))
    return _shown(chosen, partial(meter, total=len(works)), len(works))


def _passes(works: Sequence[Task], chosen: Mapping[str, Any]) -> int:
    """How often each byte is read, or sent to a store."""
    sent = any(work.target and work.target.storage.path("") is None for work in works)
    return (3 if chosen.get("format") in PROVED else 2) + sent


def counting(
    total: int | None, noun: str, chosen: Mapping[str, Any]
) -> AbstractContextManager[Meter | NoMeter]:
    """Shows how many were counted, of how many if that is known."""
    return _shown(chosen, partial(Meter, noun=noun, total=total), total)


def of_number(
    items: Iterable[Item], total: int | None, noun: str, chosen: Mapping[str, Any]
) -> Iterator[Item]:
    """The same items, while it is shown how many there were, of how many if that is known."""
    with counting(total, noun, chosen) as meter:
        for item in items:
            yield item
            meter.counted()


def _shown(
    chosen: Mapping[str, Any], meter: Callable[..., Meter], total: int | None
) -> AbstractContextManager[Meter | NoMeter]:
    how = _way(chosen)
    if how == "none" or total == 0:
        return nullcontext(NoMeter())
    if how == "bars":
        from pipeline.cli.bars import Bars

        bars = Bars()
        return bars.around(meter(bars.show, BARS_EVERY, prompt=True))
    if how == "json":
        return nullcontext(meter(_json, JSON_EVERY, prompt=True))
    return nullcontext(meter(_line, PLAIN_EVERY))


def _way(chosen: Mapping[str, Any]) -> str:
    """Bars on a terminal that can show them; nothing where they would be among lines of JSON."""
    wanted = str(chosen["progress"])
    if wanted != "auto":
        return wanted
    on_one_screen = chosen["json"] and output.is_terminal(sys.stdout)
    if chosen["quiet"] or on_one_screen:
        return "none"
    return "bars" if output.is_terminal(sys.stderr) and config.cursor_moves() else "plain"


def _line(moment: Moment) -> None:
    output.say(f"recpipe: {moment.line}")


def _json(moment: Moment) -> None:
    import json

    output.say(json.dumps(moment.json, ensure_ascii=False))


def media_size(work: Task) -> int:
    """About how many bytes a recording holds."""
    return next(_sizes([work]))[1]


def _sizes(works: Sequence[Task]) -> Iterator[tuple[int, int]]:
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
        yield id(work), size
