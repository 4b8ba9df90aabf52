"""The plan of a recording: where every segment belongs in time, before a byte is muxed.

Times are ticks of 90 kHz unless they say seconds.  The plan puts the first presentation time at
``BASE``, so that decoding times before it stay positive; the muxer takes it off again.
"""

from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter

from msgspec import Struct, field
from msgspec.structs import replace

from pipeline.choices import OnLoss
from pipeline.media.clock import BASE, HZ, Ticks, signed_ticks
from pipeline.media.slots.bounds import decoded_in_time
from pipeline.media.slots.segments import Placed, Slot, has_media, is_gone
from pipeline.media.slots.stamps import Stamps
from pipeline.media.slots.timestamps import unwrapped
from pipeline.media.timeline import decoding
from pipeline.media.timeline.closing import Hole, closed
from pipeline.media.timeline.edges.counters import counters_go_on
from pipeline.media.timeline.edges.examine import examine
from pipeline.media.timeline.expected.extinf import exact_by_clock
from pipeline.media.timeline.expected.slice_names import NEAREST
from pipeline.media.timeline.expected.span import Closed, Promise, promises
from pipeline.media.timeline.failover import coverage
from pipeline.media.timeline.failover.covered import Covered, Join, Joined
from pipeline.media.timeline.failover.join import by_part, join
from pipeline.media.timeline.order import fitting, in_order, without_copies
from pipeline.media.timeline.pid_mapping import aligned
from pipeline.media.timeline.placement import Placer, spread
from pipeline.media.timeline.tracks import choose, with_rotation
from pipeline.media.track import Lane
from pipeline.media.ts.scan import Scan
from pipeline.model import Finding, Severity

APART = 3600.0  # seconds between the first units of two streams of one segment, at most


class Plan(Struct, frozen=True, eq=False):
    """What will be muxed, and what it should have been."""

    lanes: tuple[Lane, ...] = ()  # video first
    placed: tuple[Placed, ...] = ()  # in the order of time
    findings: tuple[Finding, ...] = ()
    promised: Mapping[int, Promise] = field(default_factory=dict)  # by PID
    joins: tuple[Join, ...] = ()  # of failover parts
    covered: Covered = field(default_factory=Covered)
    slots: tuple[Slot, ...] = ()  # that promise media or hold some, every stream under one PID

    @property
    def rejected(self) -> bool:
        """Whether no MP4 may be made of this recording."""
        return not self.placed or any(f.severity == Severity.FATAL for f in self.findings)

    @property
    def end(self) -> float:
        """Ticks at which the last unit of any lane ends; the plan begins at ``BASE``."""
        last = {pid: placed for placed in self.placed for pid in placed.stamps}
        return max(last[lane.pid].end(lane) for lane in self.lanes if lane.pid in last)


def plan(
    slots: Sequence[Slot],
    on_loss: OnLoss = OnLoss.HOLD,
    *,
    one_format: bool = True,
    pauses: bool = False,
) -> Plan:
    """Decide where every segment belongs.  Pure: the same scans always give the same plan.  Never
    raises for bad data: a plan that is ``rejected`` has a fatal finding, or nothing to place.

    Without ``one_format`` the plan is to be divided where a format changes.  Whether it is short
    enough for one file is for :mod:`pipeline.media.timeline.split_plan` to say.
    A stream of one user alone ``pauses`` wherever it is not sent, and loses nothing by that.
    """
    slots, scans, moved = _aligned(slots, "name" if one_format else "kind")
    if not scans:
        return Plan()
    lanes, findings = choose(scans, one_format=one_format)
    findings += moved
    if any(f.severity == Severity.FATAL for f in findings):
        return Plan(lanes, (), tuple(findings))
    lanes, due = tuple(replace(lane, pauses=pauses) for lane in lanes), list(_due(slots))
    segments, said = _segments(due, lanes)
    slots = [slot for _, slot in due]
    lanes, absent = _placeable(lanes, segments, slots)
    said += absent
    findings += said
    if not segments or any(f.severity == Severity.FATAL for f in said):
        return Plan(lanes, (), tuple(findings))
    placed = _placed(segments, lanes, slots, on_loss)
    segments = rebase(placed.joined.segments, lanes)
    lanes, turned = with_rotation(lanes, segments, one_format=one_format)
    findings += [*placed.findings, *turned]
    covered = placed.joined.covered
    needed = [replace(s, duration=None) if s.name in covered.whole else s for s in _once(slots)]
    promised, said = promises(segments, lanes, needed)
    by_number = {segment.number: segment for segment in segments}
    for number, pid, ticks in placed.closed:
        segment = by_number[number]
        here = Closed(segment.slot.name, segment.first(pid), ticks)
        promised[pid] = replace(promised[pid], closed=(*promised[pid].closed, here))
    return Plan(
        lanes,
        tuple(segments),
        tuple(covered.without_loss(findings + said)),
        promised,
        tuple(Join.at(by_number[n], reason, BASE) for n, reason in placed.joined.joins),
        covered,
        tuple(slots),
    )


def _once(slots: Sequence[Slot]) -> Iterator[Slot]:
    """The slots, with no EXTINF for what is missing and listed again: it is missing once."""
    seen: set[str] = set()
    for slot in slots:
        yield replace(slot, duration=None) if slot.name in seen and not has_media(slot) else slot
        seen.add(slot.name)


class _Line(Struct, frozen=True, eq=False):
    """All segments on one time line, whatever it begins with."""

    joined: Joined
    findings: list[Finding]
    closed: Sequence[Hole] = ()  # that were closed


def _placed(
    segments: Sequence[Placed], lanes: Sequence[Lane], slots: Sequence[Slot], on_loss: OnLoss
) -> _Line:
    """Each part by itself, then one behind the other."""
    findings: list[Finding] = []
    parts = []
    for part in by_part(segments):
        for arrange in (without_copies, in_order, fitting):
            part, said = arrange(part, lanes)
            findings += said
        parts.append(part)
    for n, part in enumerate(parts):
        counters = counters_go_on(part, lanes, parts)
        told = exact_by_clock(part, lanes)
        placer = Placer(lanes, slots, counters_go_on=counters, exact=told)
        for number, segment in enumerate(part, 1):
            placer.place(segment, part[number : number + NEAREST])
        findings += placer.findings
        fitted = decoding.fitted(placer.placed, lanes)
        parts[n], said = examine(fitted, lanes, slots, counters=counters)
        findings += said
    joined = join(parts, lanes, slots)
    joined.covered.whole.update(coverage.held(joined.segments, lanes, slots))
    taken: Sequence[Hole] = ()
    if on_loss is OnLoss.CLOSE:
        joined.segments, taken = closed(joined.segments, lanes)
    joined.segments = decoding.fitted(joined.segments, lanes)
    return _Line(joined, findings + joined.findings, taken)


def _aligned(slots: Sequence[Slot], like: str) -> tuple[list[Slot], list[Scan], list[Finding]]:
    """Every stream under one PID, and the scans that hold packets."""
    there = [n for n, slot in enumerate(slots) if slot.scan is not None and slot.scan.packets]
    scans, findings = aligned([scan for n in there if (scan := slots[n].scan)], attrgetter(like))
    routed = list(slots)
    for number, scan in zip(there, scans, strict=True):
        if scan is not slots[number].scan:
            routed[number] = replace(slots[number], scan=scan)
    return routed, scans, findings


def _segments(
    due: Sequence[tuple[int, Slot]], lanes: Sequence[Lane]
) -> tuple[list[Placed], list[Finding]]:
    """The segments with media in at least one lane, on the clocks of their scans."""
    found: list[Placed] = []
    for position, (number, slot) in enumerate(due):
        stamps: dict[int, tuple[Ticks, Ticks]] = {}
        for lane in lanes:
            stream = slot.scan.streams.get(lane.pid) if slot.scan else None
            if stream is None or stream.blank or not (stream.dts >= 0).any():
                continue
            stamps[lane.pid] = (stream.pts, stream.dts)
        if stamps:
            own = {pid: Stamps.of(*pair) for pid, pair in unwrapped(stamps).items()}
            found.append(Placed(slot, number, own, position))
    found, findings = _on_one_clock(found)
    found, late = decoded_in_time(found, lanes)
    return found, findings + late


def _on_one_clock(segments: list[Placed]) -> tuple[list[Placed], list[Finding]]:
    """The segments, and what is said of those whose streams lie too far apart to share one clock.
    Of these the streams near their neighbours are kept, unless half of all segments are like that.
    """
    apart = {s.position: spread([s.first(pid) for pid in s.stamps])[1] / HZ for s in segments}
    astray = [s for s in segments if apart[s.position] > APART]
    few = 2 * len(astray) < len(segments)
    said = [
        Finding(
            "DTS_BACK",
            Severity.ERROR if few else Severity.FATAL,
            s.slot.name,
            detail=f"its streams are {apart[s.position]:.0f} s apart: they do not share one clock",
        )
        for s in astray
    ]
    sure = [s for s in segments if apart[s.position] <= APART]
    return [_near(s, sure) if few and s in astray else s for s in segments], said


def _near(segment: Placed, others: Sequence[Placed]) -> Placed:
    """The segment with the streams that lie near the nearest of the others."""
    beside = min(others, key=lambda other: abs(other.position - segment.position))
    at = beside.first(next(iter(beside.stamps)))
    near = {
        pid: times
        for pid, times in segment.stamps.items()
        if abs(signed_ticks(segment.first(pid) - at)) <= APART * HZ
    }
    return replace(segment, stamps=near or segment.stamps)


def _due(slots: Sequence[Slot]) -> Iterator[tuple[int, Slot]]:
    """Slots that promise media or hold some, by number: tables alone have no place in time."""
    announced = False
    for number, slot in enumerate(slots):
        announced |= slot.discontinuity
        if has_media(slot) or is_gone(slot):
            same = slot.discontinuity == announced
            yield number, slot if same else replace(slot, discontinuity=announced)
            announced = False


def _placeable(
    lanes: Sequence[Lane], segments: Sequence[Placed], slots: Sequence[Slot]
) -> tuple[tuple[Lane, ...], list[Finding]]:
    """Lanes of which anything has a place in time."""
    there = {pid for segment in segments for pid in segment.stamps}
    findings = []
    for lane in lanes:
        if segments and lane.pid not in there:
            held = [
                s.scan.streams[lane.pid] for s in slots if s.scan and lane.pid in s.scan.streams
            ]
            lost = all(stream.blank for stream in held)
            detail = f"{lane.codec.kind} without one whole unit that has a time stamp"
            severity = Severity.ERROR if lost else Severity.FATAL
            findings.append(Finding("ES_ABSENT", severity, pid=lane.pid, detail=detail))
    return tuple(lane for lane in lanes if lane.pid in there), findings


def rebase(segments: Sequence[Placed], lanes: Sequence[Lane]) -> list[Placed]:
    """The segments shifted so that the earliest PTS is ``BASE``.

    What is decoded and not heard at the beginning of a lane comes before ``BASE``.
    """
    leads = {lane.pid: lane.lead for lane in lanes}
    starts = [
        s.presented(pid)[0] + (leads.get(pid, 0) if s.number == 0 else 0)
        for s in segments[:2]
        for pid in s.stamps
    ]
    shift = BASE - min(starts)
    return [segment.moved(shift) for segment in segments] if shift else list(segments)
