"""Command lines for ffmpeg over whole files, as argv lists: converted, listed, looked at."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.choices import Format
from pipeline.muxing.commands import OUTPUT

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
    """Convert streams of one file, by their numbers in it, to another format, overwriting it; they
    are copied or encoded.
    """
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
    """Print every packet of a file with its stream and its time in seconds, then the streams; see
    :func:`pipeline.muxing.tracks.parse`.
    """
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


def describe(ffprobe: Path, path: Path, format: Format) -> list[str]:
    """Print the container and the streams of a file as JSON."""
    options = {"v": "error", "of": "json", "f": DEMUXERS.get(format, "mov"), **FILE}
    flags = [word for name, value in options.items() for word in (f"-{name}", value)]
    return [str(ffprobe), *flags, "-show_format", "-show_streams", f"file:{path}"]


LOOK = 32, 18  # width and height in samples of a picture that is looked at


def look(ffmpeg: Path, source: Path, kind: str, *, begin: float, length: float) -> list[str]:
    """Decode ``length`` seconds of an MP4 to standard output: two grey pictures a second of
    ``LOOK`` samples, 8 bits each, or mono sound of 8 kHz, 16 bits little endian.
    """
    import ffmpeg as ff

    read = ff.input(f"file:{source}", f="mov", protocol_whitelist="file", ss=begin, t=length)
    video: dict[str, Any] = {"vf": f"fps=2,scale={LOOK[0]}:{LOOK[1]},format=gray"}
    options = video if kind == "video" else {"ac": 1, "ar": 8000}
    format = "rawvideo" if kind == "video" else "s16le"
    spec = ff.output(read[kind[0]], "pipe:1", f=format, **options)
    command = [str(ffmpeg), "-hide_banner", "-nostdin", "-nostats", "-loglevel", "error"]
    argv: list[str] = ff.compile(spec, cmd=command)
    return argv


LISTENING = 4000  # Hz: enough to tell how loud it is
SHEET = 240  # pixels of the longer side of a picture that people look at


def listen(ffmpeg: Path, source: Path, format: Format) -> list[str]:
    """Decode the sound of a file to standard output: mono samples of 16 bits, silence where it
    has none.
    """
    import ffmpeg as ff

    read = ff.input(f"file:{source}", f=DEMUXERS.get(format, "mov"), protocol_whitelist="file")
    # first_pts: from the beginning of the file on, also where its sound begins later
    steady = f"aresample={LISTENING}:async=1:first_pts=0"
    spec = ff.output(read["a:0"], "pipe:1", f="s16le", ac=1, af=steady)
    command = [str(ffmpeg), "-hide_banner", "-nostdin", "-nostats", "-loglevel", "error"]
    argv: list[str] = ff.compile(spec, cmd=command)
    return argv


def picture(ffmpeg: Path, source: Path, format: Format, at: float) -> list[str]:
    """One picture of a file at so many seconds, small, as a JPEG on standard output."""
    import ffmpeg as ff

    form = DEMUXERS.get(format, "mov")
    read = ff.input(f"file:{source}", f=form, protocol_whitelist="file", ss=at)
    fit = f"scale=w={SHEET}:h={SHEET}:force_original_aspect_ratio=decrease,format=yuvj420p"
    options = {"f": "image2pipe", "c:v": "mjpeg", "q:v": 6, "frames:v": 1, "vf": fit}
    spec = ff.output(read["v:0"], "pipe:1", **options)
    command = [str(ffmpeg), "-hide_banner", "-nostdin", "-nostats", "-loglevel", "error"]
    argv: list[str] = ff.compile(spec, cmd=command)
    return argv


def decode(ffmpeg: Path, source: Path) -> list[str]:
    """Decode all of an MP4 into nothing and print every error; pictures may come at any time."""
    import ffmpeg as ff

    strict = {"err_detect": "explode"}
    read = ff.input(f"file:{source}", f="mov", protocol_whitelist="file", **strict)
    timed = {"fps_mode": "passthrough", "enc_time_base:v": "1/90000"}
    spec = ff.output(read, "pipe:1", f="null", **timed)
    command = [str(ffmpeg), "-hide_banner", "-nostdin", "-nostats", "-loglevel", "error"]
    argv: list[str] = ff.compile(spec, cmd=command)
    return argv
