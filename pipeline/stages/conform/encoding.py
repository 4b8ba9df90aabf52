"""ffmpeg run over what is to be re-encoded: what it is fed, and what it is told to make.

Times are ticks of 90 kHz.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from tempfile import TemporaryFile
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from pipeline.errors import MuxingError
from pipeline.media.clock import BASE, HZ
from pipeline.media.containers.unwrap import Opened
from pipeline.media.es import adts
from pipeline.media.es.codecs import Carriage
from pipeline.media.slots.format_changes import Change, Survey, TargetFormat
from pipeline.media.slots.segments import Slot
from pipeline.media.slots.thinned import limits
from pipeline.media.ts.writing.replace_streams import spliced
from pipeline.muxing import commands
from pipeline.muxing.locate import Ffmpeg
from pipeline.muxing.run import Muxer
from pipeline.muxing.views import Thinned, View
from pipeline.stages.conform.spooled import Spool, Units, joined, taken
from pipeline.stages.conform.upright import lead
from pipeline.storage.names import printable

RATE = 48000  # Hz of sound of which nothing can stay
PROFILES = {66: "baseline", 77: "main"}
STALL = 600.0  # seconds an encoder may take nothing: it decodes ahead
FIRST = 0x100  # PID of the only stream ffmpeg writes
FULL_HD = 1920 * 1088  # pixels
CHUNK = 1 << 16  # bytes that ffmpeg is fed at a time


def unheard(share: float) -> None:
    """Nobody asked how far it is."""


class Source(Struct, frozen=True, eq=False):
    """What is re-encoded, and with what; without ``ffmpeg`` stand-ins with the same times are made
    instead.
    """

    slots: Sequence[Slot]
    survey: Survey
    read: Callable[[int], Opened]  # a segment by its number
    spool: Spool  # where what was encoded waits
    ffmpeg: Ffmpeg | None
    told: Callable[[float], None] = unheard  # how much of it ffmpeg has taken so far: 0 to 1

    def part(self, place: int, count: int) -> "Source":
        """The same, for one of several parts that take about as long."""
        return replace(self, told=lambda share: self.told((place + share) / count))


def encoded(
    source: Source, run: Sequence[Change], codecs: Sequence[Mapping[str, object]]
) -> tuple[Units, str]:
    """The PES that ffmpeg makes of a run, one behind the other of each codec, none where it fails;
    and the last of its messages.
    """
    before = lead(source.slots, run[0]) if run[0].kind == "video" else []
    made, complaints = [], []
    for place, codec in enumerate(codecs):
        new, complaint = _as(source.part(place, len(codecs)), run, before, codec)
        made += new
        complaints += [complaint] if complaint else []
    return joined(made, source.spool), "".join(complaints[-1:])


def _as(
    source: Source, run: Sequence[Change], before: Sequence[int], codec: Mapping[str, object]
) -> tuple[list[Units], str]:
    """What ffmpeg makes of a run and of the segments in front of it from which it is decoded."""
    assert source.ffmpeg is not None
    whole = private(run[0])
    argv = commands.reencode(
        source.ffmpeg.ffmpeg,
        demuxer=source.read(run[0].number).demuxer if whole else "mpegts",
        stream=f"{run[0].kind[0]}:0" if whole else f"i:{run[0].pid}",
        codec=codec,
    )
    fed = [(number, run[0]) for number in before] + [(change.number, change) for change in run]
    with TemporaryFile(dir=source.spool.folder) as output:
        try:
            with (
                source.ffmpeg.turn(),
                Muxer(argv, env=source.ffmpeg.env, stall=STALL, stdout=output) as muxer,
            ):
                for place, (number, change) in enumerate(fed):
                    piece = source.read(number)
                    data = piece.file if whole and place >= len(before) else _alone(piece, change)
                    muxer.write(_chunks(data, source.part(place, len(fed)).told))
                said = muxer.finish()
        except MuxingError as error:
            return [], printable(str(error))
        made = taken(output, FIRST, source.spool)
    if whole:  # the transport stream we made of it begins that much later
        made = replace(made, pts=made.pts + BASE)
    return [made], _complaint(said, source, run)


def _chunks(data: bytes, told: Callable[[float], None]) -> Iterator[memoryview]:
    """Bytes in pieces; what is fed next is asked for when ffmpeg has taken what was before."""
    for at in range(0, len(data), CHUNK):
        yield memoryview(data)[at : at + CHUNK]
        told(min(at + CHUNK, len(data)) / len(data))


def private(change: Change) -> bool:
    """Whether only another container carries the codec: ffmpeg cannot read our transport stream of
    it.
    """
    return change.was.codec.carriage is Carriage.UNIT


def _complaint(said: str, source: Source, run: Sequence[Change]) -> str:
    """The last message of ffmpeg that is not about other streams than the one that is encoded, as
    it reads all of them.
    """
    scans = [(scan, c.pid) for c in run if (scan := source.slots[c.number].scan)]
    beside = {
        f"[{stream.codec.name} "
        for scan, own in scans
        for pid, stream in scan.streams.items()
        if stream.codec is not None and pid != own
    }
    beside.add("    Last message repeated ")
    lines = [line for line in said.splitlines() if not line.startswith(tuple(beside))]
    return printable(lines[-1]) if lines else ""


def _alone(piece: Opened, change: Change) -> bytes:
    """A transport stream; if made of another container, only the wanted stream: ffmpeg would guess
    what the others are.
    """
    if not piece.file:
        return piece.data.tobytes()
    return spliced(
        piece.data, {change.pid: (change.pid, change.was.codec.stream_type)}, ()
    ).tobytes()


def sound_as(wanted: TargetFormat) -> dict[str, object]:
    """What ffmpeg is told to make of sound."""
    if wanted.like is None or wanted.like.config is None:
        return commands.aac(RATE, None)
    header = adts.read(wanted.like.config)
    return commands.aac(header.rate, header.channels)


def pictures_as(
    wanted: TargetFormat, number: int, view: View, keys: Sequence[float] = ()
) -> dict[str, object]:
    """What ffmpeg is told to make of pictures, with parameter sets of this id; ``keys`` are times
    (seconds) at which key pictures begin if all are encoded.
    """
    shown, told = wanted.picture, _asked(wanted, keys)
    if shown is None:
        return commands.h264(None, profile="high", level="5.1", number=number, view=view, **told)
    stays = wanted.like is not None
    level = shown.level / 10 if stays else 4.0 if shown.width * shown.height <= FULL_HD else 5.1
    return commands.h264(
        (shown.width // 2 * 2, shown.height // 2 * 2),
        profile=PROFILES.get(shown.profile, "high") if stays else "high",
        level=f"{level:g}",
        number=number,
        view=view,
        **told,
    )


def _asked(wanted: TargetFormat, keys: Sequence[float]) -> dict[str, Any]:
    """What is asked for besides the size."""
    asked = wanted.asked
    if asked is None:
        return {}
    thinned = None
    if asked.rate:
        thinned = Thinned(1 / asked.rate, *(ticks / HZ for ticks in limits(asked.rate)))
    return {"bitrate": asked.bitrate, "thinned": thinned, "keys": keys}
