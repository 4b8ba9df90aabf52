"""When silence has to stand in a track of sound whose source has none.

A player that plays frame behind frame, whatever their time stamps say, is to be in time as well.
So the frames that fill a pause are counted by what was played so far, not by the pause alone: what
is left of a frame is carried to the next one.  No frame of the source moves.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from msgspec import Struct

from pipeline.media.clock import BASE, HZ, Ticks
from pipeline.media.track import Lane

LATE = HZ // 25  # 0.04 s: sound that begins later than this begins with silence
EARLY = HZ // 10  # 0.1 s: so much earlier than the recording may sound end
SPARE = HZ  # ticks: what stands in front of a unit is left until that is there
LONG = 64  # units: a pause that is not filled bit by bit


class Pause(Struct, frozen=True):
    """Silent units in front of a unit of a segment; every one has a stamp."""

    before: int
    pts: Ticks


class Quiet(Struct, eq=False):
    """How far a track of sound has come; times are ticks."""

    unit: bytes  # silence
    lasts: float  # of silence
    real: float  # how long a unit of the source lasts
    ended: float  # where the last unit ended, at first the beginning of the recording
    ahead: float = 0.0  # by how much stamps are ahead of what plays frame behind frame
    begun: bool = False

    def pauses(self, pts: Ticks, *, begun: bool = False) -> list[Pause]:
        """What has to stand between the units of a segment; nothing in front of its first if that
        has ``begun`` before.
        """
        known = np.flatnonzero(pts >= 0)
        if not len(known):
            self.ended += len(pts) * self.real
            return []
        begin = pts[known]
        ends = begin[:-1] + np.diff(known) * self.real
        due = np.append(self.ended + known[0] * self.real, ends)
        gaps = begin - due
        barred = begun or (not self.begun and known[0] > 0)
        if not self.begun and (barred or gaps[0] <= LATE):
            gaps[0] = 0.0  # the track begins there
        self.begun = True
        wide = [n for n in np.flatnonzero(gaps > self.real / 2).tolist() if n or not barred]
        found = list(self._filled(known, due, gaps, wide))
        self.ended = float(begin[-1] + (len(pts) - known[-1]) * self.real)
        return found

    def _filled(
        self, known: Ticks, due: Ticks, gaps: Ticks, wide: Sequence[int]
    ) -> Iterator[Pause]:
        total = self.ahead + np.cumsum(gaps)
        taken = 0.0
        for n in wide:
            count = round((float(total[n]) - taken) / self.lasts)
            if count > 0:
                taken += count * self.lasts
                yield Pause(int(known[n]), _spread(float(due[n]), float(gaps[n]), count))
        self.ahead = float(total[-1]) - taken

    def until(self, limit: float) -> Ticks:
        """Stamps of silence that is due long before ``limit``, where a unit may begin."""
        count = int((limit - SPARE - self.ended) / self.lasts)
        if count < LONG:
            return np.empty(0, np.int64)
        stamps = _spread(self.ended, count * self.lasts, count)
        self.ended += count * self.lasts
        self.begun = True
        return stamps

    def rest(self, end: float) -> Ticks:
        """Stamps of silence up to the end of the recording."""
        gap = round(end) - self.ended
        count = round((gap + self.ahead) / self.lasts)
        if gap <= EARLY or count < 1:
            return np.empty(0, np.int64)
        stamps = _spread(self.ended, gap, count)
        self.ended, self.ahead = float(round(end)), 0.0
        return stamps


def quiets(lanes: Sequence[Lane]) -> dict[int, Quiet]:
    """How each lane of sound is filled, by PID."""
    found = {}
    for lane in lanes:
        silence = lane.codec.silence(lane.config, lane.unit)
        if silence is not None:
            found[lane.pid] = Quiet(*silence, lane.unit, float(BASE - lane.lead))
    return found


def _spread(begin: float, length: float, count: int) -> Ticks:
    found: Ticks = np.floor(begin + length / count * np.arange(count)).astype(np.int64)
    return found
