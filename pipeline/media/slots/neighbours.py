"""A slot beside its nearest neighbours that hold media, as their stamps have it.

Times are ticks of 90 kHz.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from pipeline.media.clock import HZ, Ticks, median, signed, signed_ticks
from pipeline.media.slots.segments import Slot, has_media
from pipeline.media.ts.scan import Stream


class Neighbours(Struct, frozen=True, eq=False):
    """One slot between the nearest ones that hold media; how far each stream is from where they
    put it, by PID: behind the one before, and in front of the one behind.
    """

    here: int
    before: int | None
    behind: int | None
    since: Mapping[int, int]
    until: Mapping[int, int]


def emptied(slot: Slot) -> Slot:
    """The slot without what was found under its name, which is put aside."""
    return replace(slot, scan=None, aside=slot.scan)


def promised(slots: Iterable[Slot]) -> int:
    """Ticks by EXTINF."""
    return round(HZ * sum(slot.duration or 0.0 for slot in slots if slot.needed))


def neighbours(slots: Sequence[Slot], number: int) -> Neighbours:
    """Those of the same part; what lies between them is as long as EXTINF says."""
    part = slots[number].part

    def nearest(numbers: range) -> int | None:
        return next((n for n in numbers if slots[n].part == part and has_media(slots[n])), None)

    before, behind = nearest(range(number - 1, -1, -1)), nearest(range(number + 1, len(slots)))
    since = gaps(slots, before, number) if before is not None else {}
    until = gaps(slots, number, behind) if behind is not None else {}
    return Neighbours(
        number,
        before,
        behind,
        {pid: ticks for (_, pid), ticks in since.items()},
        {pid: ticks for (pid, _), ticks in until.items()},
    )


def gaps(slots: Sequence[Slot], a: int, b: int) -> dict[tuple[int, int], int]:
    """Ticks between two slots by each stream, without what EXTINF says of those between them; by
    the PIDs on both sides.
    """
    absent = promised(slots[a + 1 : b])
    one, other = streams_of(slots[a]), streams_of(slots[b])
    return {
        (p, q): signed_ticks(first(other[q]) - end(one[p])) - absent for p, q in paired(one, other)
    }


def between(slots: Sequence[Slot], a: int, b: int) -> int | None:
    """Ticks from the end of one slot to the beginning of another, by the stream that says least."""
    one, other = streams_of(slots[a]), streams_of(slots[b])
    gaps = [signed_ticks(first(other[q]) - end(one[p])) for p, q in paired(one, other)]
    return min(gaps, key=abs, default=None)


def paired(one: Mapping[int, Stream], other: Mapping[int, Stream]) -> list[tuple[int, int]]:
    """The PIDs of each stream on both sides: the same, or where a writer renumbers its streams
    the same place among its like.
    """
    if one.keys() & other.keys():
        return [(pid, pid) for pid in one if pid in other]
    kinds = sorted({kind_of(stream) for stream in one.values()})
    return [
        pair
        for kind in kinds
        for pair in zip(
            (pid for pid, stream in sorted(one.items()) if kind_of(stream) == kind),
            (pid for pid, stream in sorted(other.items()) if kind_of(stream) == kind),
            strict=False,
        )
    ]


def kind_of(stream: Stream) -> str:
    """Audio or video; nothing for a stream of another kind."""
    return stream.codec.kind if stream.codec else ""


def length(slot: Slot) -> int:
    """EXTINF, or what its longest stream lasts."""
    if slot.duration:
        return round(HZ * slot.duration)
    return max(signed_ticks(end(s) - first(s)) for s in streams_of(slot).values())


def streams_of(slot: Slot) -> dict[int, Stream]:
    """The streams of a slot whose place in time is known."""
    streams = slot.scan.streams if slot.scan else {}
    return {pid: s for pid, s in streams.items() if s.codec and (s.dts >= 0).any() and not s.blank}


def apart(one: Ticks, other: Ticks) -> bool:
    """No stamp can be among both, for all of one are behind all of the other."""
    return bool(one.max() < other.min() or other.max() < one.min())


def first(stream: Stream) -> int:
    """Its first decoding time."""
    return int(stream.dts[stream.dts >= 0][0])


def end(stream: Stream) -> int:
    """Where its last unit ends."""
    known = stream.dts[stream.dts >= 0]
    return int(known[-1]) + round(stream.tail * unit(stream))


def unit(stream: Stream) -> float:
    """Ticks an access unit lasts: as its codec has it, else the median step."""
    exact = stream.codec.unit_ticks(stream.config) if stream.codec else None
    if exact is not None:
        return exact
    steps = signed(np.diff(stream.dts[stream.dts >= 0]))
    steps = steps[steps > 0]
    if not len(steps):
        return HZ / 25
    return float(steps[0] if (steps == steps[0]).all() else median(steps))
