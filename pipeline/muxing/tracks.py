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
    """One stream of a file, as ffprobe reads it packet by packet; times are seconds."""

    index: int
    kind: str = ""  # "video", "audio", ...
    codec: str = ""  # ffprobe's name of it
    cover: bool = False  # a picture that belongs to the file, not a video
    packets: int = 0
    first: float = float("inf")  # the earliest PTS
    last: float = float("-inf")  # the latest PTS
    end: float = float("-inf")  # the latest end of a packet, by its duration if it has one
    longest: float = 0.0  # duration of a packet
    stated: float | None = None  # duration that the file states


def read_tracks(ffmpeg: Ffmpeg, path: Path, format: Format) -> list[ProbedTrack]:
    """Every stream of a file, by its number; MuxingError if it is no file of this format, or cannot
    be read in time.
    """
    argv = file_commands.list_packets(ffmpeg.ffprobe, path, format)
    # through a file, because a long recording has millions of packets
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        timeout = STALL + path.stat().st_size / SLOWEST
        run(argv, env=ffmpeg.env, timeout=timeout, stdout=output.fileno())
        output.seek(0)
        return parse(output)


def parse(lines: Iterable[str]) -> list[ProbedTrack]:
    """The streams, by number, in the output of the command
    :func:`pipeline.muxing.file_commands.list_packets`.
    """
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
