"""A slot beside its nearest neighbours that hold media, by their stamps.

Times are ticks of 90 kHz; stamps are those of the scan, 33 bits, so differences are signed modulo
2^33.
"""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from pipeline.media.clock import HZ, Ticks, signed_ticks
from pipeline.media.slots.segments import Slot, has_media
from pipeline.media.ts.scan import Stream


class Neighbours(Struct, frozen=True, eq=False):
    """One slot between the nearest ones that hold media, and how far each stream is from where they
    put it; slots are numbers in the list.
    """

    here: int
    before: int | None
    behind: int | None
    since: Mapping[int, int]  # ticks by PID: how late it begins behind the slot before
    until: Mapping[int, int]  # ticks by PID: how early it ends in front of the slot behind


def emptied(slot: Slot) -> Slot:
    """The slot without media: what was found under its name is put ``aside``."""
    return replace(slot, scan=None, aside=slot.scan)


def promised(slots: Iterable[Slot]) -> int:
    """Ticks that these slots last by EXTINF, those left out that are not ``needed``."""
    return round(HZ * sum(slot.duration or 0.0 for slot in slots if slot.needed))


def neighbours(slots: Sequence[Slot], number: int) -> Neighbours:
    """The neighbours of a slot in the same part; empty slots between are as long as EXTINF says."""
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
    """Ticks from the end of each stream in slot ``a`` to its beginning in ``b``, by its PIDs on
    both sides, less the EXTINF of the slots between.
    """
    absent = promised(slots[a + 1 : b])
    one, other = streams_of(slots[a]), streams_of(slots[b])
    return {
        (p, q): signed_ticks(other[q].first - one[p].end) - absent for p, q in paired(one, other)
    }


def between(slots: Sequence[Slot], a: int, b: int) -> int | None:
    """Ticks from the end of slot ``a`` to the beginning of ``b`` by the stream with the smallest
    gap; None where they share none.
    """
    one, other = streams_of(slots[a]), streams_of(slots[b])
    gaps = [signed_ticks(other[q].first - one[p].end) for p, q in paired(one, other)]
    return min(gaps, key=abs, default=None)


def paired(one: Mapping[int, Stream], other: Mapping[int, Stream]) -> list[tuple[int, int]]:
    """The PIDs of each stream on both sides: the same, or, where the writer renumbered all streams,
    the same place among those of its kind.
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
    """Whether a stream is "audio" or "video"; empty for another kind."""
    return stream.codec.kind if stream.codec else ""


def length(slot: Slot) -> int:
    """Ticks a slot lasts: its EXTINF, or its longest stream."""
    if slot.duration:
        return round(HZ * slot.duration)
    return lasting(slot)


def lasting(slot: Slot) -> int:
    """Ticks that the longest stream of a slot lasts."""
    return max(signed_ticks(s.end - s.first) for s in streams_of(slot).values())


def streams_of(slot: Slot) -> Mapping[int, Stream]:
    """The streams of a slot whose place in time is known, by PID."""
    return slot.scan.timed if slot.scan else {}


def apart(one: Ticks, other: Ticks) -> bool:
    """Whether no stamp can be in both, as all of one are behind all of the other."""
    return bool(one.max() < other.min() or other.max() < one.min())
