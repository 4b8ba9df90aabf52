"""Where what is left of a recording cannot show what was lost."""

from collections.abc import Sequence
from itertools import pairwise

from pipeline.simulator.recorder.values import HZ, STREAMS, RecordedPart, Segment, Unit
from pipeline.simulator.truth.losses import goes_on, survivors


def beyond_evidence(parts: Sequence[RecordedPart]) -> bool:
    """Whether something is lost at the beginning or the end to which nothing that is left points.

    A slice there that neither the store nor the playlist knows was perhaps never recorded, and a
    stream that is wholly absent perhaps came late or ended early.
    """
    listed = {line for p in parts for line in p.playlist.data.decode().splitlines()}
    alive = {id(unit) for part in parts for unit in survivors(part)}
    segments = [segment for part in parts for segment in part.segments]
    for stream in STREAMS:
        held = [[id(u) in alive for u in s.units if u.stream == stream] for s in segments]
        carrying = [n for n, units in enumerate(held) if any(units)]
        if alive and any(held) and not carrying:
            return True
        for n, segment in enumerate(segments):
            outside = not carrying or not carrying[0] <= n <= carrying[-1]
            known = _tells(segment, stream) if segment.stored else segment.name in listed
            if outside and held[n] and not known:
                return True
        if carrying and _begins_later(segments[carrying[0]], stream, alive):
            return True
    return any(_comes_round(part) for part in parts)


def _tells(segment: Segment, stream: str) -> bool:
    """Something of the stream is left in the file, or the file is no media at all."""
    carried = {segment.units[n].stream for packet in segment.packets for n in packet.units}
    return stream in carried or not segment.packets


def _begins_later(segment: Segment, stream: str, alive: set[int]) -> bool:
    """What comes first could always have been the first: a key picture, or a PES of sound."""
    units = [(n, u) for n, u in enumerate(segment.units) if u.stream == stream]
    number, first = next((n, u) for n, u in units if id(u) in alive)
    if units[0][0] == number or not all(packet.intact for packet in segment.packets):
        return False
    packet = next(p for p in segment.packets if p.pid == segment.layout.pids[stream])
    return packet.starts and number in packet.units and (first.key or stream == "audio")


def _comes_round(part: RecordedPart) -> bool:
    """All sound is gone from a slice, and so many packets that no counter tells: as if nobody had
    spoken.  Where counters restart none tells of any stream.
    """
    for before, gone, after in zip(
        part.segments, part.segments[1:], part.segments[2:], strict=False
    ):
        for stream in STREAMS if after.layout.restarts else ("audio",):
            ends = _counters(before, stream)[-1:], _counters(after, stream)[:1]
            there = any(u.stream == stream for u in gone.units)
            if there and all(ends) and gone.packets and not _counters(gone, stream):
                return after.layout.restarts or ends[1][0] == ends[0][0] + 1 & 15
    return False


def _counters(segment: Segment, stream: str) -> list[int]:
    pid = segment.layout.pids[stream]
    return [packet.data[3] & 15 for packet in segment.packets if packet.pid == pid]


def undecided(parts: Sequence[RecordedPart]) -> dict[str, float]:
    """Seconds of each stream in which it sent nothing, or showed one picture, where nothing that is
    left tells that from a loss.
    """
    return {
        stream: round(
            sum(_silence(parts, part, stream) + _lingering(part, stream) for part in parts) / HZ, 3
        )
        for stream in STREAMS
    }


def _silence(parts: Sequence[RecordedPart], part: RecordedPart, stream: str) -> int:
    """In slices that are damaged, in pauses of the recording before it came or after it went, and
    where the counters on both sides do not tell that none is missing.
    """
    alive = {id(unit) for unit in survivors(part)}
    held = [[u for u in s.units if u.stream == stream] for s in part.segments]
    having = [n for n, units in enumerate(held) if units]
    if not having:
        return 0
    silent = [n for n, units in enumerate(held) if not units]
    doubtful = {n for n in silent if not _sound(part.segments[n], alive)}
    for a, b in pairwise(having):
        edges = (part.segments[a], held[a][-1]), (part.segments[b], held[b][0])
        if not _attached(*edges, alive, stream):
            doubtful |= {*range(a + 1, b)}
    pauses = sum(length for begin, length in part.pauses if not goes_on(parts, stream, begin))
    return pauses + sum(part.segments[n].length for n in doubtful)


def _lingering(part: RecordedPart, stream: str) -> int:
    """How long, of pictures at irregular times, the last one before a loss was to be shown."""
    alive = {id(unit) for unit in survivors(part)}
    held = [u for s in part.segments for u in s.units if u.stream == stream]
    usual = min((unit.length for unit in held), default=0)
    pairs = pairwise(sorted(held, key=lambda unit: unit.time))
    return sum(a.length - usual for a, b in pairs if id(a) in alive and id(b) not in alive)


def _sound(segment: Segment, alive: set[int]) -> bool:
    return segment.stored and segment.readable and all(id(u) in alive for u in segment.units)


def _attached(
    before: tuple[Segment, Unit], after: tuple[Segment, Unit], alive: set[int], stream: str
) -> bool:
    """Both ends of a silence are as they were sent, in transport packets of one PID."""
    (a, last), (b, first) = before, after
    if a.content is not None or b.content is not None or b.layout.restarts:
        return False
    same = a.layout.pids[stream] == b.layout.pids[stream]
    return same and id(last) in alive and id(first) in alive
