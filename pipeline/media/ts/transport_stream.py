"""A segment taken apart once, for all who look at it."""

from functools import cached_property

from pipeline.media.clock import Bytes
from pipeline.media.ts.packets import Framing, Packets, columns, framing
from pipeline.media.ts.pes import Track, track


class TransportStream:
    """The packets of a segment, and each stream of them followed once.

    What it tells is that of the bytes as they were when it was first asked.
    """

    def __init__(self, data: Bytes) -> None:
        self.data = data
        self._tracks: dict[tuple[int, ...], Track] = {}

    @cached_property
    def framing(self) -> Framing:
        """The whole packets in it, and the bytes that belong to none."""
        return framing(self.data)

    @cached_property
    def packets(self) -> Packets:
        """Their header fields."""
        return columns(self.framing.rows)

    def track(self, *pids: int) -> Track:
        """One stream of it, under the PIDs it has one after the other."""
        if pids not in self._tracks:
            self._tracks[pids] = track(self.packets, *pids)
        return self._tracks[pids]
