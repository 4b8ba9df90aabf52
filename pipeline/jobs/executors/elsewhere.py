"""Recordings of one run, worked on by an executor: what was chosen here, as it is sent."""

import os
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from pipeline.choices import CHOICES
from pipeline.errors import UsageError
from pipeline.jobs.executors.assignment import Assignment, Choices, Stores, assignment
from pipeline.jobs.executors.cluster import connected
from pipeline.jobs.executors.dispatch import Engine, Run, dispatched
from pipeline.jobs.executors.worker import identity
from pipeline.jobs.limits.budget import NO_LIMIT, Budget
from pipeline.jobs.many import Task
from pipeline.jobs.options import AUTO, OFF, Options
from pipeline.jobs.outcomes import Outcome
from pipeline.storage.locations import absolute

FILES = {name for name, told in CHOICES.items() if (told.metavar or "").endswith("FILE")}


class Order(Struct, frozen=True):
    """What is to become of all recordings."""

    options: Options
    choices: Choices
    stores: Stores = Stores()
    output: str = ""  # the location of the destination; without one, nothing is made
    budget: Budget = NO_LIMIT
    jobs: int | None = None  # handed over at once


def outcomes(
    works: Sequence[Task], where: str | Executor, order: Order
) -> Generator[Outcome, None, None]:
    """What becomes of each, as soon as it is there; ``where`` is the URL of a Dask scheduler, or
    any executor.  Raises like :func:`connected` and :func:`dispatched`.
    """
    to = absolute(order.output) if order.output else ""
    if order.output.endswith("/"):
        to = f"{to.rstrip('/')}/"
    with _engine(where, order.jobs) as engine:

        def assigned(task: Task) -> Assignment:
            return assignment(task, order.choices, order.stores, engine.workers, output=to)

        run = Run(assigned, order.options, bool(to), order.budget, order.jobs)
        yield from dispatched(works, engine, run)


@contextmanager
def _engine(where: str | Executor, jobs: int | None) -> Iterator[Engine]:
    """An executor that was given stays open, and its workers have to be what this process is."""
    if isinstance(where, str):
        with connected(where) as engine:
            yield engine
        return
    slots = jobs or os.cpu_count() or 1
    yield Engine(where, type(where).__name__, identity(), lambda: slots, head="a worker")


def stores(endpoint_url: str | None, region: str | None, profile: str | None) -> Stores:
    """How they are reached; UsageError for a password, which is not sent."""
    if endpoint_url and "@" in urlsplit(endpoint_url).netloc:
        raise UsageError(
            "--endpoint-url: holds a password, which is not sent; set AWS_ENDPOINT_URL"
            " where the workers run"
        )
    return Stores(endpoint_url, region, profile)


def choices(chosen: Mapping[str, Any], options: Options) -> Choices:
    """As they are written; what stands in a file (keys, names) stays there, and workers have to
    have that file as well.
    """
    named = {name: chosen[name] for name in CHOICES if chosen.get(name) is not None}
    files = named.keys() & FILES - {n for n in ("captions",) if named.get(n) in (AUTO, OFF)}
    named |= {name: absolute(str(named[name])) for name in files}
    named.setdefault("format", options.format.value)
    return Choices(tuple(sorted(named.items())), options.uids)
