"""What the MP4 itself says of its holes and joins, and whose it is: chapters, a comment and a
title, which ffmpeg writes.
"""

import base64
from collections.abc import Mapping, Sequence
from itertools import pairwise

from msgspec import Struct

from pipeline.media.clock import HZ
from pipeline.media.timeline.wall_clock import NEAR, WallClock, for_people, iso
from pipeline.model import Hole, Seam

NO_CLOCK = WallClock()
# ticks of a chapter: ffmpeg leaves out the title of one that has 2^31 or more (6.6 hours)
LONGEST = 6 * 3600 * HZ
MOST = 120  # holes with a chapter of their own: players take 255 chapters


class Chapter(Struct, frozen=True):
    """A span of the MP4 with a title, in ticks of 90 kHz from its beginning."""

    start: int
    end: int
    title: str


class Marks(Struct, frozen=True):
    """Chapters that cover the file from its beginning to its end, a comment and a title."""

    chapters: tuple[Chapter, ...] = ()
    comment: str = ""
    title: str = ""

    @property
    def metadata(self) -> str:
        """A file in ffmpeg's metadata format as a data URI: there is nothing to clean up."""
        tags = {"comment": self.comment, "title": self.title}
        lines = [";FFMETADATA1", *(f"{tag}={_escaped(x)}" for tag, x in tags.items() if x)]
        for chapter in self.chapters:
            lines += ["[CHAPTER]", f"TIMEBASE=1/{HZ}"]
            lines += [f"START={chapter.start}", f"END={chapter.end}"]
            lines += [f"title={_escaped(chapter.title)}"]
        packed = base64.b64encode("\n".join([*lines, ""]).encode()).decode()
        return f"data:text/plain;base64,{packed}"


def marks(
    holes: Sequence[Hole],
    duration: float,
    lost: Mapping[str, float],
    joins: Sequence[Seam] = (),
    clock: WallClock = NO_CLOCK,
    *,
    title: str = "",
) -> Marks:
    """A chapter for every hole, for what is between them, and for each part behind a join; none
    without a hole or join.  ``duration`` and ``lost`` (by kind) are seconds.  What is between is
    called like the file, if that has a ``title``.
    """
    spans = _joined(sorted(holes, key=lambda hole: hole.start))
    told = _Told(title or "recording", clock)
    tiled = _tiled(spans[:MOST], joins, round(duration * HZ), told) if spans or joins else ()
    return Marks(tiled, _comment(spans, lost) if spans or any(lost.values()) else "", title)


class _Told(Struct, frozen=True):
    """How chapters without a hole are called, and what time it was."""

    name: str
    clock: WallClock

    def at(self, tick: int) -> str:
        """The title of what begins at a tick, dated by a segment that begins there."""
        time = self.clock.at(tick / HZ + 2 * NEAR)
        return _dated(self.name, iso(time - 2 * NEAR if time is not None else None))


def _joined(holes: Sequence[Hole]) -> list[Chapter]:
    """Holes of sound and picture at one place as one chapter."""
    groups: list[list[Hole]] = []
    for hole in holes:
        last = groups[-1] if groups else []
        touches = bool(last) and (
            hole.start <= max(map(_end, last)) or hole.became == last[0].became == "closed"
        )
        if touches and hole.segment == last[0].segment:
            last.append(hole)
        else:
            groups.append([hole])
    return [_chapter(group) for group in groups]


def _chapter(group: Sequence[Hole]) -> Chapter:
    start = max(0, round(group[0].start * HZ))  # pictures are decoded before they are shown
    end = max(0, round(max(map(_end, group)) * HZ))
    return Chapter(start, start if group[0].became == "closed" else end, _title(group))


def _end(hole: Hole) -> float:
    return hole.start + (0.0 if hole.became == "closed" else hole.length)


def _title(group: Sequence[Hole]) -> str:
    kinds = {hole.kind for hole in group}
    length = max(hole.length for hole in group)
    of = f" of {group[0].kind}" if len(kinds) == 1 else ""
    became = f", {group[0].became}" if group[0].became != "kept" else ""
    said = f"lost {length:.{1 if length >= 1 else 2}f} s{of}: {group[0].reason}{became}"
    return _dated(said, group[0].utc)


def _dated(title: str, utc: str | None) -> str:
    return f"{title}, {for_people(utc)}" if utc else title


def _tiled(
    spans: Sequence[Chapter], joins: Sequence[Seam], duration: int, told: _Told
) -> tuple[Chapter, ...]:
    """Chapters without a gap: each lasts until the next one, and long ones are several; a closed
    hole names what follows.
    """
    at = {0: told.at(0)}
    for join in joins:
        tick = round(join.at * HZ)
        behind = (chapter.end for chapter in spans if chapter.start <= tick <= chapter.end)
        at[next(behind, tick)] = _dated(f"{told.name}, {join.part}", join.utc)
    for chapter in spans:
        at[chapter.start] = chapter.title
        at.setdefault(chapter.end, told.at(chapter.end))
    lost = {chapter.start for chapter in spans if chapter.end > chapter.start}
    starts = [start for start in sorted(at) if start < duration]
    return tuple(
        Chapter(tick, min(tick + LONGEST, b), at[a] if tick == a or a in lost else told.at(tick))
        for a, b in pairwise([*starts, duration])
        for tick in range(a, b, LONGEST)
    )


def _comment(spans: Sequence[Chapter], lost: Mapping[str, float]) -> str:
    total = ", ".join(f"{seconds:.3f} s of {kind}" for kind, seconds in lost.items() if seconds)
    places = [f"at {span.start / HZ:.3f} s {span.title}" for span in spans[:MOST]]
    more = [f"and {len(spans) - MOST} more"] if len(spans) > MOST else []
    return "; ".join([f"recpipe: the source lost {total or 'media'}", *places, *more])


def _escaped(text: str) -> str:
    for mark in "\\=;#\n":
        text = text.replace(mark, f"\\{mark}")
    return text
