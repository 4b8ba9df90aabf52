"""Many findings as few, so that a hostile or ruined source causes no flood."""

from collections import Counter
from collections.abc import Iterable

from msgspec.structs import replace

from pipeline.model import Finding

MOST_NAMED = 1000  # findings of one id with a segment of their own; the rest share one


def bounded(found: Iterable[Finding], most: int = MOST_NAMED) -> tuple[Finding, ...]:
    """One finding per id, severity, PID, repair and segment, with the detail of the first and the
    sum of their counts, in the order found.  Of one id, at most ``most`` name a segment.
    """
    first: dict[tuple[object, ...], Finding] = {}
    counts: Counter[tuple[object, ...]] = Counter()
    named: Counter[str] = Counter()
    for finding in found:
        kind = (finding.id, finding.severity, finding.pid, finding.repair)
        key: tuple[object, ...] = (*kind, finding.segment)
        if finding.segment and key not in first:
            named[finding.id] += 1
            key = key if named[finding.id] <= most else (*kind, None)
        if key not in first:
            first[key] = replace(finding, segment=finding.segment if key[-1] else None)
        counts[key] += finding.count
    return tuple(replace(finding, count=counts[key]) for key, finding in first.items())
