"""How pictures that are re-encoded are turned on the way, and what they are decoded from."""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from pipeline.media.clock import HZ, signed
from pipeline.media.es.codecs import Carriage
from pipeline.media.es.formats import StreamFormat
from pipeline.media.slots.format_changes import Change, TargetFormat
from pipeline.media.slots.segments import Slot
from pipeline.media.slots.turns import EARLY, is_headless, moments, pictures
from pipeline.media.ts.scan import Stream
from pipeline.muxing.views import View

WHOLE_TURN = 360  # degrees


def lead(slots: Sequence[Slot], first: Change) -> list[int]:
    """Numbers of the slots that a run is decoded from which begins without a key picture: back to
    the last one that begins with one.
    """
    found: list[int] = []
    if first.was.codec.carriage is Carriage.UNIT:
        return found  # its file begins by itself
    at = first.number
    while at and is_headless(slots[at]) and _goes_on_from(slots[at - 1], first.was):
        at -= 1
        found.insert(0, at)
    return found


def _goes_on_from(before: Slot, format: StreamFormat) -> bool:
    stream = pictures(before)
    if stream is None or stream.codec is None:
        return False
    told = stream.config is None or stream.codec.needs(stream.config) == format.needs
    return stream.codec == format.codec and told


def views(slots: Sequence[Slot], change: Change, wanted: TargetFormat) -> list[View]:
    """What of the pictures of a change is turned how far, in their order: by as much as they are
    turned otherwise than those that stay.
    """
    slot = slots[change.number]
    stream = pictures(slot)
    turns = [turn.degrees for turn in slot.turns] or [0]
    if stream is None:
        return [View((turns[0] - wanted.turned) % WHOLE_TURN)]
    fed = [*lead(slots, change), change.number]
    begin = _first(pictures(slots[fed[0]]) or stream)
    own = [_first(stream) - EARLY] if len(fed) > 1 else [begin]
    bounds = [*own, *(raw for raw, _ in moments(slot, stream))]
    spans = pairwise([*(_seconds(raw - begin) for raw in bounds), math.inf])
    return [
        View((degrees - wanted.turned) % WHOLE_TURN, one, other)
        for degrees, (one, other) in zip(turns, spans, strict=True)
    ]


def _first(stream: Stream) -> int:
    """The stamp of its earliest picture."""
    known = stream.pts[stream.pts >= 0]
    return int(known[0] + signed(known - known[0]).min())


def _seconds(ticks: int) -> float:
    return round(float(signed(np.array([ticks]))[0]) / HZ, 6)
