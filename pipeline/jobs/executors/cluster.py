"""Dask: recordings worked on by the workers of a scheduler.  The only module that imports it.

Its protocol is pickle, and plain TCP proves nobody's identity: ``dask://`` is for a private
network, ``dask-tls://`` for any other.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from pipeline.errors import ExecutorLostError, UsageError
from pipeline.jobs.executors.assignment import Identity
from pipeline.jobs.executors.dispatch import Engine, lost
from pipeline.version import VERSION

log = logging.getLogger(__name__)

LOCAL = "local"
SCHEMES = {"dask": "tcp", "dask-tls": "tls"}  # ours, and Dask's own
PORT = 8786
TLS = {"ca": "tls_ca_file", "cert": "tls_client_cert", "key": "tls_client_key"}
CONNECT = 10  # seconds until a scheduler has to answer
JOIN = 30  # seconds until the first worker has to be there
LEAVE = 2  # seconds that a farewell may take
KNOWN = 2.0  # seconds for which the number of workers is believed
TTL = 60  # seconds after which a worker that says nothing is given up, where we start the scheduler
LONGEST_TTL = 120.0  # beyond that a person is told
GONE = (OSError, TimeoutError)  # what Dask raises where nobody is there any more
# what a lost scheduler leaves unfinished is said once, by us
_SILENT = ("distributed", "distributed.client", "tornado.application", "asyncio")
QUIET = {"logging": dict.fromkeys(_SILENT, "critical")}


def address(url: str) -> tuple[str, dict[str, str]]:
    """Dask's own address of a scheduler, and the files for TLS; UsageError for anything else."""
    expected = UsageError(  # not quoted: people paste passwords before an @
        f"--executor: expected {LOCAL}, dask://host:{PORT} or dask-tls://host:{PORT}"
    )
    parts = urlsplit(url)
    try:
        host, port = parts.hostname, parts.port or PORT
    except ValueError:
        raise expected from None
    files = dict(parse_qsl(parts.query))
    known = TLS.keys() if parts.scheme == "dask-tls" else set()
    if parts.scheme not in SCHEMES or not host or parts.path.strip("/") or parts.username:
        raise expected
    if files.keys() - known:
        raise expected
    host = f"[{host}]" if ":" in host else host
    return f"{SCHEMES[parts.scheme]}://{host}:{port}", {TLS[name]: files[name] for name in files}


@contextmanager
def connected(url: str) -> Iterator[Engine]:
    """The executor of a scheduler; what is still in flight in the end is cancelled.

    UsageError where Dask is not installed, or workers are not all what we are; ExecutorLostError
    where no scheduler answers or no worker is there.
    """
    where, files = address(url)
    distributed = _distributed()
    client = _client(distributed, where, files)
    try:
        known = _checked(client, where)
        _warn_of_ttl(client, where)
        executor = client.get_executor(pure=False, retries=0)
        engine = Engine(executor, where, known, _slots(client), poisoned=distributed.KilledWorker)
        closed = distributed.client.ClosedClientError  # once it has given the scheduler up
        try:
            yield engine
        except closed as error:
            raise lost(engine) from error
        finally:
            with suppress(*GONE, closed):
                executor.shutdown(wait=False)
    finally:
        with suppress(*GONE):
            client.close(timeout=LEAVE)


@contextmanager
def local_cluster(workers: int, port: int) -> Iterator[str]:
    """A scheduler and worker processes on the loopback interface of this machine, with one thread
    each; the value for ``--executor``.
    """
    distributed = _distributed()
    import dask

    with (
        dask.config.set({"distributed.scheduler.worker-ttl": f"{TTL}s"}),
        distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            scheduler_port=port,
            dashboard_address=None,
            worker_dashboard_address=None,
        ) as cluster,
    ):
        yield cluster.scheduler_address.replace("tcp://", "dask://")


def _distributed() -> Any:
    try:
        import dask

        dask.config.set(QUIET)
        import distributed
    except ImportError as error:
        raise UsageError(
            "distributed is not installed; run `pip install 'recpipe[cluster]'`"
        ) from error
    return distributed


def _client(distributed: Any, where: str, files: dict[str, str]) -> Any:
    security = None
    if where.startswith("tls:"):  # what is not named here is in Dask's own configuration
        security = distributed.Security(require_encryption=True, **files)
    try:
        return distributed.Client(
            where, security=security, timeout=CONNECT, set_as_default=False, name="recpipe"
        )
    except GONE as error:  # its own text may go over many lines
        said = f"{where}: no Dask scheduler answers within {CONNECT} s; check address and network"
        raise ExecutorLostError(said) from error


def _checked(client: Any, where: str) -> Identity:
    """What all workers are: the same as each other, and with our version of recpipe."""
    try:
        client.wait_for_workers(1, timeout=JOIN)
    except TimeoutError as error:
        said = f"{where}: no worker has joined within {JOIN} s; start some"
        raise ExecutorLostError(said) from error
    answers: dict[str, Any] = client.run(_asking(), on_error="return")
    told = {worker: found for worker, found in answers.items() if not isinstance(found, OSError)}
    if not told:  # they went while they were asked
        raise ExecutorLostError(f"{where}: no worker answers; look into their logs")
    for worker, found in told.items():
        if not isinstance(found, Identity):
            raise UsageError(f"worker {worker}: {_reason(found)}")
    first = next(iter(told))
    for worker, found in told.items():
        if found != told[first]:
            raise UsageError(
                f"worker {worker} is {found}, but {first} is {told[first]}: install the same on all"
            )
    if told[first].recpipe != VERSION:
        raise UsageError(
            f"worker {first} is {told[first]}, but this is recpipe {VERSION}: install the same"
        )
    known: Identity = told[first]
    return known


def _asking() -> Callable[[], Any]:
    """What a worker is asked.  It is sent by value and imports in a thread, because a worker whose
    event loop stands still is taken for dead.
    """

    async def ask() -> Identity:
        import asyncio

        def told() -> Identity:
            from pipeline.jobs.executors.worker import identity

            return identity()

        return await asyncio.to_thread(told)

    return ask


def _reason(found: object) -> str:
    if isinstance(found, UsageError):
        return str(found)
    return f"does not say what it is ({type(found).__name__}): install recpipe {VERSION} there"


def _warn_of_ttl(client: Any, where: str) -> None:
    # sent by value: the scheduler need not have recpipe
    ttl = client.run_on_scheduler(lambda dask_scheduler: dask_scheduler.worker_ttl)
    if not ttl or ttl > LONGEST_TTL:
        told = f"only after {ttl:g} s" if ttl else "never"
        log.warning(
            "%s: a worker that hangs is given up %s; start the scheduler with "
            "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL=%ds",
            *(where, told, TTL),
        )


def _slots(client: Any) -> Callable[[], int]:
    """How many recordings all workers take at once; asked again from time to time."""
    asked, count = 0.0, 0

    def slots() -> int:
        nonlocal asked, count
        if time.monotonic() - asked > KNOWN:
            before = count
            with suppress(*GONE):  # then what is in flight is cancelled, and that says so
                count = sum(client.nthreads().values())
            asked = time.monotonic()
            if before and not count:
                log.warning("no worker is left; waiting for some to join")
        return count

    return slots
