"""Whom a result shows and plays at a time, by their colours and tones, and which way up.

ffmpeg decodes, and turns pictures as their display matrix says; what was recorded is not looked at.
"""

from pathlib import Path

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from pipeline.muxing import studio
from pipeline.muxing.locate import Ffmpeg
from pipeline.simulator.recorder import measure, palette
from pipeline.simulator.recorder.measure import RATE, Samples, Times

WIDTH, HEIGHT = 80, 60  # pixels that are looked at
DARK = 24  # luma: black
BRIGHT = 60  # luma by which a flash lies above what is opposite
WINDOW = 0.2  # seconds that are listened to
THERE = 0.8  # share of them that has to be there
AUDIBLE = 30.0  # of 32767; a tone has 300 before it is mixed, and beside others there is up to 20
EDGE = 0.15  # of an area that is left out on each side: there it may be mixed with a neighbour


class Area(Struct, frozen=True):
    """A part of a picture, in shares of its width and height."""

    x: float = 0.0
    y: float = 0.0
    width: float = 1.0
    height: float = 1.0


WHOLE = Area()


class Seen(Struct, frozen=True):
    """Who is shown: a number of the palette, or nobody; and whether it is black."""

    number: int | None
    black: bool
    luma: float
    u: float
    v: float


class Pictures(Struct, frozen=True):
    """The pictures of a result, small."""

    times: Times  # seconds of the result
    planes: NDArray[np.uint8]  # picture, plane (Y, U, V), row, column

    def at(self, seconds: float, area: Area = WHOLE) -> Seen:
        """Who is shown at a time; of what is shown from then on if nothing is before."""
        luma, u, v = (float(plane.mean()) for plane in _inner(self._shown(seconds), area))
        black = luma < DARK
        return Seen(None if black else palette.whose(u, v), black, luma, u, v)

    def turned_at(self, seconds: float, area: Area = WHOLE) -> int | None:
        """By how many degrees anticlockwise the picture is turned; only a flash tells."""
        luma = _cropped(self._shown(seconds), area)[0].astype(np.float64)
        rows, columns = luma.mean(axis=1), luma.mean(axis=0)
        tenth = max(1, len(rows) // 10), max(1, len(columns) // 10)
        top, bottom = rows[: tenth[0]].mean(), rows[-tenth[0] :].mean()
        left, right = columns[: tenth[1]].mean(), columns[-tenth[1] :].mean()
        brightest = max(
            (top - bottom, 0), (left - right, 90), (bottom - top, 180), (right - left, 270)
        )
        return brightest[1] if brightest[0] > BRIGHT else None

    def _shown(self, seconds: float) -> NDArray[np.uint8]:
        number = int(np.searchsorted(self.times, seconds + 1e-4, side="right")) - 1
        shown: NDArray[np.uint8] = self.planes[max(number, 0)]
        return shown


class Sound(Struct, frozen=True):
    """The sound of a result."""

    times: Times  # seconds of the result at which each frame begins
    firsts: NDArray[np.int64]  # and the sample with which it does
    samples: Samples

    def at(self, seconds: float) -> dict[int, float]:
        """Whose tones are heard around a time, and how loud each is (of 32767)."""
        heard = self._around(seconds)
        if len(heard) < THERE * WINDOW * RATE:
            return {}
        window = np.hanning(len(heard))
        spectrum = np.abs(np.fft.rfft(heard * window, RATE)) * 2 / window.sum()  # bins of 1 Hz
        loud = {n: float(spectrum[palette.tone(n)]) for n in range(palette.MOST)}
        return {number: volume for number, volume in loud.items() if volume >= AUDIBLE}

    def _around(self, seconds: float) -> NDArray[np.float64]:
        one, other = (self._sample(seconds + half) for half in (-WINDOW / 2, WINDOW / 2))
        return self.samples[one:other].astype(np.float64)

    def _sample(self, seconds: float) -> int:
        """The first one that is played from a time on."""
        frame = int(np.searchsorted(self.times, seconds, side="right")) - 1
        if frame < 0:
            return 0
        end = self.firsts[frame + 1] if frame + 1 < len(self.firsts) else len(self.samples)
        return int(min(self.firsts[frame] + round((seconds - self.times[frame]) * RATE), end))


def look_at(path: Path, ffmpeg: Ffmpeg) -> Pictures:
    """Every picture of a media file; MuxingError if there is none."""
    size = (WIDTH, HEIGHT)
    times, sizes, raw = measure.decoded(
        lambda home: studio.in_small(ffmpeg.ffmpeg, path, home, size), ffmpeg
    )
    return Pictures(times, raw.reshape(len(sizes), 3, HEIGHT, WIDTH))


def listen_to(path: Path, ffmpeg: Ffmpeg) -> Sound:
    """All the sound of a media file; MuxingError if there is none."""
    times, sizes, raw = measure.sound_of(path, ffmpeg)
    counts = sizes // 2
    return Sound(times, np.cumsum(counts) - counts, raw.view("<i2"))


def _cropped(planes: NDArray[np.uint8], area: Area) -> NDArray[np.uint8]:
    left, top = round(area.x * WIDTH), round(area.y * HEIGHT)
    right = max(left + 1, round((area.x + area.width) * WIDTH))
    bottom = max(top + 1, round((area.y + area.height) * HEIGHT))
    return planes[:, top:bottom, left:right]


def _inner(planes: NDArray[np.uint8], area: Area) -> NDArray[np.uint8]:
    """Without its edges."""
    return _cropped(
        planes,
        Area(
            area.x + EDGE * area.width,
            area.y + EDGE * area.height,
            area.width * (1 - 2 * EDGE),
            area.height * (1 - 2 * EDGE),
        ),
    )
