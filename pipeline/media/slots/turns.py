"""By how much the pictures of a slot are turned, and from which picture on.

Seconds of ``Slot.turns`` count from the beginning of the segment as its playlist tells them; behind
:func:`seen` from its first picture.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from msgspec.structs import replace

from pipeline.media.clock import HZ, Ticks, signed
from pipeline.media.slots.segments import Slot
from pipeline.media.ts.scan import Scan, Stream
from pipeline.model import Turn

EARLY = HZ // 100  # ticks by which a picture may come before its turn: tags and names are rounded
TOGETHER = HZ // 20  # ticks: streams that begin so close together begin at once


def seen(slot: Slot) -> Slot:
    """The slot with the turns that any of its pictures shows."""
    stream = pictures(slot)
    if not slot.turns or stream is None or slot.scan is None:
        return slot
    shown = _shown(stream)
    late = _behind_the_beginning(slot.scan, int(shown[0]))
    turns: list[Turn] = []
    for turn in slot.turns:
        since = max(0.0, turn.since - late)
        if since * HZ - EARLY <= 0:
            turns = [Turn(0.0, turn.degrees)]
        elif since * HZ - EARLY <= int(signed(shown[-1:] - shown[:1])[0]):
            turns.append(Turn(since, turn.degrees))
    return replace(slot, turns=upright(turns))


def upright(turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """No turn to what is so already, and none at all where everything is upright."""
    changing = [t for n, t in enumerate(turns) if not n or t.degrees != turns[n - 1].degrees]
    return () if len(changing) == 1 and not changing[0].degrees else tuple(changing)


def within(turns: Sequence[Turn], begin: float, end: float) -> tuple[Turn, ...]:
    """Those of a part of a slot, which begins and ends so many seconds behind its first picture."""
    if not turns:
        return ()
    first = [turn for turn in turns if turn.since <= begin + EARLY / HZ][-1:] or turns[:1]
    later = [t for t in turns if begin + EARLY / HZ < t.since < end - EARLY / HZ]
    moved = (replace(turn, since=round(turn.since - begin, 6)) for turn in later)
    return upright([Turn(0.0, first[0].degrees), *moved])


def pictures(slot: Slot) -> Stream | None:
    """Its only stream of pictures that have a time; None if there is none, or several."""
    streams = slot.scan.streams.values() if slot.scan else ()
    found = [
        stream
        for stream in streams
        if stream.codec is not None and stream.codec.kind == "video" and (stream.pts >= 0).any()
    ]
    return found[0] if len(found) == 1 else None


def moments(slot: Slot, stream: Stream) -> Iterator[tuple[int, Turn]]:
    """The raw time stamp from which on each turn but the first is shown."""
    first = int(_shown(stream)[0])
    for turn in slot.turns[1:]:
        yield first + round(turn.since * HZ) - EARLY, turn


def vary(slots: Sequence[Slot]) -> bool:
    """Whether not all pictures are turned alike."""
    if not any(slot.turns for slot in slots):
        return False
    found = {slot.turned for slot in slots if pictures(slot) is not None}
    return len(found) > 1 or None in found


def is_headless(slot: Slot) -> bool:
    """Its pictures cannot be decoded without those before."""
    stream = pictures(slot)
    return stream is not None and stream.key_start is False


def _shown(stream: Stream) -> Ticks:
    """Its stamps in the order they are shown, unwrapped around the first."""
    known = stream.pts[stream.pts >= 0]
    found: Ticks = np.sort(known[0] + signed(known - known[0]))
    return found


def _behind_the_beginning(scan: Scan, first: int) -> float:
    """Seconds from the beginning of a segment to its first picture: sound may be there before."""
    begins = [
        int(signed(_shown(stream)[:1] - first)[0])
        for stream in scan.streams.values()
        if stream.codec is not None and (stream.pts >= 0).any()
    ]
    late = -min(begins)
    return late / HZ if late > TOGETHER else 0.0
