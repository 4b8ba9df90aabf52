"""Which streams of a session are meant, and whose they are."""

from collections.abc import Iterable, Sequence
from itertools import chain

from msgspec.structs import replace

from pipeline.agora import names
from pipeline.choices import Format, Users
from pipeline.errors import UsageError
from pipeline.jobs.options import Options
from pipeline.jobs.sessions.people import Person
from pipeline.model import Recording

PICTURED = (Format.MP4, Format.TS)  # formats with pictures
SHOWN = 5  # uids in one message


def stream_of(recording: Recording) -> names.UserStream:
    """Whose stream it is, and of what."""
    found = names.parse_stream(recording.cname or "")
    assert found is not None
    return found


def chosen(recording: Recording, options: Options) -> Recording:
    """The session with the streams alone that are asked for; UsageError if there is none.  Anything
    else is as it was.
    """
    if not recording.streams:
        return recording
    streams = [s for s in recording.streams if _is_meant(s, options)]
    if not streams:
        said = f"{recording.source}: no stream of it is asked for"
        raise UsageError(f"{said}; it has {', '.join(_told(recording.streams))}")
    parts = tuple(part for stream in streams for part in stream.parts)
    return replace(recording, parts=parts, streams=tuple(streams))


def _is_meant(recording: Recording, options: Options) -> bool:
    stream = stream_of(recording)
    of_them = not options.uids or stream.uid in options.uids
    return of_them and (stream.kind != "video" or not sound_alone(options))


def sound_alone(options: Options) -> bool:
    """Whether pictures of a session are neither read nor made."""
    return options.format not in PICTURED or options.users is Users.MIX_AUDIO


def _told(streams: Sequence[Recording]) -> list[str]:
    return [f"{s.kind or names.INDEX} of {s.uid}" for s in map(stream_of, streams)]


def users_in(recording: Recording) -> set[str]:
    """The uids of those who were recorded one by one; none where all are in one file."""
    streams = recording.streams or (recording,)
    found = (names.parse_stream(one.cname or "") for one in streams)
    return {stream.uid for stream in found if stream is not None}


def is_index(stream: Recording, streams: Sequence[Recording]) -> bool:
    """A playlist over both streams of a user, which are there: it says nothing they do not."""
    return names.is_index(stream.cname or "", [one.cname or "" for one in streams])


def by_user(recording: Recording) -> dict[str, list[int]]:
    """The places of each user's streams in the session, by uid."""
    found: dict[str, list[int]] = {}
    for place, stream in enumerate(recording.streams):
        if not is_index(stream, recording.streams):
            found.setdefault(stream_of(stream).uid, []).append(place)
    return found


def first_slice(session: Recording) -> float | None:
    """When the first slice of anybody began, also of users who are not asked for, by all names that
    lie beside its playlists; seconds since 1970.
    """
    beside = {id(part.objects): part.objects for part in session.parts}
    slices = (
        names.parse_slice_name(o.name)
        for o in chain(*(found.values() for found in beside.values()))
    )
    own = (one for one in slices if one is not None and one.sid == session.sid)
    return min((one.utc for one in own if names.parse_stream(one.cname)), default=None)


def taking_part(people: Sequence[Person], recording: Recording) -> tuple[Person, ...]:
    """Those of the people who are in the session."""
    uids = by_user(recording).keys()
    return tuple(person for person in people if person.uid in uids)


def strangers(people: Sequence[Person], recordings: Iterable[Recording]) -> str:
    """The uids of those who are in none of the recordings, for people; empty if there are none."""
    there = {uid for recording in recordings for uid in by_user(recording)}
    uids = [person.uid for person in people if person.uid not in there]
    more = f" and {len(uids) - SHOWN} more" if len(uids) > SHOWN else ""
    return f"{', '.join(uids[:SHOWN])}{more}"
