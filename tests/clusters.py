"""A real Dask scheduler and worker processes, each with a spool of its own, as hosts have."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.servers import free_ports

ROOT = Path(__file__).parents[1]
READY = 60  # seconds; a busy machine takes long


class Cluster:
    """Processes that may be killed, stopped and started again."""

    def __init__(self, folder: Path, environment: Mapping[str, str], ttl: float = 30) -> None:
        self.folder, self.workers = folder, {}
        (self.port,) = free_ports(1)
        self._ttl, self._environment, self._all = ttl, environment, []
        self.scheduler: subprocess.Popen | None = None

    @property
    def url(self) -> str:
        return f"dask://127.0.0.1:{self.port}"

    def start_scheduler(self) -> None:
        ttl = {"DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": f"{self._ttl}s"}
        more = ["--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard", "--no-jupyter"]
        self.scheduler = self._start("scheduler", more, ttl)
        self._wait("Scheduler at:", "scheduler")

    def start_workers(self, *names: str) -> None:
        for name in names:
            where = ["--local-directory", str(self.folder / f"dask-{name}"), "--no-dashboard"]
            more = [f"tcp://127.0.0.1:{self.port}", "--nthreads", "1", "--no-nanny", *where]
            more += ["--preload", "pipeline.jobs.executors.worker"]  # before it has to be heard of
            spool = {"RECPIPE_SPOOL": str(self.folder / f"spool-{name}")}
            self.workers[name] = self._start("worker", more, spool, name)
        for name in names:
            self._wait("Registered to:", name)

    def _start(self, kind, more, env, name="scheduler") -> subprocess.Popen:
        argv = [sys.executable, "-m", f"distributed.cli.dask_{kind}", *more]
        env = {**os.environ, **self._environment, **env, "PYTHONPATH": str(ROOT)}
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(argv, env=env, stdout=log, stderr=log, cwd=self.folder)
        self._all.append(process)
        return process

    def _wait(self, said: str, name: str) -> None:
        end, log = time.monotonic() + READY, self.folder / f"{name}.log"
        while said not in log.read_text():
            assert time.monotonic() < end, log.read_text()[-2000:]
            time.sleep(0.05)

    def stop(self) -> None:
        for process in self._all:
            process.kill()
            process.wait()


@contextlib.contextmanager
def cluster(folder: Path, environment: Mapping[str, str], ttl: float = 30) -> Iterator[Cluster]:
    """A scheduler without workers; all is killed in the end."""
    pytest.importorskip("distributed", reason="no distributed: pip install 'recpipe[cluster]'")
    folder.mkdir(parents=True, exist_ok=True)
    made = Cluster(folder, environment, ttl)
    try:
        made.start_scheduler()
        yield made
    finally:
        made.stop()
