"""Why media is missing, as far as Agora's notifications tell.  Pure.

A hint and never proof: what is missing is counted on the media, these only say how it came to be.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from pipeline.agora.webhook import (
    Failed,
    FailedOver,
    Notice,
    PlaylistMade,
    RecorderLeft,
    RecorderStarted,
    SessionExited,
    SliceStarted,
    StreamChanged,
    Uploaded,
    UploaderStarted,
    Uploading,
    Warned,
)

SLACK = 2.0  # seconds by which the clocks of recorder and slices may differ
FILES = frozenset({31, 32, 33})  # types that say what became of files


class Cause(Struct, frozen=True):
    """One reason; ``type`` is that of the notification that told it.

    ``begin`` and ``end`` are seconds since 1970: None for one of whole files, and for an end that
    nobody told.  ``track`` is ``audio`` or ``video``; None: both.  ``uid`` is whose; None: of all.
    """

    type: int
    said: str
    begin: float | None = None
    end: float | None = None
    track: str | None = None
    uid: str | None = None


def causes(notices: Sequence[Notice]) -> tuple[Cause, ...]:
    """All reasons in the notifications of one recording, which are in order."""
    return (*_interruptions(notices), *_absences(notices), *_leaving(notices), *_files(notices))


def of_span(
    found: Sequence[Cause], begin: float | None, length: float, track: str
) -> tuple[Cause, ...]:
    """What explains media of a track that is missing from ``begin`` (seconds since 1970) on for
    ``length`` seconds; nothing where it is not known when that was.
    """
    if begin is None:
        return ()
    first, last = begin - SLACK, begin + length + SLACK
    return tuple(
        cause
        for cause in found
        if cause.begin is not None
        and cause.track in (None, track)
        and cause.begin <= last
        and (cause.end is None or cause.end >= first)
    )


def of_files(found: Sequence[Cause]) -> tuple[Cause, ...]:
    """What explains that whole files are missing."""
    return tuple(cause for cause in found if cause.type in FILES)


def _interruptions(notices: Sequence[Notice]) -> Iterator[Cause]:
    for notice in notices:
        event = notice.event
        if not isinstance(event, SliceStarted) or event.start is None or event.interrupted is None:
            continue
        if (length := event.start - event.interrupted) > 0:
            said = f"the recorder was interrupted for {length:.1f} s"
            track = event.track if event.track in ("audio", "video") else None
            yield Cause(notice.type, said, event.interrupted, event.start, track)


def _absences(notices: Sequence[Notice]) -> Iterator[Cause]:
    """From where a user's stream came no more to where it came again."""
    away: dict[tuple[str | None, bool], Notice] = {}
    for notice in notices:
        event = notice.event
        if not isinstance(event, StreamChanged) or event.at is None:
            continue
        stream = (event.stream_uid, event.video)
        gone = away.pop(stream, None)
        if event.receiving and gone is not None:
            yield _absence(gone, event.at)
        elif not event.receiving:
            away[stream] = gone or notice
    yield from (_absence(gone, None) for gone in away.values())


def _absence(gone: Notice, end: float | None) -> Cause:
    event = gone.event
    assert isinstance(event, StreamChanged)
    what = "pictures" if event.video else "sound"
    said = f"no {what} of user {event.stream_uid or '?'} came"
    track = "video" if event.video else "audio"
    return Cause(gone.type, said, event.at, end, track, event.stream_uid)


def _leaving(notices: Sequence[Notice]) -> Iterator[Cause]:
    for notice in notices:
        if isinstance(notice.event, RecorderLeft) and notice.happened is not None:
            yield Cause(notice.type, _left(notice.event), notice.happened)


def _files(notices: Sequence[Notice]) -> Iterator[Cause]:
    """What was said last of whole files: all of them there, some elsewhere, or so many so far."""
    done = [n for n in notices if isinstance(n.event, Uploaded)]
    whole = [n for n in done if isinstance(n.event, Uploaded) and n.event.complete]
    if last := (whole or done)[-1:]:
        yield Cause(last[0].type, said(last[0]))
        return
    shares = [n for n in notices if isinstance(n.event, Uploading) and n.event.share is not None]
    if shares:
        yield Cause(shares[-1].type, said(shares[-1]))


def story(notices: Sequence[Notice]) -> tuple[Notice, ...]:
    """The notifications a person wants to read: of the progress of uploads only the last."""
    last = max((n for n, one in enumerate(notices) if isinstance(one.event, Uploading)), default=-1)
    return tuple(
        one for n, one in enumerate(notices) if not isinstance(one.event, Uploading) or n == last
    )


def said(notice: Notice) -> str:
    """One notification in words."""
    tell = _TOLD.get(type(notice.event))
    return tell(notice.event) if tell else notice.name or f"event {notice.type}"


def _left(event: RecorderLeft) -> str:
    return f"the recorder left: {', '.join(sorted(event.why))}"


def _slice(event: SliceStarted) -> str:
    if event.start is None or event.interrupted is None or event.start <= event.interrupted:
        return "the first slice began"
    since = datetime.fromtimestamp(event.interrupted, UTC).strftime("%H:%M:%S")
    return f"a slice began after an interruption of {event.start - event.interrupted:.1f} s, " + (
        f"since {since} UTC"
    )


def _stream(event: StreamChanged) -> str:
    what = "pictures" if event.video else "sound"
    comes = "came" if event.receiving else "came no more"
    return f"{what} of user {event.stream_uid or '?'} {comes}"


def _failed(event: Failed) -> str:
    told = f": {event.message}" if event.message else ""
    return f"error {event.code if event.code is not None else '?'} of level {event.level}{told}"


def _share(event: Uploading) -> str:
    share = "an unknown share" if event.share is None else f"{event.share:.1%}"
    return f"{share} of what there was so far had been uploaded"


_TOLD: Mapping[type, Callable[[Any], str]] = {
    Failed: _failed,
    Warned: lambda e: f"warning {e.code}: an upload is tried again",
    PlaylistMade: lambda _: "the playlist is there",
    SessionExited: lambda e: "the service ended" + ("" if e.normally else ", not as it should"),
    FailedOver: lambda e: f"another server goes on, with uid {e.new_uid or '?'}",
    UploaderStarted: lambda e: "the uploader began" if e.ok else "the uploader could not begin",
    Uploaded: lambda e: (
        "all files were in the bucket"
        if e.complete
        else "some files were only in Agora's backup cloud"
    ),
    Uploading: _share,
    RecorderStarted: lambda e: "the recorder began" if e.ok else "the recorder could not begin",
    RecorderLeft: _left,
    SliceStarted: _slice,
    StreamChanged: _stream,
}
