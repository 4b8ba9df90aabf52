"""Short recordings on the disks of this machine, worked on by several processes: all threads of one
process together keep little more than one processor busy with Python.

What is handed over is a handful at a time, as many as one ffmpeg makes the files of.
"""

import os
import signal
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import asdict, replace

from pipeline.agora import names
from pipeline.jobs.executors.assignment import Answer
from pipeline.jobs.executors.rediscovery import Beside
from pipeline.jobs.executors.worker import plain
from pipeline.jobs.finished import Finished, standing
from pipeline.jobs.limits.budget import NO_LIMIT, Budget
from pipeline.jobs.limits.parallel import AHEAD, in_flight
from pipeline.jobs.many import Task, Watch, at_once
from pipeline.jobs.many import convert_all as in_threads
from pipeline.jobs.options import Options
from pipeline.jobs.outcomes import Failure, Outcome
from pipeline.jobs.output.naming import Listings
from pipeline.model import Recording, Report
from pipeline.muxing.locate import Ffmpeg
from pipeline.muxing.together import MOST, SHORT
from pipeline.stages.discover import with_parts
from pipeline.upkeep import collect_seldom, keep_memory

if TYPE_CHECKING:  # multiprocessing is not needed for a few recordings
    from concurrent.futures import Future, ProcessPoolExecutor
    from multiprocessing.synchronize import Event

LEAST = 8 * MOST  # recordings: for fewer of them processes are hardly worth their start
NEAR = 1000  # objects beside a playlist: more are not handed over
# Of options: who is told in this process.
HERE = ("progress", "guard", "admitted", "turns", "guest")


class Handful(Struct, frozen=True, eq=False):
    """Recordings to be converted by one process, and how."""

    tasks: tuple[Task, ...]
    ffmpeg: Ffmpeg
    chosen: Mapping[str, Any]  # options by name


def convert_all(
    works: Sequence[Task],
    ffmpeg: Ffmpeg,
    options: Options,
    *,
    jobs: int | None = None,
    watch: Watch | None = None,
    budget: Budget = NO_LIMIT,
    encodes: int | None = None,
) -> Generator[Outcome, None, None]:
    """As :func:`pipeline.jobs.many.convert_all` does it, short ones first and in processes, where
    there are many of them.  Not from a script of somebody else: processes would run that again.
    """
    count = min(at_once(works, jobs), os.cpu_count() or 1)
    listings = Listings()
    limited = budget != NO_LIMIT or encodes is not None
    short = {} if limited or count < 2 else dict(_short(works, listings))
    if len(short) < LEAST:
        short = {}
    left = [task for number, task in enumerate(works) if number not in short]
    if short:
        yield from _in_processes(list(short.values()), ffmpeg, options, count=count, left=left)
    if left:
        yield from in_threads(
            left, ffmpeg, options, jobs=jobs, watch=watch, budget=budget, encodes=encodes
        )


def _short(works: Iterable[Task], listings: Listings) -> Iterator[tuple[int, Task]]:
    """Recordings that may be handed over, by their number, with nothing but what is theirs."""
    for number, task in enumerate(works):
        here = task.source.path("") is not None
        there = task.target is not None and task.target.storage.path("") is not None
        if here and there and not task.recording.streams:
            own = _alone(task, listings)
            found = [o for part in own.parts for o in part.objects.values()]
            if len(found) <= NEAR and sum(o.size for o in found) <= SHORT:
                yield number, replace(task, recording=own)


def _alone(task: Task, listings: Listings) -> Recording:
    """With what is named after it at hand, and the rest of its folder within reach."""
    recording = task.recording
    if not recording.sid:
        return recording
    parts = []
    for part in recording.parts:
        stem = names.stem(part.sid or recording.sid, recording.cname or "", bak=part.bak)
        own = {name: part.objects[name] for name in listings.starting(part, stem)}
        parts.append(replace(part, objects=Beside(own, task.source, part.folder)))
    return with_parts(recording, parts)


def _in_processes(
    tasks: Sequence[Task],
    ffmpeg: Ffmpeg,
    options: Options,
    *,
    count: int,
    left: list[Task],
) -> Generator[Outcome, None, None]:
    """What becomes of each; what a process had in hand that died is ``left``, and all that comes
    after it.
    """
    finished = Finished(options.spool / "finished", [t.target for t in tasks if t.target])
    before = [finished.report(t.recording, t.target, options) if t.target else None for t in tasks]
    yield from (report for report in before if report is not None)
    todo = [task for task, report in zip(tasks, before, strict=True) if report is None]
    chosen = {name: value for name, value in asdict(options).items() if name not in HERE}
    handfuls = [
        Handful(tuple(todo[n : n + MOST]), ffmpeg, chosen) for n in range(0, len(todo), MOST)
    ]
    with _pool(count) as pool:
        ended = in_flight(handfuls, _begin(pool, left), _end(left), lambda: AHEAD * count)
        for handful, answers in ended:
            for task, answer in zip(handful.tasks, answers, strict=True):
                assert task.target is not None
                if isinstance(answer.outcome, Report):
                    done = task.recording, task.target
                    finished.remember(done, options, answer.outcome, answer.standing)
                if answer.outcome is not None:
                    yield answer.outcome


Ended = tuple[Handful, Sequence[Answer]]


def _begin(
    pool: "ProcessPoolExecutor", left: list[Task]
) -> "Callable[[Handful], Future[list[Answer]] | Ended]":
    from concurrent.futures import BrokenExecutor

    def begin(handful: Handful) -> "Future[list[Answer]] | Ended":
        try:
            with _uninterrupted():
                return pool.submit(carry_out, handful)
        except BrokenExecutor:
            left.extend(handful.tasks)
            return _nothing(handful)

    return begin


def _end(left: list[Task]) -> "Callable[[Handful, Future[list[Answer]]], Ended]":
    from concurrent.futures import BrokenExecutor

    def end(handful: Handful, future: "Future[list[Answer]]") -> Ended:
        try:
            return handful, future.result()
        except BrokenExecutor:  # out of memory, perhaps: in this process, one after the other
            left.extend(handful.tasks)
            return _nothing(handful)

    return end


def _nothing(handful: Handful) -> Ended:
    return handful, [Answer(None)] * len(handful.tasks)


@contextmanager
def _pool(count: int) -> "Iterator[ProcessPoolExecutor]":
    """Processes that end what they have in hand, or let go of it, when it is left."""
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    context = multiprocessing.get_context("spawn")  # in a copy, locks of other threads stay held
    stop = context.Event()
    pool = ProcessPoolExecutor(count, context, _prepare, (stop,))
    try:
        yield pool
    finally:
        stop.set()
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Processes that are started meanwhile are not interrupted either, until they ask for it; what
    interrupts this one does so in the end.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_stop: "list[Event]" = []  # of this process, where it works for another one


def _prepare(stop: "Event") -> None:
    """A process that works for another one, and ends with it."""
    import multiprocessing
    import threading

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the other one tells
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    _stop.append(stop)
    keep_memory()
    collect_seldom()
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def carry_out(given: Handful) -> list[Answer]:
    """Convert a handful; one answer for each, in their order."""
    options = Options(**given.chosen)
    outcomes = in_threads(
        given.tasks, given.ffmpeg, options, jobs=1, watch=lambda _: _until_stopped, notes=False
    )
    found = {outcome.source: outcome for outcome in outcomes}  # several may have one id
    return [_answer(task, found[task.recording.source]) for task in given.tasks]


def _until_stopped(stage: str, count: int) -> None:
    """Threads cannot be interrupted: what they report their progress to ends them."""
    if any(stop.is_set() for stop in _stop):
        raise KeyboardInterrupt


def _answer(task: Task, outcome: Outcome) -> Answer:
    if isinstance(outcome, Failure):
        return Answer(plain(outcome))
    assert task.target is not None
    return Answer(outcome, standing(task.target, outcome))
