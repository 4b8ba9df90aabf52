"""Why a person should look at a recording, in one line."""

from pipeline.model import Finding, Report, Severity
from pipeline.storage.names import printable


def cause(report: Report) -> str:
    """What was lost, and the first of the worst findings with the place where it is."""
    bad = [f for f in report.findings if f.severity in (Severity.ERROR, Severity.FATAL)]
    worst = next((f for f in bad if f.severity == Severity.FATAL), bad[0] if bad else None)
    parts = [f"lost {lost(report)}"] if lost(report) else []
    if worst is not None:
        more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
        parts.append(f"{head(worst)}: {said(worst)}{more}")
    return "; ".join(parts)


def lost(report: Report) -> str:
    """Seconds of each kind; empty if nothing was lost."""
    return ", ".join(f"{kind} {s:.3f} s" for kind, s in report.lost_seconds.items() if s)


def head(finding: Finding) -> str:
    """Its id, and how often."""
    times = f" x{finding.count}" if finding.count > 1 else ""
    return f"{finding.id}{times}"


def said(finding: Finding) -> str:
    """Where it is, what it is, and what was done about it."""
    where = f"{finding.segment}: " if finding.segment else ""
    pid = f" [PID {finding.pid}]" if finding.pid is not None else ""
    repair = f" ({finding.repair})" if finding.repair else ""
    return printable(f"{where}{finding.detail}{pid}{repair}")
