"""Where nothing seems to be shown or said: found by the sizes of units, without decoding.

A picture in which nothing changes is coded in some ten bytes, live ones in hundreds at least; an
AAC frame of digital silence in some ten bytes as well.  A suspicion is confirmed on decoded
samples: :func:`is_black`, :func:`is_frozen`, :func:`is_silent`.
"""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from pipeline.media.clock import BASE, HZ, Bytes, Index
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
    own = sizes <= (QUIET * (1 + heard.channels) if heard else STILL)
    small = own
    if kind == "video":  # a key picture among them is larger
        small = own.copy()
        small[1:-1] |= own[:-2] & own[2:]
    edges = np.flatnonzero(np.diff(np.concatenate([[False], small, [False]])))
    found = []
    if not len(edges) or (edges[1::2] - edges[::2]).max() * lane.unit < LONG[kind] * HZ / 2:
        return []
    firsts, ends = edges[::2], edges[1::2]
    begins = (_times(stretches, firsts) - BASE) / HZ
    lasts = (_times(stretches, ends - 1) + lane.unit - BASE) / HZ
    counts = np.cumsum([len(s.units.sizes) for s in stretches])
    for n in np.flatnonzero(lasts - begins >= LONG[kind]).tolist():
        first, end = int(firsts[n]), int(ends[n])
        if np.count_nonzero(own[first:end]) >= MOSTLY * (end - first):
            owner = int(np.searchsorted(counts, first, side="right"))
            found.append(Span(kind, float(begins[n]), float(lasts[n]), stretches[owner].segment))
    return found


def _times(stretches: Sequence[Stretch], units: Index) -> NDArray[np.float64]:
    """Decoding times of some units; those without a stamp stand between their neighbours."""
    known = [s.units.dts >= 0 for s in stretches]
    dts = np.concatenate([s.units.dts[told] for s, told in zip(stretches, known, strict=True)])
    at = np.flatnonzero(np.concatenate(known))
    return np.asarray(np.interp(units, at, dts), np.float64)


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
