"""Recordings handed to an executor, a bounded number at a time, until each has an outcome.

Nothing has to be remembered here: what stands in the destination says what is done, so a run that
lost its executor is simply started again.
"""

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future

from msgspec import Struct

from pipeline.errors import ExecutorLostError, UnplannedError, UsageError
from pipeline.jobs.executors.assignment import Answer, Assignment, Identity
from pipeline.jobs.executors.worker import carry_out
from pipeline.jobs.finished import Finished
from pipeline.jobs.limits.budget import NO_LIMIT, Allowance, Budget
from pipeline.jobs.limits.parallel import AHEAD, in_flight
from pipeline.jobs.many import Task
from pipeline.jobs.options import Options
from pipeline.jobs.outcomes import Failure, Outcome
from pipeline.model import Report


class Engine(Struct, frozen=True, eq=False):
    """Where recordings are sent."""

    executor: Executor
    name: str  # for people
    workers: Identity  # what each of them has to be
    slots: Callable[[], int]  # how many recordings they work on at once, now
    head: str = "the scheduler"  # without which nothing goes on
    poisoned: type[Exception] = UnplannedError  # says that one took its workers down, repeatedly


class Run(Struct, frozen=True, eq=False):
    """What is to be done with all of them."""

    assigned: Callable[[Task], Assignment]
    options: Options
    converts: bool  # else nothing is made, and an outcome of any kind counts
    budget: Budget = NO_LIMIT
    most: int | None = None  # in flight at once; twice as many as there are slots


def dispatched(tasks: Sequence[Task], engine: Engine, run: Run) -> Generator[Outcome, None, None]:
    """What becomes of each, as soon as it is there.

    Raises ExecutorLostError when the executor is gone: what is in flight may still be published.
    UsageError when a worker is not what it has to be, for it would fail one after the other.
    """
    allowance = Allowance(run.budget)
    finished = Finished(run.options.spool / "finished", [t.target for t in tasks if t.target])

    def begin(task: Task) -> Future[Answer] | Outcome | None:
        if not allowance.take():
            return None
        if task.target and (before := finished.report(task.recording, task.target, run.options)):
            allowance.give(used=False)
            return before
        return _submitted(engine, run.assigned(task))

    def end(task: Task, future: Future[Answer]) -> Outcome:
        answer = _answer(task, future, engine)
        outcome = answer.outcome
        assert outcome is not None
        allowance.read(answer.read)
        allowance.give(used=not run.converts or (isinstance(outcome, Report) and outcome.made))
        if task.target and isinstance(outcome, Report):
            done = task.recording, task.target
            finished.remember(done, run.options, outcome, answer.standing)
        return outcome

    def most() -> int:
        return 0 if allowance.waits else run.most or max(1, AHEAD * engine.slots())

    return in_flight(tasks, begin, end, most)


def _submitted(engine: Engine, given: Assignment) -> Future[Answer]:
    try:
        return engine.executor.submit(carry_out, given)
    except RuntimeError as error:  # it is closed
        raise lost(engine) from error


def _answer(task: Task, future: Future[Answer], engine: Engine) -> Answer:
    if future.cancelled():
        raise lost(engine)
    error = future.exception()
    if isinstance(error, BrokenExecutor):  # it takes nothing more
        raise lost(engine) from error
    if error is None:
        answer = future.result()
        if answer.other is not None:
            raise UsageError(
                f"{engine.name}: a worker is {answer.other}, expected {engine.workers}: stop it, or"
                " install the same"
            )
        return answer
    source = task.recording.source
    if isinstance(error, engine.poisoned):
        said = f"{source}: the workers that had it ended one after the other; out of memory?"
        return Answer(Failure(task.recording.id, source, ExecutorLostError(said)))
    said = f"{source}: unexpected {type(error).__name__} on a worker"
    return Answer(Failure(task.recording.id, source, UnplannedError(said)))


def lost(engine: Engine) -> ExecutorLostError:
    """What is raised once an executor takes nothing more."""
    return ExecutorLostError(
        f"{engine.name}: {engine.head} is gone; what is published stays, so run the same again"
    )
