"""``recpipe status``, ``explain``, ``retry``, ``hold`` and ``ledger``."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from pipeline import config
from pipeline.cli import options, output
from pipeline.errors import NotFoundError

if TYPE_CHECKING:  # at run time it would load SQLAlchemy, also for --help
    from pipeline.jobs.ledger.handle import Ledger

_TIMES = (
    *("since", "first_seen", "not_before", "missing_since", "started", "ended", "at"),
    *("heartbeat", "unchanged_since", "ended_at", "lease_expires"),
)


@click.command(short_help="Say where every recording stands.")
@click.option("--all", "every", is_flag=True, help="Also those that are published.")
@options.as_json
@options.ledger
@options.general
def status(every: bool, **chosen: Any) -> int:
    """One line for each recording that is not published, those that need a look first.

    \b
    Examples:
      recpipe status
      recpipe status --json | jq -r 'select(.state == "failed").recording'
    """
    from pipeline.jobs.ledger import people
    from pipeline.jobs.ledger.states import State

    with opened(chosen["ledger"]) as ledger:
        rows, run, now = people.status(ledger), people.last_run(ledger), ledger.time()
    if chosen["json"]:
        for row in rows:
            output.say_json(_json(row))
        return 0
    for row in rows:
        if every or row["state"] is not State.PUBLISHED:
            output.say_listing(_line(row, now))
    counts = Counter(row["state"].value for row in rows)
    said = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
    output.say_listing(f"{said or 'no recording is known'}; {_last(run, now)}")
    return 0


@click.command(short_help="Say why a recording is where it is.")
@click.argument("id", metavar="ID")
@options.as_json
@options.ledger
@options.general
def explain(id: str, **chosen: Any) -> int:
    """What was expected, what was seen and when, what is missing, what happens next.

    ID is the recording's name, its sid, or what either begins with.
    """
    from pipeline.jobs.ledger import people

    with opened(chosen["ledger"]) as ledger:
        told = people.explain(ledger, id)
    if chosen["json"]:
        tables = {"parts": told.parts, "attempts": told.attempts}
        tables |= {"artifacts": told.artifacts, "events": told.events}
        rows = {name: [_plain(row) for row in table] for name, table in tables.items()}
        output.say_json({**_json(told.recording), **rows})
        return 0
    from pipeline.cli.explained import lines

    for line in lines(told):
        output.say_listing(line)
    return 0


@click.command(short_help="Do not wait any longer for a recording.")
@click.argument("id", metavar="ID")
@options.ledger
@options.general
def retry(id: str, **chosen: Any) -> int:
    """Convert it in the next cycle: once more after an error, or with what is there now."""
    from pipeline.jobs.ledger import people

    with opened(chosen["ledger"]) as ledger:
        move = people.retry(ledger, id)
    output.say(f"{move.recording}: {move.before} before, {move.after} now")
    return 0


@click.command(short_help="Leave a recording alone.")
@click.argument("id", metavar="ID")
@click.option("--release", is_flag=True, help="No longer.")
@options.ledger
@options.general
def hold(id: str, release: bool, **chosen: Any) -> int:
    """It is neither converted nor cleaned up until it is released."""
    from pipeline.jobs.ledger import people

    with opened(chosen["ledger"]) as ledger:
        name = people.hold(ledger, id, held=not release)
    output.say(f"{name}: {'released' if release else 'held'}")
    return 0


@click.group(short_help="Look after the ledger itself.")
def ledger() -> None:
    """The ledger is the memory of recpipe watch."""


@ledger.command(short_help="Make a lost ledger anew from the receipts.")
@options.to
@options.ledger
@options.store
@options.general
def rebuild(**chosen: Any) -> int:
    """Enter every version that was published at DEST.  Safe to repeat.

    What is not known from receipts (held recordings, attempts) is not restored.
    """
    from pipeline.jobs.ledger import rebuild as module
    from pipeline.jobs.many import opener
    from pipeline.jobs.targets import destination
    from pipeline.model import Format

    names = ("endpoint_url", "region", "profile")
    opened_store = opener(None, **{name: chosen[name] for name in names})
    to = destination(chosen["to"], Format.MP4, opened_store)
    with opened(chosen["ledger"]) as book:
        done = module.rebuild(book, to.storage)
    said = f"{done.added} entered, {done.known} known already"
    output.say(said + (f", {done.unreadable} unreadable" if done.unreadable else ""))
    return 0


@contextmanager
def if_any(url: str | None) -> "Iterator[Ledger | None]":
    """The ledger that was named, which has to be there; else the one of this user, if any.

    The one of this user counts once it knows a recording: recpipe status makes an empty one.
    """
    from pipeline.jobs.ledger import custody

    if custody.exists(url or config.default_ledger()):
        with opened(url) as ledger:
            yield ledger if url or not custody.is_empty(ledger) else None
    elif url:
        said = "the ledger that was named is not there"
        raise NotFoundError(f"{said}; name another, or make it anew with recpipe ledger rebuild")
    else:
        yield None


def opened(url: str | None) -> "Ledger":
    """The ledger of the settings, or the one of this user."""
    from pipeline.jobs.ledger.handle import Ledger

    return Ledger(url or config.default_ledger())


def _line(row: dict[str, Any], now: float) -> str:
    from pipeline.storage.names import printable

    state = click.style(f"{row['state'].value:<9}", fg=_COLOURS.get(row["state"].value))
    held = " held" if row["held"] else ""
    why = f"  {row['why']}" if row["why"] else ""
    return f"{state} {ago(now - row['since']):>4}{held}  {printable(row['name'] + why)}"


_COLOURS = {"failed": "red", "rejected": "red", "retry": "yellow", "late": "yellow"}
_COLOURS |= {"lost": "yellow", "backuped": "yellow", "changed": "cyan", "published": "green"}


def _last(run: dict[str, Any] | None, now: float) -> str:
    if run is None:
        return "no watcher ever ran"
    if run["ended"]:
        return f"the last watcher ended {ago(now - run['ended'])} ago ({run['exit_code']})"
    return f"a watcher on {run['host']} gave a sign of life {ago(now - run['heartbeat'])} ago"


def ago(seconds: float) -> str:
    """Seconds as people say them, in four characters."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{max(int(seconds), 0)}s"


def _json(row: dict[str, Any]) -> dict[str, Any]:
    """A row of status; keys may be added, never renamed."""
    from pipeline.jobs.ledger.advice import advice

    plain = _plain(row)
    return {"recording": plain.pop("name"), **plain, "next": advice(row)[0]}


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {k: moment(v) if k in _TIMES and v is not None else v for k, v in row.items()}


def moment(seconds: float) -> str:
    """UTC, as ISO 8601 writes it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
