"""Where nothing seems to be shown or said: found by the sizes of units, without decoding.

A picture in which nothing changes is coded in some ten bytes, live ones in hundreds at least; an
AAC frame of digital silence in some ten bytes as well.  A suspicion is confirmed on decoded
samples: :func:`is_black`, :func:`is_frozen`, :func:`is_silent`.
"""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from pipeline.media.clock import BASE, HZ, Bytes
from pipeline.media.finding_ids import IDS
from pipeline.media.loss.holes import Stretch
from pipeline.media.track import Lane
from pipeline.model import Finding, Severity

STILL = 250  # bytes of a picture, with the headers around it, in which nothing changes
QUIET = 20  # bytes of a silent AAC frame for each channel, and as many for the frame
MOSTLY = 0.9  # of the pictures are as small; the rest are key pictures
LONG = {"video": 5.0, "audio": 10.0}  # seconds; shorter spans are not reported
NAMED = 5  # spans listed one by one
BLACK = 24  # the brightest sample of a black picture, of 255
ALIKE = 1.0  # by which samples of equal pictures differ on average
LOUD = 33  # the loudest sample of silence, of 32767: -60 dB


class Span(Struct, frozen=True):
    """A stretch of one lane, seconds from the beginning of the MP4."""

    kind: str  # "video" or "audio"
    begin: float
    end: float
    segment: str  # where it begins

    @property
    def length(self) -> float:
        """Its length in seconds."""
        return self.end - self.begin


def suspects(lane: Lane, stretches: Sequence[Stretch]) -> list[Span]:
    """Spans in which all units are as small as those of a still picture or of silence; at least
    ``LONG``.
    """
    kind = lane.codec.kind
    sizes = np.concatenate([np.empty(0, np.uint32), *(s.units.sizes for s in stretches)])
    heard = lane.codec.sound(lane.config) if kind == "audio" else None
    small = sizes <= (QUIET * (1 + heard.channels) if heard else STILL)
    own = np.append(0, np.cumsum(small))
    if kind == "video":  # a key picture among them is larger
        small[1:-1] |= small[:-2] & small[2:]
    edges = np.flatnonzero(np.diff(np.concatenate([[0], small.view(np.int8), [0]])))
    found = []
    if not len(edges) or (edges[1::2] - edges[::2]).max() * lane.unit < LONG[kind] * HZ / 2:
        return []
    times = _times(lane, stretches)
    owner = np.repeat(np.arange(len(stretches)), [len(s.units.sizes) for s in stretches])
    for first, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if own[end] - own[first] < MOSTLY * (end - first):
            continue
        begin, last = (times[first] - BASE) / HZ, (times[end - 1] + lane.unit - BASE) / HZ
        if last - begin >= LONG[kind]:
            found.append(Span(kind, float(begin), float(last), stretches[owner[first]].segment))
    return found


def _times(lane: Lane, stretches: Sequence[Stretch]) -> NDArray[np.float64]:
    """Decoding times; units without a stamp stand between their neighbours."""
    dts = np.concatenate([s.units.dts for s in stretches])
    at = np.flatnonzero(dts >= 0)
    return np.asarray(np.interp(np.arange(len(dts)), at, dts[at]), np.float64)


def is_black(pictures: Bytes) -> bool:
    """Whether pictures are black: uint8[pictures, samples], luma of full range."""
    return pictures.size > 0 and int(pictures.max()) <= BLACK


def is_frozen(pictures: Bytes) -> bool:
    """Whether all pictures are like the first: uint8[pictures, samples], two at least."""
    apart = np.abs(pictures.astype(np.int16) - pictures[:1].astype(np.int16))
    return len(pictures) > 1 and bool((apart.mean(axis=1) < ALIKE).all())


def is_silent(samples: NDArray[np.int16]) -> bool:
    """Whether 16-bit samples of any shape are silence: none louder than -60 dB."""
    return samples.size > 0 and int(np.abs(samples.astype(np.int32)).max()) <= LOUD


def told(id: str, spans: Sequence[Span], lane: Lane, *, decoded: bool) -> Finding:
    """One finding of severity info for all spans of a kind, at least one; ``decoded`` if they were
    confirmed.
    """
    total = sum(span.length for span in spans)
    named = ", ".join(f"{span.begin:.1f} to {span.end:.1f}" for span in spans[:NAMED])
    more = f" and {len(spans) - NAMED} more" if len(spans) > NAMED else ""
    how = "" if decoded else ", by the size of its units"
    detail = f"{total:.1f} s of {IDS[id].meaning}{how}: {named}{more}"
    return Finding(id, Severity.INFO, spans[0].segment, lane.pid, len(spans), detail)
