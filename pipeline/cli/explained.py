"""One recording of the ledger, as text for people and as JSON."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct, to_builtins

from pipeline.cli.standing import ago, moment
from pipeline.errors import RecpipeError
from pipeline.jobs.cause import head, lost, said
from pipeline.jobs.output.destinations import Opener
from pipeline.ledger.advice import advice
from pipeline.ledger.queries import Explained
from pipeline.model import Hole, Report, Severity
from pipeline.receipts.read import read
from pipeline.receipts.report import reported
from pipeline.storage.names import printable

MOST_NAMES = 5  # of missing segments
MOST_ROWS = 20  # of what a receipt says


class Receipt(Struct, frozen=True):
    """What the receipt of a version says, or why that is not known; empty without a version."""

    report: Report | None = None
    account: object = None  # of its media, as the receipt has it
    error: str = ""


def receipt(told: Explained, opened: Opener) -> Receipt:
    """The receipt of the version published last.  What goes wrong with it is an ``error`` in the
    result.
    """
    uri = next((a["uri"] for a in told.artifacts if a["kind"] == "receipt"), None)
    if uri is None:
        return Receipt()
    try:
        found = read(*opened(uri))
        made = Receipt(reported(found), found.receipt.get("account"))
        list(_said(made))
    except RecpipeError as error:  # the rest is worth telling all the same
        return Receipt(error=str(error))
    except (ValueError, TypeError, AttributeError):  # anybody may have written it
        return Receipt(error=f"{uri}: not as this tool writes it")
    return made


def as_json(found: Receipt) -> dict[str, Any]:
    """What the JSON line of a recording has of its receipt."""
    if found.report is None:
        return {"receipt_error": found.error} if found.error else {}
    said = {
        "lost_seconds": dict(found.report.lost_seconds),
        "findings": [to_builtins(finding) for finding in found.report.findings],
        "holes": [to_builtins(hole) for hole in found.report.holes],
    }
    return said if found.account is None else {**said, "account": found.account}


def lines(told: Explained, found: Receipt) -> Iterator[str]:
    """The lines about a recording: expected, seen, what went wrong, what comes next."""
    row, now = told.recording, told.now
    held = ", held" if row["held"] else ""
    yield f"{printable(row['name'])}: {row['state'].value} for {ago(now - row['since'])}{held}"
    for label, text in (*_facts(told), *_said(found)):
        yield f"  {label:<9} {printable(text)}"
    what, can = advice(row)
    yield f"  {'next':<9} {what}{_when(row, now)}"
    yield f"  {'you can':<9} {can}"
    for event in told.events:
        yield f"  {moment(event['at'])}  {printable(_event(event))}"


def _facts(told: Explained) -> Iterator[tuple[str, str]]:
    row, now = told.recording, told.now
    yield "source", row["source"]
    yield "to", row["destination"]
    yield "seen", f"first {moment(row['first_seen'])}" + _unchanged(row, now)
    for part in told.parts:
        name = part["key"].rpartition("/")[2]
        ended = "ended" if part["ended"] else "no end yet"
        yield "expected", f"{name}: {part['listed']} segments, {ended}"
        if part["missing"]:
            since = f" for {ago(now - part['missing_since'])}" if part["missing_since"] else ""
            names = ", ".join(part["missing"][:MOST_NAMES])
            more = len(part["missing"]) - MOST_NAMES
            yield "missing", f"{len(part['missing'])}{since}: {names}{', ...' * (more > 0)}"
    if row["why"]:
        yield "because", row["why"]
    for attempt in told.attempts[:1]:
        end = attempt["outcome"] or "still going on"
        yield "attempt", f"{attempt['worker']}, {moment(attempt['started'])}: {end}"
    error = next((a["error"] for a in told.attempts if a["error"]), None)
    if error and error != row["why"]:
        yield "error", error
    for artifact in told.artifacts:
        yield artifact["kind"], f"version {artifact['version']}, {artifact['uri']}"


def _said(found: Receipt) -> Iterator[tuple[str, str]]:
    """What the receipt says, the most important first."""
    if found.error:
        yield "receipt", f"cannot be read: {found.error}"
    if found.report is None:
        return
    report = found.report
    yield "verdict", report.verdict.value
    if lost(report):
        yield "lost", f"{lost(report)} of {report.duration:.3f} s"
    above = [f for f in report.findings if f.severity != Severity.INFO]
    yield from _first([(f.severity.value, f"{head(f)}  {said(f)}") for f in above])
    yield from _first([("hole", _hole(hole)) for hole in report.holes])
    yield from _first([("account", row) for row in _rows(found.account)])


def _first(rows: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    yield from rows[:MOST_ROWS]
    if len(rows) > MOST_ROWS:
        yield "", f"and {len(rows) - MOST_ROWS} more; the receipt has them all"


def _hole(hole: Hole) -> str:
    where = f"{hole.kind} at {hole.start:.3f} s, {hole.length:.3f} s"
    return f"{where}: {hole.reason}, {hole.became}, before {hole.segment}"


def _rows(account: object) -> list[str]:
    """An account as the receipt has it: one row for each of its entries."""
    if isinstance(account, Mapping):
        return [f"{name}: {row}" for name, value in account.items() for row in _each(value)]
    return [_plain(row) for row in account] if isinstance(account, list) else []


def _each(value: object) -> list[str]:
    """One row for each entry of a list, else one; none for an empty value."""
    if isinstance(value, list) and all(isinstance(one, Mapping) for one in value):
        return [_plain({name: x for name, x in one.items() if x}) for one in value]
    return [_plain(value)] if value else []


def _plain(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_plain(one)}" for name, one in value.items())
    return ", ".join(map(_plain, value)) if isinstance(value, list) else str(value)


def _unchanged(row: dict[str, Any], now: float) -> str:
    since = row["unchanged_since"]
    return f", unchanged for {ago(now - since)}" if since else ""


def _when(row: dict[str, Any], now: float) -> str:
    wait = row["not_before"] - now
    return f", in {ago(wait)}" if wait > 0 and row["state"].value == "retry" else ""


def _event(event: dict[str, Any]) -> str:
    detail = dict(event["detail"])
    if event["kind"] == "state":
        why = f": {detail['why']}" if detail.get("why") else ""
        return f"{detail['before'] or 'new'} -> {detail['after']}{why}"
    return " ".join([event["kind"], *(f"{k}={v}" for k, v in detail.items())])
