"""What each page shows, looked up in the ledger; templates turn it into text.  Reads alone."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import structs

from pipeline.agora import causes
from pipeline.agora.causes import Cause
from pipeline.errors import NotFoundError
from pipeline.jobs.explain import blamed
from pipeline.jobs.explain import recording as explained
from pipeline.jobs.explain.cause import said
from pipeline.jobs.output.destinations import Opener
from pipeline.ledger import browsing, measures, queries
from pipeline.ledger.advice import advice
from pipeline.ledger.browsing import Wanted
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.measures import Group
from pipeline.ledger.states import OPEN
from pipeline.model import Absence, AccountEntry, Report, Severity
from pipeline.receipts.read import read
from pipeline.report.page import page
from pipeline.report.published import facts_of
from pipeline.web import activity, charts, words

HISTORY = 200  # entries of each kind on the page of a recording
DAY = 86400.0  # seconds
WATCHERS = 20
ACTS = 2_000  # entries of the history that runs are put together from

Shown = dict[str, Any]


def recordings(ledger: Ledger, wanted: Wanted, number: int) -> Shown:
    """The list, filtered."""
    found = browsing.page(ledger, wanted, number)
    return {
        "page": found,
        "wanted": wanted,
        "state": wanted.state.value if wanted.state else "",
        "found": sum(found.groups.values()),
        "several": len({row["destination"] for row in found.rows}) > 1,
        "now": found.now,
    }


def recording(ledger: Ledger, number: int, opened: Opener) -> Shown:
    """Everything of one; NotFoundError if there is none."""
    told = queries.explain_row(ledger, number, HISTORY)
    row = told.recording
    receipt = explained.receipt(told, opened)
    what, can = advice(row)
    newest = (one for one in told.artifacts if one["version"] == row["version"])
    report = receipt.report
    return {
        "row": row,
        "group": (row["state"], row["verdict"]),
        "next": what,
        "can": can,
        "commands": words.commands(row),
        "result": next((one for one in newest if one["kind"] == "mp4"), None),
        "parts": told.parts,
        "attempts": told.attempts,
        "artifacts": told.artifacts,
        "events": told.events[::-1],
        "notices": causes.story(told.notices),
        "receipt": receipt,
        "findings": [f for f in report.findings if f.severity != Severity.INFO] if report else [],
        "holes": [(h, blamed.of_hole(receipt.causes, h)) for h in report.holes] if report else [],
        "users": report.users if report else (),
        "absences": list(_absences(receipt)),
        "account": list(_account(receipt)),
        "said": said,
        "story": causes.said,
        "event": explained.event,
        "now": told.now,
    }


def report(ledger: Ledger, number: int, opened: Opener) -> str:
    """The whole page that ``recpipe report`` makes of a recording, without what only its media
    tells; NotFoundError if nothing of it is published.
    """
    told = queries.explain_row(ledger, number, HISTORY)
    uris = [one["uri"] for one in told.artifacts if one["kind"] == "receipt"]
    if not uris:
        raise NotFoundError("nothing is published of it yet")
    storage, key = opened(uris[0])
    return page(facts_of(read(storage, key), storage, media=()))


def _absences(receipt: explained.Receipt) -> Iterator[tuple[Report, Absence, Sequence[Cause]]]:
    """When users of a session sent nothing, each with what Agora says of it."""
    for user in receipt.report.users if receipt.report else ():
        for one in user.absences:
            yield user, one, blamed.of_absence(receipt.causes, one, user.uid)


def _account(receipt: explained.Receipt) -> Iterator[tuple[AccountEntry, Sequence[Cause]]]:
    """Rows that are short, each with what Agora says of it."""
    account = receipt.report.account if receipt.report else None
    for row in account.slots if account else ():
        if row.short:
            yield row, blamed.of_entry(receipt.causes, structs.asdict(row))


def throughput(ledger: Ledger) -> Shown:
    """How much is done, how long it takes, and what waits."""
    found = measures.measures(ledger)
    since = found.now - charts.HOURS * charts.HOUR
    results = browsing.results(ledger, since)
    backlog = _backlog(found.recordings)
    return {
        "day": charts.day([one for one in results if one.at >= found.now - DAY]),
        "bars": charts.bars(results, found.now),
        "stages": charts.stages(measures.timed(ledger, found.now - DAY)),
        "backlog": backlog,
        "waiting": sum(count for _, count in backlog),
        "most_waiting": max((count for _, count in backlog), default=1),
        "oldest": found.now - (found.oldest if found.oldest is not None else found.now),
        "stores": found.stores,
        "now": found.now,
    }


def _backlog(groups: Mapping[Group, int]) -> Sequence[tuple[Group, int]]:
    """Open recordings by state alone."""
    counts: dict[Group, int] = {}
    for (state, _), count in groups.items():
        if state in OPEN:
            counts[state, None] = counts.get((state, None), 0) + count
    return sorted(counts.items(), key=lambda one: -one[1])


def runs(ledger: Ledger) -> Shown:
    """What watchers, the archive and cleanup did."""
    return {
        "watchers": browsing.watchers(ledger, WATCHERS),
        "archive": activity.runs(browsing.acts(ledger, sorted(activity.ARCHIVE), ACTS)),
        "cleanup": activity.runs(browsing.acts(ledger, sorted(activity.CLEANUP), ACTS)),
        "now": ledger.time(),
    }
