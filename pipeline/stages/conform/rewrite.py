"""Segments are cut where their format changes, and re-encoded where it must not."""

from collections.abc import Callable, Sequence, Set
from contextlib import closing

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from pipeline.choices import Format, OnChange
from pipeline.media.clock import Bytes, median, signed
from pipeline.media.es.codecs import ENCODED, codec_of
from pipeline.media.slots.format_changes import (
    Asked,
    Change,
    Survey,
    begun_again,
    by_segment,
    several,
    survey,
)
from pipeline.media.slots.segments import Slot
from pipeline.media.slots.turns import upright, vary
from pipeline.media.ts.scan import Scan
from pipeline.media.ts.writing.mux import MuxStream
from pipeline.media.ts.writing.replace_streams import spliced
from pipeline.model import Finding, Severity, Turn
from pipeline.muxing.locate import Ffmpeg
from pipeline.stages.conform.conformed import Conformed, Progress
from pipeline.stages.conform.cut import WHOLE, borders, cut_between, cut_inside, scanned
from pipeline.stages.conform.encoding import Source
from pipeline.stages.conform.reencode import Encoded, reencode
from pipeline.stages.conform.spooled import Spool
from pipeline.stages.segments import (
    Folder,
    LocalSegment,
    read,
    slots_of,
    unwrapped,
    with_slots,
    written,
)

TWO_TRACKS = Finding(
    "ENCODED",
    Severity.FATAL,
    detail="several tracks of pictures, and only one can be re-encoded as asked",
)


def rewritten(
    segments: Sequence[LocalSegment],
    folder: Folder,
    ffmpeg: Ffmpeg | None,
    *,
    on_change: OnChange,
    format: Format,
    progress: Progress,
    asked: Asked | None = None,
) -> Conformed:
    """Cut segments with two formats and re-encode what must be, into ``folder``.  Without
    ``ffmpeg`` stand-ins with the same times take the place of what would be encoded.  StorageError
    if a segment's file changed.
    """
    segments = _cut(segments, folder, on_change)
    slots = slots_of(segments)
    if on_change is OnChange.SPLIT:
        apart = {*borders(slots)}
        slots = [_begun(slot) if n in apart else slot for n, slot in enumerate(slots)]
        return Conformed(with_slots(segments, slots))
    found = survey(slots, mp4=format in (Format.MP4, Format.M4A), asked=asked)
    if asked and "video" not in found.wanted and several(slots, "video"):
        return Conformed(tuple(segments), (TWO_TRACKS,))
    if not found.changes:
        return Conformed(tuple(segments))
    new = list(segments)
    listed = {pid for slot in slots if slot.scan for pid in slot.scan.program.streams}
    with closing(Spool(folder())) as spool:
        read_one, told = lambda n: unwrapped(segments[n]), _thousandths(progress)
        made = reencode(Source(slots, found, read_one, spool, ffmpeg, told))
        for number in by_segment(found.changes):
            one = _Renewed(number, slots[number], found, made)
            data = _rewritten(one, read(segments[number]), listed)
            slot = replace(one.slot, scan=_scanned(one, data), turns=_turns(one))
            new[number] = written(segments[number], slot, folder() / f"{number}.reencoded", data)
    for number in _behind(found, slots):
        new[number] = replace(new[number], slot=_begun(new[number].slot))
    return Conformed(tuple(new), made.findings, made.reencoded)


def _thousandths(progress: Progress) -> Callable[[float], None]:
    """Report how far it is in steps of a thousandth."""
    before = 0

    def tell(share: float) -> None:
        nonlocal before
        now = int(share * 1000)
        if now > before:
            progress("reencode", now - before)
            before = now

    return tell


class _Renewed(Struct, frozen=True):
    """A segment that gets new streams, and what was encoded for all segments."""

    number: int
    slot: Slot
    found: Survey
    made: Encoded

    @property
    def scan(self) -> Scan:
        """The scan of the segment as it was."""
        assert self.slot.scan is not None
        return self.slot.scan

    @property
    def old(self) -> Sequence[Change]:
        """The streams of the segment that are replaced."""
        return by_segment(self.found.changes)[self.number]


def _turns(one: _Renewed) -> tuple[Turn, ...]:
    """How its pictures are turned: new ones as those that stay."""
    if all(change.kind != "video" for change in one.old):
        return one.slot.turns
    return upright([Turn(0.0, one.found.wanted["video"].turned)])


def _begun(slot: Slot) -> Slot:
    """The slot, with counters that need not continue the segment before."""
    return replace(slot, scan=begun_again(slot.scan))


def _scanned(one: _Renewed, data: Bytes) -> Scan:
    """The scan of a segment with its new streams, and what is gone of it."""
    name = one.slot.name
    scan = _counted(scanned(name, data, one.scan), one.scan)
    if any(f.segment == name and f.severity is Severity.ERROR for f in one.made.findings):
        return replace(scan, faults=(0, WHOLE), gone=_gone(one))
    return scan


def _gone(one: _Renewed) -> dict[int, tuple[int, int]]:
    """From when to when (ticks) the segment held streams of which nothing came out, by new PID."""
    gone = {}
    for change in one.old:
        if not len(one.made.units[one.number, change.kind]):
            pts = one.scan.streams[change.pid].pts
            first = int(pts[pts >= 0][0])
            shown = np.sort(signed(pts[pts >= 0] - first))
            usual = median(np.diff(shown)) if len(shown) > 1 else 0
            gone[one.found.wanted[change.kind].pid] = first, first + int(shown[-1] + usual)
    return gone


def _counted(after: Scan, before: Scan) -> Scan:
    """The new scan with the counters of the old one, which show whether packets are missing."""
    streams = {
        pid: replace(s, counters=before.streams[pid].counters, lost=before.streams[pid].lost)
        if pid in before.streams
        else s
        for pid, s in after.streams.items()
    }
    return replace(after, streams=streams)


def _cut(
    segments: Sequence[LocalSegment], folder: Folder, on_change: OnChange
) -> Sequence[LocalSegment]:
    """Cut segments with two formats; for several files, so that no unit stands in two of them."""
    segments = cut_inside(segments, folder)
    if vary(slots_of(segments)):
        from pipeline.stages.conform.turns import cut_at_turns

        segments = cut_at_turns(segments, folder, apart=on_change is OnChange.SPLIT)
    return cut_between(segments, folder) if on_change is OnChange.SPLIT else segments


def _rewritten(one: _Renewed, data: Bytes, listed: Set[int]) -> Bytes:
    """The segment with its new streams in place of the old ones."""
    wanted, scan = one.found.wanted, one.scan
    streams = [
        MuxStream(wanted[change.kind].pid, ENCODED[change.kind], mine)
        for change in one.old
        for mine in [[*one.made.units[one.number, change.kind]]]
    ]
    codecs = {
        pid: codec_of(kind, scan.program.formats.get(pid, ""), 0)
        for pid, kind in scan.program.streams.items()
    }
    codecs |= {  # its own tables lack them
        pid: stream.codec
        for pid, stream in scan.streams.items()
        if pid in listed and pid not in codecs
    }
    old = {change.pid for change in one.old}
    old |= {  # announced, but never sent: as what it would have become
        pid
        for pid, codec in codecs.items()
        if codec and codec.kind in wanted and pid not in scan.streams
    }
    here = {stream.codec.kind for stream in streams}
    streams += [
        MuxStream(wanted[kind].pid, ENCODED[kind], ())
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
    """Numbers of segments at a change of format, and behind one: counters need not go on there."""
    changed = set(by_segment(found.changes))
    return {n for n, slot in enumerate(slots) if slot.scan and {n, n - 1} & changed}
