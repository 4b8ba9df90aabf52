"""Command lines for ffmpeg that put users together in one picture and one sound, as argv lists.
The only module that knows the graphs of filters for that.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from pipeline.media.compose.layout import Canvas, Tile

QUIET = ("-hide_banner", "-nostats", "-loglevel", "error", "-y")
STAMPED = (*QUIET, "-nostdin", "-copyts")  # every time of a file as it is stored
SOUND_HZ = 48000
LIMIT = 0.95  # of full scale: no sum of voices is louder
ATTACK = 5  # milliseconds by which the limiter looks ahead, and so comes late
KBPS = {1: 96, 2: 160}  # of the sound of all, by channels
KEYS = 2  # seconds from one key picture to the next, so that players seek
# The same on every machine: x264 decides by the number of threads, and rounds as its CPU does.
EXACT = "threads=4:cpu-independent=1:scenecut=0"
TICKS = 90000


class Shot(Struct, frozen=True):
    """One user in a scene."""

    file: Path  # an MP4
    begin: float  # where it begins: seconds from the beginning of the result
    tile: Tile
    name: str = ""  # to be written into the tile


class Sound(Struct, frozen=True):
    """The sound of one user."""

    file: Path
    begin: float  # where the file begins: seconds from the beginning of the result


def scene(
    ffmpeg: Path, canvas: Canvas, shots: Sequence[Shot], *, begin: int, count: int
) -> list[str]:
    """``count`` pictures from the picture ``begin`` on, as an H.264 byte stream on standard output;
    later shots lie upon earlier ones.  Where a user has no picture yet, the background is seen.
    """
    read = [part for shot in shots for part in _from(shot, begin / canvas.rate)]
    encoded = (
        *("-map", "[shown]", "-frames:v", str(count), "-c:v", "libx264", "-preset", "veryfast"),
        *("-crf", "20", "-profile:v", "high", "-bf", "0", "-g", str(KEYS * canvas.rate)),
        *("-x264-params", EXACT, "-flags:v", "+bitexact", "-f", "h264", "pipe:1"),
    )
    graph = ";".join(_graph(canvas, shots, begin))
    return [str(ffmpeg), *STAMPED, *read, "-filter_complex", graph, *encoded]


def _from(shot: Shot, seconds: float) -> tuple[str, ...]:
    """The input from the key picture on that is shown then: a picture may have stood for long."""
    at = seconds - shot.begin
    since = ("-noaccurate_seek", "-ss", f"{at:.6f}") if at > 0 else ()
    return *since, *_file(shot.file)


def _file(path: Path) -> tuple[str, ...]:
    return "-protocol_whitelist", "file", "-f", "mov", "-i", f"file:{path}"


def _graph(canvas: Canvas, shots: Sequence[Shot], begin: int) -> list[str]:
    size = f"{canvas.width}x{canvas.height}"
    chains = [f"color=0x{canvas.background[1:]}:s={size}:r={canvas.rate},format=yuv420p[on0]"]
    for n, shot in enumerate(shots):
        chains.append(f"[{n}:v:0]{','.join(_tiled(canvas, shot, begin))}[tile{n}]")
        chains.append(f"[on{n}][tile{n}]overlay={_place(shot.tile)}[on{n + 1}]")
    chains.append(f"[on{len(shots)}]setsar=1[shown]")
    return chains


def _tiled(canvas: Canvas, shot: Shot, begin: int) -> list[str]:
    """The pictures of a user at the times of the result, in the size of the tile."""
    tile = shot.tile
    size = f"w={tile.width}:h={tile.height}:force_divisible_by=2"
    fitted = f"scale={size}:force_original_aspect_ratio="
    filters = [
        *(f"setpts=PTS+({shot.begin:.6f})/TB", f"fps={canvas.rate}"),
        "tpad=stop=-1:stop_mode=clone",  # the last one stays, also where it is long gone
        *(f"trim=start_pts={begin}", f"setpts=PTS-{begin}"),
        *("scale=w=max(2\\,trunc(iw*sar/2)*2):h=ih", "setsar=1"),
        f"{fitted}decrease" if tile.whole else f"{fitted}increase,crop={tile.width}:{tile.height}",
        "format=yuv420p",
    ]
    if shot.name:
        filters.append(_written(shot.name, tile))
    if tile.alpha < 1:
        filters += ["format=yuva420p", f"colorchannelmixer=aa={tile.alpha:g}"]
    return filters


def _place(tile: Tile) -> str:
    """In the middle of the tile, on even pixels."""
    across = f"{tile.x}+trunc(({tile.width}-w)/4)*2"
    down = f"{tile.y}+trunc(({tile.height}-h)/4)*2"
    return f"x={across}:y={down}:format=yuv420"


def _written(name: str, tile: Tile) -> str:
    """A name at the lower edge."""
    height = max(12, tile.height // 16)
    at = f"x={height // 2}:y=h-{2 * height}:fontsize={height}:fontcolor=white"
    return f"drawtext=text={_escaped(name)}:expansion=none:{at}:box=1:boxcolor=black@0.5"


def _escaped(text: str) -> str:
    """For the value of an option, and then for the graph it stands in."""
    option = re.sub(r"([\\':])", r"\\\1", " ".join(text.split()))
    return re.sub(r"([\\'\[\],;])", r"\\\1", option)


def mixed(
    ffmpeg: Path, output: Path, sounds: Sequence[Sound], *, channels: int, seconds: float
) -> list[str]:
    """The sound of all, each from where the file begins, as AAC in an MP4 of so many ``seconds``;
    nobody is made softer for another.
    """
    read = [part for sound in sounds for part in _file(sound.file)]
    form = f"aformat=sample_fmts=fltp:channel_layouts={'mono' if channels == 1 else 'stereo'}"
    chains = [
        f"[{n}:a:0]aresample={SOUND_HZ}:async=1:first_pts=0,{form},"
        f"adelay=delays={round(sound.begin * SOUND_HZ)}S:all=1[of{n}]"
        for n, sound in enumerate(sounds)
    ]
    late = ATTACK * SOUND_HZ // 1000
    every = "".join(f"[of{n}]" for n in range(len(sounds)))
    chains.append(
        f"{every}amix=inputs={len(sounds)}:normalize=0:dropout_transition=0,apad,"
        f"alimiter=limit={LIMIT}:attack={ATTACK}:level=0,"
        f"atrim=start_sample={late}:end_sample={late + round(seconds * SOUND_HZ)},"
        "asetpts=N/SR/TB[heard]"
    )
    encoded = ("-map", "[heard]", "-c:a", "aac", "-b:a", f"{KBPS[channels]}k")
    exact = ("-flags:a", "+bitexact", "-fflags", "+bitexact", "-movflags", "+faststart")
    made = ("-f", "mp4", "-brand", "M4A ", f"file:{output}")
    return [
        *(str(ffmpeg), *STAMPED, *read, "-filter_complex", ";".join(chains)),
        *(*encoded, *exact, *made),
    ]


def joined(
    ffmpeg: Path,
    output: Path,
    rate: int,
    *,
    sound: Path | None,
    created: str | None,
    texts: Sequence[tuple[Path, str]] = (),
) -> list[str]:
    """Scenes on standard input, one after the other, as the pictures of an MP4; picture n is shown
    at n / ``rate`` seconds.  ``created`` is the time of the recording (ISO 8601), ``texts`` are MP4
    files of one caption track each, with its language (ISO 639-2).
    """
    read = ("-f", "h264", "-framerate", str(rate), "-protocol_whitelist", "pipe", "-i", "pipe:0")
    heard = _file(sound) if sound else ()
    told = ["-metadata", f"creation_time={created}"] if created else []
    streams = ["-map", "0:v:0", *(("-map", "1:a:0") if sound else ())]
    said = [word for path, _ in texts for word in _file(path)]
    first = 2 if sound else 1
    for n, (_, language) in enumerate(texts, first):
        streams += ["-map", f"{n}:0"]
        told += [f"-metadata:s:{n}", f"language={language}"] if language else []
    form = ("-movie_timescale", str(TICKS), "-video_track_timescale", str(TICKS))
    return [
        *(str(ffmpeg), *QUIET, *read, *heard, *said, *streams),
        *("-c", "copy", "-fflags", "+bitexact", "-map_metadata", "-1", *told),
        *("-movflags", "+faststart", *form, "-f", "mp4", f"file:{output}"),
    ]
