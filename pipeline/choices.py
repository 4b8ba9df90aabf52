"""What may be chosen about a conversion, defined once: name, words, default and help.  From here
the command line, the environment, the file of settings and the public API have it.

Light, for every command imports it before it knows what it is to do.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from os import PathLike
from types import UnionType
from typing import Annotated, Any, TypedDict, get_type_hints


class Format(StrEnum):
    """What is made of a recording; the value is the file's suffix."""

    MP4 = "mp4"
    M4A = "m4a"
    MP3 = "mp3"
    WAV = "wav"
    AAC = "aac"
    TS = "ts"


class OnLoss(StrEnum):
    """What becomes of a span for which there is no media."""

    HOLD = "hold"
    CLOSE = "close"
    FILL = "fill"
    FAIL = "fail"


class OnChange(StrEnum):
    """What becomes of segments whose format is not that of the others."""

    TRANSCODE = "transcode"
    SPLIT = "split"
    FAIL = "fail"


class Users(StrEnum):
    """What becomes of the users of a session (individual mode)."""

    MERGE = "merge"
    SEPARATE = "separate"
    MIX_AUDIO = "mix-audio"
    ALL = "all"

    @property
    def together(self) -> bool:
        """All of them in one file, which is encoded."""
        return self in (Users.MIX_AUDIO, Users.ALL)


class Layout(StrEnum):
    """How all users of a session are shown together."""

    BEST_FIT = "best-fit"
    SIDE_BY_SIDE = "side-by-side"
    VERTICAL = "vertical"
    SPEAKER = "speaker"
    CUSTOM = "custom"


class Absent(StrEnum):
    """What becomes of a span in which a user was away, muted, or had the camera off."""

    HOLD = "hold"
    BLACK = "black"
    CLOSE = "close"


class Align(StrEnum):
    """Where the file of each user of a session begins."""

    USER = "user"
    SESSION = "session"


class StreamTypes(StrEnum):
    """What was to be recorded; the order is that of the numbers of Agora's ``streamTypes``."""

    AUDIO = "audio"
    VIDEO = "video"
    BOTH = "both"

    @property
    def number(self) -> int:
        """What Agora calls it."""
        return list(StreamTypes).index(self)

    @classmethod
    def _missing_(cls, value: object) -> "StreamTypes | None":
        return next((word for word in cls if str(word.number) == str(value)), None)


@dataclass(frozen=True, slots=True)
class Told:
    """What ``--help`` says of a choice, and what it is where settings are written."""

    help: str
    kind: type
    metavar: str | None = None
    numbered: bool = False  # each of its words is a number as well
    flag: str | None = None  # on the command line, where another command means something else
    bounds: tuple[int, int] | None = None  # of a number


SIZES = (16, 4096)  # pixels
BITRATES = (50, 100_000)  # kbit/s
FRAMERATES = (1, 60)  # pictures a second

_FORMAT = "What to make; mp3, wav, aac and m4a hold only the sound."
_ON_LOSS = (
    "Where media is missing: hold its place in time, close the gap, fill it with black and silence,"
    " or fail."
)
_ON_CHANGE = (
    "Where the format of sound or picture changes: re-encode the shorter part, begin another file,"
    " or fail."
)
_MAX_LENGTH = (
    "The most that one file holds: a longer recording becomes several files, cut at key pictures;"
    " 2h is Agora's own."
)
_SPARSE = "Leave sound as sparse as it was sent: no silence where it pauses or is missing."
_UNFINISHED = "Accept a recording that has not ended as it stands."
_KEY = (
    "The key of encrypted segments (16 bytes, or lines of 32 hexadecimal digits), if it is not"
    " next to the playlist."
)
_STREAM_TYPES = "0 (or audio) sound, 1 (video) pictures, 2 (both)."
_USERS = (
    "Of users that were recorded one by one: one file of each with sound and pictures, each stream"
    " by itself, the sound of all as one m4a, or all in one picture (both are encoded)."
)
_LAYOUT = (
    "With --users all: equal tiles, two halves, one large and the others in a column, the same with"
    " whoever speaks, or the regions of --request."
)
_SCREEN = "With --users all: whose picture is a screen, shown whole, and large where a tile is."
_REQUEST = (
    "With --users all: layoutConfig and backgroundColor of the body of an Agora request (JSON), as"
    " start or updateLayout has them."
)
_SPEAKERS = (
    "Also write who spoke when in a session, <name>.speakers.vtt and .speakers.json beside the"
    " result."
)
_CAPTIONS = (
    "Captions for a subtitle track of an MP4: those beside the recording (auto), none (off), or a"
    " WebVTT file or a playlist of them."
)
_ABSENT = (
    "Where a user was away, muted, or had the camera off: hold the last picture, show a black one,"
    " or close the gap."
)
_ALIGN = (
    "Where the file of such a user begins: where the user does, or where the session does, so that"
    " all files run in step."
)
_NAMES = (
    "What users that were recorded one by one are called: CSV with the columns uid, name and"
    " perhaps role, or JSON."
)
_WIDTH = "Re-encode all pictures to this width, with --height: scaled to fit, with black bars."
_HEIGHT = "The height for --width; both are even numbers of pixels."
_BITRATE = "Re-encode all pictures to this many kbit/s."
_FRAMERATE = "Re-encode pictures, at most this many per second; none is repeated."
_DEEP = "Also decode the whole of each MP4: slow, but finds flipped bits."
_REPORT = "Also write a page about each recording, <name>.html beside the result."
_FORCE = "Make it again, and replace what another source left there."


@dataclass(frozen=True, slots=True)
class Choices:
    """What the user may choose, as it is written."""

    format: Annotated[Format, Told(_FORMAT, Format)] = Format.MP4
    on_loss: Annotated[OnLoss, Told(_ON_LOSS, OnLoss)] = OnLoss.HOLD
    on_change: Annotated[OnChange, Told(_ON_CHANGE, OnChange)] = OnChange.TRANSCODE
    max_length: Annotated[float, Told(_MAX_LENGTH, float, "TIME")] = 24 * 3600.0
    sparse_sound: Annotated[bool, Told(_SPARSE, bool)] = False
    accept_unfinished: Annotated[bool, Told(_UNFINISHED, bool)] = False
    key: Annotated[str | PathLike[str] | None, Told(_KEY, str, "FILE")] = None
    stream_types: Annotated[
        StreamTypes | str | int | None, Told(_STREAM_TYPES, StreamTypes, "N", numbered=True)
    ] = None
    users: Annotated[Users, Told(_USERS, Users)] = Users.MERGE
    layout: Annotated[Layout, Told(_LAYOUT, Layout)] = Layout.BEST_FIT
    screen: Annotated[str | None, Told(_SCREEN, str, "UID")] = None
    request: Annotated[str | PathLike[str] | None, Told(_REQUEST, str, "FILE")] = None
    speakers: Annotated[bool, Told(_SPEAKERS, bool)] = False
    captions: Annotated[str | PathLike[str] | None, Told(_CAPTIONS, str, "auto|off|FILE")] = None
    absent: Annotated[Absent, Told(_ABSENT, Absent)] = Absent.HOLD
    align: Annotated[Align, Told(_ALIGN, Align)] = Align.USER
    names: Annotated[str | PathLike[str] | None, Told(_NAMES, str, "FILE")] = None
    picture_width: Annotated[
        int | None, Told(_WIDTH, int, "PIXELS", flag="--width", bounds=SIZES)
    ] = None
    picture_height: Annotated[
        int | None, Told(_HEIGHT, int, "PIXELS", flag="--height", bounds=SIZES)
    ] = None
    video_bitrate: Annotated[int | None, Told(_BITRATE, int, "KBPS", bounds=BITRATES)] = None
    video_framerate: Annotated[int | None, Told(_FRAMERATE, int, "FPS", bounds=FRAMERATES)] = None
    deep: Annotated[bool, Told(_DEEP, bool)] = False
    report: Annotated[bool, Told(_REPORT, bool)] = False
    force: Annotated[bool, Told(_FORCE, bool)] = False


class ConversionChoices(TypedDict, total=False):
    """:class:`Choices` as keywords; what is left out is as usual."""

    format: Format | str  # mp4, m4a, mp3, wav, aac or ts
    on_loss: OnLoss | str  # hold, close, fill or fail
    on_change: OnChange | str  # transcode, split or fail
    max_length: float  # seconds
    sparse_sound: bool
    accept_unfinished: bool
    key: str | PathLike[str] | None  # a file: 16 bytes, or lines of 32 hexadecimal digits
    stream_types: StreamTypes | str | int | None  # 0 or audio, 1 or video, 2 or both
    users: Users | str  # merge, separate, mix-audio or all
    layout: Layout | str  # best-fit, side-by-side, vertical, speaker or custom
    screen: str | None  # a uid
    request: str | PathLike[str] | None  # a file: the body of a start or updateLayout request
    speakers: bool
    captions: (
        str | PathLike[str] | None
    )  # auto, off, or a file: WebVTT, or a playlist of such files
    absent: Absent | str  # hold, black or close
    align: Align | str  # user or session
    names: str | PathLike[str] | None  # a file: CSV or JSON with uid, name and perhaps role
    picture_width: int | None  # pixels, even
    picture_height: int | None
    video_bitrate: int | None  # kbit/s
    video_framerate: int | None  # pictures a second, at most
    deep: bool
    report: bool
    force: bool


def _told(hint: Any) -> Told:
    """What an annotation says besides the type."""
    found: Told = hint.__metadata__[0]
    return found


CHOICES: Mapping[str, Told] = {
    name: _told(hint) for name, hint in get_type_hints(Choices, include_extras=True).items()
}
DEFAULTS: Mapping[str, Any] = {choice.name: choice.default for choice in fields(Choices)}


def settings() -> dict[str, type | UnionType]:
    """What each is where settings are written: a switch, a text or also a number."""
    return {name: _written(told) for name, told in CHOICES.items()}


def _written(told: Told) -> type | UnionType:
    if told.numbered:
        return int | str
    return str if issubclass(told.kind, StrEnum | float) else told.kind
