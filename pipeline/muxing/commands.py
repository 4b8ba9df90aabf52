"""Command lines for ffmpeg reading standard input, as argv lists; nothing is run here.  With
``file_commands`` the only module that imports ffmpeg-python.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.choices import Format
from pipeline.muxing.views import UPRIGHT, Thinned, View, seen

# Hz, the clock of sound in fragments.  ffmpeg 5 writes sound on the clock of its samples, but does
# not convert the duration a filter gives: so both use the same clock, that of Opus.
SOUND_HZ = 48000
INPUT: Mapping[str, Any] = {"f": "mpegts", "copyts": None}
MP4: Mapping[str, Any] = {
    "f": "mp4",
    "movie_timescale": 90000,
    "video_track_timescale": 90000,
    "chunk_duration": 1_000_000,  # microseconds of one track in a row: a smaller index
}
PIECE = {"probesize": "50M", "analyzeduration": "20M"}  # into a piece that may begin with little
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
    hevc: bool = False,
    picture_ticks: int | None = None,
    sound_ticks: int | None = None,
    base: float = 0.0,
    drop_before: int | None = None,
    moov_size: int | None = None,
    metadata: str | None = None,
    parameters_inside: bool = False,
    fragments: bool = False,
    languages: Sequence[str] = (),
    created: str | None = None,
    texts: Sequence[tuple[Path, str]] = (),
) -> list[str]:
    """Remux the transport stream on standard input; ``base`` seconds are taken off every stamp.
    ``picture_ticks`` (90 kHz) and ``sound_ticks`` are the duration of the last units, ``languages``
    ISO 639-2 codes by stream, empty for none, ``created`` the time of recording (ISO 8601).

    With ``fragments`` the input is a fragmented MP4, whose tracks ``pids`` counts from 0; its sound
    has a clock of ``SOUND_HZ``.

    Packets with a PTS before the tick ``drop_before``, whatever the clock, are left out: they only
    introduce streams that begin late.  ``moov_size`` bytes are kept free for the index in front of
    the media; without it the file is rewritten once at the end to put the index there.

    ``metadata`` is a data URI with chapters and tags (``media/loss/chapters``).  Where pictures
    carry parameter sets of their own (``parameters_inside``), the track says so: avc3 instead of
    avc1, hev1 instead of hvc1 (ISO/IEC 14496-15 clauses 5.3.3.1.2 and 8.3.3.1.2).
    ``texts`` are MP4 files whose only track is one of captions from 0 on, each with its language.
    """
    import ffmpeg as ff  # imports half the standard library

    source = _segments(fragments=fragments, alone=not (metadata or texts))
    languages = [*languages, *[""] * (len(pids) - len(languages)), *(said for _, said in texts)]
    options = _copied(format, base, languages)
    filters = dict[str, list[str]](a=[], v=[])
    form = {"hevc": hevc, "inside": parameters_inside}
    if format in (Format.MP4, Format.M4A):
        options |= _file(format, moov_size, created) | _tag(**form)
        filters = _in_mp4(picture_ticks, sound_ticks, adts=adts, **form)
    options |= _chained(filters, drop_before)
    streams = (source[str(pid) if fragments else f"i:{pid}"] for pid in pids)
    argv = _fed(ffmpeg, ff.output(*streams, str(output), **options), "warning")
    return _with_texts(_with_metadata(argv, metadata), texts, base)


def _segments(*, fragments: bool, alone: bool) -> Any:
    """Standard input as a source; ffmpeg must not wait for it where it has another one."""
    import ffmpeg as ff

    given = {**INPUT, "f": "mov"} if fragments else INPUT
    queue = {} if alone else {"thread_queue_size": 64}
    return ff.input("pipe:0", protocol_whitelist="pipe", **given, **queue)


def _copied(format: Format, base: float, languages: Sequence[str]) -> dict[str, Any]:
    """Options of every stream: nothing changes but its clock and its language."""
    options: dict[str, Any] = {"c": "copy", "copyinkf": None, "map_metadata": -1, **OUTPUT[format]}
    options |= {f"metadata:s:{n}": f"language={one}" for n, one in enumerate(languages) if one}
    return options | ({"output_ts_offset": f"{-base:g}"} if base else {})


def _file(format: Format, moov_size: int | None, created: str | None) -> dict[str, Any]:
    """Options for the place of the index and for what the file says of itself."""
    options: dict[str, Any] = {"moov_size": moov_size} if moov_size else {"movflags": "+faststart"}
    options |= {"metadata": f"creation_time={created}"} if created else {}
    return options | ({"brand": "M4A "} if format is Format.M4A else {})


def _tag(*, hevc: bool, inside: bool) -> dict[str, str]:
    """The sample entry of pictures, where it is not the muxer's own choice."""
    if inside:
        return {"tag:v": "hev1" if hevc else "avc3"}
    return {"tag:v": "hvc1"} if hevc else {}  # which Apple's players want


def _in_mp4(
    picture_ticks: int | None, sound_ticks: int | None, *, adts: bool, hevc: bool, inside: bool
) -> dict[str, list[str]]:
    """Bitstream filters that packets pass before they are written, by kind."""
    # Without a duration for the last unit its edit list would hide it.
    lasting = {
        kind: [f"setts=pts=PTS:dts=DTS:duration={ticks}"] if ticks else []
        for kind, ticks in (("v", picture_ticks), ("a", sound_ticks))
    }
    # H.265 has parameter sets in the sample entry alone, or all units as they are without the zero
    # of the next start code: else each version does its own.
    which = "pass_types=0-63" if inside else "remove_types=32-34"
    units = [f"filter_units={which}"] if hevc else []
    framed = ["aac_adtstoasc"] if adts else []
    return {"a": [*framed, *lasting["a"]], "v": [*units, *lasting["v"]]}


def _chained(filters: Mapping[str, list[str]], drop_before: int | None) -> dict[str, str]:
    """The filters of each kind as an option, behind the one that drops packets."""
    found = {}
    for kind, chain in filters.items():
        # ffmpeg 5 shows filters sound on the clock of its samples, ffmpeg 8 on that of the input,
        # and only the latter says which
        if drop_before is not None:
            chain.insert(0, rf"noise=drop=lt(pts\,{drop_before})")
        if chain:
            found[f"bsf:{kind}"] = ",".join(chain)
    return found


def _with_metadata(argv: list[str], uri: str | None) -> list[str]:
    """A second input of which no stream is mapped: ffmpeg-python would leave it out."""
    import ffmpeg as ff

    if not uri:
        return argv
    spec = ff.input(uri, f="ffmetadata", protocol_whitelist="data").output("-")
    said = spec.get_args()
    second = said[: said.index(uri) + 1]
    behind = argv.index("pipe:0") + 1
    at = argv.index("-map_metadata")
    rest = [*argv[behind:at], "-map_metadata", "1", "-map_chapters", "1", *argv[at + 2 :]]
    return [*argv[:behind], *second, *rest]


def _with_texts(argv: list[str], texts: Sequence[tuple[Path, str]], base: float) -> list[str]:
    """More inputs of one track each, behind the others, on the clock of the first."""
    if not texts:
        return argv
    own = ("-f", "mov", "-itsoffset", f"{base:g}", "-protocol_whitelist", "file", "-i")
    said = [word for path, _ in texts for word in (*own, str(path))]
    first = argv.count("-i")
    maps = [word for n in range(len(texts)) for word in ("-map", f"{first + n}:0")]
    at = argv.index("-map")
    end = len(argv) - argv[::-1].index("-map") + 1
    return [*argv[:at], *said, *argv[at:end], *maps, *argv[end:]]


def black(
    ffmpeg: Path,
    size: tuple[int, int],
    rate: str,
    *,
    count: int,
    parameter_sets: int,
    cabac: bool = True,
    eight: bool = True,
) -> list[str]:
    """``count`` black pictures as an H.264 byte stream on standard output, the first a key picture;
    ``size`` in pixels, ``rate`` in pictures a second as ffmpeg takes it ("90000/3600").

    ``parameter_sets`` is the id their SPS and PPS get; ``cabac`` and ``eight`` say how their
    macroblocks are coded (H.264 clause 7.4.2.2: entropy_coding_mode_flag, transform_8x8_mode_flag).
    """
    width, height = size
    source = f"color=black:s={width}x{height}:r={rate}"
    form = ("" if cabac else ":cabac=0") + ("" if eight else ":8x8dct=0")
    options = {
        "f": "h264",
        "c:v": "libx264",
        "preset": "veryfast",
        "pix_fmt": "yuv420p",
        "bf": 0,
        "g": count + 1,
        "frames:v": count,
        "x264-params": f"sps-id={parameter_sets}:aud=1:scenecut=0:threads=1{form}",
    }
    return _made(ffmpeg, source, options)


def _made(ffmpeg: Path, source: str, options: Mapping[str, Any]) -> list[str]:
    import ffmpeg as ff

    spec = ff.output(ff.input(source, f="lavfi"), "pipe:1", **options)
    command = [str(ffmpeg), "-hide_banner", "-nostdin", "-nostats", "-loglevel", "error"]
    argv: list[str] = ff.compile(spec, cmd=command)
    return argv


def reencode(
    ffmpeg: Path,
    *,
    demuxer: str,
    stream: str,
    codec: Mapping[str, Any],
) -> list[str]:
    """Encode one stream of standard input into a transport stream on standard output, keeping its
    clock; ``stream`` is an ffmpeg stream specifier, ``codec`` comes from :func:`h264` or
    :func:`aac`.
    """
    import ffmpeg as ff

    source = ff.input("pipe:0", protocol_whitelist="pipe", f=demuxer, copyts=None, **PIECE)
    # where the 33-bit clock wraps, ffmpeg's begins below 0
    options = {"f": "mpegts", "muxdelay": 0, "muxpreload": 0, "avoid_negative_ts": "disabled"}
    spec = ff.output(source[stream], "pipe:1", **options, **codec)
    return _fed(ffmpeg, spec, "error")


def _fed(ffmpeg: Path, spec: Any, level: str) -> list[str]:
    """The argv of a command that reads standard input and overwrites a file."""
    import ffmpeg as ff

    argv: list[str] = ff.compile(spec, cmd=head(ffmpeg, level), overwrite_output=True)
    return argv


def head(ffmpeg: Path, level: str) -> list[str]:
    """What stands before the inputs."""
    return [str(ffmpeg), "-hide_banner", "-nostats", "-loglevel", level]


def h264(
    size: tuple[int, int] | None,
    *,
    profile: str,
    level: str,
    number: int,
    view: View = UPRIGHT,
    bitrate: int | None = None,
    thinned: Thinned | None = None,
    keys: Sequence[float] = (),
) -> dict[str, Any]:
    """Encoder options for H.264 of one size in pixels, whatever comes in: pictures are scaled and
    padded, and none is dropped unless they are ``thinned``.  Without a size they keep their own,
    made even.

    ``number`` is the id of the SPS, ``view`` says which pictures and how they are turned first.
    Pictures are decoded in the order they are shown.  ``bitrate`` is in kbit/s; ``keys`` are times
    (seconds) at which key pictures begin.
    """
    fit = "pad=ceil(iw/2)*2:ceil(ih/2)*2"
    if size:
        whole = f"{size[0]}:{size[1]}"
        fit = f"scale={whole}:force_original_aspect_ratio=decrease,"
        fit += f"pad={whole}:(ow-iw)/2:(oh-ih)/2,setsar=1"
    fit = seen(view, thinned) + fit
    aim: dict[str, Any] = {"crf": 18}
    if bitrate:
        aim = {"b:v": f"{bitrate}k", "maxrate": f"{bitrate}k", "bufsize": f"{2 * bitrate}k"}
    forced = {"force_key_frames": ",".join(f"{at:.6f}" for at in keys)} if keys else {}
    return {
        "c:v": "libx264",
        "preset": "veryfast",
        **aim,
        **forced,
        "profile:v": profile,
        "level:v": level,
        "pix_fmt": "yuv420p",
        "bf": 0,
        "x264-params": f"sps-id={number}",
        "fps_mode": "passthrough",
        "enc_time_base": "1:90000",
        # else the rate guessed for each piece would change its SPS
        "bsf:v": "h264_metadata=tick_rate=180000:fixed_frame_rate_flag=0",
        "vf": fit,
    }


def aac(rate: int, channels: int | None) -> dict[str, Any]:
    """Encoder options for AAC of one rate (Hz) and number of channels; None keeps the channels."""
    layouts = "mono|stereo|3.0|4.0|5.0|5.1|7.1(wide)"  # others need more than an ADTS header
    sound = f"aresample=async=1,aformat=channel_layouts={layouts}"
    options: dict[str, Any] = {"c:a": "aac", "ar": rate, "af": sound}
    return options | ({"ac": channels} if channels else {})
