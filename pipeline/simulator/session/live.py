"""A stream of a session that is recorded as time goes by, as :class:`Recorder` does with others."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from pipeline.errors import UsageError
from pipeline.simulator.recorder.mux import Counters, mux
from pipeline.simulator.recorder.publish import Shelf
from pipeline.simulator.recorder.recorder import MOST_FAILOVERS, header
from pipeline.simulator.recorder.values import HZ, Playlist, RecordedPart, Segment
from pipeline.simulator.session.cast import Act
from pipeline.simulator.session.presence import Interval, intervals, views
from pipeline.simulator.session.tracks import INTERRUPTION, Source, Track, record


@dataclass(slots=True)
class TrackRecorder:
    """``advance`` it, then ``stop`` or ``kill`` it.  A slice is stored when it is complete, and the
    playlist rewritten after it; before the first one nothing is.  For one thread at a time.
    """

    source: Source
    acts: Sequence[Act]
    shelf: Shelf
    begin: int = 0  # ticks
    now: int = field(init=False)
    track: Track | None = field(init=False, default=None)  # as far as it is stored
    _counters: Counters = field(init=False, default_factory=dict)
    _due: int = field(init=False)

    def __post_init__(self) -> None:
        self.now = self._due = self.begin

    @property
    def epoch(self) -> float:
        """Seconds since 1970 at tick 0."""
        return self.source.room.epoch

    def advance(self, seconds: float) -> None:
        """Record so many seconds more."""
        self.now += round(seconds * HZ)
        if self.now >= self._due:
            self._store(self._following(), whole=False)

    def stop(self) -> RecordedPart:
        """Store the last slice, end the playlist, and say what was recorded."""
        self._store(self._following(), whole=True)
        if self.track is not None:
            part = self.track.part
            part = replace(part, playlist=replace(part.playlist, ended=True))
            self.track = replace(self.track, part=part)
            self.shelf.put_playlist(part.playlist)
        return self.part()

    def kill(self) -> RecordedPart:
        """Write nothing more: what was not stored is lost."""
        return self.part()

    def take_over(self, after: float) -> "TrackRecorder":
        """The recorder on another server that goes on ``after`` seconds later; UsageError after the
        third time.
        """
        bak = 0 if self.source.bak is None else self.source.bak + 1
        if bak >= MOST_FAILOVERS:
            raise UsageError(f"bak{bak}_: Agora gives a recording up after {MOST_FAILOVERS}")
        source = replace(self.source, bak=bak)
        return TrackRecorder(source, self.acts, self.shelf, self.now + round(after * HZ))

    def part(self) -> RecordedPart:
        """What is stored so far."""
        source = self.source
        if self.track is None:
            return RecordedPart(source.cname, self.epoch, Playlist(source.playlist, ()), ())
        return self.track.part

    @property
    def is_sent(self) -> bool:
        """Whether anything is sent from now on."""
        source = self.source
        until = intervals(source.member, self.acts, source.stream, self.now + 1)
        return until[-1].cause is None

    def intervals(self) -> tuple[Interval, ...]:
        """When it was sent until now, and why not."""
        return intervals(self.source.member, self.acts, self.source.stream, self.now)

    def _following(self) -> Track | None:
        """What was recorded behind the slices that are stored."""
        sent = [
            replace(span, begin=max(span.begin, self.begin))
            for span in self.intervals()
            if span.cause is None
        ]
        looks = tuple(views(self.source.member, self.acts))
        return record(self.source, sent, looks, self.track)

    def _store(self, made: Track | None, *, whole: bool) -> None:
        """All slices but the last one, which may still grow."""
        self._due = self._next(made)
        if made is None:
            return
        segments = made.part.segments
        over = whole or self.now - _end(segments[-1]) >= INTERRUPTION
        complete = [
            segment if segment.content is not None else mux(segment, self._counters)
            for segment in (segments if over else segments[:-1])
        ]
        for segment in complete:
            self.shelf.put_segment(segment)
        if complete:
            self.track = self._with(made, [_lighter(segment) for segment in complete])
            self.shelf.put_playlist(self.track.part.playlist)

    def _with(self, made: Track, new: Sequence[Segment]) -> Track:
        """The track that is stored, and these slices behind it."""
        old = self.track.part.segments if self.track else ()
        listed = self.track.part.playlist.entries if self.track else ()
        segments = (*old, *new)
        entries = (*listed, *made.part.playlist.entries[: len(new)])
        listing = Playlist(self.source.playlist, header(segments), entries, ended=False)
        part = replace(made.part, segments=segments, playlist=listing)
        turns = tuple(turn for turn in made.turns if turn.time < _end(segments[-1]))
        return replace(made, part=part, turns=turns)

    def _next(self, made: Track | None) -> int:
        """When a slice may be complete that is not yet."""
        times = [round(act.at * HZ) for act in self.acts]
        soonest = self.now + HZ // 2
        if made is not None:
            last = made.part.segments[-1]
            full = last.begin + self.source.room.slice * HZ
            times += [full if full > self.now else soonest, _end(last) + INTERRUPTION]
        elif self.is_sent:
            return soonest
        return max(soonest, min((at for at in times if at > self.now), default=soonest))


def _end(segment: Segment) -> int:
    return segment.begin + segment.length


def _lighter(segment: Segment) -> Segment:
    """Without its bytes, which take a lot of memory."""
    content = b"" if segment.content is not None else None
    return replace(segment, packets=(), needs=(), content=content)
