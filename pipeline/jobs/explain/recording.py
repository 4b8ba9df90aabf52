"""One recording of the ledger, as text for people and as JSON."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct, to_builtins

from pipeline.agora import causes
from pipeline.agora.causes import Cause
from pipeline.errors import RecpipeError
from pipeline.jobs.explain import blamed
from pipeline.jobs.explain.cause import head, lost, said
from pipeline.jobs.output.destinations import Opener
from pipeline.ledger.advice import advice
from pipeline.ledger.queries import Explained
from pipeline.ledger.times import ago, moment
from pipeline.model import Absence, Hole, Report, Severity
from pipeline.receipts.read import read
from pipeline.receipts.report import reported
from pipeline.storage.names import printable

MOST_NAMES = 5  # of missing segments
MOST_ROWS = 20  # of what a receipt says
MOST_TOLD = 15  # of what Agora said, the last ones


class Receipt(Struct, frozen=True):
    """What the receipt of a version says, or why that is not known; empty without a version."""

    report: Report | None = None
    account: object = None  # of its media, as the receipt has it, with causes
    error: str = ""
    causes: tuple[Cause, ...] = ()  # as Agora told them


def receipt(told: Explained, opened: Opener) -> Receipt:
    """The receipt of the version published last.  What goes wrong with it is an ``error`` in the
    result.
    """
    uri = next((a["uri"] for a in told.artifacts if a["kind"] == "receipt"), None)
    why = causes.causes(told.notices)
    if uri is None:
        return Receipt(causes=why)
    try:
        found = read(*opened(uri))
        account = _with_causes(found.receipt.get("account"), why)
        made = Receipt(reported(found), account, causes=why)
        list(_said(made))
    except RecpipeError as error:  # the rest is worth telling all the same
        return Receipt(error=str(error), causes=why)
    except (ValueError, TypeError, AttributeError):  # anybody may have written it
        return Receipt(error=f"{uri}: not as this tool writes it", causes=why)
    return made


def _with_causes(account: object, why: Sequence[Cause]) -> object:
    """An account as it is written, each of whose rows says what Agora told of it, if anything."""
    if not isinstance(account, Mapping) or not isinstance(account.get("slots"), list):
        return account
    rows = []
    for row in account["slots"]:
        told = [cause.said for cause in blamed.of_entry(why, row)]
        rows.append({**row, "causes": told} if told else row)
    return {**account, "slots": rows}


def as_json(found: Receipt) -> dict[str, Any]:
    """What the JSON line of a recording has of its receipt."""
    if found.report is None:
        return {"receipt_error": found.error} if found.error else {}
    said = {
        "lost_seconds": dict(found.report.lost_seconds),
        "findings": [to_builtins(finding) for finding in found.report.findings],
        "holes": [_hole_as_json(hole, found.causes) for hole in found.report.holes],
    }
    if found.report.users:
        said["users"] = [_user_as_json(user, found.causes) for user in found.report.users]
    return said if found.account is None else {**said, "account": found.account}


def _user_as_json(user: Report, why: Sequence[Cause]) -> dict[str, Any]:
    """A user of a session: when nothing was sent, and what Agora told of that."""
    absences = [_absence_as_json(one, user.uid, why) for one in user.absences]
    told = {"uid": user.uid, "verdict": user.verdict.value, "absences": absences}
    return {**told, "lost_seconds": dict(user.lost_seconds)}


def _absence_as_json(one: Absence, uid: str | None, why: Sequence[Cause]) -> dict[str, Any]:
    told = [cause.said for cause in blamed.of_absence(why, one, uid)]
    return {**to_builtins(one), **({"causes": told} if told else {})}


def _hole_as_json(hole: Hole, why: Sequence[Cause]) -> dict[str, Any]:
    told = [cause.said for cause in blamed.of_hole(why, hole)]
    return {**to_builtins(hole), **({"causes": told} if told else {})}


def notices_as_json(told: Explained) -> list[dict[str, Any]]:
    """What Agora said of it, as things happened."""
    return [
        {"at": happened, "type": one.type, "name": one.name, "said": causes.said(one)}
        for one in causes.story(told.notices)
        for happened in [moment(one.happened) if one.happened is not None else None]
    ]


def lines(told: Explained, found: Receipt) -> Iterator[str]:
    """The lines about a recording: expected, seen, what went wrong, what comes next."""
    row, now = told.recording, told.now
    held = ", held" if row["held"] else ""
    yield f"{printable(row['name'])}: {row['state'].value} for {ago(now - row['since'])}{held}"
    for label, text in (*_facts(told), *_told(told), *_said(found)):
        yield f"  {label:<9} {printable(text)}"
    what, can = advice(row)
    yield f"  {'next':<9} {what}{_when(row, now)}"
    yield f"  {'you can':<9} {can}"
    for entry in told.events:
        yield f"  {moment(entry['at'])}  {printable(event(entry))}"


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


def _told(told: Explained) -> Iterator[tuple[str, str]]:
    """What Agora said of it, the last at the end."""
    for notice in causes.story(told.notices)[-MOST_TOLD:]:
        at = moment(notice.happened) if notice.happened is not None else "some time"
        yield "agora", f"{at}: {causes.said(notice)}"


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
    yield from _first([("hole", _hole(hole, found.causes)) for hole in report.holes])
    yield from _first([row for user in report.users for row in _user(user, found.causes)])
    yield from _first([("account", row) for row in _rows(found.account)])


def _first(rows: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    yield from rows[:MOST_ROWS]
    if len(rows) > MOST_ROWS:
        yield "", f"and {len(rows) - MOST_ROWS} more; the receipt has them all"


def _hole(hole: Hole, why: Sequence[Cause]) -> str:
    where = f"{hole.kind} at {hole.start:.3f} s, {hole.length:.3f} s"
    told = "; ".join(cause.said for cause in blamed.of_hole(why, hole))
    agora = f"; Agora: {told}" if told else ""
    return f"{where}: {hole.reason}, {hole.became}, before {hole.segment}{agora}"


def _user(user: Report, why: Sequence[Cause]) -> Iterator[tuple[str, str]]:
    """A user of a session, and when and why nothing came; that is no loss."""
    named = f" ({user.name})" if user.name else ""
    missing = f", lost {lost(user)}" if lost(user) else ""
    yield "user", f"{user.uid}{named}: {user.verdict.value}{missing}"
    for one in user.absences:
        told = "; ".join(cause.said for cause in blamed.of_absence(why, one, user.uid))
        agora = f"; Agora: {told}" if told else ""
        yield "away", f"{one.kind} at {one.start:.3f} s, {one.length:.3f} s: {one.cause}{agora}"


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


def event(entry: Mapping[str, Any]) -> str:
    """One entry of the history in words."""
    detail = dict(entry["detail"])
    if entry["kind"] == "state":
        why = f": {detail['why']}" if detail.get("why") else ""
        return f"{detail['before'] or 'new'} -> {detail['after']}{why}"
    return " ".join([entry["kind"], *(f"{k}={v}" for k, v in detail.items())])
