"""The witnesses of how far a segment lies behind the one before, compared in one place: the clock,
EXTINF, names and their numbers, counters.
"""

from msgspec import Struct

from pipeline.media.clock import HZ
from pipeline.media.slots.segments import GAP, Placed
from pipeline.media.timeline.expected.slice_names import DOUBT
from pipeline.model import Finding, Severity

TOLERANCE = 1.0  # seconds by which the slice names may differ from the media
ALIKE = 0.003  # seconds: names have whole milliseconds
BY_NAMES = "placed by the slice names"


class Witnesses(Struct, frozen=True):
    """What each witness says of how far a segment lies behind the one before, in seconds without
    media.
    """

    back: (
        float  # by which the clock runs back in the stream where it does most; below 0: it does not
    )
    clock: float  # by the time stamps
    listed: float  # EXTINF of the slots between them of which there is no media
    gone: bool  # there are such slots
    announced: bool  # EXT-X-DISCONTINUITY: the clock may restart (RFC 8216 section 4.3.2.3)
    hurt: bool  # one of the two lost something itself
    short: float  # by which they are shorter than EXTINF: their names may be of what they lost
    seamless: bool  # every counter goes on, and both are as long as EXTINF says
    lacks: float  # by which the segment before is shorter than its EXTINF
    rest: float  # the same where it begins with a key picture
    exact: bool  # EXTINF is right to the millisecond wherever the clock shows it
    numbered: float  # what slots last whose numbers the names leave out
    names: tuple[float, float] | None = None  # by the slice names, and how much these stray

    @property
    def clock_agrees(self) -> bool:
        """Whether the clock agrees with what is listed; False for an announced restart."""
        if self.announced:
            return False
        if not self.gone:
            return self.clock <= GAP / HZ
        missing = (self.listed, self.listed + self.lacks)
        return min(abs(self.clock - seconds) for seconds in missing) <= TOLERANCE

    @property
    def clock_is_right(self) -> bool:
        """Whether the clock goes on, and nothing contradicts it.  Without names a step forward is
        not time where it is announced (RFC 8216 section 4.3.2.3), or where counters and EXTINF show
        none.
        """
        if self.back >= 0:
            return False
        if self.names is None:
            stepped = self.announced or (self.seamless and not self.gone)
            return not stepped or abs(self.clock - self.listed - self.numbered) <= GAP / HZ
        told, doubt = self.names
        leeway = min(2 * doubt, TOLERANCE) if self.announced else TOLERANCE
        return abs(told - self.clock) <= leeway + self.short

    def names_return_to(self, gap: float) -> bool:
        """Whether the names show as many seconds as a clock that they did not believe before."""
        return self.names is not None and abs(self.names[0] - gap) <= TOLERANCE

    @property
    def overruled(self) -> float:
        """Seconds that the clock shows and the names do not, where those are believed."""
        return self.clock - self.wait if self.back < 0 and self.names and not self.gone else 0.0

    @property
    def wait(self) -> float:
        """Seconds without media by all but the clock.  Names are believed where they show more than
        they usually stray, or as much as EXTINF; else what is listed and what the segment before
        lacks, and without a loss 0.
        """
        lasting = self.rest > (ALIKE if self.exact else GAP / HZ)
        if self.names is None and (lasting or self.gone or self.hurt):
            return self.listed + max(self.rest, self.numbered)
        names, doubt = self.names or (self.listed, DOUBT / HZ)
        if self.gone or self.hurt:
            if abs(names - self.listed) > doubt:
                return max(names, 0.0)
            both = self.listed + self.rest  # what is listed, and what the segment before lacks
            return both if abs(names - both) <= ALIKE else self.listed
        if names > TOLERANCE or self.numbered:
            return max(names, self.numbered)
        return self.rest if abs(names - self.rest) <= ALIKE else 0.0


def said(segment: Placed, seen: Witnesses) -> Finding:
    """A finding about which witness was believed, and why the clock was not."""
    how = f"placed {seen.wait:.3f} s later" if seen.wait else "joined without a gap"
    id, detail = "DTS_BACK", f"the clock goes back by {seen.back:.3f} s"
    if seen.back < 0:
        id, detail = "DTS_GAP", f"the clock steps by {seen.clock:.3f} s"
        if seen.names is not None:
            detail, how = f"{detail}, the slice names say {seen.names[0]:.3f} s", BY_NAMES
    if seen.announced:  # as the playlist may do it: nothing had to be put right
        return Finding(
            id, Severity.INFO, segment.slot.name, detail=f"{detail}, as announced; {how}"
        )
    return Finding(id, Severity.WARNING, segment.slot.name, detail=detail, repair=how)
