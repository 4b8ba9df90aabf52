"""One recording of the ledger, told to a person."""

from collections.abc import Iterator
from typing import Any

from pipeline.cli.ledger import ago, moment
from pipeline.jobs.ledger.advice import advice
from pipeline.jobs.ledger.people import Explained
from pipeline.storage.names import printable

MOST_NAMES = 5  # of missing segments


def lines(told: Explained) -> Iterator[str]:
    """What was expected, what was seen, what went wrong, what comes next."""
    row, now = told.recording, told.now
    held = ", held" if row["held"] else ""
    yield f"{printable(row['name'])}: {row['state'].value} for {ago(now - row['since'])}{held}"
    for label, text in _facts(told):
        yield f"  {label:<9} {printable(text)}"
    what, can = advice(row)
    yield f"  {'next':<9} {what}{_when(row, now)}"
    yield f"  {'you can':<9} {can}"
    for event in told.events:
        yield f"  {moment(event['at'])}  {printable(_event(event))}"


def _facts(told: Explained) -> Iterator[tuple[str, str]]:
    row, now = told.recording, told.now
    yield "source", row["source"]
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
