"""Captions as Real-Time STT records them beside a recording: a playlist of WebVTT files of a minute
each, under an id of their own, their cues on the clock of the system.
"""

import random
from collections.abc import Iterator, Mapping

from msgspec import Struct

from pipeline.agora import names

EVERY, LASTS = 5, 2.5  # seconds from one cue to the next, and of each
SLICE = 60  # seconds of a file
LANGUAGE = "en-US"


class Said(Struct, frozen=True):
    """A cue, in seconds of the recording."""

    begin: float
    end: float
    text: str


class Captions(Struct, frozen=True):
    """All files by name, and what they say."""

    files: Mapping[str, bytes]
    said: tuple[Said, ...]


def captions(cname: str, epoch: float, duration: float, seed: int) -> Captions:
    """Of a recording that began at ``epoch`` (seconds since 1970) and lasted so many seconds."""
    task = random.Random(f"captions {seed}").randbytes(16).hex()
    said = tuple(_said(duration))
    begins = range(0, max(1, round(duration)), SLICE)
    files: dict[str, bytes] = {}
    lines = ["#EXTM3U", "#EXT-X-VERSION:3", f"#EXT-X-TARGETDURATION:{SLICE}"]
    for begin in begins:
        name = f"{task}_{cname}_{names.stamp(epoch + begin)}.vtt"
        own = [one for one in said if begin <= one.begin < begin + SLICE]
        files[name] = _vtt(own, epoch).encode()
        lines += [f"#EXTINF:{min(SLICE, duration - begin):.3f},", name]
    playlist = names.playlist_name(task, cname)
    files[playlist] = "\n".join([*lines, "#EXT-X-ENDLIST", ""]).encode()
    return Captions(files, said)


def _said(duration: float) -> Iterator[Said]:
    at = 1
    while at + LASTS <= duration:
        yield Said(float(at), at + LASTS, f"{at} seconds & counting")
        at += EVERY


def _vtt(said: list[Said], epoch: float) -> str:
    cues = [
        f"{_time(epoch + one.begin)} --> {_time(epoch + one.end)}\n{text}\n"
        for one in said
        for text in [one.text.replace("&", "&amp;")]
    ]
    return "\n".join([f"WEBVTT\nLanguage: {LANGUAGE}\n", *cues])


def _time(seconds: float) -> str:
    whole = round(seconds * 1000)
    minutes, rest = divmod(whole, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}.{rest % 1000:03}"
