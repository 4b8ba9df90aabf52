"""What Agora writes into a playlist besides RFC 8216: when a stream begins, and how its pictures
are turned.
"""

import re
from datetime import UTC, datetime

from pipeline.media.playlist.tags import attributes
from pipeline.model import Rotation, TrackEvent

MOST = 64  # of each kind in front of one segment
_STAMP = re.compile(r"[0-9]{17}")  # YYYYMMDDhhmmssSSS, UTC
_MILLISECONDS = re.compile(r"[0-9]{13}")  # since the epoch
_SIDE = re.compile(r"[0-9]{1,5}")  # pixels
_TURNED = ("0", "90", "180", "270")


class Events:
    """Reads such tags in their order and holds them for the next segment.  A tag that is not as
    Agora documents it is passed over: no media depends on it.
    """

    def __init__(self) -> None:
        self._events: list[TrackEvent] = []
        self._rotations: list[Rotation] = []

    def read(self, tag: str, value: str) -> None:
        """Take one tag, the name with ``#``, if it is one of Agora's; never raises."""
        if tag == "#EXT-X-AGORA-TRACK-EVENT":
            self._events += _event(attributes(value)) if len(self._events) < MOST else ()
        elif tag == "#EXT-X-AGORA-ROTATE":
            self._rotations += _rotation(attributes(value)) if len(self._rotations) < MOST else ()

    def take(self) -> tuple[tuple[TrackEvent, ...], tuple[Rotation, ...]]:
        """The tags read since the last segment: those of the segment whose URI comes now."""
        taken = tuple(self._events), tuple(self._rotations)
        if any(taken):
            self._events, self._rotations = [], []
        return taken


def _event(given: dict[str, str]) -> tuple[TrackEvent, ...]:
    kind = given.get("TRACK_TYPE", "").lower()
    if given.get("EVENT") != "START" or kind not in ("audio", "video"):
        return ()
    return (TrackEvent(kind, moment(given.get("TIME", ""))),)


def _rotation(given: dict[str, str]) -> tuple[Rotation, ...]:
    width, height = given.get("WIDTH", ""), given.get("HEIGHT", "")
    turned = given.get("ROTATE", "")
    if not (_SIDE.fullmatch(width) and _SIDE.fullmatch(height) and turned in _TURNED):
        return ()
    return (Rotation(int(width), int(height), int(turned), moment(given.get("TIME", ""))),)


def moment(text: str) -> float | None:
    """Seconds since the epoch, from either form that Agora documents: 13 digits, milliseconds since
    the epoch, or 17, YYYYMMDDhhmmssSSS in UTC; None for any other.
    """
    if _MILLISECONDS.fullmatch(text):
        return int(text) / 1000
    if not _STAMP.fullmatch(text):
        return None
    try:
        whole = datetime.strptime(text[:14], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:  # month 13
        return None
    return (round(whole.timestamp()) * 1000 + int(text[14:])) / 1000
