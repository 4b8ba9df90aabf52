"""Failover parts: when each of them records, and what faults of the older ones mean for it.

Times are ticks of 90 kHz on the wall clock, counted from the beginning of the recording.
"""

import math
from collections.abc import Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from pipeline.errors import UsageError
from pipeline.simulator.faults.catalogue import ChosenFault
from pipeline.simulator.faults.fault_context import without
from pipeline.simulator.faults.timing import delayed
from pipeline.simulator.recorder.values import HZ, RecordedPart, Segment

MEETINGS = ("bak_gap", "bak_overlap")
MEETING = 3  # seconds by which parts overlap or lie apart unless said otherwise
FARTHEST = 3600  # seconds
SHORTEST = 2  # seconds of a part


class Span(Struct, frozen=True):
    """What one server records, and for how long nobody did before it; ticks."""

    begin: int  # a full second: there is a key picture
    end: int
    missed: int = 0


def spans(duration: float, bak: int, faults: Sequence[ChosenFault]) -> Iterator[Span]:
    """The main part and ``bak`` failover parts of about the same length; ``duration`` in seconds.

    Raises ``UsageError`` if one would be too short.
    """
    count, end = bak + 1, round(duration * HZ)
    cuts = [round(duration * n / count) for n in range(count)]
    apart = [_meeting(faults, n) if n else 0.0 for n in range(count)]
    begins = [(cut + math.ceil(max(0.0, gap))) * HZ for cut, gap in zip(cuts, apart, strict=True)]
    ends = [
        min(begin - round(gap * HZ), end) for begin, gap in zip(begins[1:], apart[1:], strict=True)
    ]
    for begin, until, gap in zip(begins, [*ends, end], apart, strict=True):
        if bak and until - begin < SHORTEST * HZ:
            raise UsageError(
                f"a duration of {duration:g} s: too short for {count} parts"
                f" of at least {SHORTEST} seconds"
            )
        yield Span(begin, until, max(0, round(gap * HZ)))


def killed(
    part: RecordedPart, number: int, bak: int, faults: Sequence[ChosenFault]
) -> RecordedPart:
    """The part without EXT-X-ENDLIST, if that was asked for: its recorder was killed."""
    if number == bak or not any(w.fault.name == "bak_killed" for w in _about(faults, number)):
        return part
    return replace(part, playlist=replace(part.playlist, ended=False))


def following(part: RecordedPart, older: Sequence[RecordedPart]) -> RecordedPart:
    """A part as the faults of older parts leave it.

    A pause delays it, and a stream that has ended does not come back.
    """
    if not older:
        return part
    later = sum(one.delay for one in older)
    over = frozenset().union(*(one.over for one in older))
    made = part.with_segments({n: _moved(s, later, over) for n, s in enumerate(part.segments)})
    pauses = tuple((begin + later, length) for begin, length in part.pauses)
    return replace(made, pauses=pauses, touched=part.touched)


def _moved(segment: Segment, later: int, over: frozenset[str]) -> Segment:
    for stream in over:
        segment = without(segment, stream)
    units = tuple(replace(u, time=u.time + later) for u in segment.units)
    return replace(
        segment,
        name=delayed(segment.name, later),
        begin=segment.begin + later,
        units=units,
        clock=segment.clock - later,
    )


def _meeting(faults: Sequence[ChosenFault], number: int) -> float:
    """Seconds between a part and the one before it; negative: they overlap."""
    seconds = 0.0
    for wanted in _about(faults, number):
        if wanted.fault.name in MEETINGS:
            length = _length(wanted)
            seconds = length if wanted.fault.name == "bak_gap" else -length
    return seconds


def _length(wanted: ChosenFault) -> float:
    text = wanted.argument or str(MEETING)
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= FARTHEST:
        raise UsageError(f"{wanted.fault.name}:{text}: expected seconds above 0")
    return seconds


def _about(faults: Sequence[ChosenFault], number: int) -> list[ChosenFault]:
    """Those about one part: all that name none, and then those that name it."""
    return [w for w in faults if w.part is None] + [w for w in faults if w.part == number]
