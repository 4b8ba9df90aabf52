"""Where a recording that is too long for one file is cut: in front of key pictures.

Times are ticks of 90 kHz on the time line of the plan.
"""

from collections.abc import Iterator, Sequence

from pipeline.media.clock import HZ
from pipeline.media.slots.segments import Placed
from pipeline.media.track import Lane

NO_CUT, WITHOUT_PICTURES, KEY_PICTURE = range(3)
# ticks from one picture to the next in one file: ffmpeg writes no sample that lasts 2^31 of them
PAUSE = 6 * 3600 * HZ


def by_length(
    placed: Sequence[Placed], lanes: Sequence[Lane], longest: int
) -> Iterator[Sequence[Placed]]:
    """The segments of each file: as many as last no longer than ``longest``, without a pause of
    the pictures longer than ``PAUSE``.

    Each but the first begins with a key picture of every track of pictures, or where none of them
    is sent if there is no such segment, and with whole units only.  Where neither is in time, a
    file is longer, up to the first place where it may end.
    """
    pictures = [lane.pid for lane in lanes if lane.codec.kind == "video"]
    ranks, begin = _ranks(placed, pictures), 0
    while (end := _end(ranks, begin, _fit(placed, pictures, begin, longest))) < len(placed):
        yield placed[begin:end]
        begin = end
    yield placed[begin:] if begin else placed


def _fit(placed: Sequence[Placed], pictures: Sequence[int], begin: int, longest: int) -> int:
    """The number of the first segment that one file may not hold any more."""
    until = _opens(placed[begin]) + longest
    last: dict[int, int] = {}  # picture of each track
    for n, segment in enumerate(placed[begin:], begin):
        there = {pid: segment.first(pid) for pid in pictures if pid in segment.stamps}
        paused = any(first - last.get(pid, first) > PAUSE for pid, first in there.items())
        if paused or _closes(segment) > until:
            return n
        last |= {pid: segment.last(pid) for pid in there}
    return len(placed)


def _end(ranks: Sequence[int], begin: int, fit: int) -> int:
    """The number of the segment that begins the file after the one of ``begin``."""
    if fit == len(ranks):
        return fit
    best = 0
    for n in range(begin + 1, len(ranks)):
        if n > fit and best:
            break
        if ranks[n] >= max(ranks[best] if best else 0, WITHOUT_PICTURES):
            best = n
    return best or len(ranks)


def _ranks(placed: Sequence[Placed], pictures: Sequence[int]) -> list[int]:
    """How good it is to cut in front of each segment."""
    next_is_key = dict.fromkeys(pictures, True)
    ranks = []
    for segment in reversed(placed):
        there = [pid for pid in pictures if pid in segment.stamps]
        next_is_key |= {pid: bool(segment.stream(pid).key_start) for pid in there}
        clean = not any(segment.stream(pid).head for pid in segment.stamps)
        if not (clean and all(next_is_key.values())):
            ranks.append(NO_CUT)
        else:
            ranks.append(KEY_PICTURE if len(there) == len(pictures) else WITHOUT_PICTURES)
    return ranks[::-1]


def _opens(segment: Placed) -> int:
    return min(segment.presented(pid)[0] for pid in segment.stamps)


def _closes(segment: Placed) -> int:
    """When the last unit of a segment begins to be shown or heard."""
    return max(segment.presented(pid)[1] for pid in segment.stamps)
