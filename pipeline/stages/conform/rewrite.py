"""Segments are cut where their format changes, and encoded anew where it must not."""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.media.clock import Bytes, signed
from pipeline.media.containers.unwrap import Opened, Wrapping, opened
from pipeline.media.es.codecs import AAC, H264, codec_of
from pipeline.media.slots.format_changes import Survey, begun_anew, by_segment, survey
from pipeline.media.slots.segments import Slot
from pipeline.media.ts.mux import Stream
from pipeline.media.ts.replace_streams import spliced
from pipeline.media.ts.scan import Scan
from pipeline.model import Format, OnChange, Severity
from pipeline.muxing.locate import Ffmpeg
from pipeline.stages.conform.conform import Conformed
from pipeline.stages.conform.cut import WHOLE, Cut, borders, cut_between, cut_inside, scanned
from pipeline.stages.conform.reencode import Encoded, Source, reencode
from pipeline.stages.segments import read_span


def rewritten(
    slots: Sequence[Slot],
    paths: Mapping[int, Path],
    wrapped: Mapping[int, Wrapping],
    folder: Path,
    ffmpeg: Ffmpeg | None,
    *,
    on_change: OnChange,
    format: Format,
) -> Conformed:
    """Cut what has two formats and encode anew what must be.  Without ``ffmpeg`` something with the
    same times stands in the place of what would be encoded.
    """
    done = _cut(slots, paths, wrapped, folder, on_change)
    slots, paths, wrapped = done.slots, done.paths, done.wrapped
    if on_change is OnChange.SPLIT:
        anew = [replace(s, scan=begun_anew(s.scan)) for s in slots]
        apart = {*borders(slots)}
        slots = [anew[n] if n in apart else slot for n, slot in enumerate(slots)]
        return Conformed(slots, done.paths, done.wrapped)
    found = survey(slots, mp4=format in (Format.MP4, Format.M4A))
    if not found.changes:
        return Conformed(slots, done.paths, done.wrapped)
    folder.mkdir(parents=True, exist_ok=True)

    def read(number: int) -> Opened:
        return _opened(slots[number].name, paths[number], wrapped.get(number))

    made = reencode(Source(slots, found, read, folder, ffmpeg))
    new_slots, new_paths, new_wrapped = list(slots), dict(paths), dict(wrapped)
    listed = {pid for slot in slots if slot.scan for pid in slot.scan.program.streams}
    for number in by_segment(found.changes):
        slot = slots[number]
        assert slot.scan is not None
        data = _rewritten(slot, read(number).data, number, found, made, listed)
        new_paths[number] = folder / f"{number}.reencoded"
        data.tofile(new_paths[number])
        new_wrapped.pop(number, None)
        scan = _counted(scanned(slot.name, data, slot.scan), slot.scan)
        if any(f.segment == slot.name and f.severity is Severity.ERROR for f in made.findings):
            scan = replace(scan, faults=(0, WHOLE), gone=_gone(slot.scan, number, found, made))
        new_slots[number] = replace(slot, scan=scan)
    for number in _behind(found, slots):
        new_slots[number] = replace(new_slots[number], scan=begun_anew(new_slots[number].scan))
    return Conformed(new_slots, new_paths, new_wrapped, made.findings, made.reencoded)


def _gone(before: Scan, number: int, found: Survey, made: Encoded) -> dict[int, tuple[int, int]]:
    """From when to when it held streams of which nothing came out, by their new PIDs."""
    gone = {}
    for change in by_segment(found.changes)[number]:
        if not made.samples[number, change.kind]:
            pts = before.streams[change.pid].pts
            first = int(pts[pts >= 0][0])
            shown = np.sort(signed(pts[pts >= 0] - first))
            usual = np.median(np.diff(shown)) if len(shown) > 1 else 0
            gone[found.wanted[change.kind].pid] = first, first + int(shown[-1] + usual)
    return gone


def _counted(after: Scan, before: Scan) -> Scan:
    """With the counters it had: they tell whether packets are missing in it and beside it."""
    streams = {
        pid: replace(s, counters=before.streams[pid].counters, lost=before.streams[pid].lost)
        if pid in before.streams
        else s
        for pid, s in after.streams.items()
    }
    return replace(after, streams=streams)


def _cut(
    slots: Sequence[Slot],
    paths: Mapping[int, Path],
    wrapped: Mapping[int, Wrapping],
    folder: Path,
    on_change: OnChange,
) -> Cut:
    """No segment has two formats; if there are to be several files, nothing stands in two."""

    def read_of(done: Cut) -> Callable[[int], Bytes]:
        return lambda n: _opened(done.slots[n].name, done.paths[n], done.wrapped.get(n)).data

    done = Cut(slots, dict(paths), dict(wrapped))
    if any(slot.scan and any(s.turns for s in slot.scan.streams.values()) for slot in slots):
        done = cut_inside(slots, paths, wrapped, read_of(done), folder)
    if on_change is OnChange.SPLIT:
        done = cut_between(done, read_of(done), folder)
    return done


def _opened(name: str, path: Path, how: Wrapping | None) -> Opened:
    if how is not None:
        return opened(name, read_span(path, how), how)
    return Opened(np.fromfile(path, np.uint8))


def _rewritten(
    slot: Slot, data: Bytes, number: int, found: Survey, made: Encoded, listed: Set[int]
) -> Bytes:
    """The segment with its new streams in the place of the old ones."""
    assert slot.scan is not None
    streams = [
        Stream(found.wanted[kind].pid, H264 if kind == "video" else AAC, mine)
        for (here, kind), mine in made.samples.items()
        if here == number
    ]
    codecs = {
        pid: codec_of(kind, slot.scan.program.formats.get(pid, ""), 0)
        for pid, kind in slot.scan.program.streams.items()
    }
    codecs |= {  # its own tables lack them
        pid: stream.codec
        for pid, stream in slot.scan.streams.items()
        if pid in listed and pid not in codecs
    }
    old = {change.pid for change in by_segment(found.changes)[number]}
    old |= {  # announced, but never sent: as what it would have become
        pid
        for pid, codec in codecs.items()
        if codec and codec.kind in found.wanted and pid not in slot.scan.streams
    }
    here = {stream.codec.kind for stream in streams}
    streams += [
        Stream(found.wanted[kind].pid, H264 if kind == "video" else AAC, ())
        for kind in {codec.kind for pid, codec in codecs.items() if codec and pid in old} - here
    ]
    taken = {stream.pid for stream in streams}
    kept = {
        pid: (pid if pid not in taken else max(taken) + 1, codec.stream_type)
        for pid, codec in codecs.items()
        if pid not in old and codec is not None
    }
    return spliced(data, kept, streams)


def _behind(found: Survey, slots: Sequence[Slot]) -> set[int]:
    """Segments at a change of format, and those behind: counters need not go on there."""
    changed = set(by_segment(found.changes))
    return {n for n, slot in enumerate(slots) if slot.scan and {n, n - 1} & changed}
