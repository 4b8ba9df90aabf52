"""``recpipe status``, ``explain``, ``retry``, ``hold`` and ``ledger``."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from pipeline import config
from pipeline.cli import options, output, standing
from pipeline.cli.chosen import opener
from pipeline.errors import NotFoundError

if TYPE_CHECKING:  # at run time it would load SQLAlchemy, also for --help
    from pipeline.ledger.ledger import Ledger

_TIMES = (
    *("listed", "failed"),
    *("since", "first_seen", "not_before", "missing_since", "started", "ended", "at"),
    *("heartbeat", "unchanged_since", "ended_at", "lease_expires"),
)


def _words(kind: str) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """A callback that checks words against those of the ledger, which is imported only then, as
    that takes longer than --help may.
    """

    def check(context: click.Context, option: click.Parameter, given: tuple[str, ...]) -> Any:
        if not given:
            return given
        from pipeline.ledger.states import State
        from pipeline.model import Verdict

        words = [word.value for word in {"State": State, "Verdict": Verdict}[kind]]
        for word in given:
            if word not in words:
                raise click.BadParameter(f"{word!r}, expected one of {', '.join(words)}")
        return given

    return check


@click.command(short_help="Say where every recording stands.")
@click.argument("id", metavar="[ID]", default="")
@click.option("--all", "every", is_flag=True, help="Also recordings that are published.")
@click.option(
    "--state",
    "states",
    metavar="STATE",
    multiple=True,
    callback=_words("State"),
    help="Only recordings in this state; can be repeated.",
)
@click.option(
    "--verdict",
    "verdicts",
    metavar="VERDICT",
    multiple=True,
    callback=_words("Verdict"),
    help="Only recordings with this verdict; can be repeated.",
)
@options.as_json
@options.remembered
def status(id: str, every: bool, **chosen: Any) -> int:
    """One line for each recording that is not published or is degraded, those that need a look
    first; then one for each store, with when it was last listed.

    ID is a recording's name, its sid, or the beginning of either.

    \b
    Examples:
      recpipe status
      recpipe status --verdict degraded
      recpipe status --json | jq -r 'select(.state == "failed").recording'
    """
    from pipeline.ledger import queries

    to = _destination(chosen)
    wanted = queries.Filter(id, to, chosen["states"], chosen["verdicts"])
    with opened(chosen["ledger"]) as ledger:
        rows, run, now = queries.status(ledger, wanted), queries.last_run(ledger), ledger.time()
        watched = [] if id else queries.watched(ledger, to)
    if id and not rows:
        raise NotFoundError(f"{id}: no such recording in the ledger")
    if chosen["json"]:
        for row in (*map(_json, rows), *map(_plain, watched)):
            output.say_json(row)
        return 0
    asked = every or id or chosen["states"] or chosen["verdicts"]
    for line in standing.lines([row for row in rows if asked or standing.open_or_bad(row)], now):
        output.say_listing(line)
    for row in watched:
        output.say_listing(standing.store(row, now))
    output.say_listing(f"{standing.counts(rows)}; {standing.last(run, now)}")
    return 0


@click.command(short_help="Say why a recording is where it is.")
@click.argument("id", metavar="ID")
@options.as_json
@options.remembered
def explain(id: str, **chosen: Any) -> int:
    """Show what was expected, what was seen and when, what is missing and what happens next; of a
    published recording also what its receipt says: findings, losses, holes.

    ID is the recording's name, its sid, or the beginning of either.
    """
    from pipeline.jobs.explain import recording as explained
    from pipeline.ledger import queries

    with opened(chosen["ledger"]) as ledger:
        told = queries.explain(ledger, id, _destination(chosen))
    receipt = explained.receipt(told, opener(chosen))
    if chosen["json"]:
        tables = {"parts": told.parts, "attempts": told.attempts}
        tables |= {"artifacts": told.artifacts, "events": told.events}
        rows = {name: [_plain(row) for row in table] for name, table in tables.items()}
        rows["notices"] = explained.notices_as_json(told)
        output.say_json({**_json(told.recording), **rows, **explained.as_json(receipt)})
        return 0
    for line in explained.lines(told, receipt):
        output.say_listing(line)
    return 0


@click.command(short_help="Do not wait any longer for a recording.")
@click.argument("id", metavar="ID")
@options.remembered
def retry(id: str, **chosen: Any) -> int:
    """Convert it in the next cycle: again after an error, or with what is there now."""
    from pipeline.ledger import queries

    with opened(chosen["ledger"]) as ledger:
        move = queries.retry(ledger, id, _destination(chosen))
    output.say(f"{move.recording}: {move.before} before, {move.after} now")
    return 0


@click.command(short_help="Leave a recording alone.")
@click.argument("id", metavar="ID")
@click.option("--release", is_flag=True, help="Release it again.")
@options.remembered
def hold(id: str, release: bool, **chosen: Any) -> int:
    """It is neither converted nor cleaned up until it is released."""
    from pipeline.ledger import queries

    with opened(chosen["ledger"]) as ledger:
        name = queries.hold(ledger, id, _destination(chosen), held=not release)
    output.say(f"{name}: {'released' if release else 'held'}")
    return 0


@click.group(short_help="Look after the ledger itself.")
def ledger() -> None:
    """The ledger is the memory of recpipe watch."""


@ledger.command(short_help="Rebuild a lost ledger from the receipts.")
@options.to
@options.ledger
@options.store
@options.general
def rebuild(**chosen: Any) -> int:
    """Enter every version that was published at DEST.  Safe to repeat.

    What receipts do not know (held recordings, attempts) is not restored.
    """
    from pipeline.choices import Format
    from pipeline.jobs.output.destinations import destination
    from pipeline.watch import rebuild_ledger as module

    to = destination(chosen["to"], Format.MP4, opener(chosen))
    with opened(chosen["ledger"]) as book:
        done = module.rebuild(book, to.storage)
    said = f"{done.added} entered, {done.known} known already"
    output.say(said + (f", {done.unreadable} unreadable" if done.unreadable else ""))
    return 0


@ledger.command(short_help="Remove all that is known of a recording.")
@click.argument("id", metavar="ID")
@options.remembered
def forget(id: str, **chosen: Any) -> int:
    """Its files stay where they are.  If its source stays too, the next cycle finds it again, and
    its receipt shows what was published.

    ID is the recording's name, its sid, or the beginning of either.
    """
    from pipeline.ledger import queries

    with opened(chosen["ledger"]) as book:
        name = queries.forget(book, id, _destination(chosen))
    output.say(f"{name}: forgotten")
    return 0


def _destination(chosen: dict[str, Any]) -> str:
    """The URL of the destination that was named, as ledgers know it; empty if none was."""
    if not chosen["to"]:
        return ""
    from pipeline.choices import Format
    from pipeline.jobs.output.destinations import destination

    return destination(chosen["to"], Format.MP4, opener(chosen)).storage.url()


@contextmanager
def if_any(url: str | None) -> "Iterator[Ledger | None]":
    """The ledger that was named, or NotFoundError; else the one of this user, None if there is
    none.

    The one of this user counts once it knows a recording, as recpipe status makes an empty one.
    """
    from pipeline.ledger import custody

    if custody.exists(url or config.default_ledger()):
        with opened(url) as ledger:
            yield ledger if url or not custody.is_empty(ledger) else None
    elif url:
        said = "the ledger that was named is not there"
        raise NotFoundError(f"{said}; name another, or rebuild it with recpipe ledger rebuild")
    else:
        yield None


def opened(url: str | None) -> "Ledger":
    """The ledger at this URL, or the one of this user."""
    from pipeline.ledger.ledger import Ledger

    return Ledger(url or config.default_ledger())


def _json(row: dict[str, Any]) -> dict[str, Any]:
    """A row of status; keys may be added, never renamed."""
    from pipeline.ledger.advice import advice

    plain = _plain(row)
    return {"recording": plain.pop("name"), **plain, "next": advice(row)[0]}


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    from pipeline.ledger.times import moment

    # a float, because "listed" and "ended" are times in some tables, and numbers in others
    return {k: moment(v) if k in _TIMES and isinstance(v, float) else v for k, v in row.items()}
