"""The time stamps of one stream of a segment, and where they stand on the time line.

Times are ticks of 90 kHz; -1 stands for none.
"""

from collections.abc import Iterator

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from pipeline.media.clock import MODULO, Ticks, signed


class Stamps(Struct, frozen=True, eq=False):
    """PTS and DTS of one stream: those that were read, ``ticks`` later.  Unpacked like a pair.

    A segment that is placed needs no second copy of its stamps, and to move it costs nothing.
    """

    told: tuple[Ticks, Ticks]  # int64[PES] each; one array where they are one
    decoded: tuple[int, int]  # of what was told: the first and the last DTS
    shown: tuple[int, int]  # and the earliest and the latest PTS
    wait: int  # from the decoding of the first unit to its showing
    ticks: int = 0

    @classmethod
    def of(cls, pts: Ticks, dts: Ticks) -> "Stamps":
        """Of a stream with one PTS and one DTS at least, which cannot be changed any more."""
        pts.flags.writeable = dts.flags.writeable = False
        known = dts >= 0
        at, to = int(known.argmax()), len(known) - 1 - int(known[::-1].argmax())
        first = int(dts[at])
        present = pts if pts.min() >= 0 else pts[pts >= 0]
        decoded, shown = (first, int(dts[to])), (int(present.min()), int(present.max()))
        shown = decoded if shown == decoded else shown  # one value for many segments of sound
        return cls((pts, dts), decoded, shown, int(pts[at]) - first)

    def __iter__(self) -> Iterator[Ticks]:
        pts = self[0]
        yield pts
        yield pts if self.told[1] is self.told[0] else self[1]

    def __getitem__(self, which: int) -> Ticks:
        """PTS (0) or DTS (1) on the time line."""
        return _later(self.told[which], self.ticks)

    @property
    def pair(self) -> tuple[Ticks, Ticks]:
        """PTS and DTS on the time line."""
        pts, dts = self
        return pts, dts

    def later(self, ticks: int) -> "Stamps":
        """The same stream ``ticks`` later."""
        return replace(self, ticks=self.ticks + ticks)

    def decoded_earlier(self, ticks: int) -> "Stamps":
        """The same stream decoded ``ticks`` earlier; PTS stay."""
        pts, dts = self.told
        return Stamps.of(_later(pts, ticks), dts).later(self.ticks - ticks)

    def around(self, stamp: int, at: int) -> "Stamps":
        """The same stream with ``stamp`` standing ``at`` some place, and all others where they are
        nearest to that on a clock of 33 bits (ISO/IEC 13818-1 clause 2.4.3.7).
        """
        half = MODULO >> 1
        near = all(
            stamp - half <= clock.min() + self.ticks and clock.max() + self.ticks < stamp + half
            for clock in self.told
        )
        if near:
            return self.later(at - stamp)
        pts, dts = (
            np.where(clock >= 0, signed(clock + self.ticks - stamp) + MODULO, -1)
            for clock in self.told
        )
        return Stamps.of(pts, dts).later(at - MODULO)

    def same(self, other: "Stamps") -> bool:
        """Whether all stamps of two streams are equal."""
        if self.ticks == other.ticks and self.told[0] is other.told[0]:
            return self.told[1] is other.told[1] or np.array_equal(self.told[1], other.told[1])
        return all(map(np.array_equal, self, other))


def _later(clock: Ticks, ticks: int) -> Ticks:
    """Stamps ``ticks`` later, as a read-only array of the same shape."""
    if not ticks:
        return clock
    moved: Ticks = np.where(clock >= 0, clock + ticks, -1)
    moved.flags.writeable = False
    return moved
