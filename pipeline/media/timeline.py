"""The plan of a recording: where every segment belongs in time, before a byte is muxed.

Times are ticks of 90 kHz unless they say seconds.  The plan puts the first presentation time at
``BASE``, so that decoding times before it stay positive; the muxer takes it off again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from pipeline.media.ends import Promise, promises
from pipeline.media.lane import BASE, HZ, Lane
from pipeline.media.lanes import choose
from pipeline.media.order import in_order, without_copies
from pipeline.media.packets import MODULO, Ticks
from pipeline.media.placed import Placed, Slot
from pipeline.media.placing import Placer, counters_go_on, spread
from pipeline.media.stamps import steady
from pipeline.model import Finding, OnLoss, Severity

APART = 3600.0  # seconds between the first units of two streams of one segment
LONGEST = MODULO - 2 * BASE  # what one transport clock can count: 26.5 hours


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What will be muxed, and what it should have been."""

    lanes: tuple[Lane, ...] = ()
    placed: tuple[Placed, ...] = ()
    findings: tuple[Finding, ...] = ()
    promised: Mapping[int, Promise] = field(default_factory=dict)  # by PID

    @property
    def rejected(self) -> bool:
        """Nothing may be made of this recording."""
        return not self.placed or any(f.severity == Severity.FATAL for f in self.findings)


def plan(slots: Sequence[Slot], on_loss: OnLoss = OnLoss.HOLD) -> Plan:
    """Decide where every segment goes.  Pure: the same scans always give the same plan."""
    scans = [slot.scan for slot in slots if slot.scan is not None and slot.scan.packets]
    if not scans:
        return Plan()
    lanes, findings = choose(scans)
    if any(f.severity == Severity.FATAL for f in findings):
        return Plan(lanes, (), tuple(findings))
    segments, said = _segments(slots, lanes)
    findings += said
    if not segments or any(f.severity == Severity.FATAL for f in said):
        return Plan(lanes, (), tuple(findings))
    for arrange in (without_copies, in_order):
        segments, said = arrange(segments, lanes)
        findings += said
    placer = Placer(lanes, slots, on_loss, counters_go_on(segments, lanes))
    for segment in segments:
        placer.place(segment)
    placer.close()
    findings += placer.findings
    findings += _rebase(segments)
    promised, said = promises(segments, lanes, slots)
    for pid, ticks in placer.closed.items():
        promised[pid] = replace(promised[pid], closed=ticks)
    return Plan(lanes, tuple(segments), tuple(findings + said), promised)


def _segments(slots: Sequence[Slot], lanes: Sequence[Lane]) -> tuple[list[Placed], list[Finding]]:
    """Segments with media in at least one lane; single impossible stamps are mended."""
    found: list[Placed] = []
    findings: list[Finding] = []
    for number, slot in enumerate(slots):
        stamps: dict[int, tuple[Ticks, Ticks]] = {}
        for lane in lanes:
            stream = slot.scan.streams.get(lane.pid) if slot.scan else None
            if stream is None or stream.blank or not (stream.dts >= 0).any():
                continue
            pts, dts, mended = steady(stream.pts, stream.dts, lane)
            if mended is None:
                detail = "the clock restarts inside this segment: not supported yet"
                findings.append(
                    Finding("DTS_BACK", Severity.FATAL, slot.name, lane.pid, detail=detail)
                )
            elif mended:
                detail = "decoding times out of order"
                repair = "derived from their neighbours"
                findings.append(
                    Finding("DTS_BACK", Severity.ERROR, slot.name, lane.pid, mended, detail, repair)
                )
            stamps[lane.pid] = (pts, dts)
        if stamps:
            here = Placed(slot, number, stamps, number)
            found.append(here)
            apart = spread([here.first(pid) for pid in stamps])[1] / HZ
            if apart > APART:
                detail = f"its streams are {apart:.0f} s apart: they do not share one clock"
                findings.append(Finding("DTS_BACK", Severity.FATAL, slot.name, detail=detail))
    return found, findings


def _rebase(segments: Sequence[Placed]) -> list[Finding]:
    """Shift everything so that the first presentation time is BASE."""
    starts = [
        pts[pts >= 0].min()
        for s in segments[:2]
        for pts, _ in s.stamps.values()
        if (pts >= 0).any()
    ]
    shift = BASE - int(min(starts))
    for segment in segments:
        for pid, (pts, dts) in segment.stamps.items():
            segment.stamps[pid] = (_moved(pts, shift), _moved(dts, shift))
    span = max(segment.last(pid) for segment in segments for pid in segment.stamps) - BASE
    if span <= LONGEST:
        return []
    detail = f"{span / HZ / 3600:.1f} hours, one MP4 is made of at most {LONGEST / HZ / 3600:.1f}"
    return [Finding("PL_LIMIT", Severity.FATAL, detail=detail)]


def _moved(stamps: Ticks, shift: int) -> Ticks:
    return np.where(stamps >= 0, stamps + shift, -1)
