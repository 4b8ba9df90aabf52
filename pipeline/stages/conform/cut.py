"""Segments inside which another format begins are cut there, before the plan is made."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from msgspec.structs import replace

from pipeline.media.clock import HZ, Bytes, signed
from pipeline.media.es.codecs import Carriage
from pipeline.media.slots.format_changes import by_segment, survey
from pipeline.media.slots.segments import Slot
from pipeline.media.slots.turns import within
from pipeline.media.ts.continuity import continues
from pipeline.media.ts.packets import PACKET, framing
from pipeline.media.ts.scan import Scan, Stream, scan
from pipeline.media.ts.writing.split import CutPoint, cut, places
from pipeline.stages.segments import Folder, LocalSegment, read, slots_of, written

WHOLE = 1 << 62  # a row behind the last packet of any segment


def cut_inside(segments: Sequence[LocalSegment], folder: Folder) -> tuple[LocalSegment, ...]:
    """Cut every segment where one of its streams becomes another; each part is a file in
    ``folder``.  StorageError if a segment's file changed.
    """
    new: list[LocalSegment] = []
    for segment in segments:
        turns = _turns(segment.slot)
        if not turns:
            new.append(segment)
            continue
        whole = read(segment)
        where = places(whole, turns)
        datas = cut(whole, where)
        for slot, data in zip(parts(segment.slot, where, datas), datas, strict=True):
            new.append(written(segment, slot, folder() / f"{len(new)}.cut", data))
    return tuple(new)


def _turns(slot: Slot) -> dict[int, tuple[int, ...]]:
    streams = slot.scan.streams if slot.scan else {}
    return {pid: stream.turns for pid, stream in streams.items() if stream.turns}


def parts(slot: Slot, where: Sequence[CutPoint], datas: Sequence[Bytes]) -> list[Slot]:
    """The slots of the parts of a segment; their EXTINF follows from where they begin."""
    before = slot.scan
    assert before is not None
    names = [slot.name, *(f"{slot.name}@{place.row * PACKET}" for place in where)]
    scans = [scanned(name, data, before) for name, data in zip(names, datas, strict=True)]
    begins = [_begin(one) for one in scans]
    since = [float(signed(np.array([b - begins[0]]))[0]) / HZ for b in begins]
    ends = [*map(_end, scans, scans[1:], since, since[1:])]
    ends.append(max(slot.duration or since[-1], since[-1]))
    return [
        replace(
            slot,
            name=name,
            scan=replace(one, cut=before.cut and name == names[-1]),
            duration=end - start if slot.duration else None,
            discontinuity=slot.discontinuity and not n,
            utc=slot.utc + start if slot.utc is not None else None,
            turns=within(slot.turns, start, end if n + 1 < len(scans) else math.inf),
        )
        for n, (name, one, start, end) in enumerate(zip(names, scans, since, ends, strict=True))
    ]


def _end(found: Scan, following: Scan, begin: float, until: float) -> float:
    """Where a part ends, in seconds: where the next one begins, or before a pause of pictures that
    stand alone in it.  As in a segment that is not cut, a pause is no loss if no packet is missing.
    """
    timed = {p: s for p, s in found.streams.items() if s.codec and (s.pts >= 0).sum() > 1}
    if len(timed) != 1:
        return until
    ((pid, stream),) = timed.items()
    after = following.streams.get(pid)
    if stream.codec is None or stream.codec.kind != "video" or after is None:
        return until
    shown = np.sort(signed(stream.pts[stream.pts >= 0] - stream.pts[0]))
    last = (shown[-1] - shown[0] + np.diff(shown).max()) / HZ
    return min(until, begin + float(last)) if continues(stream, after) else until


def scanned(name: str, data: Bytes, before: Scan) -> Scan:
    """The scan of what a segment became, with the findings, faults and container's configurations
    of the scan ``before``.
    """
    hurt = None if before.faults is None else (0, WHOLE)
    told = {s.codec: s.config for s in before.streams.values() if s.codec}  # by the container
    after = scan(name, data)
    streams = {
        pid: replace(s, config=told.get(s.codec)) if s.codec and s.codec.configured else s
        for pid, s in after.streams.items()
    }
    return replace(
        after,
        findings=before.findings,
        cut=before.cut,
        faults=hurt,
        streams=streams,
        gone=before.gone,
    )


def _begin(found: Scan) -> int:
    """The earliest PTS of the pictures of a segment, else of its sound; 0 without any."""
    timed = [s for s in found.streams.values() if s.codec and (s.pts >= 0).any()]
    timed.sort(key=lambda stream: stream.codec is None or stream.codec.kind != "video")
    if not timed:
        return 0
    known = timed[0].pts[timed[0].pts >= 0]
    return int(known[0] + signed(known - known[0]).min())


def cut_between(segments: Sequence[LocalSegment], folder: Folder) -> tuple[LocalSegment, ...]:
    """Move the end of a unit that stands in two segments to the first, where the format changes
    between them; rewritten segments are files in ``folder``.
    """
    new = list(segments)
    for number in borders(slots_of(segments)):
        before, here = new[number - 1].slot, new[number].slot
        if not (before.scan and here.scan and _goes_on(before.scan, here.scan)):
            continue
        both = [framing(read(new[n])).rows.reshape(-1) for n in (number - 1, number)]
        halves = cut(np.concatenate(both), [CutPoint(before.scan.packets, apart=True)])
        if np.array_equal(halves[0], both[0]):
            continue
        for n, data in zip((number - 1, number), halves, strict=True):
            slot = new[n].slot
            assert slot.scan is not None
            slot = replace(slot, scan=scanned(slot.name, data, slot.scan))
            new[n] = written(new[n], slot, folder() / f"{n}.between.cut", data)
    return tuple(new)


def borders(slots: Sequence[Slot]) -> Iterator[int]:
    """Numbers of the slots whose format is not that of the slot before."""
    changes = by_segment(survey(slots).changes)
    streams = {n: {c.kind: c.was for c in of} for n, of in changes.items()}
    for number in range(1, len(slots)):
        if streams.get(number, {}) != streams.get(number - 1, {}):
            yield number


def _goes_on(before: Scan, here: Scan) -> bool:
    """Whether a PES of the first segment ends in the second, or a frame of sound may, and nothing
    is wrong with either.
    """
    whole = before.faults is None and here.faults is None and not before.cut
    pairs = [(before.streams[pid], s) for pid, s in here.streams.items() if pid in before.streams]
    return whole and any((b.head or _spans_pes(b)) and continues(a, b) for a, b in pairs)


def _spans_pes(stream: Stream) -> bool:
    return stream.codec is not None and stream.codec.carriage is Carriage.ADTS
