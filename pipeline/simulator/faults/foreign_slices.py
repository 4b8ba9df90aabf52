"""Slices whose file holds something else: another slice, two of them, or none at all."""

from msgspec.structs import replace

from pipeline.agora import names
from pipeline.errors import UsageError
from pipeline.simulator.faults.fault_context import Case
from pipeline.simulator.recorder.mux import mux
from pipeline.simulator.recorder.values import HZ, ListedSegment, Packet, RecordedPart, Segment

AWAY = 2000 * HZ  # ticks by which the clock of another recording differs
WIDER = 32  # pixels
APART = HZ // 500  # ticks by which a slice of tables alone is named before the next one


def copied_over(part: RecordedPart, case: Case) -> RecordedPart:
    """The bytes of the slice before stand under the name of a slice, too."""
    n = case.pick(part, inner=True)
    copy = part.segments[n - 1].data
    return part.with_segment(n, replace(part.segments[n], content=copy, readable=False))


def holds_the_next(part: RecordedPart, case: Case) -> RecordedPart:
    """A slice contains the next one as well, which is there too."""
    n = case.pick(part)
    if n + 1 == len(part.segments):
        raise case.wrong("a segment with another behind it")
    own, following = part.segments[n], part.segments[n + 1]
    if not own.packets or not following.packets or following.content is not None:
        raise UsageError(f"{case.fault}: {own.name} is no transport stream any more")
    first, serial = len(own.units), 1 + max(p.serial for p in own.packets)
    added = tuple(_behind(packet, first, serial) for packet in following.packets)
    made = replace(
        own,
        units=(*own.units, *following.units),
        packets=(*own.packets, *added),
        needs=(*own.needs, *following.needs),
    )
    return part.with_segment(n, made)


def foreign_slice(part: RecordedPart, case: Case) -> RecordedPart:
    """A slice is one of another recording: its clock is another, and its format or not."""
    kind = case.word("format", "clock")
    n = replace(case, argument=None).pick(part, inner=True)
    own = part.segments[n]
    if not own.packets:
        raise UsageError(f"{case.fault}: {own.name} is no transport stream any more")
    changed: dict[str, object] = {"seed": case.look.seed + 1}
    if kind == "format":
        changed |= {"width": case.look.width + WIDER, "rate": 44100}
    other = case.other(**changed)
    streams = sorted({unit.stream for unit in own.units}, reverse=True)
    units = tuple(u for s in streams for u in other.units(s, own.begin, own.begin + own.length))
    foreign = mux(replace(own, units=units, clock=own.clock + AWAY), {})
    packets = tuple(replace(packet, units=()) for packet in foreign.packets)
    return part.with_segment(n, replace(own, packets=packets))


def tables_only(part: RecordedPart, case: Case) -> RecordedPart:
    """A slice more has nothing but tables: at the beginning, in the middle or at the end."""
    where = case.word("middle", "begin", "end")
    count = len(part.segments)
    at = {"begin": 0, "middle": count // 2, "end": count}[where]
    beside = part.segments[min(at, count - 1)]
    begin = beside.begin - APART if at < count else beside.begin + beside.length
    parsed = names.parse_slice_name(beside.name)
    assert parsed is not None
    utc = parsed.utc + (begin - beside.begin) / HZ
    name = names.slice_name(parsed.sid, parsed.cname, utc, bak=parsed.bak)
    empty = Segment(name, begin, 0, (), beside.layout, beside.clock)
    entries = list(part.playlist.entries)
    if at:
        entries.insert(at, ListedSegment(name, 0.0))
    else:  # the recording starts with it
        entries[:1] = [ListedSegment(name, 0.0, entries[0].tags), replace(entries[0], tags=())]
    segments = (*part.segments[:at], empty, *part.segments[at:])
    touched = frozenset({at, *(n + (n >= at) for n in part.touched)})
    return replace(part.with_entries(*entries), segments=segments, touched=touched)


def _behind(packet: Packet, first: int, serial: int) -> Packet:
    """A packet of a slice that was appended to another."""
    units = tuple(number + first for number in packet.units)
    return replace(packet, units=units, serial=packet.serial + serial)
