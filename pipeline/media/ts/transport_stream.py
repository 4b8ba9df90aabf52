"""A segment taken apart once, for all who look at it; several at once where they stand in a row."""

from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate, pairwise

from pipeline.media.clock import Bytes
from pipeline.media.ts import rules
from pipeline.media.ts.packets import LOCK, PACKET, Framing, Packets, columns, framing
from pipeline.media.ts.pes import StreamPackets, track, track_in_each
from pipeline.media.ts.psi import Program, read, read_in_each
from pipeline.model import Finding


class TransportStream:
    """The packets of a segment, and each stream of them followed once.

    What it tells is that of the bytes as they were when it was first asked.
    """

    def __init__(self, data: Bytes, among: "SideBySide | None" = None, number: int = 0) -> None:
        """``among`` are the segments it lies between, and ``number`` its place there."""
        self.data = data
        self.among, self._number = among, number
        self._tracks: dict[tuple[int, ...], StreamPackets] = {}

    @cached_property
    def framing(self) -> Framing:
        """The whole packets in it, and the bytes that belong to none."""
        # not by way of self.packets, which may wait for framing: before Python 3.12 a cached
        # property has one lock for all its objects
        among = self.among
        return Framing(among.packets[self._number].rows) if among else framing(self.data)

    @cached_property
    def packets(self) -> Packets:
        """Their header fields."""
        return self.among.packets[self._number] if self.among else columns(self.framing.rows)

    @cached_property
    def tables(self) -> tuple[Program, list[Finding]]:
        """The program they tell of, and what is wrong with them."""
        return (self.among and self.among.tables) or read(self.packets)

    def track(self, *pids: int) -> StreamPackets:
        """One stream of it, under the PIDs it has one after the other."""
        if pids not in self._tracks:
            found = (
                self.among.track(pids[0], self._number) if self.among and len(pids) == 1 else None
            )
            self._tracks[pids] = found or track(self.packets, *pids)
        return self._tracks[pids]


class SideBySide:
    """Segments of whole packets that can be trusted, taken apart together: a few calls for all of
    them cost hardly more than those for one.
    """

    def __init__(self, packets: Packets, rows: Sequence[int]) -> None:
        """``rows`` is where each begins, and the last one ends."""
        self.together, self.rows = packets, rows
        self._tracks: dict[int, tuple[StreamPackets, list[StreamPackets]] | None] = {}

    @cached_property
    def packets(self) -> list[Packets]:
        """Those of each."""
        return [self.together.between(begin, end) for begin, end in pairwise(self.rows)]

    @cached_property
    def tables(self) -> tuple[Program, list[Finding]] | None:
        """What the tables of each tell, if they are the same in all."""
        return read_in_each(self.together, self.rows)

    @cached_property
    def flawless(self) -> bool:
        """Whether clocks and tables break no rule in all of them as one, and so in none."""
        packets, tables = self.together, self.tables
        return tables is not None and not (
            any(rules.of_clocks(packets)) or any(rules.of_tables(packets, tables[0]))
        )

    def track(self, pid: int, number: int | None = None) -> StreamPackets | None:
        """A stream of one of them, or of all as one, if each has it whole."""
        if pid not in self._tracks:
            self._tracks[pid] = track_in_each(self.together, pid, self.rows)
        found = self._tracks[pid]
        if found is None:
            return None
        whole, each = found
        return whole if number is None else each[number]


def row_of(streams: Sequence[TransportStream]) -> SideBySide | None:
    """What some segments are together, if they are all that were taken apart together."""
    among = streams[0].among if streams else None
    if among is None or len(streams) != len(among.rows) - 1:
        return None
    return among if all(stream.among is among for stream in streams) else None


def side_by_side(data: Bytes, sizes: Sequence[int]) -> list[TransportStream]:
    """Segments of so many bytes, one behind the other, each as it is by itself."""
    bounds = list(accumulate(sizes, initial=0))
    among = _among(data, bounds) if len(sizes) > 1 else None
    return [TransportStream(data[a:b], among, n) for n, (a, b) in enumerate(pairwise(bounds))]


def _among(data: Bytes, bounds: Sequence[int]) -> SideBySide | None:
    """All of them together, if nothing is wrong with any packet."""
    if any(at % PACKET for at in bounds) or min(b - a for a, b in pairwise(bounds)) < LOCK * PACKET:
        return None
    packets = columns(data.reshape(-1, PACKET))
    if len(packets.bad) or packets.odd:
        return None
    return SideBySide(packets, [at // PACKET for at in bounds])
