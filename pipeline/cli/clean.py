"""``recpipe clean``.  Long: its commands with their options and their text stand together."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from pipeline.cli import cleaned, options, output
from pipeline.cli.archive import folder, opener, spool_of, state_of
from pipeline.cli.erase import apply_erasure, erase
from pipeline.cli.ledger import if_any
from pipeline.cli.ping import pinging
from pipeline.cli.quantities import DURATION, SHARE, SIZE
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from pipeline.ledger.ledger import Ledger
    from pipeline.model import StoredObject
    from pipeline.retention.apply import Work
    from pipeline.retention.document import CleanupPlan, Leftover
    from pipeline.retention.interlocks import Checks
    from pipeline.retention.leftovers import Stores
    from pipeline.retention.plan import Rules
    from pipeline.retention.survey import Where

SOME_FAILED = 5
HOUR = 3600.0

state = options.all_of(options.audit, options.progress)
conditions = click.option(
    "--conditions/--no-conditions",
    default=True,
    help="Delete by ETag (If-Match); or look just before, on a store that ignores that.",
)
trash_days = click.option(
    "--trash-days",
    type=click.IntRange(min=0),
    default=7,
    show_default=True,
    help="How long trash is kept.",
)


@click.group(short_help="Clean up slices that are safe elsewhere.")
def clean() -> None:
    """Clean up slices that a receipt proves to be safe elsewhere.

    plan deletes nothing and writes down exactly what would go; apply moves just that into the
    trash; runs lists what is there; restore brings a run back; purge empties the trash after some
    days.  erase plans to delete everything of a recording or a user, everywhere.
    """


clean.add_command(erase)


@clean.command(short_help="Write down what would be deleted, and delete nothing.")
@click.argument("origin", metavar="SOURCE")
@click.option("--to", metavar="DEST", required=True, help="Where MP4s and receipts are.")
@click.option("-o", "--output", metavar="FILE", default="plan.json", show_default=True)
@click.option(
    "--older-than",
    type=DURATION,
    default="30d",
    show_default=True,
    help="Keep recordings that are younger.",
)
@click.option(
    "--keep-last",
    type=click.IntRange(min=0),
    metavar="N",
    default=0,
    help="Keep the last N of each channel.",
)
@click.option(
    "--keep-tag",
    metavar="WORD",
    multiple=True,
    help="Keep what has this word in <recording>.tags; can be repeated.",
)
@click.option("--include-degraded", is_flag=True, help="Also where the source had lost media.")
@click.option(
    "--require-archive",
    metavar="STORE",
    help="Only what this archive holds with its originals.",
)
@click.option(
    "--verify",
    type=click.Choice(("full", "head")),
    default="full",
    show_default=True,
    help="Read every MP4 again and compare its SHA-256, or look at its size alone.",
)
@click.option(
    "--max-delete",
    type=click.IntRange(min=0),
    metavar="N",
    default=100_000,
    show_default=True,
    help="Objects in one plan; older recordings first, the rest goes with the next plan.",
)
@click.option("--max-bytes", type=SIZE, metavar="SIZE", help="Likewise, in bytes.")
@click.option(
    "--max-fraction", type=SHARE, default="50%", show_default=True, help="Likewise, of the source."
)
@click.option(
    "--trash",
    type=click.Choice(("copy", "versions")),
    default="copy",
    show_default=True,
    help="Copies in .trash/; or what a bucket with versioning keeps of deleted objects.",
)
@click.option("--unknown", metavar="FILE", help="Write to it what no receipt knows of.")
@click.option("--leftovers/--no-leftovers", default=True, help="Plan our own leftovers too.")
@click.option("--reports-older-than", type=DURATION, help="Plan old HTML reports too.")
@trash_days
@state
@options.unattended
def plan(origin: str, **chosen: Any) -> int:
    """Write down exactly what of SOURCE may be deleted: keys, sizes, ETags and reasons.

    A recording may go if its receipt is in DEST and allows it, its MP4 read again is the one of
    the receipt, every slice is as it was converted, no other playlist names one, and nothing holds
    it: no <recording>.hold beside the receipt, no object lock.  What no receipt knows of is never
    touched.

    \b
    Examples:
      recpipe clean plan recordings/ --to out/
      recpipe clean plan s3://bucket/2026/ --to s3://bucket-mp4/ --require-archive s3://vault/
    """
    from pipeline.cli.progress import counting
    from pipeline.retention import survey as surveys
    from pipeline.retention.audit import Audit

    with pinging(chosen["ping"]) as ended, ExitStack() as stack:
        meter = stack.enter_context(counting(None, "recordings", chosen))
        ledger = stack.enter_context(if_any(chosen["ledger"]))
        checks = _checks(origin, chosen["to"], ledger, chosen)
        now = time.time()
        Audit(state_of(chosen), time.time).refuse_a_clock_that_went_back()
        unknown = stack.enter_context(_listing(chosen["unknown"]))
        made = surveys.survey(
            _where(origin, chosen),
            checks,
            _rules(chosen),
            Path(chosen["output"]),
            now=now,
            leftovers=_leftovers(checks, chosen, now) if chosen["leftovers"] else (),
            tell=cleaned.telling(chosen, meter.counted),
            unknown=unknown,
        )
        cleaned.survey(made, chosen)
        ended.code = 0
    return ended.code


@clean.command(short_help="Move into the trash exactly what a plan names.")
@click.argument("plan", metavar="PLAN", type=click.Path(dir_okay=False))
@conditions
@trash_days
@state
@options.unattended
def apply(plan: str, **chosen: Any) -> int:
    """Move into the trash exactly what PLAN names, after repeating every check; or delete
    it for good, if PLAN is one of recpipe clean erase.

    After a crash the same command finishes the same plan.  Only one runs at a time (exit code 75).
    """
    from pipeline.cli.progress import of_number
    from pipeline.retention import document
    from pipeline.retention.apply import apply as execute
    from pipeline.retention.erasure import document as erasure

    with pinging(chosen["ping"]) as ended:
        if erasure.is_one(Path(plan)):
            ended.code = apply_erasure(Path(plan), chosen)
            return ended.code
        read = document.read(Path(plan))
        with _working(read, chosen) as work:
            moved = of_number(execute(read, work), len(read.recordings), "recordings", chosen)
            problems = sum(cleaned.done(done, read.run, chosen) for done in moved)
            problems += sum(_swept(one, read, work, chosen) for one in read.leftovers)
        ended.code = SOME_FAILED if problems else 0
    return ended.code


@clean.command(short_help="List what is in the trash.")
@click.argument("origin", metavar="SOURCE")
@trash_days
@options.as_json
@options.store
@options.general
def runs(origin: str, **chosen: Any) -> int:
    """List every run whose trash is in SOURCE: when, how much, and when purge may delete it."""
    cleaned.runs(folder(opener(chosen), origin), chosen, chosen["trash_days"])
    return 0


@clean.command(short_help="Bring everything of a run back from the trash.")
@click.argument("origin", metavar="SOURCE")
@click.argument("run", metavar="[RUN]", required=False)
@conditions
@state
@options.unattended
def restore(origin: str, run: str | None, **chosen: Any) -> int:
    """Bring everything of RUN back to SOURCE, byte for byte; what is there is not replaced.

    Without RUN, list the runs.
    """
    from pipeline.cli.progress import of_number
    from pipeline.retention import apply as acts

    if run is None:
        cleaned.runs(folder(opener(chosen), origin), chosen, None)
        return 0
    with pinging(chosen["ping"]) as ended:
        read = _of_run(origin, run, chosen)
        with _working(read, chosen, origin, asks=False) as work:
            back = of_number(acts.restore(run, work), len(read.recordings), "recordings", chosen)
            problems = sum(cleaned.done(done, run, chosen) for done in back)
        ended.code = SOME_FAILED if problems else 0
    return ended.code


@clean.command(short_help="Delete old trash for good.")
@click.argument("origin", metavar="SOURCE")
@click.argument("run", metavar="[RUN]", required=False)
@trash_days
@options.dry_run
@conditions
@state
@options.unattended
def purge(origin: str, run: str | None, **chosen: Any) -> int:
    """Delete for good what was in the trash of SOURCE for long enough: one RUN, or all of them.

    Every MP4 is read again first.
    """
    from pipeline.cli.progress import of_number
    from pipeline.retention import apply as acts

    with pinging(chosen["ping"]) as ended:
        days, storage = chosen["trash_days"], folder(opener(chosen), origin)
        due = [run] if run else acts.expired(storage, days, time.time())
        if chosen["dry_run"]:
            for name in due:
                output.say_listing(f"would purge {name}")
            due = []
        problems = 0
        for name in due:
            with _working(read := _of_run(origin, name, chosen), chosen, origin) as work:
                gone = acts.purge(name, days, work)
                done = of_number(gone, len(read.recordings), "recordings", chosen)
                problems += sum(cleaned.done(one, name, chosen) for one in done)
        ended.code = SOME_FAILED if problems else 0
    return ended.code


def _where(origin: str, chosen: dict[str, Any]) -> "Where":
    from pipeline.retention.survey import Where
    from pipeline.storage.locations import absolute  # a plan may be applied from another folder

    return Where(
        absolute(origin),
        absolute(chosen["to"]),
        absolute(chosen["require_archive"]) if chosen["require_archive"] else None,
        chosen["trash"],
    )


def _rules(chosen: dict[str, Any]) -> "Rules":
    from pipeline.retention.plan import Rules

    return Rules(
        older_than=chosen["older_than"],
        keep_last=chosen["keep_last"],
        keep_tags=chosen["keep_tag"],
        include_degraded=chosen["include_degraded"],
        max_delete=chosen["max_delete"],
        max_bytes=float("inf") if chosen["max_bytes"] is None else chosen["max_bytes"],
        max_fraction=chosen["max_fraction"],
    )


def _checks(source: str, results: str, ledger: "Ledger | None", chosen: dict[str, Any]) -> "Checks":
    from functools import partial

    from pipeline.archive.holdings import missing_from
    from pipeline.retention.interlocks import Checks, asked

    opened, archive = opener(chosen), chosen["require_archive"]
    return Checks(
        folder(opened, source),
        folder(opened, results),
        verify=chosen["verify"],
        include_degraded=chosen["include_degraded"],
        archived=partial(missing_from, folder(opened, archive)) if archive else None,
        ledger=asked(ledger) if ledger else None,
    )


@contextmanager
def _working(
    plan: "CleanupPlan", chosen: dict[str, Any], source: str | None = None, *, asks: bool = True
) -> "Iterator[Work]":
    """What a run needs, under its lock: two runs on one source never overlap (BusyError)."""
    from pipeline.jobs.limits.locks import locked

    with if_any(chosen["ledger"]) as ledger:
        work = _work(plan, chosen, source or plan.source, ledger, asks=asks)
        with locked(state_of(chosen), work.source.url(), wait=False):
            yield work


def _work(
    plan: "CleanupPlan",
    chosen: dict[str, Any],
    source: str,
    ledger: "Ledger | None",
    *,
    asks: bool = True,
) -> "Work":
    """``asks``: whether the ledger may object; it is told what was done in any case."""
    from pipeline.retention.apply import Work
    from pipeline.retention.audit import Audit, to_ledger

    planned = {"verify": plan.verify, "include_degraded": plan.include_degraded}
    planned["require_archive"] = plan.archive
    asked = ledger if asks else None
    checks = _checks(source, plan.results, asked, {**chosen, **planned})
    listeners = [to_ledger(ledger, checks.results)] if ledger else []
    audit = Audit(state_of(chosen), time.time, *listeners)
    return Work(checks, audit, spool_of(chosen), time.time, trusting=not chosen["conditions"])


def _of_run(source: str, run: str, chosen: dict[str, Any]) -> "CleanupPlan":
    from pipeline.retention import trash

    if "/" in run or run.startswith("."):
        raise UsageError(f"{run}: no name of a run; recpipe clean apply says it")
    return trash.read_plan(folder(opener(chosen), source), run)


def _leftovers(checks: "Checks", chosen: dict[str, Any], now: float) -> "Iterator[Leftover]":
    from pipeline.retention import leftovers

    ages = leftovers.Ages(trash_days=chosen["trash_days"], reports=chosen["reports_older_than"])
    stores = _stores(checks, chosen["require_archive"], chosen)
    return leftovers.find(stores, spool_of(chosen), ages, now)


def _stores(checks: "Checks", archive: str | None, chosen: dict[str, Any]) -> "Stores":
    from pipeline.retention.leftovers import Stores

    opened = folder(opener(chosen), archive) if archive else None
    return Stores(checks.source, checks.results, opened)


def _swept(one: "Leftover", plan: "CleanupPlan", work: "Work", chosen: dict[str, Any]) -> int:
    """Remove a leftover; returns how many problems there were."""
    from pipeline.errors import RecpipeError
    from pipeline.retention import apply as acts
    from pipeline.retention import leftovers

    try:
        if one.kind == "trash":
            earlier = _of_run(plan.source, one.where, chosen)
            with if_any(chosen["ledger"]) as ledger:
                then = _work(earlier, chosen, plan.source, ledger)
                done = acts.purge(one.where, chosen["trash_days"], then)
                return sum(cleaned.done(each, one.where, chosen) for each in done)
        work.audit.tell("sweep", "", kind=one.kind, where=one.where)
        leftovers.remove(one, _stores(work.checks, plan.archive, chosen))
    except RecpipeError as error:
        output.say(f"recpipe: {one.kind} left alone: {error}")
        return 1
    return 0


@contextmanager
def _listing(path: str | None) -> "Iterator[Any]":
    """A function that writes keys to a file, one per line; without a path it does nothing."""
    from pipeline.storage.names import printable
    from pipeline.storage.oserrors import os_errors

    if path is None:
        yield lambda found: None
        return
    with os_errors(f"write {path}"), Path(path).open("w", encoding="utf-8") as file:
        into: IO[str] = file

        def note(found: "StoredObject") -> None:
            into.write(f"{printable(found.key)}\n")

        yield note
