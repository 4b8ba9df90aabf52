"""How fast an ffmpeg remuxes: builds differ by a factor of eight on the same stream."""

import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache

from pipeline.muxing.locate import Ffmpeg
from pipeline.muxing.sample_ts import SAMPLE

SLOW = 0.17  # MB in the time of COUNT: builds with a C library of their own stay below
COUNT = 200_000  # steps of Python: how fast this machine is, whatever ffmpeg it has
TIMES = 5  # the best of so many counts: other work on the machine only makes it look slower
DEAR = 0.02  # seconds of CPU
SIZE = 8 << 20  # bytes that are enough to measure
READ = ("-nostdin", "-v", "quiet", "-f", "mpegts", "-i", "pipe:0", "-map", "0", "-c", "copy")
NOWHERE = ("-f", "null", "-")


def pace(found: Ffmpeg, environ: Mapping[str, str] = os.environ) -> float | None:
    """MB (10^6 bytes) of a transport stream for each second of CPU, without the start of ffmpeg;
    None if it fails.

    On one processor, as ffmpeg 7 and later hand every packet from thread to thread: on an idle
    machine most of their time goes into waking each other, beside the work of recpipe it does not.
    """
    times = SIZE // len(SAMPLE)
    try:
        with _on_one_processor():
            runs = [
                (_spent(found, environ, SAMPLE), _spent(found, environ, SAMPLE * times))
                for _ in range(TIMES)
            ]
    except (OSError, subprocess.SubprocessError):
        return None
    start = min(short for short, _ in runs)
    spent = min(long for _, long in runs) - start
    return (times - 1) * len(SAMPLE) / 1e6 / max(spent, 0.001)


def is_slow(speed: float) -> bool:
    """Whether that many MB a second are few for this machine, by what Python takes to count."""
    return speed * min(_counted() for _ in range(TIMES)) < SLOW


@lru_cache
def is_dear_to_start(found: Ffmpeg) -> bool:
    """Whether it takes longer to start than to remux a short recording: a build for a distribution
    is linked against hundreds of libraries.
    """
    try:
        return _started(found) > DEAR
    except (OSError, subprocess.SubprocessError):
        return False


def _started(found: Ffmpeg) -> float:
    """Seconds of CPU to start it."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [str(found.ffmpeg), "-version"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **found.env},
        check=True,
        timeout=30,
    )
    return _since(before)


def _spent(found: Ffmpeg, environ: Mapping[str, str], data: bytes) -> float:
    """Seconds of CPU for these bytes, which other work on the machine changes little."""
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.seek(0)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [str(found.ffmpeg), *READ, *NOWHERE],
            stdin=file,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**environ, **found.env},
            check=True,
            timeout=30,
        )
    return _since(before)


def _counted() -> float:
    """Seconds of CPU that Python takes for ``COUNT`` steps: 0.005 where ``SLOW`` was found."""
    begun, total = time.thread_time(), 0
    for step in range(COUNT):
        total ^= step
    return time.thread_time() - begun


@contextmanager
def _on_one_processor() -> Iterator[None]:
    """What this thread starts meanwhile stays on one processor, where the system lets it."""
    usual = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    with suppress(OSError, AttributeError):
        os.sched_setaffinity(0, usual and {min(usual)})
    try:
        yield
    finally:
        with suppress(OSError, AttributeError):
            os.sched_setaffinity(0, usual)


def _since(before: resource.struct_rusage) -> float:
    """Seconds of CPU that processes took meanwhile which have ended."""
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
