"""Video rewritten as one PES for each picture.  Long: it takes every other form there is.

Several pictures in a PES, several PES for a picture, what opens a picture at the end of the PES
before, zeros behind NAL units, pictures without stamps: what samples come of that is up to the
muxer.  So it is shown a stream in which there is nothing to choose.
"""

from collections import deque
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from pipeline.media.clock import MODULO, Index, Mask, Ticks, median
from pipeline.media.es.access_units import assigned
from pipeline.media.es.nal import Nals, NalSyntax, nals
from pipeline.media.stitch.payload import Flow, extent
from pipeline.media.stitch.work import TrackInSegment
from pipeline.media.track import Lane
from pipeline.media.ts.time_fields import pcr_bases, stamps
from pipeline.media.ts.writing.mux import Sample, pes
from pipeline.media.ts.writing.packetize import clock, packetize, video_pes

CODE = b"\0\0\0\1"
B_SLICES = (1, 6)  # slice_type (H.264 Table 7-6)


def grouped(work: TrackInSegment, kept: Mask, flow: Flow, *, opens: bool) -> Nals:
    """NAL units of a stream whose PES begin with a picture each; packets are rewritten where
    they did not, and the first one where a track ``opens`` without all its parameter sets.
    """
    syntax = work.lane.syntax
    assert syntax is not None
    before = len(flow.es)
    again = _opened(work, flow) | _roomless(work, kept)
    found = nals(flow.es, syntax)
    again |= not _regular(flow, found, syntax, more=work.joined)
    if again and len(found.begin):
        opening = _regrouped(flow, found, work.lane, more=work.joined)
        work.carried.opening = opening if work.until is None else b""
    completed = opens and _with_sets(work.lane, flow)
    if again and len(found.begin):
        _rewritten(work, kept, flow)
    elif completed:
        _write_first(work, kept, flow)
    else:
        return found
    work.added = len(flow.es) - before
    return nals(flow.es, syntax)


def _opened(work: TrackInSegment, flow: Flow) -> bool:
    """What opened a picture at the end of the last segment stands before this one's first."""
    opening, work.carried.opening = work.carried.opening, b""
    if not opening or work.torn or not len(flow.pes) or int(flow.pes[0]):
        return False
    flow.es = np.concatenate([np.frombuffer(opening, np.uint8), flow.es])
    flow.pes[1:] += len(opening)
    return True


def _with_sets(lane: Lane, flow: Flow) -> bool:
    """All parameter sets of the track in its first picture, where they were not: there the muxer
    looks for them.
    """
    assert lane.codec.nal is not None
    end, es = int([*flow.pes[1:2], len(flow.es)][0]), flow.es
    found = nals(es[:end], lane.codec.nal)
    there = [bytes(es[b:e]).rstrip(b"\0") for b, e in zip(found.begin, found.end, strict=True)]
    extra = b"".join(b"\0\0\0\1" + s for s in lane.sets if s not in there)
    if not extra:
        return False
    slices = np.flatnonzero(found.picture)
    rest = int(found.begin[slices[0]]) - 3 if len(slices) else end
    at = rest - int(found.long[slices[0]]) if len(slices) else end  # ffmpeg would keep the zero
    flow.es = np.concatenate([es[:at], np.frombuffer(extra, np.uint8), es[rest:]])
    flow.pes[1:] += at + len(extra) - rest
    return True


def _write_first(work: TrackInSegment, kept: Mask, flow: Flow) -> None:
    """The first PES as new packets in front of the others."""
    t = work.track
    first = int(np.flatnonzero(kept[t.starts])[0])
    begin, stop = extent(t, first)
    es = bytes(flow.es[: int([*flow.pes[1:2], len(flow.es)][0])])
    picture = Sample(int(work.pts[first]), int(work.dts[first]), es)
    packed, work.carried.counter = packetize(
        work.lane.pid, pes(0xE0, picture), work.carried.counter
    )
    work.inserts.append((int(t.index[begin]), packed))
    kept[begin:stop] = False


def _regular(flow: Flow, found: Nals, syntax: NalSyntax, *, more: bool) -> bool:
    """Every PES is a picture with its stamp, and between NAL units there is nothing.  If there is
    ``more``, nothing is known of the end.
    """
    begins = found.begin[found.opens] - 3
    if len(begins) != len(flow.pes) or not len(begins) or (flow.pts < 0).any():
        return False
    apart = begins - flow.pes  # by the zero byte in front of a start code
    if (apart < 0).any() or (apart > 1).any() or (not more and _alone(found) is not None):
        return False
    ends = found.end[: -1 if more else None]
    if (ends <= found.begin[: len(ends)]).any():
        return False
    bare = bool(flow.es[ends - 1].all())
    return bare and not _headless(flow, found, syntax)[: len(ends)].any()


def _headless(flow: Flow, found: Nals, syntax: NalSyntax) -> Mask:
    """NAL units whose header of two bytes cannot be one: readers pass over them."""
    if syntax.header < 2:
        return np.zeros(len(found.begin), np.bool_)
    es, last = flow.es, len(flow.es) - 1
    wrong: Mask = (es[found.begin] & 0x80 != 0) | (found.end - found.begin < 2)
    wrong |= es[np.minimum(found.begin + 1, last)] & 7 == 0
    return wrong


def _alone(found: Nals) -> int | None:
    """The NAL unit at which something begins, behind the last picture, that opens another."""
    last = int(np.append(0, np.flatnonzero(found.opens))[-1])
    return None if not last or found.picture[last:].any() else last


def _regrouped(flow: Flow, found: Nals, lane: Lane, *, more: bool) -> bytes:
    """Make each picture a PES; returns what opens a picture that is not there.  If there is
    ``more``, that stays where it is, for the picture follows.
    """
    syntax = lane.syntax
    assert syntax is not None
    opening = b""
    if not more and (last := _alone(found)) is not None:
        end = int(found.begin[last]) - 3
        opening = bytes(flow.es[end:])
        found = found.until(end)
    opens = np.flatnonzero(found.opens)
    owner = np.searchsorted(flow.pes, found.begin[opens] - 3, side="right") - 1
    pts, dts = _told(flow, found, lane, syntax)
    pieces = _pieces(flow, found, syntax, more=more)
    bounds = pairwise((*opens.tolist(), len(pieces)))
    made = [b"".join(pieces[a:b]) for a, b in bounds]
    flow.es = np.frombuffer(bytearray(b"".join(made)), np.uint8)
    flow.pes = np.cumsum([0, *map(len, made)])[:-1].astype(np.intp)
    flow.rows = flow.rows[np.maximum(owner, 0)]
    flow.pts, flow.dts = pts, dts
    return opening


def _pieces(flow: Flow, found: Nals, syntax: NalSyntax, *, more: bool) -> list[bytes]:
    """Every NAL unit behind a start code of four bytes; what was sent is as it was."""
    keep = ~_headless(flow, found, syntax)
    if more:
        keep[-1:] = True
    flow.left_out = int(np.count_nonzero(~keep))
    ends = found.end.tolist()
    pieces: list[bytes] = []
    at = 0
    for begin, end, kept in zip(found.begin.tolist(), ends, keep.tolist(), strict=True):
        unit = bytes(flow.es[max(begin, flow.sent) : end])
        unit = unit if more and end == ends[-1] else unit.rstrip(b"\0")
        if begin - 3 < flow.sent:
            pieces.append(bytes(flow.es[at : min(end, flow.sent)]) + unit)
            at = min(end, flow.sent)
            continue
        if at < flow.sent:
            pieces[-1] += bytes(flow.es[at : flow.sent])
            at = flow.sent
        pieces.append(CODE + unit if unit and kept else b"")
    return pieces


def _told(flow: Flow, found: Nals, lane: Lane, syntax: NalSyntax) -> tuple[Ticks, Ticks]:
    """The stamps of every picture: those of its PES, or between those of its neighbours."""
    pts, dts = assigned(_begins(flow, found), flow.pes, flow.pts, flow.dts)
    known = np.flatnonzero(dts >= 0)
    if len(known) in (0, len(dts)):
        return pts, dts
    decoded = _between(dts, known, lane.unit)
    between = _between_others(flow, found, syntax)
    if not between.any() and (np.diff(pts[known]) > 0).all():
        return np.maximum(_between(pts, known, lane.unit), decoded), decoded
    flow.guessed = len(dts) - len(known)
    return np.maximum(_in_gaps(pts, decoded, between, lane.unit), decoded), decoded


def _in_gaps(pts: Ticks, decoded: Ticks, between: Mask, unit: float) -> Ticks:
    """Where pictures without a stamp are shown: where no other is.

    One that refers to nothing later is shown behind all that are decoded before it, and behind
    those between others that follow it; of these, each takes the first place that is left.
    """
    count = np.arange(len(pts))
    following = np.append(np.where(between, len(pts), count)[1:], len(pts))
    rank = np.minimum.accumulate(following[::-1])[::-1] - 1  # where one not between others is shown
    told = pts >= 0
    late = (
        (pts - decoded[rank])[told & ~between]
        if (told & ~between).any()
        else pts[told] - decoded[told]
    )
    places = decoded + int(median(late))
    taken = np.searchsorted(places - unit / 2, pts[told], side="right") - 1
    free = np.isin(count, taken, invert=True)
    shown = pts.copy()
    own = ~told & ~between & free[rank]
    shown[own] = places[rank[own]]
    free[rank[own]] = False
    rest, left = np.flatnonzero(shown < 0), places[free]
    shown[rest] = decoded[rest] + int(median(late))
    shown[rest[: len(left)]] = left[: len(rest)]
    return shown


def _between(clock: Ticks, known: Index, unit: float) -> Ticks:
    """Stamps where there are none: between their neighbours, or as far from them as units last."""
    places = np.arange(len(clock))
    beyond = np.minimum(0, places - known[0]) + np.maximum(0, places - known[-1])
    told: Ticks = np.interp(places, known, clock[known]) + beyond * unit
    return told.round().astype(np.int64)


def _begins(flow: Flow, found: Nals) -> Index:
    """Where each picture begins, as its stamp has it: a stamp belongs to the first picture that
    commences in the PES (ISO/IEC 13818-1 clause 2.4.3.7), or to the one whose slices the PES begins
    with, though what opens it stands at the end of the PES before.
    """
    code, pes = found.begin - 3, flow.pes
    opens = np.flatnonzero(found.opens)
    begins = code[opens]
    first, slices = found.pictures
    before, own = (np.searchsorted(pes, code[nth], side="right") - 1 for nth in (first, slices))
    apart = np.flatnonzero((own > before) & (before >= 0))
    for at, shared, owner in zip(first[apart], before[apart], own[apart], strict=True):
        behind = int(code[np.searchsorted(code, pes[owner])] - pes[owner])
        others = at > 0 and code[at - 1] >= pes[shared]
        if flow.pts[owner] >= 0 and behind <= 1 and others:
            begins[np.searchsorted(opens, at)] = pes[owner]
    return begins


def _between_others(flow: Flow, found: Nals, syntax: NalSyntax) -> Mask:
    """Pictures that may be shown before some that are decoded earlier: of B slices in H.264; in
    H.265 those that no other refers to (clause 7.4.2.2: even types below 16).
    """
    at = np.zeros(np.count_nonzero(found.opens), np.intp)
    first, slices = found.pictures
    at[np.searchsorted(np.flatnonzero(found.opens), first)] = slices
    if not syntax.numbered:
        kinds = found.kind[at]
        return np.asarray((kinds < 16) & (kinds % 2 == 0))
    heads = (bytes(flow.es[b + 1 : b + 9]) for b in found.begin[at].tolist())
    return np.array([_slice_type(head) in B_SLICES for head in heads], np.bool_)


def _slice_type(head: bytes) -> int:
    """The second ue(v) of a slice header (H.264 clauses 7.3.3, 9.1)."""
    bits = "".join(f"{byte:08b}" for byte in head)
    at = value = 0
    for _ in range(2):
        zeros = bits.find("1", at) - at
        if zeros < 0:
            return 0
        value = int(bits[at + zeros : at + 2 * zeros + 1] or "1", 2) - 1
        at += 2 * zeros + 1
    return value


def _roomless(work: TrackInSegment, kept: Mask) -> bool:
    """A decoding time is to be told where there is none: a PES has to be rewritten for that."""
    alive = kept[work.track.starts]
    both = work.track.header[alive, 7] >> 6 == 3
    return bool((~both & (work.dts[alive] != work.pts[alive])).any())


def _rewritten(work: TrackInSegment, kept: Mask, flow: Flow) -> None:
    """All of this segment as new packets, its clock references between them."""
    bounds = pairwise((*flow.pes.tolist(), len(flow.es)))
    stamped = zip(flow.pts.tolist(), flow.dts.tolist(), strict=True)
    clocks = deque(_clocks(work))
    for row, (begin, end), (pts, dts) in zip(flow.rows.tolist(), bounds, stamped, strict=True):
        while clocks and clocks[0][0] <= row:
            at, base = clocks.popleft()
            work.inserts.append((at, clock(work.lane.pid, base, work.carried.counter)))
        new = begin >= flow.sent
        data = bytes(flow.es[max(begin, flow.sent) : end])
        if data:
            data = video_pes(data, pts, dts) if new else data
            packed, work.carried.counter = packetize(
                work.lane.pid, data, work.carried.counter, begins=new
            )
            work.inserts.append((row, packed))
    work.inserts += [(at, clock(work.lane.pid, base, work.carried.counter)) for at, base in clocks]
    kept[:] = False


def _clocks(work: TrackInSegment) -> Iterator[tuple[int, int]]:
    """The PCR of a stream and the rows they stand in, moved as far as its stamps."""
    packets, t = work.packets, work.track
    own = np.isin(packets.pid[packets.adapted], np.unique(packets.pid[t.index]))
    rows = packets.adapted[own]
    rows = rows[(packets.rows[rows, 4] >= 7) & (packets.rows[rows, 5] & 0x10 != 0)]
    stamped = (work.pts >= 0) & (t.header[:, 7] >> 6 >= 2)
    if len(rows) and stamped.any():
        moved = work.pts[stamped] - stamps(t.header[stamped, 9:14])[0]
        bases = (pcr_bases(packets.rows[rows, 6:11]) + int(median(moved))) % MODULO
        yield from zip(rows.tolist(), bases.tolist(), strict=True)
