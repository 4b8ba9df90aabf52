"""When it flashes and when it beeps in a result, measured on decoded pictures and sound.

ffmpeg decodes; what was recorded is not looked at.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.muxing import studio
from pipeline.muxing.locate import Ffmpeg
from pipeline.muxing.run import run
from pipeline.simulator.scene import BAND

RATE = 48000  # Hz, of decoded sound
BRIGHT = 160  # luma of the band while it flashes is 235, else 40
LOUD = 1000  # of 32767; a beep has 8000
QUIET = RATE // 5  # samples of quiet in front of a beep
PAIR = 0.5  # seconds a flash and its beep may lie apart at most
TIMEOUT = 600.0

Samples = NDArray[np.int16]
Times = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds of the result, from its beginning."""

    flashes: tuple[float, ...]
    beeps: tuple[float, ...]

    @property
    def offsets(self) -> tuple[float, ...]:
        """How much later than the flash each beep comes, for those that have one."""
        flashes = np.array(self.flashes)
        found = []
        for beep in self.beeps if len(flashes) else ():
            nearest = float(flashes[np.argmin(np.abs(flashes - beep))])
            if abs(beep - nearest) < PAIR:
                found.append(beep - nearest)
        return tuple(found)

    @property
    def offset(self) -> float:
        """The median; nan without a pair."""
        return float(np.median(self.offsets)) if self.offsets else float("nan")

    @property
    def drift(self) -> float:
        """By how much the offset grows from the first to the last pair, on a straight line."""
        offsets = self.offsets
        if len(offsets) < 2:
            return 0.0
        slope = np.polyfit(np.arange(len(offsets)), offsets, 1)[0]
        return float(slope * (len(offsets) - 1))


def measure(path: Path, ffmpeg: Ffmpeg, streams: tuple[str, ...] = ("video", "audio")) -> Measured:
    """Flashes and beeps of these streams of a media file; MuxingError if one is not there."""
    flashes = _flashes(path, ffmpeg) if "video" in streams else ()
    beeps = _beeps(path, ffmpeg) if "audio" in streams else ()
    return Measured(flashes, beeps)


def _flashes(path: Path, ffmpeg: Ffmpeg) -> tuple[float, ...]:
    times, _, raw = _decoded(path, ffmpeg, "video")
    bands = raw.reshape(len(times), -1) if len(times) else raw.reshape(0, 8)
    bright = bands.mean(axis=1) > BRIGHT
    begins = bright & ~np.append(False, bright[:-1])
    return tuple(round(float(t), 4) for t in times[begins])


def _beeps(path: Path, ffmpeg: Ffmpeg) -> tuple[float, ...]:
    times, sizes, raw = _decoded(path, ffmpeg, "audio")
    samples = raw.view("<i2")
    counts = sizes // 2
    # every sample in its own place in time: sound may be missing in between
    firsts = np.cumsum(counts) - counts
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > LOUD)
    frame = np.searchsorted(firsts, loud, side="right") - 1
    at = times[frame] + (loud - firsts[frame]) / RATE
    begins = np.append(True, np.diff(at) * RATE > QUIET) if len(at) else np.zeros(0, bool)
    return tuple(round(float(t), 4) for t in at[begins])


def _decoded(
    path: Path, ffmpeg: Ffmpeg, stream: str
) -> tuple[Times, NDArray[np.int64], NDArray[np.uint8]]:
    """Time and size of every frame, and their bytes in a row."""
    with tempfile.TemporaryDirectory(prefix="recpipe-") as folder:
        home = Path(folder)
        argv = studio.take_apart(ffmpeg.ffmpeg, path, home, stream, rate=RATE, band=BAND)
        run(argv, env=ffmpeg.env, timeout=TIMEOUT)
        lines = (home / "times").read_text().splitlines()
        raw = np.fromfile(home / "frames", np.uint8)
    base = next((x.partition(":")[2] for x in lines if x.startswith("#tb ")), " 1/1")
    numerator, _, denominator = base.strip().partition("/")
    rows = [line.split(",") for line in lines if not line.startswith("#")]
    unit = int(numerator) / int(denominator)
    times = np.array([int(row[2]) * unit for row in rows], np.float64)
    sizes = np.array([int(row[4]) for row in rows], np.int64)
    return times, sizes, raw[: int(sizes.sum())]
