"""The recorder: material cut into slices under Agora's names, all at once or as time passes."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

from msgspec.structs import replace

from pipeline.agora import names
from pipeline.errors import UsageError
from pipeline.simulator.recorder.material import Material
from pipeline.simulator.recorder.mux import mux
from pipeline.simulator.recorder.publish import Shelf
from pipeline.simulator.recorder.values import (
    HZ,
    START,
    STREAMS,
    Layout,
    ListedSegment,
    Playlist,
    RecordedPart,
    Segment,
)

MOST_FAILOVERS = 3  # Agora gives up after the third


@dataclass(frozen=True, slots=True)
class Setup:
    """The settings of a recorder."""

    sid: str
    cname: str
    epoch: float  # seconds since 1970 at which the recording begins
    slice: int = 15  # seconds: a slice ends at the first key picture from then on
    streams: tuple[str, ...] = STREAMS


def record(
    setup: Setup, material: Material, begin: int, end: int, *, bak: int | None = None
) -> RecordedPart:
    """One finished part, from ``begin`` (a full second) to ``end``, in ticks; its segments are not
    multiplexed yet.
    """
    step = setup.slice * HZ
    cuts = [*range(begin, end, step), end]
    segments = tuple(_slice(setup, material, span, begin=begin, bak=bak) for span in pairwise(cuts))
    stem = names.stem(setup.sid, setup.cname, bak=bak)
    name = names.playlist_name(setup.sid, setup.cname, bak=bak)
    listing = playlist(name, segments, setup, material)
    return RecordedPart(stem, setup.epoch, listing, segments)


def _slice(
    setup: Setup, material: Material, span: tuple[int, int], *, begin: int, bak: int | None
) -> Segment:
    one, other = span
    units = tuple(u for stream in setup.streams for u in material.units(stream, one, other))
    name = names.slice_name(setup.sid, setup.cname, setup.epoch + one / HZ, bak=bak)
    layout = Layout(streams=setup.streams)
    return Segment(name, one, other - one, units, layout, clock=START - begin)


def playlist(
    name: str,
    segments: tuple[Segment, ...],
    setup: Setup,
    material: Material,
    *,
    ended: bool = True,
) -> Playlist:
    """The playlist that Agora would write of these segments."""
    entries = [ListedSegment(segment.name, segment.length / HZ) for segment in segments]
    if entries:
        at = names.stamp(setup.epoch + segments[0].begin / HZ)
        entries[0] = replace(entries[0], tags=start_tags(setup.streams, material.look.size, at))
    return Playlist(name, header(segments), tuple(entries), ended)


def header(segments: tuple[Segment, ...]) -> tuple[str, ...]:
    """The first lines of a playlist, up to EXT-X-TARGETDURATION (whole seconds)."""
    longest = max((math.ceil(segment.length / HZ) for segment in segments), default=0)
    return (
        *("#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-MEDIA-SEQUENCE:0", "#EXT-X-ALLOW-CACHE:YES"),
        f"#EXT-X-TARGETDURATION:{longest}",
    )


def start_tags(streams: tuple[str, ...], size: tuple[int, int], at: str) -> tuple[str, ...]:
    """The tags in front of the first slice, and of the first after an interruption.

    ``size`` is in pixels, ``at`` the 17 digits of a time.
    """
    event = "#EXT-X-AGORA-TRACK-EVENT:EVENT=START,TRACK_TYPE"
    tags = ["#EXT-X-DISCONTINUITY"]
    if "audio" in streams:
        tags += [f"{event}=AUDIO,TIME={at}"]
    if "video" in streams:
        tags += [f"#EXT-X-AGORA-ROTATE:WIDTH={size[0]},HEIGHT={size[1]},ROTATE=0,TIME={at}"]
        tags += [f"{event}=VIDEO,TIME={at}"]
    return tuple(tags)


@dataclass(slots=True)
class Recorder:
    """A recording that is being made: ``advance`` it, then ``stop`` it, or ``kill`` it.

    A slice is stored when it is complete, and the playlist rewritten after it.  Time is the
    recorder's own, in ticks; :func:`run` ties it to the wall clock.  For one thread at a time.
    Each method raises ``UsageError`` after the end, and the errors of the store.
    """

    setup: Setup
    material: Material
    shelf: Shelf
    begin: int = 0
    bak: int | None = None
    missed: int = 0  # ticks before it that nobody recorded, or that were never stored
    now: int = field(init=False)
    _segments: list[Segment] = field(init=False, default_factory=list)
    _counters: dict[int, int] = field(init=False, default_factory=dict)
    _over: bool = field(init=False, default=False)
    _ended: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self.now = self.begin

    @property
    def epoch(self) -> float:
        """Seconds since 1970 at tick 0."""
        return self.setup.epoch

    def advance(self, seconds: float) -> None:
        """Record so many seconds more."""
        self._refuse_if_over()
        self.now += round(seconds * HZ)
        step = self.setup.slice * HZ
        while self._end + step <= self.now:
            self._close(self._end + step)

    def stop(self) -> RecordedPart:
        """Store the last slice and end the playlist; returns what was recorded."""
        self._refuse_if_over()
        self._over = True
        if self.now > self._end:
            self._close(self.now)
        self._ended = True
        self.shelf.put_playlist(self._playlist())
        return self.part()

    def kill(self) -> RecordedPart:
        """Write nothing more: what was not stored is lost.  Returns what was stored."""
        self._refuse_if_over()
        self._over = True
        return self.part()

    def take_over(self, after: float = 0.0) -> "Recorder":
        """The recorder on another server that continues ``after`` seconds (negative: an overlap).

        It begins at the next full second.  Raises ``UsageError`` after the third time.
        """
        bak = 0 if self.bak is None else self.bak + 1
        if bak >= MOST_FAILOVERS:
            raise UsageError(f"bak{bak}_: Agora gives a recording up after {MOST_FAILOVERS}")
        begin = max(math.ceil(self.now / HZ + after), 0) * HZ
        missed = max(0, begin - self._end)
        return Recorder(self.setup, self.material, self.shelf, begin, bak, missed)

    def part(self) -> RecordedPart:
        """What is stored so far."""
        listing = self._playlist()
        stem = names.stem(self.setup.sid, self.setup.cname, bak=self.bak)
        pauses = ((self.begin - self.missed, self.missed),) if self.missed else ()
        return RecordedPart(stem, self.setup.epoch, listing, tuple(self._segments), pauses=pauses)

    @property
    def _end(self) -> int:
        last = self._segments[-1] if self._segments else None
        return last.begin + last.length if last else self.begin

    def _close(self, end: int) -> None:
        made = _slice(self.setup, self.material, (self._end, end), begin=self.begin, bak=self.bak)
        made = mux(made, self._counters)
        self.shelf.put_segment(made)
        self._segments.append(replace(made, packets=(), needs=()))  # they take a lot of memory
        self.shelf.put_playlist(self._playlist())

    def _playlist(self) -> Playlist:
        name = names.playlist_name(self.setup.sid, self.setup.cname, bak=self.bak)
        made = tuple(self._segments)
        return playlist(name, made, self.setup, self.material, ended=self._ended)

    def _refuse_if_over(self) -> None:
        if self._over:
            raise UsageError(f"{self.setup.sid}: this recorder has stopped")


def run(
    recorder: Recorder,
    until: Callable[[], bool],
    *,
    speed: float = 1.0,
    tick: float = 0.2,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Advance a recorder with the wall clock, ``speed`` times as fast, every ``tick`` seconds."""
    before = clock()
    while not until():
        sleep(tick)
        now = clock()
        recorder.advance((now - before) * speed)
        before = now
