"""How and where recordings are converted."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from enum import StrEnum
from math import inf
from os import PathLike
from pathlib import Path
from typing import Any, Unpack

from msgspec import Struct
from msgspec.structs import asdict, replace

from pipeline import config
from pipeline.choices import (
    CHOICES,
    DEFAULTS,
    Absent,
    Align,
    Choices,
    ConversionChoices,
    Format,
    OnChange,
    OnLoss,
    StreamTypes,
    Users,
)
from pipeline.errors import UsageError
from pipeline.jobs.limits.turns import Turns
from pipeline.jobs.sessions import people
from pipeline.jobs.sessions.arrangement import arrangement, settings_of
from pipeline.jobs.sessions.people import Person
from pipeline.media.compose.layout import Arrangement
from pipeline.media.containers.aes128 import MAX_KEY, keys_of
from pipeline.media.slots.format_changes import Asked
from pipeline.model import Finding
from pipeline.muxing.together import Guest
from pipeline.storage.oserrors import os_errors

AUTO, OFF = "auto", "off"
PICTURES = ("picture_width", "picture_height", "video_bitrate", "video_framerate")
LARGEST = 4096 * 2304  # pixels of one picture, by level 5.1 of H.264


def unwatched(stage: str, count: int) -> None:
    """Progress that nobody watches."""


def unguarded(placed: str) -> None:
    """Nobody else can be publishing it."""


def at_once(needs: Mapping[Path, int], waiting: Callable[[], None]) -> AbstractContextManager[None]:
    """Nobody else needs room on the disk."""
    return nullcontext()


Admitted = Callable[[Mapping[Path, int], Callable[[], None]], AbstractContextManager[None]]


class Options(Struct, frozen=True):
    """What was chosen, and who is told meanwhile."""

    format: Format = Format.MP4
    on_loss: OnLoss = OnLoss.HOLD
    on_change: OnChange = OnChange.TRANSCODE
    max_length: float = DEFAULTS["max_length"]  # seconds of one file
    sparse_sound: bool = False  # no frame of silence where sound pauses
    accept_unfinished: bool = False
    stream_types: StreamTypes | None = None  # what was to be recorded
    users: Users = Users.MERGE
    absent: Absent = Absent.HOLD
    align: Align = Align.USER
    arrangement: Arrangement = Arrangement()  # of all users in one picture
    speakers: bool = False  # write who spoke when
    captions: str = AUTO  # those beside the recording, "off", or a file
    uids: tuple[str, ...] = ()  # only these users of a session; empty: all
    people: tuple[Person, ...] = ()  # what users are called
    picture_width: int | None = None  # pixels, as all pictures are to have
    picture_height: int | None = None
    video_bitrate: int | None = None  # kbit/s
    video_framerate: int | None = None  # pictures a second, at most
    deep: bool = False  # decode all of the result
    report: bool = False  # a page about each recording
    force: bool = False  # replace results that are not from this source
    keys: tuple[bytes, ...] = ()  # for what is encrypted
    spool: Path = Path(".recpipe-spool")
    # stage and bytes; thousandths where the stage is "reencode"
    progress: Callable[[str, int], None] = unwatched
    noted: tuple[Finding, ...] = ()  # what whoever asks for it knows already
    guard: Callable[[str], None] = unguarded  # may this key be made?
    admitted: Admitted = at_once  # waits for room: bytes by folder, called while waiting
    turns: Turns = Turns()  # what recordings side by side do one after the other
    guest: Guest | None = None  # short recordings are muxed together

    def __repr__(self) -> str:
        """Without the keys."""
        told = {name: value for name, value in asdict(self).items() if name != "keys"}
        return f"Options({', '.join(f'{name}={value!r}' for name, value in told.items())})"

    @property
    def asked(self) -> Asked | None:
        """What all pictures are to become; None if they stay as they are where they can."""
        width, height = self.picture_width, self.picture_height
        size = (width, height) if width and height else None
        asked = Asked(size, self.video_bitrate, self.video_framerate)
        return None if asked == Asked() else asked

    def without_users(self) -> "Options":
        """The same for a recording that is not of single users."""
        usual = {"users": Users.MERGE, "absent": Absent.HOLD, "align": Align.USER}
        alone = {**usual, "arrangement": Arrangement(), "speakers": False}
        return replace(self, **alone, uids=(), people=())

    def person(self, uid: str) -> Person | None:
        """What a user is called; None if nobody said."""
        return next((person for person in self.people if person.uid == uid), None)

    @property
    def settings(self) -> dict[str, str]:
        """What decides about a result, as receipts remember it."""
        chosen = {"format": self.format, "on_loss": self.on_loss, "on_change": self.on_change}
        settings = {name: value.value for name, value in chosen.items()}
        if self.stream_types:
            settings["stream_types"] = self.stream_types.value
        if self.max_length != DEFAULTS["max_length"]:
            settings["max_length"] = f"{self.max_length:g}"
        if self.users is not Users.MERGE:
            settings["users"] = self.users.value
        if self.users is Users.ALL:
            settings |= settings_of(self.arrangement)
        if self.speakers:
            settings["speakers"] = "yes"
        if self.absent is not Absent.HOLD:
            settings["absent"] = self.absent.value
        if self.align is not Align.USER:
            settings["align"] = self.align.value
        if self.captions != AUTO:
            settings["captions"] = OFF if self.captions == OFF else "given"
        if self.uids:
            settings["uids"] = ",".join(sorted(self.uids))
        if self.people:
            settings["names"] = people.written(self.people)
        settings |= {name: str(value) for name in PICTURES if (value := getattr(self, name))}
        if self.sparse_sound:
            settings["sparse_sound"] = "yes"
        return settings | ({"deep": "yes"} if self.deep else {})


def options(spool: str | Path | None = None, **chosen: Unpack[ConversionChoices]) -> Options:
    """What was chosen, as stages take it.  ``spool`` is the user's own unless it is named.

    Raises ValueError for a word that is none of its choices, and UsageError for a key that is none.
    """
    given = Choices(**chosen)  # type: ignore[arg-type]  # words, until they are read here
    values = {name: _read(name, getattr(given, name)) for name in CHOICES}
    values["keys"] = _keys(values.pop("key"))
    values["captions"] = _captions(values["captions"], values["format"])
    names = values.pop("names")
    values["people"] = people.read(names) if names else ()
    asked = (values.pop("layout"), values.pop("screen"), values.pop("request"))
    if values["users"] is Users.ALL:
        values["arrangement"] = arrangement(*asked)
    _refuse_contradictions(values)
    return Options(**values, spool=Path(spool) if spool else config.default_spool())


def _captions(given: str | PathLike[str] | None, format: Format) -> str:
    """As it is written, but for a file that no result could hold."""
    if given not in (None, AUTO, OFF) and format is not Format.MP4:
        raise UsageError(f"--captions {given}: {format.value} has no subtitle track; make an mp4")
    return AUTO if given is None else str(given)


def _refuse_contradictions(chosen: Mapping[str, Any]) -> None:
    """UsageError for what cannot be asked of pictures."""
    named = [name for name in PICTURES if chosen[name]]
    if not named:
        return
    flag = CHOICES[named[0]].flag or f"--{named[0].replace('_', '-')}"
    width, height = chosen["picture_width"], chosen["picture_height"]
    if (width is None) != (height is None):
        raise UsageError(f"{flag}: give --width and --height together")
    if width and (width % 2 or height % 2):
        raise UsageError(f"--width {width} --height {height}: expected even numbers")
    if width and width * height > LARGEST:
        raise UsageError(f"--width {width} --height {height}: expected at most {LARGEST} pixels")
    if chosen["format"] not in (Format.MP4, Format.TS):
        raise UsageError(f"{flag}: {chosen['format'].value} holds no pictures")
    if chosen["on_change"] is not OnChange.TRANSCODE:
        raise UsageError(f"{flag}: with --on-change {chosen['on_change'].value} nothing is encoded")


def _read(name: str, value: Any) -> Any:
    """One of the words of a choice that has words, or a length of time; else as it is."""
    kind = CHOICES[name].kind
    bounds = CHOICES[name].bounds
    if (
        bounds
        and value is not None
        and not (type(value) is int and bounds[0] <= value <= bounds[1])
    ):
        raise ValueError(
            f"{name}: {value!r}, expected a whole number from {bounds[0]} to {bounds[1]}"
        )
    if kind is float and not 0 < value < inf:
        raise ValueError(f"{name}: {value!r}, expected seconds above 0")
    if value is None or not issubclass(kind, StrEnum):
        return value
    try:
        return kind(value)
    except ValueError as error:
        raise ValueError(f"{name}: {value!r}, expected {', '.join(kind)}") from error


def _keys(file: str | PathLike[str] | None) -> tuple[bytes, ...]:
    """What the file of a key holds; no message tells anything of it."""
    if not file:
        return ()
    with os_errors(f"read the key {file}"), Path(file).open("rb") as opened:
        keys = keys_of(opened.read(MAX_KEY))
    if not keys:
        raise UsageError(f"{file}: no key, expected 16 bytes or lines of 32 hexadecimal digits")
    return keys
