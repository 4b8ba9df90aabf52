"""The account of a recording: what every slot promised of every track, and what was delivered.

It is added up from the units and knows nothing of how their places were found.  The verdict follows
from it; findings explain its entries, and cost what those cost.  Times are seconds.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from msgspec.structs import fields, replace

from pipeline.media.es.access_units import Units
from pipeline.media.finding_ids import CLAIMS
from pipeline.media.loss import balance
from pipeline.media.loss.holes import Stretch
from pipeline.media.slots.segments import Placed, Slot, has_media
from pipeline.media.timeline.expected.span import Promise
from pipeline.media.track import Lane
from pipeline.model import Account, AccountEntry, Finding, Hole, Severity, Total, Verdict

AGAIN = "listed again"
ELSEWHERE = "all it holds stands in another slot"


def entries(
    lane: Lane,
    placed: Sequence[Placed],
    slots: Sequence[Slot],
    stretches: Sequence[Stretch],
    holes: Sequence[Hole],
    promised: Promise,
    elsewhere: Mapping[str, str] = MappingProxyType({}),
) -> list[AccountEntry]:
    """The account of one track, one entry for each slot.  ``stretches`` are its units in each
    placed segment, ``holes`` those of this track, ``elsewhere`` slots whose promise another one
    keeps, with the reason.
    """
    slots = _as_placed(slots, placed)
    on = balance.track(lane, placed, slots, stretches)
    own = balance.by_segment(holes)
    units = {s.position: t.units for s, t in zip(placed, stretches, strict=True)}
    seen: set[str] = set()
    found = []
    for position, slot in enumerate(slots):
        entry = AccountEntry(slot.name, lane.codec.kind, lane.pid, slot.duration)
        entry = replace(entry, payload=balance.payload(slot, lane.pid))
        if position in units:
            entry = _delivered(entry, on, position, units[position], own.get(slot.name, ()))
        elif slot.name in seen:
            entry = replace(entry, promised=None, reason=AGAIN, aside=entry.payload)
        else:
            entry = _left_out(entry, slot)
        found.append(entry)
        seen.add(slot.name)
    found = balance.booked(on, found, holes, balance.at_both_ends(lane, stretches, promised))
    found = balance.explained(on, found, holes, promised, elsewhere)
    return balance.witnessed(on, found)


def _as_placed(slots: Sequence[Slot], placed: Sequence[Placed]) -> list[Slot]:
    """The slots in the order of their segments, where they are not listed in order."""
    there = {segment.position: segment.slot for segment in placed}
    return [there.get(position, slot) for position, slot in enumerate(slots)]


def _delivered(
    entry: AccountEntry, on: balance.TrackSlots, position: int, units: Units, holes: Sequence[Hole]
) -> AccountEntry:
    """What one segment delivered; ``holes`` are those in it or in front of it."""
    segment, pid = on.placed[position], entry.pid
    if pid not in segment.stamps:
        return _left_out(entry, segment.slot)
    stream = segment.stream(pid)
    inside = stream.lost if pid not in segment.until else 0
    begin, end = on.spans.get(position, (0.0, 0.0))
    within = sum(hole.length for hole in holes if balance.within(hole, begin))
    return replace(
        entry,
        delivered=round(end - begin - within, 6),
        units=len(units.sizes),
        bytes=int(units.sizes.sum()),
        taken=units.taken,
        cut=units.cut,
        packets=segment.missing.get(pid, 0) + inside,
        dropped=0 if units.unfinished else units.dropped,
        aside=units.spared + (units.dropped if units.unfinished else 0),
    )


def _left_out(entry: AccountEntry, slot: Slot) -> AccountEntry:
    """Bytes without a place, or whose place another slot takes, are put aside; those without a
    stamp or that cannot be used are dropped.
    """
    stream = slot.scan.streams.get(entry.pid) if slot.scan else None
    stamped = stream is not None and not stream.blank and bool((stream.dts >= 0).any())
    if not slot.unusable and (stamped or slot.aside is not None):
        return replace(entry, aside=entry.payload)
    return replace(entry, dropped=entry.payload)


def aside(lane: Lane, slots: Sequence[Slot]) -> list[AccountEntry]:
    """Entries of slots that promise nothing of their own, as another slot holds it all."""
    found = []
    for slot in slots:
        held = balance.payload(slot, lane.pid)
        entry = AccountEntry(slot.name, lane.codec.kind, lane.pid, None, payload=held, aside=held)
        found.append(replace(entry, reason=ELSEWHERE))
    return found


MOST_ROWS = 1000  # entries of one account that are written to a receipt


def summed(entries: Sequence[AccountEntry]) -> Account:
    """Totals of each track, and the first ``MOST_ROWS`` entries with something to report."""
    tracks = dict.fromkeys((e.track, e.pid) for e in entries)
    totals = (
        _total(t, pid, [e for e in entries if (e.track, e.pid) == (t, pid)]) for t, pid in tracks
    )
    rows = [e for e in entries if balance.noted(e)]
    return Account(tuple(totals), tuple(rows[:MOST_ROWS]), max(0, len(rows) - MOST_ROWS))


def _total(track: str, pid: int, own: Sequence[AccountEntry]) -> Total:
    return Total(
        track,
        pid,
        len(own),
        promised=_seconds(e.promised or 0.0 for e in own),
        delivered=_seconds(e.delivered for e in own),
        lost=_seconds(e.lost for e in own),
        closed=_seconds(e.closed for e in own),
        excepted=_seconds(e.excepted for e in own),
        unexplained=_seconds(e.unexplained for e in own),
        units=sum(e.units for e in own),
        bytes=sum(e.bytes for e in own),
        payload=sum(e.payload for e in own),
        dropped=sum(e.dropped for e in own),
        aside=sum(e.aside for e in own),
        filled=sum(e.filled for e in own),
    )


def _seconds(values: Iterable[float]) -> float:
    return round(sum(values), 6)


def together(accounts: Sequence[Account]) -> Account:
    """The accounts of several files of one recording as one; totals are added by kind and PID."""
    found: dict[tuple[str, int], Total] = {}
    for total in (total for account in accounts for total in account.tracks):
        key = total.track, total.pid
        found[key] = _added(found[key], total) if key in found else total
    rows = [row for account in accounts for row in account.slots]
    more = sum(account.more for account in accounts) + max(0, len(rows) - MOST_ROWS)
    return Account(tuple(found.values()), tuple(rows[:MOST_ROWS]), more)


def _added(a: Total, b: Total) -> Total:
    sums = {
        field.name: round(getattr(a, field.name) + getattr(b, field.name), 6)
        for field in fields(Total)
        if field.name not in ("track", "pid")
    }
    return replace(a, **sums)


def weighed(
    findings: Iterable[Finding], account: Sequence[AccountEntry], slots: Sequence[Slot]
) -> list[Finding]:
    """The findings with the severity of what they cost, and a SEG_SHORT for every entry that is
    short although none says why.
    """
    near = _near(slots)
    places = {name: n for n, name in reversed([*enumerate(slot.name for slot in slots)])}
    short = [e for e in account if e.short]
    at: dict[int | None, list[int]] = defaultdict(list)  # by PID; None: of any
    for entry in short:
        at[entry.pid].append(places.get(entry.slot, -1))
        at[None].append(at[entry.pid][-1])
    costs = {pid: sorted(positions) for pid, positions in at.items()}
    judged = [_weighed(f, near, costs) for f in findings]
    told = {f.segment for f in judged if f.severity in (Severity.ERROR, Severity.FATAL)}
    if None in told:
        return judged
    spans = {span for name, span in near.items() if name in told}  # one for a run of empty slots
    explained = {n for span in spans for n in span}
    silent = [e for e in short if places.get(e.slot, -1) not in explained]
    return judged + [_unexplained(entry) for entry in silent]


def _weighed(
    finding: Finding, near: Mapping[str, range], costs: Mapping[int | None, Sequence[int]]
) -> Finding:
    """An error that cost nothing is a warning; ``costs`` are the slots that are short, by PID."""
    if finding.severity != Severity.ERROR or finding.id not in CLAIMS:
        return finding
    if finding.segment is None:
        return finding if costs else _costless(finding)
    span, here = near.get(finding.segment, range(0)), costs.get(finding.pid, ())
    first = bisect_left(here, span.start)
    return finding if first < len(here) and here[first] in span else _costless(finding)


def _costless(finding: Finding) -> Finding:
    repair = finding.repair or "none needed: all that was promised is there"
    return replace(finding, severity=Severity.WARNING, repair=repair)


def _near(slots: Sequence[Slot]) -> dict[str, range]:
    """By name of a slot the positions where its faults may show: from the nearest slot with media
    in front of it to the nearest behind.
    """
    held = [n for n, slot in enumerate(slots) if has_media(slot)]
    last = len(slots) - 1
    found: dict[str, range] = {}
    for at, slot in enumerate(slots):
        before, behind = bisect_left(held, at), bisect_right(held, at)
        low = held[before - 1] if before else 0
        high = held[behind] if behind < len(held) else last
        found.setdefault(slot.name, range(low, high + 1))
    return found


def _unexplained(entry: AccountEntry) -> Finding:
    """What the account finds missing and no rule noticed."""
    what = [
        f"{entry.lost + entry.unexplained:.3f} s" if entry.lost or entry.unexplained else "",
        f"{entry.packets} packets at least" if entry.packets else "",
        f"the end of {entry.cut} units" if entry.cut else "",
        f"{entry.dropped} bytes that belong to no unit" if entry.dropped else "",
    ]
    promised = f", {entry.promised:.3f} s promised" if entry.promised else ""
    detail = f"{entry.track} is missing: {', '.join(filter(None, what))}{promised}"
    return Finding("SEG_SHORT", Severity.ERROR, entry.slot, entry.pid, detail=detail)


def verdict(findings: Iterable[Finding]) -> Verdict:
    """The verdict of weighed findings; every loss in the account has one of severity error."""
    findings = tuple(findings)
    severities = {finding.severity for finding in findings}
    if Severity.FATAL in severities:
        return Verdict.REJECTED
    if Severity.ERROR in severities:
        return Verdict.DEGRADED
    return Verdict.REPAIRED if any(f.repair for f in findings) else Verdict.OK
