"""When a result flashes and beeps, measured on decoded pictures and sound.

ffmpeg decodes; nothing is known here of what was recorded.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from pipeline.muxing import studio
from pipeline.muxing.locate import Ffmpeg
from pipeline.muxing.run import run
from pipeline.simulator.recorder.scene import BAND, CELLS, LASTS, SECONDS, STEP, STRIP, TONE

RATE = 48000  # Hz, of decoded sound
BRIGHT = 160  # luma of the band while it flashes is 235, else 40
LOUD = 2000  # of 32767; a beep has 8000, the pre-echo of a codec in front of it some 1000
HALF = 0.5  # share of a beep that has to be heard; what a loss leaves of one is a click
QUIET = 0.2  # seconds of quiet in front of a beep
ROWS = BAND  # as high as the strip, which is the last of them; the others are the band
TIMEOUT = 600.0  # seconds

Samples = NDArray[np.int16]
Times = NDArray[np.float64]
Decoded = tuple[Times, NDArray[np.int64], NDArray[np.uint8]]


class Mark(NamedTuple):
    """A flash or a beep: when it begins in the result, and the second that it shows itself."""

    at: float  # seconds
    second: int  # modulo SECONDS


class Measured(Struct, frozen=True):
    """The flashes and beeps of a result, in its order; times and offsets in seconds."""

    shown: tuple[Mark, ...]
    heard: tuple[Mark, ...]

    @property
    def flashes(self) -> tuple[float, ...]:
        """When flashes begin, in seconds from the beginning of the result."""
        return tuple(mark.at for mark in self.shown)

    @property
    def beeps(self) -> tuple[float, ...]:
        """When beeps begin, in seconds from the beginning of the result."""
        return tuple(mark.at for mark in self.heard)

    @property
    def offsets(self) -> tuple[float, ...]:
        """How much later than the flash of its second each beep comes, for those that have one."""
        found = []
        for at, second in self.heard:
            apart = [at - shown.at for shown in self.shown if shown.second == second]
            if apart:
                found.append(min(apart, key=abs))
        return tuple(found)

    @property
    def offset(self) -> float:
        """The median of the offsets; nan without a pair."""
        return float(np.median(self.offsets)) if self.offsets else float("nan")

    @property
    def drift(self) -> float:
        """By how many seconds the offset grows from first to last pair, on a fitted line."""
        offsets = self.offsets
        if len(offsets) < 2:
            return 0.0
        slope = np.polyfit(np.arange(len(offsets)), offsets, 1)[0]
        return float(slope * (len(offsets) - 1))


def measure(path: Path, ffmpeg: Ffmpeg, streams: tuple[str, ...] = ("video", "audio")) -> Measured:
    """Flashes and beeps of these streams of a media file.

    Raises ``MuxingError`` if a stream is not there or cannot be decoded.
    """
    flashes = _flashes(path, ffmpeg) if "video" in streams else ()
    beeps = _beeps(path, ffmpeg) if "audio" in streams else ()
    return Measured(flashes, beeps)


def _flashes(path: Path, ffmpeg: Ffmpeg) -> tuple[Mark, ...]:
    times, _, raw = _decoded(path, ffmpeg, "video")
    pictures = raw.reshape(len(times), ROWS, CELLS)
    bright = pictures[:, :-1].mean(axis=(1, 2)) > BRIGHT
    begins = np.flatnonzero(bright & ~np.append(False, bright[:-1]))
    numbers = (pictures[:, -1, 1:-1] > BRIGHT) @ (1 << np.arange(CELLS - 2)[::-1])
    return tuple(Mark(round(float(times[n]), 4), int(numbers[n])) for n in begins)


def sound_of(path: Path, ffmpeg: Ffmpeg) -> Decoded:
    """Frames of sound as 16-bit samples of ``RATE``, mixed to one channel."""
    return _decoded(path, ffmpeg, "audio")


def _beeps(path: Path, ffmpeg: Ffmpeg) -> tuple[Mark, ...]:
    times, sizes, raw = sound_of(path, ffmpeg)
    samples = raw.view("<i2")
    counts = sizes // 2
    # every sample in its own place in time: sound may be missing in between
    firsts = np.cumsum(counts) - counts
    loud = _loud(samples)
    frame = np.searchsorted(firsts, loud, side="right") - 1
    return _heard(samples, loud, times[frame] + (loud - firsts[frame]) / RATE)


def in_a_row(samples: Samples) -> tuple[Mark, ...]:
    """Beeps in samples of :data:`RATE` Hz that are played without a gap."""
    loud = _loud(samples)
    return _heard(samples, loud, loud / RATE)


def _loud(samples: Samples) -> NDArray[np.int64]:
    return np.flatnonzero(np.abs(samples.astype(np.int32)) > LOUD)


def _heard(samples: Samples, loud: NDArray[np.int64], at: Times) -> tuple[Mark, ...]:
    """``at``: when each loud sample is heard, in seconds."""
    begins = np.flatnonzero(np.diff(at, prepend=-np.inf) > QUIET)
    ends = np.flatnonzero(np.diff(at, append=np.inf) > QUIET)
    heard = at[ends] - at[begins] > HALF * LASTS
    size = round(LASTS * RATE)
    return tuple(
        Mark(round(float(at[n]), 4), second_of(samples[loud[n] : loud[n] + size]))
        for n in begins[heard]
    )


def second_of(beep: Samples) -> int:
    """The second, modulo ``SECONDS``, of a beep by its pitch; samples of :data:`RATE` Hz."""
    size = 1 << 16  # bins of less than 1 Hz
    spectrum = np.abs(np.fft.rfft(beep.astype(np.float64) * np.hanning(len(beep)), size))
    return round((float(np.argmax(spectrum)) * RATE / size - TONE) / STEP) % SECONDS


def _decoded(path: Path, ffmpeg: Ffmpeg, stream: str) -> Decoded:
    size = (CELLS, ROWS)

    def argv(home: Path) -> list[str]:
        return studio.take_apart(
            ffmpeg.ffmpeg, path, home, stream, rate=RATE, part=STRIP, size=size
        )

    return decoded(argv, ffmpeg)


def decoded(argv: Callable[[Path], list[str]], ffmpeg: Ffmpeg) -> Decoded:
    """Time and size of every frame, and their bytes in a row; ``argv`` is told the folder."""
    with tempfile.TemporaryDirectory(prefix="recpipe-") as folder:
        home = Path(folder)
        run(argv(home), env=ffmpeg.env, timeout=TIMEOUT)
        lines = (home / "times").read_text().splitlines()
        raw = np.fromfile(home / "frames", np.uint8)
    base = next((x.partition(":")[2] for x in lines if x.startswith("#tb ")), " 1/1")
    numerator, _, denominator = base.strip().partition("/")
    rows = [line.split(",") for line in lines if not line.startswith("#")]
    unit = int(numerator) / int(denominator)
    times = np.array([int(row[2]) * unit for row in rows], np.float64)
    sizes = np.array([int(row[4]) for row in rows], np.int64)
    return times, sizes, raw[: int(sizes.sum())]
