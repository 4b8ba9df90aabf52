"""What a page says of one recording, as a value: made of its report, its receipt and what was
measured on its media, drawn by :mod:`pipeline.report.page`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct, to_builtins

from pipeline.agora.names import parse_playlist_name, parse_stream
from pipeline.model import Report, SourceFile
from pipeline.report import lanes as lanes_of
from pipeline.report.axis import Axis, axis
from pipeline.report.lanes import Lane, Span
from pipeline.report.sizes import Size, sizes
from pipeline.report.told import Told, told
from pipeline.report.verdict import sentence

LARGEST = 1e15  # of any number in a report: what is larger no recording has


class Media(Struct, frozen=True):
    """A file of the result that the page can play; ``url`` is relative to the page."""

    url: str
    begin: float = 0.0  # seconds from the beginning of the recording
    sound: bool = False  # no pictures


class Picture(Struct, frozen=True):
    """One picture of the contact sheet."""

    at: float  # seconds of the result
    jpeg: bytes


class Measured(Struct, frozen=True):
    """What was measured on the result, in columns of ``step`` seconds from its beginning on."""

    step: float
    peaks: tuple[float | None, ...] = ()  # the loudest sample of each, 0 to 1; None: no sound
    silences: tuple[tuple[float, float], ...] = ()  # begin and end, seconds of the result
    rates: Mapping[str, tuple[float, ...]] = msgspec.field(default_factory=dict)  # bits/s by kind
    pictures: tuple[Picture, ...] = ()


class Making(Struct, frozen=True):
    """How a result was made, from its receipt."""

    software: str
    converted: str  # ISO 8601, UTC; empty in receipts of older versions
    settings: Mapping[str, str]
    ffmpeg: str
    command: tuple[str, ...]
    inputs: tuple[SourceFile, ...]


class Facts(Struct, frozen=True):
    """All a page says."""

    report: Report
    channel: str
    sid: str
    user: str  # whose media it is, in individual mode; else empty
    sentence: str
    axis: Axis
    lanes: tuple[Lane, ...]
    joins: tuple[Span, ...]
    sizes: tuple[Size, ...]
    distances: tuple[tuple[float, float], ...]  # place on the axis, sound minus picture in seconds
    told: tuple[Told, ...]
    segments: int  # how many were promised
    making: Making | None
    measured: Measured | None
    media: tuple[Media, ...]

    @property
    def must(self) -> tuple[Told, ...]:
        """What a person must look at."""
        return tuple(one for one in self.told if one.must)

    @property
    def should(self) -> tuple[Told, ...]:
        """What one should know."""
        return tuple(one for one in self.told if not one.must)


def facts(
    report: Report,
    receipt: Mapping[str, Any] | None = None,
    *,
    measured: Measured | None = None,
    media: Sequence[Media] = (),
) -> Facts:
    """Of one recording; ``receipt`` is None where nothing was made.

    ValueError for a report, or a receipt, that this tool would not have written.
    """
    report = sound(report)
    on = axis(report)
    where = lanes_of.places(report, on)
    making = _making(receipt) if receipt is not None else None
    called = parse_playlist_name(f"{report.recording}.m3u8")
    stream = parse_stream(called.cname) if called else None
    count = _segments(report, making)
    return Facts(
        report=report,
        channel=stream.cname if stream else called.cname if called else report.recording,
        sid=called.sid if called else "",
        user=stream.uid if stream else "",
        sentence=sentence(report, count),
        axis=on,
        lanes=lanes_of.lanes(report, on, where),
        joins=lanes_of.joins(report, on),
        sizes=sizes(report, on, where),
        distances=_distances(report, on),
        told=told(report, where),
        segments=count,
        making=making,
        measured=measured,
        media=tuple(media),
    )


def sound(report: Report) -> Report:
    """The same, every value of it of its kind and every number one that can be.

    A receipt may have been written by anybody.  ValueError where that is not so.
    """
    plain = to_builtins(report)
    _refuse_numbers(plain)
    try:
        return msgspec.convert(plain, Report)
    except msgspec.ValidationError as error:
        raise ValueError(f"not a report of this tool: {error}") from error


def _refuse_numbers(value: Any) -> None:
    if isinstance(value, Mapping):
        value = value.values()
    elif not isinstance(value, list | tuple):
        if isinstance(value, int | float) and not -LARGEST < value < LARGEST:  # nor NaN
            raise ValueError("not a report of this tool: a number that no recording has")
        return
    for one in value:
        _refuse_numbers(one)


def _making(receipt: Mapping[str, Any]) -> Making:
    made = {
        "software": receipt.get("software") or "",
        "converted": receipt.get("converted") or "",
        "settings": receipt.get("settings") or {},
        "ffmpeg": (receipt.get("muxer") or {}).get("version") or "",
        "command": (receipt.get("muxer") or {}).get("command") or (),
        "inputs": receipt.get("inputs") or (),
    }
    _refuse_numbers(made)
    try:
        return msgspec.convert(made, Making)
    except msgspec.ValidationError as error:
        raise ValueError(f"not a receipt of this tool: {error}") from error


def _segments(report: Report, making: Making | None) -> int:
    """As many as the playlist lists."""
    slots = (
        max((total.slots for total in report.account.tracks), default=0) if report.account else 0
    )
    read = [one for one in making.inputs if not one.key.endswith(".m3u8")] if making else []
    there = len(report.coverage.segments) if report.coverage else 0
    return slots or max(len(read), there)


def _distances(report: Report, on: Axis) -> tuple[tuple[float, float], ...]:
    """When the sound of each segment begins, from its pictures on."""
    tracks = report.coverage.tracks if report.coverage else ()
    video = next((one for one in tracks if one.track == "video"), None)
    audio = next((one for one in tracks if one.track == "audio"), None)
    if video is None or audio is None:
        return ()
    return tuple(
        (on.of(picture), round(heard - picture, 3))
        for picture, heard in zip(video.begin, audio.begin, strict=False)
        if picture is not None and heard is not None
    )
