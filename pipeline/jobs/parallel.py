"""Many things done at once in threads, which an interrupt ends."""

import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TypeVar

from pipeline.jobs.options import unwatched
from pipeline.muxing import run

Work = TypeVar("Work")
Outcome = TypeVar("Outcome")
Progress = Callable[[str, int], None]  # stage, bytes since the last call


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
    done: SimpleQueue[Future[Outcome | None]] = SimpleQueue()
    pool = ThreadPoolExecutor(at_once, thread_name_prefix="recording")
    try:
        for work in works:
            future = pool.submit(attempted, work, _until(stop, watch(work)))
            future.add_done_callback(done.put)
        yield from filter(None, (_next(done).result() for _ in works))
    finally:
        stop.set()
        run.kill_all()
        pool.shutdown(wait=True, cancel_futures=True)


def _next(done: "SimpleQueue[Future[Outcome | None]]") -> "Future[Outcome | None]":
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
