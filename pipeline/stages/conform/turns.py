"""Segments inside which the pictures are turned are cut at key pictures, so that as little as can
be is re-encoded, or stands in another file.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from msgspec.structs import replace

from pipeline.media.clock import signed
from pipeline.media.es.codecs import Carriage
from pipeline.media.slots.segments import Slot
from pipeline.media.slots.turns import is_headless, moments, pictures, upright
from pipeline.media.ts.scan import Stream
from pipeline.media.ts.writing.split import CutPoint, cut, entries
from pipeline.model import Turn
from pipeline.stages.conform.cut import parts
from pipeline.stages.segments import Folder, LocalSegment, read, written


def cut_at_turns(
    segments: Sequence[LocalSegment], folder: Folder, *, apart: bool
) -> tuple[LocalSegment, ...]:
    """Cut segments around each turn, and where they go on with the pictures of the segment before;
    each part is a file in ``folder``.  Where the parts go ``apart``, into several files, a turn
    waits for the next key picture.  StorageError if a segment's file changed.
    """
    new: list[LocalSegment] = []
    for segment in segments:
        stream = pictures(segment.slot)
        if stream is None or not _is_cut(segment.slot, stream, new):
            new.append(segment)
            continue
        data = read(segment)
        where = _places(segment.slot, stream, entries(data, stream.pids[0]), apart=apart)
        datas = cut(data, where)
        for slot, part in zip(parts(segment.slot, where, datas), datas, strict=True):
            new.append(written(segment, slot, folder() / f"{len(new)}.turned", part))
    return tuple(_waiting(new)) if apart else tuple(new)


def _is_cut(slot: Slot, stream: Stream, before: Sequence[LocalSegment]) -> bool:
    """Something turns inside, or the key picture comes later than another rotation."""
    if stream.codec is None or stream.codec.carriage is Carriage.UNIT:
        return False  # ffmpeg takes its file as a whole
    same = before and before[-1].slot.turned == slot.turned
    return slot.turned is None or bool(before and not same and is_headless(slot))


def _places(
    slot: Slot, stream: Stream, entered: Sequence[tuple[int, CutPoint]], *, apart: bool
) -> list[CutPoint]:
    """At the key picture with which a turn begins, or at those before and behind it."""
    base = int(stream.pts[stream.pts >= 0][0])

    def later(raw: int) -> int:
        return int(signed(np.array([raw - base]))[0])

    keys = sorted(((later(raw), place) for raw, place in entered), key=lambda one: one[0])
    shown = np.sort(signed(stream.pts[stream.pts >= 0] - base))
    found: dict[int, CutPoint] = {}
    for moment in (later(raw) for raw, _ in moments(slot, stream)):
        turned = int(shown[np.searchsorted(shown, moment) :][:1].min(initial=np.iinfo(int).max))
        behind = next(((at, place) for at, place in keys if at >= turned), None)
        ahead = [place for at, place in keys if at < turned]
        if behind:
            found[behind[1].row] = behind[1]
        if not apart and (behind is None or behind[0] != turned):
            found |= {place.row: place for place in ahead[-1:]}
    if is_headless(slot) and keys:
        found[keys[0][1].row] = keys[0][1]
    return [found[row] for row in sorted(found)]


def _waiting(segments: Sequence[LocalSegment]) -> Iterator[LocalSegment]:
    """Each part turned as it begins; one that begins without a key picture as the one before."""
    before = 0
    for segment in segments:
        slot = segment.slot
        if pictures(slot) is None:
            yield segment
            continue
        if not is_headless(slot):
            before = slot.turns[0].degrees if slot.turns else 0
        turned = replace(slot, turns=upright([Turn(0.0, before)]))
        yield segment if turned.turns == slot.turns else replace(segment, slot=turned)
