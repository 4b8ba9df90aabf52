"""What the times of captions mean.  Agora says only that they are those of the system's clock, so
each way to write that down is tried, and the first that brings cues into the recording is believed.
"""

from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct

from pipeline.media.captions.clock import WRAP, ResultClock
from pipeline.media.captions.webvtt import Cue, Document, TimestampMap
from pipeline.media.clock import HZ

EARLIEST = 1e9  # seconds since the epoch: 2001, before anything was recorded
SLACK = 5.0  # seconds by which the last cue of a file may outlast it


class CaptionFile(Struct, frozen=True):
    """One file of captions as its playlist lists it."""

    document: Document
    time: float | None = None  # when it begins, seconds since the epoch
    lasts: float | None = None  # seconds


class Reading(Struct, frozen=True):
    """Cues on the clock of the result, in order, and how they came there; ``outside`` were left."""

    how: str
    cues: tuple[Cue, ...]
    outside: int = 0


Cues = list[Cue] | None  # None: the files do not say anything of this kind
Placed = Callable[[Sequence[CaptionFile], ResultClock], Cues]


def reading(files: Sequence[CaptionFile], clock: ResultClock) -> Reading | None:
    """The cues of all files that are shown while the recording lasts; None if there is none."""
    for how, decides, placed in _READINGS:
        cues = placed(files, clock)
        if cues is None:
            continue
        inside = [one for cue in cues if (one := _within(cue, 0.0, clock.seconds))]
        if inside:
            inside.sort(key=lambda cue: (cue.begin, cue.end))
            return Reading(how, tuple(inside), len(cues) - len(inside))
        if decides:
            return None
    return None


def of_span(cues: Sequence[Cue], begin: float, end: float) -> tuple[Cue, ...]:
    """The cues of one file of several, on its own clock; ``begin`` and ``end`` are seconds."""
    moved = (Cue(cue.begin - begin, cue.end - begin, cue.text) for cue in cues)
    return tuple(one for cue in moved if (one := _within(cue, 0.0, end - begin)))


def _within(cue: Cue, begin: float, end: float) -> Cue | None:
    a, b = max(cue.begin, begin), min(cue.end, end)
    return Cue(a, b, cue.text) if a < b else None


def _all(files: Sequence[CaptionFile]) -> Iterator[tuple[CaptionFile, Cue]]:
    return ((file, cue) for file in files for cue in file.document.cues)


def _moved(files: Sequence[CaptionFile], at: Callable[[CaptionFile, float], float]) -> list[Cue]:
    """Every cue where ``at`` has the seconds of its file."""
    return [Cue(at(file, cue.begin), at(file, cue.end), cue.text) for file, cue in _all(files)]


def _times_of_day(files: Sequence[CaptionFile], clock: ResultClock) -> Cues:
    """Cues count from 1970."""
    if not clock.zero or any(cue.begin < EARLIEST for _, cue in _all(files)):
        return None
    return _moved(files, lambda _, seconds: clock.at(seconds))


def _mapped_since_1970(files: Sequence[CaptionFile], clock: ResultClock) -> Cues:
    """X-TIMESTAMP-MAP counts from 1970, as no clock of 33 bits can."""
    maps = [file.document.map for file in files]
    if not clock.zero or any(one is None or one.ticks / HZ < EARLIEST for one in maps):
        return None
    return _moved(files, lambda file, seconds: clock.at(_mapped(file, seconds)))


def _mapped_since_1970_wrapped(files: Sequence[CaptionFile], clock: ResultClock) -> Cues:
    """X-TIMESTAMP-MAP counts from 1970, in 33 bits: the turn that is nearest to the recording."""
    if not clock.zero or any(file.document.map is None for file in files):
        return None
    middle = clock.zero[0] + clock.seconds / 2
    turn = WRAP / HZ

    def at(file: CaptionFile, seconds: float) -> float:
        told = _mapped(file, seconds)
        return clock.at(told + round((middle - told) / turn) * turn)

    return _moved(files, at)


def _mapped(file: CaptionFile, seconds: float) -> float:
    """Seconds by X-TIMESTAMP-MAP."""
    told = file.document.map or TimestampMap(0.0, 0)
    return seconds - told.local + told.ticks / HZ


def _by_stamps(files: Sequence[CaptionFile], clock: ResultClock) -> Cues:
    """X-TIMESTAMP-MAP is of the slices' own clock, as RFC 8216 section 3.5 has it."""
    first = clock.first
    if first is None or any(file.document.map is None for file in files):
        return None
    return _moved(files, lambda file, s: clock.at_stamp(round(_mapped(file, s) * HZ), first))


def _by_files(files: Sequence[CaptionFile], clock: ResultClock) -> Cues:
    """The names of files, or their playlist, say when each began, or the first of them."""
    if not clock.zero or not files or any(file.time is None for file in files):
        return None
    first = files[0].time or 0.0
    each = all(cue.end <= file.lasts + SLACK for file, cue in _all(files) if file.lasts is not None)

    def at(file: CaptionFile, seconds: float) -> float:
        return clock.at((file.time or 0.0 if each else first) + seconds)

    return _moved(files, at)


def _from_the_beginning(files: Sequence[CaptionFile], clock: ResultClock) -> Cues:
    return _moved(files, lambda _, seconds: clock.since_begin(seconds))


# How, for people; whether no other way is looked for where no cue falls into the recording.
_READINGS: tuple[tuple[str, bool, Placed], ...] = (
    ("the times of day in their cues", True, _times_of_day),
    ("the times of day in X-TIMESTAMP-MAP", True, _mapped_since_1970),
    ("the times of day in X-TIMESTAMP-MAP", False, _mapped_since_1970_wrapped),
    ("the stamps in X-TIMESTAMP-MAP", False, _by_stamps),
    ("the times of their files", True, _by_files),
    ("the beginning of the recording", True, _from_the_beginning),
)
