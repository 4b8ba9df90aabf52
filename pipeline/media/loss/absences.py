"""When a stream of one user was not sent, measured on its units, and why.

What is missing is a hole, told by witnesses; every other gap of such a stream is an absence.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from msgspec.structs import replace

from pipeline.media.clock import BASE, HZ
from pipeline.media.loss.fills import Fill
from pipeline.media.loss.holes import Stretch, line
from pipeline.media.timeline.wall_clock import WallClock, iso
from pipeline.media.track import Lane
from pipeline.model import Absence, Hole

LEAST = {"video": 0.5, "audio": 0.1}  # seconds: a shorter pause is none
BRIEF = 1.0  # seconds: by so much a camera comes later than a microphone, at its next key picture
NOT_SENT = "not sent"
AWAY = "away"
MUTED = "muted"
CAMERA_OFF = "camera off"
ALONE = {"video": CAMERA_OFF, "audio": MUTED}

Span = tuple[float, float]  # seconds of the result


def measured(lane: Lane, stretches: Sequence[Stretch], holes: Sequence[Hole]) -> list[Absence]:
    """Gaps between units in which nothing is missing, of a stream by itself."""
    on, kind = line(stretches, lane), lane.codec.kind
    least = max(LEAST[kind], lane.codec.longest_silence / HZ, 3 * lane.unit / HZ)
    gaps = on.begin[1:] - on.end
    found = []
    for n in np.flatnonzero(gaps > least * HZ).tolist():
        span = ((float(on.end[n]) - BASE) / HZ, (float(on.begin[n + 1]) - BASE) / HZ)
        lost = [(h.start, h.start + h.length) for h in holes if h.became != "closed"]
        found += [
            _absence(kind, one, NOT_SENT) for one in _outside(span, lost) if _length(one) > least
        ]
    return found


def _absence(kind: str, span: Span, cause: str) -> Absence:
    return Absence(kind, round(span[0], 6), round(_length(span), 6), cause)


def _length(span: Span) -> float:
    return span[1] - span[0]


def _outside(whole: Span, spans: Sequence[Span]) -> Iterator[Span]:
    """What is left of a span without others."""
    at, end = whole
    for a, b in sorted(spans):
        if a < end and b > at:
            if a > at:
                yield at, a
            at = max(at, b)
    if end > at:
        yield at, end


def explained(absences: Sequence[Absence], kinds: Sequence[str]) -> list[Absence]:
    """The absences of all streams of one user, each with why: who sends neither is away."""
    if len({*kinds}) < 2:
        return sorted(absences, key=_order)
    found: list[Absence] = []
    for kind in dict.fromkeys(kinds):
        own = [_span(one) for one in absences if one.kind == kind]
        others = [_span(one) for one in absences if one.kind != kind]
        for span in own:
            found += _told(kind, span, others)
    return sorted(found, key=_order)


def _order(one: Absence) -> tuple[float, str]:
    return one.start, one.kind


def _span(one: Absence) -> Span:
    return one.start, one.start + one.length


def _told(kind: str, span: Span, others: Sequence[Span]) -> Iterator[Absence]:
    """One absence, or several where the other stream comes or goes on the way."""
    both = [(max(span[0], a), min(span[1], b)) for a, b in others if a < span[1] and b > span[0]]
    both = [
        _with_brief_ends(span, one)
        for one in both
        if _length(one) > BRIEF or _length(one) > _length(span) / 2
    ]
    pieces = [_absence(kind, one, AWAY) for one in both]
    pieces += [_absence(kind, one, ALONE[kind]) for one in _outside(span, both)]
    yield from sorted(pieces, key=_order)


def _with_brief_ends(span: Span, inner: Span) -> Span:
    """As long as the whole where but a moment is left on a side."""
    begin = span[0] if inner[0] - span[0] <= BRIEF else inner[0]
    end = span[1] if span[1] - inner[1] <= BRIEF else inner[1]
    return begin, end


def at_the_ends(kind: str, first: float, last: float, end: float) -> Iterator[Absence]:
    """A stream that begins behind the beginning of the file, or ends before its ``end``."""
    if first > BRIEF:
        yield _absence(kind, (0.0, first), NOT_SENT)
    if end - last > LEAST[kind]:
        yield _absence(kind, (last, end), NOT_SENT)


def left_out(closed: Sequence[tuple[int, int]], kinds: Sequence[str]) -> Iterator[Absence]:
    """Spans (ticks) in which nothing was sent, and which take no time any more."""
    earlier = 0
    for begin, end in closed:
        at, length = (begin - earlier - BASE) / HZ, (end - begin) / HZ
        cause = AWAY if len({*kinds}) > 1 else NOT_SENT
        for kind in dict.fromkeys(kinds):
            yield Absence(kind, round(at, 6), round(length, 6), cause, "closed")
        earlier += end - begin


def blackened(absences: Sequence[Absence], fills: Sequence[Fill]) -> list[Absence]:
    """Those in which a black picture was put say so."""
    begins = {round((int(fill.dts[0]) - BASE) / HZ, 2) for fill in fills}
    return [
        replace(one, became="black")
        if one.kind == "video" and one.became == "kept" and round(one.start, 2) in begins
        else one
        for one in sorted(absences, key=_order)
    ]


def timed(absences: Iterable[Absence], clock: WallClock) -> tuple[Absence, ...]:
    """With the time of day at which each began."""
    return tuple(replace(one, utc=iso(clock.at(max(one.start, 0.0)))) for one in absences)
