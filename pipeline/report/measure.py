"""What can be measured on a result: how loud it is, where it is silent, its bit rate, and a few of
its pictures.  The only module here that opens media.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.choices import Format
from pipeline.errors import FfmpegMissingError, MuxingError
from pipeline.media.clock import HZ
from pipeline.media.isobmff.sample_tables import Movie, decode_times, moov_span, parse_moov
from pipeline.media.malformed import Malformed
from pipeline.model import Hole
from pipeline.muxing import file_commands
from pipeline.muxing.locate import Ffmpeg
from pipeline.muxing.run import read_output
from pipeline.report.facts import Measured, Picture
from pipeline.storage.oserrors import os_errors

COLUMNS = 600  # of a chart, at most
FINEST = 0.1  # seconds of what is looked at for silence
USUAL = 1.0  # seconds of a column: groups of pictures are about as long; fewer of a short file
FEWEST = 120  # columns
SILENT = 33 / 32768  # the loudest sample of silence: -60 dB, as the finding SILENT has it
PAUSE = 2.0  # seconds of silence that are worth a mark
PICTURES = 16  # of a contact sheet
LARGEST = 60_000  # bytes of one; a page stays small


def step_of(duration: float) -> float:
    """How long a column is of a recording of so many seconds, in seconds."""
    return max(duration / COLUMNS, min(USUAL, duration / FEWEST), FINEST)


def measure(
    path: Path,
    format: Format,
    duration: float,
    ffmpeg: Ffmpeg,
    *,
    step: float | None = None,
    gaps: Sequence[Hole] = (),
) -> Measured:
    """One file of so many seconds, in columns of ``step`` seconds; no picture is taken where a gap
    is.

    What cannot be measured is left out; ffmpeg never stops a report.
    """
    step = step or step_of(duration)
    columns = _columns(duration, step)
    loud = loudness(path, format, ffmpeg)
    return Measured(
        step,
        peaks=tuple(round(float(one), 4) for one in in_columns(loud, step, columns)),
        silences=silences(loud),
        rates=bit_rates(path, step, columns),
        pictures=contact_sheet(path, format, moments(duration, gaps), ffmpeg),
    )


def _columns(duration: float, step: float) -> int:
    return max(1, math.ceil(duration / step - 1e-9))


def loudness(path: Path, format: Format, ffmpeg: Ffmpeg) -> NDArray[np.float32]:
    """The loudest sample in each tenth of a second, 0 to 1; empty where no sound can be decoded."""
    argv = file_commands.listen(ffmpeg.ffmpeg, path, format)
    size = int(file_commands.LISTENING * FINEST)
    found: list[NDArray[np.float32]] = []
    rest = np.empty(0, np.int16)
    try:
        for data in read_output(argv, env=ffmpeg.env):
            samples = np.concatenate([rest, np.frombuffer(data, np.int16)])
            whole = len(samples) // size * size
            rest = samples[whole:]
            found.append(_peaks(samples[:whole].reshape(-1, size)))
    except (MuxingError, FfmpegMissingError):
        return np.empty(0, np.float32)
    if len(rest):
        found.append(_peaks(rest.reshape(1, -1)))
    return np.concatenate([np.empty(0, np.float32), *found])


def _peaks(samples: NDArray[np.int16]) -> NDArray[np.float32]:
    high, low = samples.max(axis=1, initial=0), samples.min(axis=1, initial=0)
    loudest: NDArray[np.float32] = np.maximum(high.astype(np.float32), -low.astype(np.float32))
    return loudest / np.float32(32768)


def in_columns(fine: NDArray[np.float32], step: float, columns: int) -> NDArray[np.float32]:
    """The loudest of each column of ``step`` seconds; as many as there is sound."""
    if not len(fine):
        return fine
    place = np.minimum((np.arange(len(fine)) + 0.5) * FINEST // step, columns - 1).astype(np.intp)
    found = np.zeros(int(place[-1]) + 1, np.float32)
    np.maximum.at(found, place, fine)
    return found


def silences(fine: NDArray[np.float32]) -> tuple[tuple[float, float], ...]:
    """Begin and end, seconds, of all that is silent for :data:`PAUSE` or longer."""
    quiet = np.concatenate([[0], (fine <= SILENT).astype(np.int8), [0]])
    edges = np.flatnonzero(np.diff(quiet))
    spans = zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    return tuple(
        (round(a * FINEST, 1), round(b * FINEST, 1)) for a, b in spans if (b - a) * FINEST >= PAUSE
    )


def bit_rates(path: Path, step: float, columns: int) -> Mapping[str, tuple[float, ...]]:
    """Bits in a second of each kind of track, by the index of an MP4; empty for other files."""
    with os_errors(f"read {path}"):
        movie = _movie(path)
    found: dict[str, NDArray[np.float64]] = {}
    for track in movie.tracks if movie else ():
        kind = {"vide": "video", "soun": "audio"}.get(track.handler)
        if kind is None:
            continue
        times = decode_times(track, movie.timescale if movie else 1) / HZ
        place = np.clip((times // step).astype(np.intp), 0, columns - 1)
        bits = np.bincount(place, track.sizes.astype(np.float64) * 8, columns) / step
        found[kind] = found.get(kind, np.zeros(columns)) + bits
    return {kind: tuple(round(float(one)) for one in bits) for kind, bits in found.items()}


def _movie(path: Path) -> Movie | None:
    with path.open("rb") as file:

        def read(offset: int, count: int) -> bytes:
            file.seek(offset)
            return file.read(count)

        try:
            moov = moov_span(read, path.stat().st_size).moov
            return parse_moov(read(moov.offset, moov.size))
        except Malformed:
            return None


def moments(duration: float, gaps: Sequence[Hole] = ()) -> list[float]:
    """At even distances, each in the middle of its stretch; fewer of a short file, and none where
    pictures are missing.
    """
    count = min(PICTURES, max(1, int(duration)))
    times = (round(duration * (n + 0.5) / count, 3) for n in range(count))
    lost = [(g.start, g.start + g.length) for g in gaps if (g.kind, g.became) == ("video", "kept")]
    return [at for at in times if not any(begin <= at < end for begin, end in lost)]


def contact_sheet(
    path: Path, format: Format, times: Sequence[float], ffmpeg: Ffmpeg
) -> tuple[Picture, ...]:
    """The pictures at these seconds; those that ffmpeg cannot give are left out."""
    found = []
    for at in times:
        argv = file_commands.picture(ffmpeg.ffmpeg, path, format, at)
        try:
            jpeg = b"".join(read_output(argv, env=ffmpeg.env))
        except (MuxingError, FfmpegMissingError):
            break
        if jpeg and len(jpeg) <= LARGEST:
            found.append(Picture(at, jpeg))
    return tuple(found)


def together(parts: Sequence[tuple[float, Measured]], duration: float) -> Measured | None:
    """Those of several files as one, all in columns of equal length; each begins so many seconds
    from the beginning.
    """
    if len(parts) < 2:
        return parts[0][1] if parts else None
    step = parts[0][1].step
    columns = _columns(duration, step)
    peaks = np.zeros(columns)
    rates = {kind: np.zeros(columns) for _, one in parts for kind in one.rates}
    for begin, one in parts:
        at = np.clip(_places(begin, step, len(one.peaks)), 0, columns - 1)
        np.maximum.at(peaks, at, [peak or 0.0 for peak in one.peaks])
        for kind, values in one.rates.items():
            at = np.clip(_places(begin, step, len(values)), 0, columns - 1)
            np.add.at(rates[kind], at, values)
    return Measured(
        step,
        tuple(round(float(one), 4) for one in peaks),
        tuple((a + begin, b + begin) for begin, one in parts for a, b in one.silences),
        {kind: tuple(map(float, values)) for kind, values in rates.items()},
        _thinned([Picture(p.at + begin, p.jpeg) for begin, one in parts for p in one.pictures]),
    )


def _places(begin: float, step: float, count: int) -> NDArray[np.intp]:
    """The columns of the recording in which those of a file that begins there have their middle."""
    places: NDArray[np.intp] = ((begin + (np.arange(count) + 0.5) * step) // step).astype(np.intp)
    return places


def _thinned(pictures: Sequence[Picture]) -> tuple[Picture, ...]:
    """As many as a contact sheet has, evenly."""
    step = max(1, -(-len(pictures) // PICTURES))
    return tuple(pictures[::step])
