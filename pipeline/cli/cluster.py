"""``recpipe cluster``, and what ``--executor`` means."""

import threading
from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from pipeline.cli import options, output
from pipeline.errors import UsageError

if TYPE_CHECKING:  # at run time these would load numpy, also for --help
    from pipeline.jobs.many import Task
    from pipeline.jobs.options import Options
    from pipeline.jobs.outcomes import Outcome

Outcomes: TypeAlias = "Generator[Outcome, None, None]"
LOCAL = "local"
OWN = {  # options that say something about this machine, and what says it to a worker
    "ffmpeg": "RECPIPE_FFMPEG",
    "bwlimit": "a limit of its network",
    "encode_jobs": "RECPIPE_ENCODE_JOBS",
}


@click.group(short_help="Try out the conversion by several processes.")
def cluster() -> None:
    """Convert with the workers of a Dask cluster: --executor dask://host:8786.

    \b
    Example:
      recpipe cluster local --workers 2
    """


@cluster.command(short_help="Start a scheduler and workers on this machine.")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    default=2,
    show_default=True,
    help="Processes, each of which converts one recording at a time.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="N",
    default=8786,
    show_default=True,
    help="Of this machine, where the scheduler listens; 0 is any that is free.",
)
@options.general
def local(workers: int, port: int) -> int:
    """Start a Dask scheduler and workers for a try-out, and run until interrupted.

    Only this machine reaches it.  It says on standard output what to give as --executor.

    \b
    Example:
      recpipe cluster local --workers 2
      recpipe convert recordings/ -o out/ --executor dask://127.0.0.1:8786
    """
    from pipeline.jobs.executors.cluster import local_cluster

    with local_cluster(workers, port) as url:
        output.say_listing(url)
        output.say(f"recpipe: {workers} workers; give --executor {url}; Ctrl-C ends them")
        threading.Event().wait()
    return 0


def is_elsewhere(chosen: Mapping[str, Any]) -> bool:
    """Whether recordings are worked on by others.  UsageError for an executor that cannot be, and
    for options that would mean this machine.
    """
    url = chosen.get("executor") or LOCAL
    if url == LOCAL:
        return False
    from pipeline.jobs.executors.cluster import address

    address(url)
    for name, instead in OWN.items():
        if chosen.get(name) is not None:
            said = f"--{name.replace('_', '-')} is about this machine"
            raise UsageError(f"{said}; each worker has its own: {instead}")
    if chosen.get("event_within") is not None:
        said = "--event: a worker finds recordings by their sid, and an event has several"
        raise UsageError(f"{said}; leave out --executor")
    return True


def outcomes(works: "Sequence[Task]", how: "Options", chosen: Mapping[str, Any]) -> Outcomes:
    """What becomes of the recordings on the workers of the executor that was named."""
    from pipeline.cli.chosen import budget
    from pipeline.jobs.executors import elsewhere

    order = elsewhere.Order(
        how,
        elsewhere.choices(chosen, how),
        elsewhere.stores(*(chosen[name] for name in ("endpoint_url", "region", "profile"))),
        chosen.get("output", ""),
        budget(chosen),
        chosen.get("jobs"),
    )
    return elsewhere.outcomes(works, chosen["executor"], order)
