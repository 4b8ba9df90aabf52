"""The size of the pictures as they were recorded, along the axis."""

import re
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from pipeline.model import Report
from pipeline.report.axis import Axis, outside
from pipeline.report.lanes import LEAST, Places


class Size(Struct, frozen=True):
    """The size of the pictures in a stretch of the source."""

    begin: float
    end: float
    label: str


_SIZE = re.compile(r"\b(\d{1,5})x(\d{1,5})\b")


def sizes(report: Report, axis: Axis, where: Places) -> tuple[Size, ...]:
    """Of the pictures as they were recorded, one behind the other; none where there are none."""
    files = [(p.begin, p.begin + p.duration, p.tracks) for p in report.pieces]
    files = files or [(0.0, report.duration, report.tracks)]
    found = []
    for begin, end, tracks in files:
        track = next((one for one in tracks if one.width and one.height), None)
        if track is not None:
            label = f"{track.width} × {track.height}"
            found.append(Size(axis.of(begin), axis.of(end), label))
    for one in report.reencoded if found else ():
        told, place = _SIZE.search(one.was), where.on.get(one.segment)
        if told and place and one.kind == "video":
            found = _over(found, Size(*place, f"{told[1]} × {told[2]}"))
    return tuple(_joined(found))


def _over(sizes: Sequence[Size], new: Size) -> list[Size]:
    """With another size in the place of what stood there."""
    left = [
        Size(a, b, one.label)
        for one in sizes
        for a, b in outside(one.begin, one.end, [(new.begin, new.end)])
        if b - a > 0.01
    ]
    return sorted([*left, new], key=lambda one: one.begin)


def _joined(sizes: Iterable[Size]) -> Iterator[Size]:
    last: Size | None = None
    for one in sizes:
        if last and last.label == one.label and one.begin - last.end < LEAST:
            last = Size(last.begin, one.end, last.label)
            continue
        if last:
            yield last
        last = one
    if last:
        yield last
