"""Who is on the canvas when: a scene for every time in which all tiles stay the same.

Times are rounded to pictures here and nowhere else, so that the scenes hold every picture once.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from msgspec import Struct
from msgspec.structs import replace

from pipeline.media.compose.layout import Arrangement, Shown, arranged
from pipeline.media.speech import Turn
from pipeline.model import Absence

GONE = 15.0  # seconds: after so long without anything Agora announces a stream again (START)
SHORTEST = 0.4  # seconds of a scene
_LATE = 1e-3  # pictures: what is left of rounding

Span = tuple[float, float]  # seconds from the beginning of the session


class Presence(Struct, frozen=True):
    """When a user was there, in order; ``uid`` is a number in words."""

    uid: str
    spans: tuple[Span, ...]


class Scene(Struct, frozen=True):
    """A time in which nobody comes, goes or moves; pictures from the beginning of the result."""

    begin: int
    count: int
    tiles: tuple[Shown, ...] = ()


def pictures_in(seconds: float, rate: int) -> int:
    """How many pictures show all of a time; at least one."""
    return max(1, math.ceil(seconds * rate - _LATE))


def presence(uid: str, span: Span, absences: Sequence[Absence], kinds: Sequence[str]) -> Presence:
    """A user whose file has this ``span``: there from its beginning to its end, but for the times
    in which nothing at all was sent for ``GONE`` or longer; absences count from its beginning.
    """
    begin, end = span
    away = [(begin + a, begin + b) for a, b in _away(absences, kinds)]
    edges = [begin, *(edge for one in away for edge in one), end]
    spans = zip(edges[::2], edges[1::2], strict=True)
    return Presence(uid, tuple((a, b) for a, b in spans if b > a))


def _away(absences: Sequence[Absence], kinds: Sequence[str]) -> Iterator[Span]:
    """Where every kind of stream is absent."""
    first, *others = [
        [(a.start, a.start + a.length) for a in absences if a.kind == kind]
        for kind in dict.fromkeys(kinds)
    ]
    for spans in others:
        both = [(max(a, c), min(b, d)) for a, b in first for c, d in spans]
        first = [span for span in both if span[1] > span[0]]
    yield from sorted(span for span in first if span[1] - span[0] >= GONE)


def schedule(
    present: Sequence[Presence],
    how: Arrangement,
    pictures: int,
    turns: Sequence[Turn] = (),
) -> tuple[Scene, ...]:
    """The scenes of a result of so many ``pictures``; ``turns`` say who has the large tile.

    None is shorter than ``SHORTEST``: who comes or goes a moment later does so with the others.
    """
    rate = how.canvas.rate
    times = [time for one in present for span in one.spans for time in span]
    times += [turn.begin for turn in turns]
    places = _places([round(time * rate) for time in times], pictures, round(SHORTEST * rate))

    def at(seconds: float) -> int:
        return places[round(seconds * rate)]

    edges = sorted({0, pictures, *places.values()})
    scenes: list[Scene] = []
    for begin, end in pairwise(edges):
        floor = next((t.uid for t in reversed(turns) if at(t.begin) <= begin), None)
        tiles = arranged(how, _there(present, begin, at), floor)
        if scenes and scenes[-1].tiles == tiles:
            scenes[-1] = replace(scenes[-1], count=end - scenes[-1].begin)
        else:
            scenes.append(Scene(begin, end - begin, tiles))
    return tuple(scenes)


def _places(moments: Sequence[int], pictures: int, shortest: int) -> dict[int, int]:
    """The picture with which a scene begins for each moment: that of the first one nearby."""
    found, edge = {}, 0
    for moment in sorted(moments):
        if moment >= pictures or moment >= max(shortest, pictures - shortest):
            edge = pictures
        elif moment >= edge + shortest:
            edge = moment
        found[moment] = edge
    return found


def _there(present: Sequence[Presence], picture: int, at: Callable[[float], int]) -> list[str]:
    """Who is there, in the order in which they came; who returns comes last."""
    since = [
        (span[0], len(one.uid), one.uid)
        for one in present
        for span in one.spans
        if at(span[0]) <= picture < at(span[1])
    ]
    return [uid for *_, uid in sorted(since)]
