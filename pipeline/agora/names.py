"""The file names of Agora Cloud Recording (Agora's page on managing recorded files).

``[bak<n>_]<sid>_<cname>`` begins every name: ``.m3u8`` ends a playlist, ``_<utc>.ts`` a slice,
``_<index>.mp4`` an MP4 made by Agora, ``_<tick>_<index>.m3u8`` a playlist that its backup cloud
forwarded.  In individual mode ``<cname>__uid_s_<uid>__uid_e_<kind>`` stands where the cname stands
in composite mode: :func:`parse_stream` takes it apart.  A cname may hold underscores and most
punctuation, so names are read from both ends.  A name that does not fit is not Agora's: the answer
is None.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from msgspec import Struct

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

_STEM = r"(?:bak(?P<bak>[0-9]|[1-9][0-9])_)?(?P<sid>[0-9a-f]{32})_(?P<cname>[^/\x00-\x1f\x7f]+)"
_PLAYLIST = re.compile(rf"{_STEM}\.m3u8")
_SLICE = re.compile(rf"{_STEM}_(?P<stamp>[0-9]{{17}})\.(?P<extension>ts|webm|m4s)")
_MP4 = re.compile(rf"{_STEM}_(?P<index>0|[1-9][0-9]{{0,5}})\.mp4")
_BACKUP = re.compile(r"_([0-9]{1,20})_(0|[1-9][0-9]{0,5})\.m3u8")
_STREAM = re.compile(
    r"(?P<cname>.+)__uid_s_(?P<uid>[1-9][0-9]{0,9})__uid_e(?:_(?P<kind>audio|video|av))?", re.DOTALL
)
_REPLACED = re.compile(r"[!@#$%^&*()+_.=\[\]{}~|,;:?<>]")
_STAMP = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{3})")


INDEX = "av"  # the kind of a playlist over both streams of a user


class PlaylistName(Struct, frozen=True):
    """A playlist; ``bak`` is None in the main part, else the number of the failover."""

    bak: int | None
    sid: str
    cname: str


class SliceName(Struct, frozen=True):
    """A slice; its start is given twice, as in the name and in seconds since the epoch."""

    bak: int | None
    sid: str
    cname: str
    stamp: str  # 17 digits, UTC
    utc: float
    extension: str  # ts, webm or m4s


class Mp4Name(Struct, frozen=True):
    """One of the MP4 files Agora makes itself, counted from 0."""

    bak: int | None
    sid: str
    cname: str
    index: int


class UserStream(Struct, frozen=True):
    """Whose sound or pictures, in individual mode; an MP4 holds both, its ``kind`` is None."""

    cname: str
    uid: str
    kind: str | None  # audio, video, or av for the index over both


def parse_playlist_name(name: str) -> PlaylistName | None:
    """The parts of a playlist's name.

    A backup-cloud copy reads as a longer cname: ask :func:`backup_copy` first.
    """
    match = _PLAYLIST.fullmatch(name)
    return match and PlaylistName(_bak(match), match["sid"], match["cname"])


def parse_slice_name(name: str) -> SliceName | None:
    """The parts of a slice's name; None as well for a stamp that is no date."""
    match = _SLICE.fullmatch(name)
    start = utc(match["stamp"]) if match else None
    if match is None or start is None:
        return None
    stem = (_bak(match), match["sid"], match["cname"])
    return SliceName(*stem, match["stamp"], start, match["extension"])


def parse_mp4_name(name: str) -> Mp4Name | None:
    """The parts of the name of an MP4 of Agora's; None for a 17-digit stamp, which is a slice's."""
    match = _MP4.fullmatch(name)
    return match and Mp4Name(_bak(match), match["sid"], match["cname"], int(match["index"]))


def backup_copy(name: str, stem: str) -> tuple[int, int] | None:
    """Tick and index of ``<stem>_<tick>_<index>.m3u8``, forwarded later by Agora's backup cloud.

    Only the expected stem tells such a name from that of a channel called ``x_12_3``.
    """
    match = _BACKUP.fullmatch(name.removeprefix(stem)) if name.startswith(stem) else None
    return (int(match[1]), int(match[2])) if match else None


def parse_stream(cname: str) -> UserStream | None:
    """The parts of what stands for the cname in individual mode; None in the other modes."""
    match = _STREAM.fullmatch(cname)
    return match and UserStream(match["cname"], match["uid"], match["kind"])


def parse_session_name(name: str) -> PlaylistName | None:
    """``<sid>_<cname>``: what stands for a session, which has many playlists."""
    return parse_playlist_name(f"{name}.m3u8")


def one_recording(sid: str, cname: str) -> str:
    """What all parts of one result have in common, and no other has: the sid; of a stream that was
    converted by itself its name.
    """
    return stem(sid, cname) if parse_stream(cname) else sid


def is_index(cname: str, cnames: Iterable[str]) -> bool:
    """Whether a playlist of individual mode lists what streams of the same user, among these, list
    themselves.
    """
    own = parse_stream(cname)
    if own is None or own.kind != INDEX:
        return False
    others = map(parse_stream, cnames)
    return any(o is not None and o.uid == own.uid and o.kind != INDEX for o in others)


def user_cname(cname: str, uid: str) -> str:
    """What stands for the cname in the name of the file that is made of one user."""
    return f"{cname}__uid_s_{uid}"


def same_channel(found: str, cname: str) -> bool:
    """Whether the cname in a file name stands for this channel, punctuation kept or replaced."""
    return found in (cname, replaced(cname))


def replaced(cname: str) -> str:
    """The cname as web page recording writes it into names: a dash for most punctuation."""
    return _REPLACED.sub("-", cname)


def stem(sid: str, cname: str, *, bak: int | None = None) -> str:
    """The beginning of every name of one part."""
    return f"{sid}_{cname}" if bak is None else f"bak{bak}_{sid}_{cname}"


def playlist_name(sid: str, cname: str, *, bak: int | None = None) -> str:
    """The inverse of :func:`parse_playlist_name`."""
    return f"{stem(sid, cname, bak=bak)}.m3u8"


def slice_name(
    sid: str, cname: str, start: float, *, bak: int | None = None, extension: str = "ts"
) -> str:
    """The inverse of :func:`parse_slice_name`; ``start`` is in seconds since the epoch."""
    return f"{stem(sid, cname, bak=bak)}_{stamp(start)}.{extension}"


def backup_name(stem: str, tick: int, index: int) -> str:
    """The inverse of :func:`backup_copy`."""
    return f"{stem}_{tick}_{index}.m3u8"


def stream_cname(cname: str, uid: str, kind: str | None = None) -> str:
    """The inverse of :func:`parse_stream`: give it as the cname to the functions above."""
    return f"{cname}__uid_s_{uid}__uid_e" + (f"_{kind}" if kind else "")


def utc(stamp: str) -> float | None:
    """Seconds since the epoch of ``YYYYMMDDhhmmssSSS`` (UTC), exact to the millisecond.

    None if it is no date.
    """
    match = _STAMP.fullmatch(stamp)
    if match is None:
        return None
    year, month, day, hour, minute, second, milliseconds = map(int, match.groups())
    try:
        start = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:  # month 13, February 30, hour 24, year 0
        return None
    return ((start - _EPOCH) // _MILLISECOND + milliseconds) / 1000


def stamp(epoch: float) -> str:
    """The 17 digits (UTC) of a slice's name for seconds since the epoch, to the millisecond."""
    at = _EPOCH + round(epoch * 1000) * _MILLISECOND
    return f"{at.year:04}{at:%m%d%H%M%S}{at.microsecond // 1000:03}"


def _bak(match: re.Match[str]) -> int | None:
    return int(match["bak"]) if match["bak"] else None
