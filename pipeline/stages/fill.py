"""Black pictures for holes, really encoded, in the form of each lane.

Silence needs no encoder (:mod:`pipeline.media.silence`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from tempfile import TemporaryFile

import numpy as np

from pipeline.media import units
from pipeline.media.codecs import H264
from pipeline.media.fills import Fill, Made, wanted
from pipeline.media.lane import HZ, Lane
from pipeline.media.losses import Stretch
from pipeline.media.silence import silent_unit
from pipeline.media.sps import NUMBERS, picture
from pipeline.model import Finding, Severity
from pipeline.muxing import commands
from pipeline.muxing.locate import Ffmpeg
from pipeline.muxing.run import run

PICTURES = 250  # then they begin again with a key picture


@dataclass(frozen=True, slots=True, eq=False)
class Filling:
    """What goes into the holes, and why some stay open."""

    fills: tuple[Fill, ...] = ()
    made: Mapping[int, Made] = field(default_factory=dict)  # by PID
    findings: tuple[Finding, ...] = ()


def prepare(lanes: Sequence[Lane], held: Sequence[Sequence[Stretch]], ffmpeg: Ffmpeg) -> Filling:
    """Encode what the holes of every lane need."""
    fills: list[Fill] = []
    made: dict[int, Made] = {}
    findings: list[Finding] = []
    for lane, stretches in zip(lanes, held, strict=True):
        if lane.codec.kind == "audio" and silent_unit(lane.codec, lane.config, lane.unit):
            continue
        needed = list(wanted(lane, stretches))
        if not needed:
            continue
        count = min(PICTURES, max(len(fill.dts) for fill in needed))
        encode: list[bytes] = []
        if lane.codec is H264:
            encode = _pictures(lane, count, ffmpeg)
        if encode:
            made[lane.pid] = Made(tuple(encode))
            fills += needed
        else:
            detail = f"{lane.codec.kind} of this form cannot be made: its holes are kept"
            findings.append(Finding("M_FILL", Severity.WARNING, pid=lane.pid, detail=detail))
    return Filling(tuple(sorted(fills, key=lambda fill: fill.before)), made, tuple(findings))


def _pictures(lane: Lane, count: int, ffmpeg: Ffmpeg) -> list[bytes]:
    """Black pictures of the lane's size: one key picture, then those that refer to it."""
    shape = picture(lane.codec, lane.config)
    if lane.codec is not H264 or shape is None or shape.width % 2 or shape.height % 2:
        return []
    number = _free_number(lane)
    rate = f"{HZ}/{max(1, round(lane.unit))}"
    es = _encoded(
        commands.black(ffmpeg.ffmpeg, (shape.width, shape.height), rate, count, number), ffmpeg
    )
    found = units.nals(np.frombuffer(es, np.uint8))
    begins = [max(0, int(b) - 4) for b in found.begin[found.opens]]
    return [es[a:b] for a, b in pairwise([*begins, len(es)])]


def _free_number(lane: Lane) -> int:
    """The highest that no parameter set of the lane has: those it has stay valid."""
    found = (picture(lane.codec, each) for each in (lane.config, *lane.sets) if each[0] & 31 == 7)
    taken = {one.number for one in found if one}
    return next(n for n in range(NUMBERS - 1, -1, -1) if n not in taken)


def _encoded(argv: Sequence[str], ffmpeg: Ffmpeg) -> bytes:
    with TemporaryFile() as file:
        run(argv, env=ffmpeg.env, stdout=file)
        file.seek(0)
        return file.read()
