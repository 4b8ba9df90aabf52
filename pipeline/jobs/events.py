"""Recordings that belong to one event: a recorder that crashed was started again, with another sid.

They become one recording, whose parts follow each other like those of servers that took over.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from pipeline.jobs.many import Task
from pipeline.jobs.output.naming import Listings, slice_times
from pipeline.model import Recording


class _Span(Struct, frozen=True):
    """When the first and the last slice of a recording began, seconds since 1970."""

    recording: Recording
    first: float
    last: float


def works_of(works: Sequence[Task], within: float) -> list[Task]:
    """The same works, those of one source :func:`joined`."""
    sources = {id(work.source): work for work in works}
    return [
        replace(work, recording=recording)
        for key, work in sources.items()
        for recording in joined((w.recording for w in works if id(w.source) == key), within)
    ]


def joined(recordings: Iterable[Recording], within: float) -> list[Recording]:
    """The recordings, those of one channel as one where each begins at most ``within`` seconds
    behind the last slice of those before.  Sessions of single users, and recordings whose slices
    tell no time, stay as they are.
    """
    listings = Listings()
    alone: list[Recording] = []
    channels: dict[str, list[_Span]] = defaultdict(list)
    for recording in recordings:
        times = [] if recording.streams else list(slice_times(recording, listings))
        if times and recording.cname:
            channels[recording.cname].append(_Span(recording, min(times), max(times)))
        else:
            alone.append(recording)
    events = [event for spans in channels.values() for event in _events(spans, within)]
    return [*alone, *map(_one, events)]


def _events(spans: list[_Span], within: float) -> Iterator[list[_Span]]:
    event: list[_Span] = []
    for span in sorted(spans, key=lambda span: (span.first, span.recording.id)):
        if event and span.first - max(one.last for one in event) > within:
            yield event
            event = []
        event.append(span)
    yield event


def _one(event: list[_Span]) -> Recording:
    """The first of them, with the parts of all."""
    first, *others = (span.recording for span in event)
    more = (replace(part, sid=one.sid) for one in others for part in one.parts)
    return replace(first, parts=(*first.parts, *more))
