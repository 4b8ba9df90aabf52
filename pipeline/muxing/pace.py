"""How fast an ffmpeg remuxes: builds differ by a factor of eight on the same stream."""

import os
import resource
import subprocess
import tempfile
from collections.abc import Mapping
from functools import lru_cache

from pipeline.muxing.locate import Ffmpeg
from pipeline.muxing.sample_ts import SAMPLE

SLOW = 30.0  # MB a second of CPU: builds with a C library of their own stay below
DEAR = 0.02  # seconds of CPU
SIZE = 8 << 20  # bytes that are enough to measure
READ = ("-nostdin", "-v", "quiet", "-f", "mpegts", "-i", "pipe:0", "-map", "0", "-c", "copy")
NOWHERE = ("-f", "null", "-")


def pace(found: Ffmpeg, environ: Mapping[str, str] = os.environ) -> float | None:
    """MB (10^6 bytes) of a transport stream for each second of CPU, without the start of ffmpeg;
    None if it fails.
    """
    times = SIZE // len(SAMPLE)
    try:
        start, spent = (_spent(found, environ, SAMPLE * n) for n in (1, times))
    except (OSError, subprocess.SubprocessError):
        return None
    return (times - 1) * len(SAMPLE) / 1e6 / max(spent - start, 0.001)


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


def _since(before: resource.struct_rusage) -> float:
    """Seconds of CPU that processes took meanwhile which have ended."""
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
