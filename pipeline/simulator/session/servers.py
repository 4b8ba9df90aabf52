"""A stream of a session over all servers that recorded it, one taking over from the other."""

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from pipeline.simulator.faults import failover
from pipeline.simulator.faults.catalogue import ChosenFault
from pipeline.simulator.faults.failover import Span
from pipeline.simulator.recorder.values import RecordedPart
from pipeline.simulator.session.presence import Interval, View
from pipeline.simulator.session.tracks import PAUSE, Source, Track, record


def record_all(
    source: Source,
    sent: Sequence[Interval],
    views: Sequence[View],
    *,
    servers: Sequence[Span],
    meetings: Sequence[ChosenFault] = (),
) -> list[Track]:
    """The track of each server that has anything of it."""
    made: list[Track] = []
    for number, server in enumerate(servers):
        here = replace(source, bak=number - 1 if number else None)
        track = record(here, [s for s in _within(sent, server) if s.begin < s.end], views)
        if track is not None:
            part = failover.killed(track.part, number, len(servers) - 1, meetings)
            pauses = tuple(_missing(made[-1].part, part, sent)) if made else ()
            made.append(replace(track, part=replace(part, pauses=pauses)))
    return made


def _within(sent: Sequence[Interval], server: Span) -> Iterator[Interval]:
    for span in sent:
        yield replace(span, begin=max(span.begin, server.begin), end=min(span.end, server.end))


def _missing(
    before: RecordedPart, part: RecordedPart, sent: Sequence[Interval]
) -> Iterator[tuple[int, int]]:
    """What was sent between two servers: begin and length."""
    last = before.segments[-1]
    begin, end = last.begin + last.length, part.segments[0].begin
    for span in sent:
        one, other = max(begin, span.begin), min(end, span.end)
        if other - one > PAUSE:
            yield one, other - one
