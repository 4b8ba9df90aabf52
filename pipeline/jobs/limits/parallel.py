"""Many things at once, by an executor or in threads of this process; an interrupt ends them."""

import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TypeVar

from pipeline.jobs.options import unwatched
from pipeline.muxing import run

Work = TypeVar("Work")
Result = TypeVar("Result")
Outcome = TypeVar("Outcome")
Progress = Callable[[str, int], None]  # stage, bytes since the last call

AHEAD = 2  # times as many are handed over as are worked on, so that nobody waits for the next one


def in_flight(
    works: Iterable[Work],
    begin: Callable[[Work], Future[Result] | Outcome | None],
    end: Callable[[Work, Future[Result]], Outcome],
    most: Callable[[], int],
) -> Generator[Outcome, None, None]:
    """What becomes of each, as soon as it is there; never more than ``most()`` are handed over.

    ``begin`` hands one over, or says at once what became of it, or None: then no more are begun.
    """
    done: SimpleQueue[Future[Result]] = SimpleQueue()
    pending: dict[Future[Result], Work] = {}
    rest: Iterator[Work] | None = iter(works)
    while rest is not None or pending:
        while rest is not None and len(pending) < most():
            work = next(rest, None)
            begun = None if work is None else begin(work)
            if work is None or begun is None:
                rest = None
            elif isinstance(begun, Future):
                pending[begun] = work
                begun.add_done_callback(done.put)
            else:
                yield begun
        if pending:
            future = _next(done)
            yield end(pending.pop(future), future)


def each(
    works: Sequence[Work],
    attempted: Callable[[Work, Progress], Outcome | None],
    at_once: int,
    watch: Callable[[Work], Progress] | None,
) -> Generator[Outcome, None, None]:
    """What becomes of each, as soon as it is there; None is left out.  An interrupt ends all."""
    watch = watch or (lambda work: unwatched)
    if at_once <= 1:  # in this thread, where an interrupt arrives at once
        yield from filter(None, (attempted(work, watch(work)) for work in works))
        return
    stop = threading.Event()
    pool = ThreadPoolExecutor(at_once, thread_name_prefix="recording")

    def begin(work: Work) -> Future[Outcome | None]:
        return pool.submit(attempted, work, _until(stop, watch(work)))

    try:
        most = AHEAD * at_once
        ended: Iterator[Outcome | None] = in_flight(works, begin, _result, lambda: most)
        yield from filter(None, ended)
    finally:
        stop.set()
        run.kill_all()
        pool.shutdown(wait=True, cancel_futures=True)


def _result(_: Work, future: Future[Result]) -> Result:
    return future.result()


def _next(done: "SimpleQueue[Future[Result]]") -> "Future[Result]":
    while True:
        # not for ever: a signal that reaches another thread is seen when this one wakes up
        with suppress(Empty):
            return done.get(timeout=run.AWAKE)


def _until(stop: threading.Event, progress: Progress) -> Progress:
    """Threads cannot be interrupted: what they report their progress to ends them."""

    def report(stage: str, count: int) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        progress(stage, count)

    return report
