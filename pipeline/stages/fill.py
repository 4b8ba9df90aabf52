"""Black pictures for holes, encoded in the form of each lane.

Silence needs no encoder (:mod:`pipeline.media.stitch.silence`).
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from tempfile import TemporaryFile

import numpy as np
from msgspec import Struct, field
from msgspec.structs import replace

from pipeline.media.clock import HZ
from pipeline.media.es import black_picture as black
from pipeline.media.es.black_picture import coding
from pipeline.media.es.codecs import ENCODED
from pipeline.media.es.nal import AVC, nals
from pipeline.media.es.sps import NUMBERS
from pipeline.media.loss.fills import EncodedUnits, Fill, opening, pauses, wanted
from pipeline.media.loss.holes import Stretch
from pipeline.media.slots.segments import Placed
from pipeline.media.track import Lane
from pipeline.model import Finding, Severity
from pipeline.muxing import commands
from pipeline.muxing.locate import Ffmpeg
from pipeline.muxing.run import run

PICTURES = 250  # that are encoded at most: then they are repeated from the key picture on


class Filling(Struct, frozen=True, eq=False):
    """What goes into the holes, and why some stay open."""

    fills: tuple[Fill, ...] = ()  # in the order of the segments behind them
    made: Mapping[int, EncodedUnits] = field(default_factory=dict)  # by PID
    findings: tuple[Finding, ...] = ()


def prepare(lanes: Sequence[Lane], held: Sequence[Sequence[Stretch]], ffmpeg: Ffmpeg) -> Filling:
    """Encode what the holes of every lane need; ``held`` are the units of each lane, one stretch
    for each segment.  MuxingError if ffmpeg fails.
    """
    fills: list[Fill] = []
    made: dict[int, EncodedUnits] = {}
    findings: list[Finding] = []
    for lane, stretches in zip(lanes, held, strict=True):
        if lane.codec.silence(lane.config, lane.unit):
            continue
        needed = list(wanted(lane, stretches))
        if not needed:
            continue
        found = _black(lane, max(len(fill.dts) for fill in needed), ffmpeg)
        if found is not None:
            made[lane.pid] = found
            fills += needed
        else:
            detail = f"{lane.codec.kind} of this form cannot be made: its holes are kept"
            findings.append(Finding("M_FILL", Severity.WARNING, pid=lane.pid, detail=detail))
    return Filling(tuple(sorted(fills, key=lambda fill: fill.before)), made, tuple(findings))


def opened(
    filling: Filling,
    lanes: Sequence[Lane],
    placed: Sequence[Placed],
    ffmpeg: Ffmpeg,
    *,
    dark: bool = False,
) -> Filling:
    """The filling with a black picture at the beginning of a track whose pictures begin late, where
    one can be made that shares its parameter sets.  Raises like :func:`prepare`.
    """
    fills, made = list(filling.fills), dict(filling.made)
    for lane in lanes:
        first = [one for one in (opening(lane, placed),) if one is not None]
        first += pauses(lane, placed) if dark else []
        pictures = (made.get(lane.pid) or _sharing(lane, ffmpeg)) if first else None
        if pictures is not None:
            fills += first
            made[lane.pid] = pictures
    fills.sort(key=lambda fill: fill.before)
    return replace(filling, fills=tuple(fills), made=made)


def _black(lane: Lane, count: int, ffmpeg: Ffmpeg) -> EncodedUnits | None:
    """Black pictures of the lane's size: with its parameter sets, else with some of their own."""
    shared = _sharing(lane, ffmpeg)
    if shared is not None or _size(lane) is None:
        return shared
    return EncodedUnits(tuple(_pictures(lane, min(PICTURES, count), ffmpeg)), own=True)


def _sharing(lane: Lane, ffmpeg: Ffmpeg) -> EncodedUnits | None:
    """Key pictures with the parameter sets of the lane; None where these change, or the form is not
    supported.
    """
    size = _size(lane)
    sets = [(lane.config, one) for one in lane.sets if AVC.kind(one) == AVC.pps]
    for sps, pps in sets if size and not lane.inside else ():
        form = coding(sps, pps)
        if form is not None and size is not None:
            (unit,) = _encoded_pictures(
                commands.black(
                    *(ffmpeg.ffmpeg, size, _rate(lane)),
                    count=1,
                    parameter_sets=0,
                    cabac=form.cabac,
                    eight=form.eight,
                ),
                ffmpeg,
            )
            adapted = black.adapted(unit, sps, pps)
            return EncodedUnits(adapted) if adapted else None
    return None


def _size(lane: Lane) -> tuple[int, int] | None:
    """Width and height of the lane's pictures; None where no encoder takes them."""
    shape = lane.codec.picture(lane.config)
    if lane.codec is not ENCODED["video"] or shape is None or shape.width % 2 or shape.height % 2:
        return None
    return shape.width, shape.height


def _rate(lane: Lane) -> str:
    return f"{HZ}/{max(1, round(lane.unit))}"


def _pictures(lane: Lane, count: int, ffmpeg: Ffmpeg) -> list[bytes]:
    """One key picture, then pictures that refer to it."""
    size = _size(lane)
    assert size is not None
    number = _free_number(lane)
    argv = commands.black(ffmpeg.ffmpeg, size, _rate(lane), count=count, parameter_sets=number)
    return _encoded_pictures(argv, ffmpeg)


def _encoded_pictures(argv: Sequence[str], ffmpeg: Ffmpeg) -> list[bytes]:
    es = _encoded(argv, ffmpeg)
    found = nals(np.frombuffer(es, np.uint8))
    begins = [max(0, int(b) - 4) for b in found.begin[found.opens]]
    return [es[a:b] for a, b in pairwise([*begins, len(es)])]


def _free_number(lane: Lane) -> int:
    """The highest id that no parameter set of the lane has, so that its own stay valid."""
    own = (one for one in (lane.config, *lane.sets) if AVC.kind(one) == AVC.sps)
    found = (lane.codec.picture(one) for one in own)
    taken = {one.number for one in found if one}
    return next(n for n in range(NUMBERS - 1, -1, -1) if n not in taken)


def _encoded(argv: Sequence[str], ffmpeg: Ffmpeg) -> bytes:
    with TemporaryFile() as file:
        run(argv, env=ffmpeg.env, stdout=file)
        file.seek(0)
        return file.read()
