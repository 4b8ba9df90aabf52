"""Command lines (argv lists) that make test media from computed pictures and sound, and that take
results apart.

Input of encoders is raw: planar YUV 4:2:0 pictures of 8 bits, 16-bit little-endian samples.
"""

from pathlib import Path

from msgspec import Struct

CODECS = {
    "h264": (
        *("-c:v", "libx264", "-preset", "veryfast", "-profile:v", "main", "-crf", "27"),
        *("-bf", "0", "-sc_threshold", "0", "-x264-params", "aud=1", "-f", "h264"),
    ),
    "hevc": (
        *("-c:v", "libx265", "-preset", "ultrafast", "-crf", "30", "-x265-params"),
        *("aud=1:bframes=0:scenecut=0:repeat-headers=1:pools=1:frame-threads=1:log-level=error",),
        *("-f", "hevc"),
    ),
    # below 0: as fast whatever the machine is busy with, so the same bytes each time
    "vp8": ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "-8", "-b:v", "300k"),
    "vp9": ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "300k"),
}
OPUS = ("-c:a", "libopus", "-b:a", "32k", "-flags:a", "+bitexact")
SAMPLES = ("-f", "s16le", "-ar", "48000", "-ac", "1")
EXACT = ("-threads:v", "1", "-flags:v", "+bitexact", "-fflags", "+bitexact")
EVERY = ("-fps_mode", "passthrough", "-enc_time_base", "1/90000")
QUIET = ("-hide_banner", "-nostdin", "-nostats", "-loglevel", "error", "-y")


class Pictures(Struct, frozen=True):
    """The form of raw pictures, and how they are encoded."""

    codec: str  # of CODECS
    size: tuple[int, int]  # pixels
    fps: int


def encode_pictures(ffmpeg: Path, output: Path, pictures: Pictures, group: int) -> list[str]:
    """Raw pictures on standard input into an elementary stream; every ``group``-th one is a key
    picture.
    """
    keys = ("-g", str(group), "-keyint_min", str(group))
    encoded = (*_raw(pictures), *CODECS[pictures.codec], *keys)
    return [str(ffmpeg), *QUIET, *encoded, *EXACT, str(output)]


def encode_sound(ffmpeg: Path, output: Path, rate: int, channels: int) -> list[str]:
    """Raw samples on standard input (``rate`` in Hz) into AAC frames behind ADTS headers."""
    source = ("-f", "s16le", "-ar", str(rate), "-ac", str(channels), "-i", "pipe:0")
    codec = ("-c:a", "aac", "-b:a", f"{48 * channels}k", "-flags:a", "+bitexact", "-f", "adts")
    return [str(ffmpeg), *QUIET, *source, *codec, str(output)]


def encode_webm(
    ffmpeg: Path, output: Path, pictures: Pictures, samples: Path | None = None
) -> list[str]:
    """Raw pictures on standard input into a WebM file, with a file of 48 kHz mono samples if there
    is one.
    """
    sound = (*SAMPLES, "-i", f"file:{samples}") if samples else ()
    opus = OPUS if samples else ()
    keys = ("-g", str(pictures.fps), "-f", "webm")
    return [
        *(str(ffmpeg), *QUIET, *_raw(pictures), *sound),
        *(*CODECS[pictures.codec], *opus, *keys, *EXACT, str(output)),
    ]


def encode_opus(ffmpeg: Path, output: Path) -> list[str]:
    """48 kHz mono samples on standard input into a WebM file."""
    source = (*SAMPLES, "-i", "pipe:0")
    return [
        *(str(ffmpeg), *QUIET, *source),
        *(*OPUS, "-f", "webm", "-fflags", "+bitexact", str(output)),
    ]


def fragment(ffmpeg: Path, folder: Path, seconds: int) -> list[str]:
    """A transport stream on standard input into fragmented MP4 segments of about ``seconds``:
    ``init.mp4`` and ``%05d.m4s``.
    """
    source = ("-copyts", "-f", "mpegts", "-i", "pipe:0", "-map", "0", "-c", "copy")
    hls = ("-f", "hls", "-hls_segment_type", "fmp4", "-hls_time", str(seconds))
    names = ("-hls_list_size", "0", "-hls_fmp4_init_filename", "init.mp4")
    files = ("-hls_segment_filename", str(folder / "%05d.m4s"), str(folder / "index.m3u8"))
    return [str(ffmpeg), *QUIET, *source, "-bsf:a", "aac_adtstoasc", *hls, *names, *files]


def encrypt(ffmpeg: Path, output: Path, key: bytes, iv: bytes) -> list[str]:
    """Any bytes on standard input, encrypted with AES-128 (RFC 8216 section 4.3.2.4); key and IV
    have 16 bytes each.
    """
    secret = ("-encryption_key", key.hex(), "-encryption_iv", iv.hex())
    raw = ("-f", "data", "-i", "pipe:0", "-map", "0", "-c", "copy", "-f", "data")
    return [str(ffmpeg), *QUIET, *raw, *secret, f"crypto:{output}"]


def take_apart(
    ffmpeg: Path,
    source: Path,
    folder: Path,
    stream: str,
    *,
    rate: int,
    part: int,
    size: tuple[int, int],
) -> list[str]:
    """Decode one ``stream`` of a file, "video" or "audio", into two files in ``folder``: ``times``
    lists every frame, ``frames`` holds them raw.

    Pictures become the brightness (8 bits) of their upper part, the height divided by ``part``,
    scaled to ``size`` samples; sound becomes 16-bit mono samples of ``rate`` Hz.
    """
    decoded = {
        "video": (
            *(
                "-map",
                "0:v:0",
                "-vf",
                f"crop=iw:ih/{part}:0:0,scale={size[0]}:{size[1]}:flags=area,format=gray",
            ),
            *(*EVERY, "-c:v", "rawvideo"),
        ),
        "audio": ("-map", "0:a:0", "-ac", "1", "-ar", str(rate), "-c:a", "pcm_s16le"),
    }[stream]
    return _taken(
        ffmpeg, source, folder, decoded, raw={"video": "rawvideo", "audio": "s16le"}[stream]
    )


def in_small(ffmpeg: Path, source: Path, folder: Path, size: tuple[int, int]) -> list[str]:
    """Decode the pictures of a file, as a player shows them: ``times`` lists every one, ``frames``
    holds them as so few pixels, planar YUV 4:4:4.
    """
    shape = f"scale={size[0]}:{size[1]}:flags=area,format=yuv444p"
    decoded = ("-map", "0:v:0", "-vf", shape, *EVERY, "-c:v", "rawvideo")
    return _taken(ffmpeg, source, folder, decoded, raw="rawvideo")


def _taken(
    ffmpeg: Path, source: Path, folder: Path, decoded: tuple[str, ...], *, raw: str
) -> list[str]:
    read = (str(ffmpeg), *QUIET, "-protocol_whitelist", "file", "-copyts", "-i", f"file:{source}")
    times = (*decoded, "-f", "framecrc", str(folder / "times"))
    return [*read, *times, *decoded, "-f", raw, str(folder / "frames")]


def _raw(pictures: Pictures) -> tuple[str, ...]:
    width, height = pictures.size
    shape = ("-s", f"{width}x{height}", "-r", str(pictures.fps))
    return ("-f", "rawvideo", "-pix_fmt", "yuv420p", *shape, "-i", "pipe:0")
