"""The account of a recording: what every slot promised of every track, and what was delivered.

It is added up from the units and knows nothing of how their places were found.  The verdict is read
off it; findings explain its entries, and cost what these cost.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from pipeline.media.ends import Promise
from pipeline.media.lane import HZ, Lane
from pipeline.media.losses import Stretch, beyond
from pipeline.media.placed import Placed, Slot, has_media
from pipeline.model import Entry, Finding, Hole, Severity, Verdict

# What a rule claims of packets and stamps costs only what the account says is missing; every other
# error says by itself that something promised is not there.
CLAIMS = frozenset(
    {
        "ADTS_SYNC",
        "AF_LENGTH",
        "CC",
        "CC_EDGE",
        "DTS_BACK",
        "DTS_GAP",
        "ES_ABSENT",
        "PES_NONE",
        "PES_SIZE",
        "PES_START",
        "PL_EXTINF",
        "PSI_CRC",
        "PTS_MARKER",
        "SCRAMBLED",
        "SYNC_BYTE",
        "TEI",
    }
)


def entries(
    lane: Lane,
    placed: Sequence[Placed],
    slots: Sequence[Slot],
    stretches: Sequence[Stretch],
    holes: Sequence[Hole],
    promised: Promise,
) -> Iterator[Entry]:
    """The account of one track, slot by slot.  ``stretches`` are its units in each placed segment,
    ``holes`` those of this track.
    """
    lost: dict[str, float] = defaultdict(float)
    closed: dict[str, float] = defaultdict(float)
    for hole in holes:
        lost[hole.segment] += hole.length
        closed[hole.segment] += hole.length if hole.became == "closed" else 0.0
    late, early = beyond(lane, stretches, promised)
    lost[placed[promised.within[0]].slot.name] += late / HZ
    lost[placed[promised.within[1]].slot.name] += early / HZ
    here = {s.position: (n, s) for n, s in enumerate(placed)}
    for position, slot in enumerate(slots):
        empty = Entry(slot.name, lane.codec.kind, lane.pid, slot.duration)
        if position not in here:
            yield empty
            continue
        number, segment = here[position]
        entry = _delivered(empty, lane, segment, stretches[number])
        name = slot.name
        yield replace(entry, lost=round(lost[name], 6), closed=round(closed[name], 6))


def _delivered(entry: Entry, lane: Lane, segment: Placed, stretch: Stretch) -> Entry:
    units, scan = stretch.units, segment.slot.scan
    stream = scan.streams.get(lane.pid) if scan else None
    silent = segment.silent.get(lane.pid, ())
    inside = stream.lost if stream and lane.pid not in segment.until else 0
    return replace(
        entry,
        delivered=round(len(units.sizes) * lane.unit / HZ, 6),
        units=len(units.sizes),
        bytes=int(units.sizes.sum()),
        silent=round(sum(b - a for a, b in silent) / HZ, 6),
        cut=units.cut,
        packets=segment.missing.get(lane.pid, 0) + inside,
        dropped=0 if units.unfinished else units.dropped,
    )


def weighed(
    findings: Iterable[Finding], account: Sequence[Entry], slots: Sequence[Slot]
) -> list[Finding]:
    """Findings with the severity of what they cost, and one for every entry that is short although
    none says why.
    """
    said = list(findings)
    near = _near(account, slots)
    costs = {(e.slot, e.pid) for e in account if e.short}
    anywhere = bool(costs)
    judged = [_weighed(f, costs, near, anywhere=anywhere) for f in said]
    told = {(f.segment, f.pid) for f in judged if f.severity in (Severity.ERROR, Severity.FATAL)}
    general = any(segment is None for segment, _ in told)
    explained = {name for segment, _ in told if segment for name in near.get(segment, (segment,))}
    silent = [e for e in account if e.short and e.slot not in explained and not general]
    return judged + [_unexplained(entry) for entry in silent]


def _weighed(
    finding: Finding,
    costs: set[tuple[str, int]],
    near: Mapping[str, Sequence[str]],
    *,
    anywhere: bool,
) -> Finding:
    """An error that cost nothing is a warning."""
    if finding.severity != Severity.ERROR or finding.id not in CLAIMS:
        return finding
    if finding.segment is None:
        return finding if anywhere else _costless(finding)
    names = near.get(finding.segment, (finding.segment,))
    for name, pid in costs:
        if name in names and finding.pid in (None, pid):
            return finding
    return _costless(finding)


def _costless(finding: Finding) -> Finding:
    repair = finding.repair or "none needed: all that was promised is there"
    return replace(finding, severity=Severity.WARNING, repair=repair)


def _near(account: Sequence[Entry], slots: Sequence[Slot]) -> dict[str, tuple[str, ...]]:
    """The slots in which it shows what is wrong with one: itself, those beside it, and behind these
    as long as nothing is there.
    """
    names = [slot.name for slot in slots]
    found = {}
    for at, name in enumerate(names):
        low, high = at - 1, at + 1
        while low > 0 and not has_media(slots[low]):
            low -= 1
        while high < len(names) - 1 and not has_media(slots[high]):
            high += 1
        found[name] = tuple(names[max(low, 0) : high + 1])
    return found


def _unexplained(entry: Entry) -> Finding:
    """No rule noticed it: what the account says is missing."""
    what = [
        f"{entry.lost:.3f} s" if entry.lost else "",
        f"{entry.packets} packets at least" if entry.packets else "",
        f"the end of {entry.cut} units" if entry.cut else "",
        f"{entry.dropped} bytes that belong to no unit" if entry.dropped else "",
    ]
    promised = f", {entry.promised:.3f} s promised" if entry.promised else ""
    detail = f"{entry.track} is missing: {', '.join(filter(None, what))}{promised}"
    return Finding("SEG_SHORT", Severity.ERROR, entry.slot, entry.pid, detail=detail)


def verdict(findings: Iterable[Finding]) -> Verdict:
    """What the weighed findings come to: whatever is short has one that is an error."""
    findings = tuple(findings)
    severities = {finding.severity for finding in findings}
    if Severity.FATAL in severities:
        return Verdict.REJECTED
    if Severity.ERROR in severities:
        return Verdict.DEGRADED
    return Verdict.REPAIRED if any(f.repair for f in findings) else Verdict.OK
