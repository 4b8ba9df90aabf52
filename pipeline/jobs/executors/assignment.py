"""What a worker is given, and what it gives back: small values without listings and secrets.

A worker finds the recording again, opens the stores with its own credentials and uses its own
ffmpeg and spool.  It needs no memory: what stands in the destination says what is done.
"""

from typing import Any

from msgspec import Struct

from pipeline.jobs.finished import Standing
from pipeline.jobs.many import Task
from pipeline.jobs.outcomes import Outcome


class Identity(Struct, frozen=True):
    """What has to be the same wherever recordings of one run are worked on."""

    recpipe: str
    python: str  # its first two numbers
    ffmpeg: str

    def __str__(self) -> str:
        return f"recpipe {self.recpipe}, Python {self.python}, ffmpeg {self.ffmpeg}"


class Stores(Struct, frozen=True):
    """How stores are reached, without credentials; what is None the worker knows itself."""

    endpoint_url: str | None = None
    region: str | None = None
    profile: str | None = None  # of the worker's own ~/.aws/config


class Choices(Struct, frozen=True):
    """What was chosen for all recordings of a run, as it is written; keys stay in their file."""

    named: tuple[tuple[str, Any], ...]
    uids: tuple[str, ...] = ()


class Assignment(Struct, frozen=True):
    """One recording to be converted, or with no ``output`` checked."""

    location: str  # of the source, as it was opened
    key: str  # of the playlist, or the only file, in it
    id: str
    sid: str | None
    source: str  # for people
    stores: Stores
    choices: Choices
    by: Identity
    output: str = ""  # the location of the destination
    target: str = ""  # the key of the result in it
    name: str = ""  # what a template calls it
    captions: bool = False  # some lie beside it, under names of their own


class Answer(Struct, frozen=True):
    """What became of it.  ``other`` says what the worker is where it must not work on it."""

    outcome: Outcome | None
    standing: Standing = ()
    read: int = 0  # bytes of the source
    other: Identity | None = None


def assignment(
    task: Task, choices: Choices, stores: Stores, by: Identity, *, output: str = ""
) -> Assignment:
    """What is sent to a worker about a recording that was found."""
    recording, target = task.recording, task.target
    part = recording.parts[0]
    main = part.playlist or next(iter(part.objects.values()))
    return Assignment(
        location=task.location,
        key=main.key,
        id=recording.id,
        sid=recording.sid,
        source=recording.source,
        stores=stores,
        choices=choices,
        by=by,
        output=output,
        target=target.key if target else "",
        name=target.name if target else "",
        captions=bool(part.captions),
    )
