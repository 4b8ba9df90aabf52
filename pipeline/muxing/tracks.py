"""The streams of a media file, read packet by packet: an index alone proves nothing."""

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec import Struct

from pipeline.choices import Format
from pipeline.muxing import file_commands
from pipeline.muxing.locate import Ffmpeg
from pipeline.muxing.run import STALL, run

SLOWEST = 1_000_000  # bytes a second that ffprobe reads on the slowest of machines


class ProbedTrack(Struct):
    """One stream of a file, as ffprobe reads it packet by packet."""

    index: int
    kind: str = ""
    codec: str = ""
    cover: bool = False  # a picture that belongs to the file, not a video
    packets: int = 0
    first: float = float("inf")  # seconds: the earliest packet
    last: float = float("-inf")  # the latest
    end: float = float("-inf")  # where the latest stops, if it says how long it is
    longest: float = 0.0  # packet
    stated: float | None = None  # how long the file says it is


def read_tracks(ffmpeg: Ffmpeg, path: Path, format: Format) -> list[ProbedTrack]:
    """Every stream of a file, by its number; MuxingError if it is no file of this format."""
    argv = file_commands.list_packets(ffmpeg.ffprobe, path, format)
    # through a file, because a long recording has millions of packets
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        timeout = STALL + path.stat().st_size / SLOWEST
        run(argv, env=ffmpeg.env, timeout=timeout, stdout=output.fileno())
        output.seek(0)
        return parse(output)


def parse(lines: Iterable[str]) -> list[ProbedTrack]:
    """The streams that a list of packets tells of, by their number."""
    tracks: dict[int, ProbedTrack] = {}
    for line in lines:
        kind, _, rest = line.rstrip("\n").partition("|")
        values = dict(pair.partition("=")[::2] for pair in rest.split("|"))
        if kind == "packet":
            number = int(values["stream_index"])
            _count(tracks.setdefault(number, ProbedTrack(number)), values)
        elif kind == "stream":
            number = int(values["index"])
            track = tracks.setdefault(number, ProbedTrack(number))
            track.kind, track.codec = values.get("codec_type", ""), values.get("codec_name", "")
            track.stated = _seconds(values.get("duration"))
            track.cover = values.get("disposition:attached_pic") == "1"
    return [tracks[number] for number in sorted(tracks)]


def _count(track: ProbedTrack, values: Mapping[str, str]) -> None:
    if "D" in values.get("flags", ""):  # cut off by the file itself
        return
    track.packets += 1
    at, length = _seconds(values.get("pts_time")), _seconds(values.get("duration_time")) or 0.0
    if at is not None:
        track.first, track.last = min(track.first, at), max(track.last, at)
        track.end = max(track.end, at + length)
    track.longest = max(track.longest, length)


def _seconds(text: str | None) -> float | None:
    return None if text is None or text == "N/A" else float(text)
