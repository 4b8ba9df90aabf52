"""WebVTT (W3C) read: the cues of a file, and what it says of its clock and its language.

A caption file may have been written by anybody.  Its text comes out as plain text: no markup, no
control characters, not longer than a screen can show.
"""

import codecs
import html
import re
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise

from msgspec import Struct

from pipeline.media.malformed import Malformed

LARGEST = 16 << 20  # bytes of a file
MOST_CUES = 100_000  # of a file; one a second for a day is 86,400
MOST_TEXT = 1_000  # characters of a cue

_SIGNATURE = re.compile(r"WEBVTT(?![^ \t])")  # section 4.1
_TIME = r"(?:([0-9]{1,10}):)?([0-9]{2}):([0-9]{2})[.,]([0-9]{3})"
_STAMP = re.compile(_TIME)
_TIMING = re.compile(rf"[ \t]*{_TIME}[ \t]*-->[ \t]*{_TIME}(?:[ \t].*)?")
_LOCAL = re.compile(rf"LOCAL:{_TIME}")
_TICKS = re.compile(r"MPEGTS:([0-9]{1,19})(?![0-9])")
_LANGUAGE = re.compile(r"Language:[ \t]*([A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8}){0,3})[ \t]*")
_VOICE = re.compile(r"<v(?:\.[^\s<>]*)?[ \t]+([^<>\n]+)>")  # section 4.2.2: who speaks
_TAG = re.compile(r"<[^<>]*>?")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_BLANK = re.compile(r"[ \t\xa0]+")


class Cue(Struct, frozen=True):
    """A text and when it is shown, in seconds on the clock of its file."""

    begin: float
    end: float
    text: str


class TimestampMap(Struct, frozen=True):
    """X-TIMESTAMP-MAP (RFC 8216 section 3.5): ``local`` seconds of the cues are ``ticks`` of
    90 kHz.
    """

    local: float
    ticks: int


class Document(Struct, frozen=True):
    """What a file says; ``skipped`` counts cues that cannot be shown."""

    cues: tuple[Cue, ...] = ()
    map: TimestampMap | None = None
    language: str = ""  # BCP 47, as it is written
    skipped: int = 0


def parse(data: bytes) -> Document:
    """The cues of a WebVTT file in their order.  Malformed for what is none, or too much of it; a
    cue that is wrong is skipped and counted.
    """
    if len(data) > LARGEST:
        raise Malformed(f"{len(data)} bytes, expected at most {LARGEST}")
    text = data.removeprefix(codecs.BOM_UTF8).decode("utf-8", "replace")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if not _SIGNATURE.match(lines[0]):
        raise Malformed("its first line is not WEBVTT")
    head, *blocks = [list(some) for full, some in groupby(lines, bool) if full]
    cues: list[Cue] = []
    skipped = 0
    for cue in (one for block in blocks for one in _cues(block)):
        if cue is None:
            skipped += 1
        elif len(cues) == MOST_CUES:
            raise Malformed(f"more than {MOST_CUES} cues")
        else:
            cues.append(cue)
    return Document(tuple(cues), _map(head), _language(head), skipped)


def _cues(block: Sequence[str]) -> Iterator[Cue | None]:
    """The cues of a block; None for one that is wrong.  Notes, styles and regions have none."""
    starts = [n for n, line in enumerate(block) if "-->" in line]
    for at, following in pairwise([*starts, len(block)]):
        yield _cue(block[at], "\n".join(block[at + 1 : following]))


def _cue(timing: str, text: str) -> Cue | None:
    match = _TIMING.fullmatch(timing)
    if match is None:
        return None
    begin, end = _seconds(match.groups()[:4]), _seconds(match.groups()[4:])
    shown = plain(text)
    return Cue(begin, end, shown) if end > begin and shown else None


def plain(text: str) -> str:
    """The text of a cue without its markup (section 4.2.2), with who speaks in front of it."""
    text = _TAG.sub("", _VOICE.sub(lambda voice: f"{voice[1].strip()}: ", text))
    text = _BLANK.sub(" ", _CONTROL.sub("", html.unescape(text)))
    lines = (line.strip() for line in text.split("\n"))
    return "\n".join(line for line in lines if line)[:MOST_TEXT]


def _seconds(parts: Sequence[str | None]) -> float:
    hours, minutes, seconds, milliseconds = (int(part or 0) for part in parts)
    return (hours * 3600 + minutes * 60 + seconds) + milliseconds / 1000


def _map(head: Sequence[str]) -> TimestampMap | None:
    for line in head[1:]:
        if line.startswith("X-TIMESTAMP-MAP="):
            local, ticks = _LOCAL.search(line), _TICKS.search(line)
            if local and ticks:
                return TimestampMap(_seconds(local.groups()), int(ticks[1]))
    return None


def _language(head: Sequence[str]) -> str:
    return next((told[1] for line in head[1:] if (told := _LANGUAGE.fullmatch(line))), "")
