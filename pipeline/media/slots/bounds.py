"""Which time stamps of a segment are believed, and what replaces those that cannot be right.

Done before anything else is read off them.  Stamps are int64[PES], 90 kHz ticks of 33 bits, -1 for
none.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from msgspec.structs import replace

from pipeline.media.clock import HZ, MODULO, Ticks, median, signed, signed_ticks
from pipeline.media.slots.neighbours import emptied, streams_of
from pipeline.media.slots.presentation import in_place, one_bit_off, within
from pipeline.media.slots.segments import Placed, Slot, has_media
from pipeline.media.slots.timestamps import (
    as_due,
    late,
    sound_as_due,
    sound_from_next,
    started,
    steady,
    swapped,
    told_again,
)
from pipeline.media.track import Lane
from pipeline.media.ts.scan import Stream
from pipeline.model import Finding, Severity

LONGEST_DELAY = 5 * HZ  # ticks from the decoding of a picture to its presentation
FAR = 60 * HZ  # ticks by which no stream of a slot lies outside the others
BESIDE = "derived from their neighbours"


def believed(slots: Sequence[Slot]) -> tuple[list[Slot], list[Finding]]:
    """The slots with the stamps that their streams must have had, and a finding for each change.  A
    slot whose clock restarts inside it loses its media, unless half of all slots are like that.
    """
    units: dict[str, list[float]] = defaultdict(list)
    for slot in slots:
        for stream in streams_of(slot).values():
            units[stream.codec.name if stream.codec else ""].append(stream.unit)
    usual = {name: median(lasting) for name, lasting in units.items()}
    kept: list[Slot] = []
    findings: list[Finding] = []
    for slot in slots:
        mended = {}
        for pid, stream in streams_of(slot).items():
            assert stream.codec is not None
            lane = Lane(pid, stream.codec, stream.config or b"", usual[stream.codec.name])
            due = _due(kept[-1], slot, pid) if kept and lane.codec.kind == "video" else None
            pts, dts, said = _of_stream(slot, lane, stream, due)
            findings += said
            if not kept and lane.codec.kind == "audio" and stream.dts[0] >= 0:
                pts, dts = sound_from_next(pts, dts)
            if kept and lane.codec.kind == "audio" and not slot.discontinuity:
                pts, dts, said = _going_on(kept[-1], slot, lane, (pts, dts))
                findings += said
            if pts is not stream.pts or dts is not stream.dts:
                mended[pid] = replace(stream, pts=pts, dts=dts)
        if mended and slot.scan:
            streams = {**slot.scan.streams, **mended}
            slot = replace(slot, scan=replace(slot.scan, streams=streams))
        slot, said = _with_lone_ones(slot)
        findings += said
        kept.append(slot)
    return _without_restarts(kept, findings)


def _with_lone_ones(slot: Slot) -> tuple[Slot, list[Finding]]:
    """The slot with the only stamp of a stream set beside the other streams, where it lies minutes
    from all of them and one bit of it makes the difference.
    """
    streams = streams_of(slot)
    lone = {pid: s for pid, s in streams.items() if np.count_nonzero(s.dts >= 0) == 1}
    others = [s for pid, s in streams.items() if pid not in lone]
    if not lone or not others or slot.scan is None:
        return slot, []
    begin, last = min(s.first for s in others), max(s.end for s in others)
    mended = {}
    for pid, stream in lone.items():
        dts = _one_bit_inside(stream.dts, begin, last)
        pts = _one_bit_inside(stream.pts, begin, last)
        if dts is not stream.dts or pts is not stream.pts:
            mended[pid] = replace(stream, pts=pts, dts=dts)
    detail = "the only stamp here lies minutes from the other streams, by one bit of it"
    said = [
        Finding("PTS_RANGE", Severity.WARNING, slot.name, pid, 1, detail, "set beside them")
        for pid in mended
    ]
    return replace(slot, scan=replace(slot.scan, streams={**slot.scan.streams, **mended})), said


def _one_bit_inside(stamps: Ticks, begin: int, last: int) -> Ticks:
    """The same with the only known stamp between two others if it is far from there and exactly one
    change of a bit brings it there.
    """
    at = int(np.argmax(stamps >= 0))
    told = int(stamps[at])
    if -FAR <= signed_ticks(told - begin) <= signed_ticks(last - begin) + FAR:
        return stamps
    near = [told ^ 1 << bit for bit in range(MODULO.bit_length() - 1)]
    near = [x for x in near if -HZ <= signed_ticks(x - begin) <= signed_ticks(last - begin) + HZ]
    if len(near) != 1:
        return stamps
    mended = stamps.copy()
    mended[at] = near[0]
    return mended


def _without_restarts(
    slots: Sequence[Slot], findings: Sequence[Finding]
) -> tuple[list[Slot], list[Finding]]:
    """Leave out segments whose clock restarts inside them, as long as most are not like that."""
    astray = {f.segment for f in findings if f.severity is Severity.FATAL}
    there = [slot.name in astray for slot in slots if has_media(slot)]
    if not astray or 2 * sum(there) >= len(there):
        return list(slots), list(findings)
    kept = [
        replace(emptied(slot), unusable=True) if slot.name in astray else slot for slot in slots
    ]
    said = [
        replace(f, severity=Severity.ERROR) if f.severity is Severity.FATAL else f for f in findings
    ]
    return kept, said


def _going_on(
    before: Slot, slot: Slot, lane: Lane, told: tuple[Ticks, Ticks]
) -> tuple[Ticks, Ticks, list[Finding]]:
    """Let sound go on where the slot before ended, if its first stamp alone says otherwise."""
    stream = streams_of(before).get(lane.pid)
    if stream is None:
        return *told, []
    pts, dts = sound_as_due(*told, stream.end % MODULO, lane.unit)
    if dts is told[1]:
        return *told, []
    detail = "its first stamp alone contradicts where the sound goes on"
    said = Finding("PTS_RANGE", Severity.WARNING, slot.name, lane.pid, 1, detail, BESIDE)
    return pts, dts, [said]


def _due(before: Slot, slot: Slot, pid: int) -> tuple[int, int] | None:
    """PTS and DTS at which the first picture of ``slot`` is due by the EXTINF of the slot before;
    None where that does not say.
    """
    stream = streams_of(before).get(pid)
    if stream is None or not before.duration or before.rounded or slot.discontinuity:
        return None
    at = int(np.argmax(stream.dts >= 0))
    lasts = round(HZ * before.duration)
    return (int(stream.pts[at]) + lasts) % MODULO, (int(stream.dts[at]) + lasts) % MODULO


def _of_stream(
    slot: Slot, lane: Lane, stream: Stream, due: tuple[int, int] | None
) -> tuple[Ticks, Ticks, list[Finding]]:
    """PTS and DTS of every PES in an order a decoder can follow.  Single impossible ones are
    mended, the first to when it is ``due``; a fatal finding says where too few agree for that.
    """
    if _is_in_order(stream, lane):  # as nearly always
        return stream.pts, stream.dts, []
    findings: list[Finding] = []

    def say(id: str, severity: Severity, count: int, detail: str, repair: str | None) -> None:
        findings.append(Finding(id, severity, slot.name, lane.pid, count, detail, repair))

    pts, dts = stream.pts, stream.dts
    if own := started(pts, dts):
        say("PTS_ZERO", Severity.WARNING, 1, "the first stamp is 0", BESIDE)
        pts, dts = own
    pts, dts, lonely = within(pts, dts, lane, slot.duration)
    if lonely:
        detail = f"a stamp far from all others of {slot.duration} s"
        say("PTS_RANGE", Severity.WARNING, lonely, detail, BESIDE)
    told = pts, dts
    pts, dts, mended = steady(pts, dts, lane)
    if mended and np.abs(signed(pts - dts)[dts >= 0]).max() > LONGEST_DELAY:
        mended = None
    exchanged = swapped(*told, lane) if mended != 0 else None
    if exchanged:
        pts, dts, mended = exchanged
        detail = "pictures that carry each other's time stamps"
        say("DTS_BACK", Severity.WARNING, mended, detail, "put in order")
    elif mended is None:
        detail = "the clock restarts inside this segment: not supported yet"
        say("DTS_BACK", Severity.FATAL, 1, detail, None)
    elif mended:
        again = mended == told_again(told[1])
        detail = f"decoding times {'that are told twice' if again else 'out of order'}"
        near = bool((np.abs(signed(pts - told[0])) <= lane.unit).all())
        say("DTS_BACK", Severity.WARNING if near else Severity.ERROR, mended, detail, BESIDE)
    if mended is not None:
        if due is not None and dts is not stream.dts and _first_differs(dts, stream.dts):
            pts, dts = as_due(pts, dts, *due)
        pts, astray = in_place(pts, dts, lane)
        if astray:
            detail = "pictures that cannot be shown when they say"
            say("PTS_RANGE", Severity.WARNING, astray, detail, "shown where one is wanting")
        pts, dts, flipped = one_bit_off(pts, dts, lane)
        if flipped:
            detail = "one bit of a stamp is wrong: it stands beside its place among even ones"
            say("PTS_RANGE", Severity.WARNING, flipped, detail, "set there")
    return pts, dts, findings


def _is_in_order(stream: Stream, lane: Lane) -> bool:
    """Whether nothing of a stream can be out of place: stamps that follow each other and, of
    pictures, as fast as the next and each shown as long after its decoding.
    """
    if not stream.flows or lane.codec.kind == "audio":
        return stream.flows
    waits = stream.pts - stream.dts
    steps = stream.steps
    return bool((steps == steps[0]).all() and (waits == waits[0]).all())


def _first_differs(one: Ticks, other: Ticks) -> bool:
    return [*one[one >= 0][:1]] != [*other[other >= 0][:1]]


def decoded_in_time(
    segments: Sequence[Placed], lanes: Sequence[Lane]
) -> tuple[list[Placed], list[Finding]]:
    """The segments with every DTS of a video lane earlier by as much as it takes that no picture is
    decoded after it is shown (ISO/IEC 13818-1 clause 2.7.4); and a DTS_LATE for each such lane.
    """
    found, findings = list(segments), []
    for pid, lane in ((lane.pid, lane) for lane in lanes if lane.codec.kind == "video"):
        behind = [late(*s.stamps[pid].pair, lane) if pid in s.stamps else 0 for s in found]
        if most := max(behind, default=0):
            first = found[next(n for n, ticks in enumerate(behind) if ticks)].slot.name
            found = [s.decoded_earlier(pid, most) if pid in s.stamps else s for s in found]
            detail = f"pictures that are shown before they are decoded, by up to {most / HZ:.3f} s"
            findings.append(Finding("DTS_LATE", Severity.INFO, first, pid, detail=detail))
    return found, findings
