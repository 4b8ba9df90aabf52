"""Command lines for ffmpeg.  The only module that imports ffmpeg-python."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.model import Format

INPUT: Mapping[str, Any] = {"f": "mpegts", "copyts": None}
MP4: Mapping[str, Any] = {
    "f": "mp4",
    "movie_timescale": 90000,
    "video_track_timescale": 90000,
    "chunk_duration": 1_000_000,  # microseconds of one track in a row: a smaller index
}
OUTPUT: Mapping[Format, Mapping[str, Any]] = {
    Format.MP4: MP4,
    Format.M4A: MP4,
    Format.AAC: {"f": "adts"},
    Format.TS: {"f": "mpegts", "muxdelay": 0, "muxpreload": 0},
    Format.MP3: {"f": "mp3", "c:a": "libmp3lame", "q:a": 2, "af": "aresample=async=1"},
    Format.WAV: {"f": "wav", "c:a": "pcm_s16le", "af": "aresample=async=1"},
}


def mux(
    ffmpeg: Path,
    output: Path,
    pids: Sequence[int],
    *,
    format: Format = Format.MP4,
    adts: bool = False,
    picture_ticks: int | None = None,
    base: float = 0.0,
    late: float = 0.0,
    moov_size: int | None = None,
) -> list[str]:
    """Remux the transport stream on standard input; ``base`` seconds are taken off every stamp.

    A stream begins ``late`` seconds after the first: ffmpeg has to look that far ahead for it.

    ``moov_size`` bytes are kept free for the index in front of the media; without it the file is
    rewritten once at the end to put the index there.
    """
    import ffmpeg as ff  # imports half the standard library

    ahead = {"probesize": "500M", "analyzeduration": f"{late + 10:.0f}M"} if late > 1 else {}
    source = ff.input("pipe:0", protocol_whitelist="pipe", **INPUT, **ahead)
    options: dict[str, Any] = {"c": "copy", "copyinkf": None, "map_metadata": -1, **OUTPUT[format]}
    if base:
        options["output_ts_offset"] = f"{-base:g}"
    if format in (Format.MP4, Format.M4A):
        options |= {"moov_size": moov_size} if moov_size else {"movflags": "+faststart"}
        options |= {"bsf:a": "aac_adtstoasc"} if adts else {}
        # Without a duration for the last picture its edit list would hide it.
        options |= (
            {"bsf:v": f"setts=pts=PTS:dts=DTS:duration={picture_ticks}"} if picture_ticks else {}
        )
    streams = [source[f"i:{pid}"] for pid in pids]
    spec = ff.output(*streams, str(output), **options)
    command = [str(ffmpeg), "-hide_banner", "-nostats", "-loglevel", "warning"]
    argv: list[str] = ff.compile(spec, cmd=command, overwrite_output=True)
    return argv


# A file is what its suffix says: a playlist called .mp4 must not make ffmpeg open other files.
DEMUXERS: Mapping[Format, str] = {
    Format.MP4: "mov",
    Format.TS: "mpegts",
    Format.MP3: "mp3",
    Format.WAV: "wav",
    Format.AAC: "aac",
}
FILE = {"protocol_whitelist": "file", "probesize": "100M", "analyzeduration": "600M"}
ENCODED: Mapping[Format, Mapping[str, Any]] = {
    Format.MP3: OUTPUT[Format.MP3],
    # past 4 GiB the lengths in a plain WAV do not suffice
    Format.WAV: {**OUTPUT[Format.WAV], "rf64": "auto"},
    Format.AAC: {**OUTPUT[Format.AAC], "c:a": "aac", "af": "aresample=async=1"},
}


def convert_file(
    ffmpeg: Path,
    source: tuple[Path, Format],
    output: tuple[Path, Format],
    streams: Sequence[int],
    *,
    copy: bool,
) -> list[str]:
    """Make another format of these streams of one file; they are copied or encoded."""
    import ffmpeg as ff

    path, format = source
    made, wanted = output
    read = ff.input(f"file:{path}", f=DEMUXERS[format], **FILE)
    copied = {"c": "copy", "copyinkf": None, **OUTPUT[wanted]}
    options = copied if copy else ENCODED[wanted]
    spec = ff.output(*(read[str(n)] for n in streams), f"file:{made}", **options)
    command = [str(ffmpeg), "-hide_banner", "-nostdin", "-nostats", "-loglevel", "error"]
    argv: list[str] = ff.compile(spec, cmd=command, overwrite_output=True)
    return argv


def list_packets(ffprobe: Path, path: Path, format: Format) -> list[str]:
    """Have every packet of a file printed with its stream and time, then the streams."""
    entries = "packet=stream_index,pts_time,duration_time,flags"
    entries += ":stream=index,codec_name,codec_type,duration:stream_disposition=attached_pic"
    options = {
        "v": "error",
        "of": "compact",
        "f": DEMUXERS[format],
        **FILE,
        "show_entries": entries,
    }
    flags = [word for name, value in options.items() for word in (f"-{name}", value)]
    return [str(ffprobe), *flags, f"file:{path}"]


LOOK = 32, 18  # samples of a picture that is looked at


def look(ffmpeg: Path, source: Path, kind: str, begin: float, length: float) -> list[str]:
    """Decode some seconds of an MP4 to standard output: small grey pictures, or mono sound."""
    import ffmpeg as ff

    read = ff.input(f"file:{source}", f="mov", protocol_whitelist="file", ss=begin, t=length)
    video: dict[str, Any] = {"vf": f"fps=2,scale={LOOK[0]}:{LOOK[1]},format=gray"}
    options = video if kind == "video" else {"ac": 1, "ar": 8000}
    format = "rawvideo" if kind == "video" else "s16le"
    spec = ff.output(read[kind[0]], "pipe:1", f=format, **options)
    command = [str(ffmpeg), "-hide_banner", "-nostdin", "-nostats", "-loglevel", "error"]
    argv: list[str] = ff.compile(spec, cmd=command)
    return argv


def decode(ffmpeg: Path, source: Path) -> list[str]:
    """Decode all of an MP4 into nothing, and say every error."""
    import ffmpeg as ff

    strict = {"err_detect": "explode"}
    read = ff.input(f"file:{source}", f="mov", protocol_whitelist="file", **strict)
    spec = ff.output(read, "pipe:1", f="null")
    command = [str(ffmpeg), "-hide_banner", "-nostdin", "-nostats", "-loglevel", "error"]
    argv: list[str] = ff.compile(spec, cmd=command)
    return argv
