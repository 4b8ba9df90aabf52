"""``recpipe archive``.  Long: its commands with their options and their text stand together."""

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline import config
from pipeline.cli import options, output
from pipeline.cli.ledger import if_any
from pipeline.cli.ping import pinging
from pipeline.cli.quantities import SHARE
from pipeline.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from pipeline.archive.bagit.fixity import Checked
    from pipeline.archive.bagit.places import BagLocation
    from pipeline.archive.bagit.staging import Archive
    from pipeline.archive.ingest import Ingested
    from pipeline.jobs.outcomes import Failure
    from pipeline.jobs.output.destinations import Opener
    from pipeline.ledger.ledger import Ledger
    from pipeline.model import Report
    from pipeline.storage import Storage

COLD = ["GLACIER", "DEEP_ARCHIVE"]  # cannot be read at once
REMEMBERED_AFTER = 50  # checks
DAMAGED = 4  # exit code: let a person look


@click.group(short_help="Put recordings into a preservation archive, and keep them sound.")
def archive() -> None:
    """Put recordings into a preservation archive of BagIt bags, and keep them sound."""


@archive.command(short_help="Make one BagIt bag of each recording.")
@click.argument("sources", metavar="SRC|ID...", nargs=-1, required=True)
@click.option("--to", metavar="STORE", required=True, help="A folder or s3://bucket/prefix/.")
@click.option(
    "--as",
    "as",
    type=click.Choice(("objects", "tar")),
    default="objects",
    show_default=True,
    help="One object for each file, or one tar for each bag.",
)
@click.option(
    "--originals",
    type=click.Choice(("keep", "fetch", "none")),
    default="keep",
    show_default=True,
    help="The slices: copied into the bag, named in fetch.txt, or left out.",
)
@click.option(
    "--source", metavar="LOCATION", help="Where the slices are.  [default: as the receipt says]"
)
@click.option("--metadata", metavar="CSV", help="Extra fields for bag-info.txt, by recording.")
@click.option("--organization", metavar="NAME", help="Source-Organization in bag-info.txt.")
@click.option("--storage-class", metavar="CLASS", help="S3 only: STANDARD_IA, GLACIER_IR, ...")
@click.option(
    "--object-lock",
    type=click.Choice(("governance", "compliance")),
    help="S3 only: nobody can delete or replace it for --lock-days.",
)
@click.option("--lock-days", type=click.IntRange(min=1), metavar="N", help="Days it is locked.")
@click.option("--tag", "tags", metavar="KEY=VALUE", multiple=True, help="S3 only; can be repeated.")
@options.conversion
@options.ffmpeg
@options.progress
@options.unattended
def ingest(sources: tuple[str, ...], **chosen: Any) -> int:
    """Make one BagIt bag of each recording: the MP4, its originals, metadata, events.

    SRC is a folder or s3://bucket/prefix/ with receipts that recpipe convert left, or a single
    receipt or MP4; or raw recordings, as for recpipe convert, which are converted and proven
    first.  ID is the name or the sid of a recording in the ledger, or the beginning of either.
    What is archived already is left alone, so the same command may run again.

    \b
    Examples:
      recpipe archive ingest out/ --to /archive/
      recpipe archive ingest recordings/ --to /archive/ --deep
      recpipe archive ingest s3://bucket/mp4/ --to s3://vault/ --as tar --storage-class DEEP_ARCHIVE
      recpipe archive ingest out/ --to /archive/ --metadata cases.csv --originals fetch
      recpipe archive ingest 0a93a5e0c1d4 --to /archive/
    """
    with pinging(chosen["ping"]) as ended, if_any(chosen["ledger"]) as ledger:
        ended.code = _ingest(sources, ledger, chosen)
    return ended.code


def _ingest(sources: tuple[str, ...], ledger: "Ledger | None", chosen: dict[str, Any]) -> int:
    from pipeline.archive import bulk, catalogue
    from pipeline.archive.order import Bagging, Order, Originals
    from pipeline.cli.bagged import bags
    from pipeline.jobs.outcomes import Failure, code_of, exit_code
    from pipeline.model import Report
    from pipeline.muxing.locate import locate

    opened = opener(chosen)
    to = _archive(opened, chosen)
    extra = catalogue.read(Path(chosen["metadata"])) if chosen["metadata"] else {}
    order = Order(
        Originals(chosen["originals"]),
        chosen["organization"] or "",
        extra,
        chosen["source"],
        spool_of(chosen),
    )
    codes, seen = [], set()
    found = bulk.published_in(sources, opened, partial(_located, ledger))
    bagging = Bagging(to, order, locate(chosen["ffmpeg"]))
    for outcome in bags(found, bagging, partial(folder, opened), chosen):
        if isinstance(outcome, Failure):
            codes.append(code_of(outcome))
            _say_failure(outcome, chosen)
            continue
        seen.add(outcome.recording)
        if isinstance(outcome, Report):
            codes.append(code_of(outcome))
            _say_unmade(outcome, chosen)
            continue
        codes.append(code_of(outcome.report) if outcome.report else 0)
        _note(outcome, ledger)
        _say_ingested(outcome, chosen)
    for name in sorted(extra.keys() - seen):
        output.say(f"recpipe: warning: {chosen['metadata']}: {name} is not among the recordings")
    return exit_code(codes)


def _located(ledger: "Ledger | None", source: str) -> str:
    """A source as it is, or the place of its receipt by the ledger; NotFoundError without one."""
    if "/" in source or source.startswith("@") or Path(source).exists():
        return source
    if ledger is None:
        said = "no such file or folder, and no ledger that might know a recording of this name"
        raise NotFoundError(f"{source}: {said}")
    from pipeline.ledger import custody

    return custody.receipt_of(ledger, source)


def _note(done: "Ingested", ledger: "Ledger | None") -> None:
    if ledger is not None and done.state == "ingested":
        from pipeline.ledger import custody

        detail = {"bag": done.bag, "files": done.files, "bytes": done.size}
        custody.note(ledger, "archived", detail, name=done.recording, receipt=done.receipt)


def _say_ingested(done: "Ingested", chosen: dict[str, Any]) -> None:
    """Report a bag; and only when it is made, what a person should know of its recording."""
    told: dict[str, Any] = {
        "recording": done.recording,
        "bag": done.bag,
        "state": done.state,
        "files": done.files,
        "size": done.size,
    }
    text = f"{done.state:<9} {done.bag}: {done.files} files, {done.size} bytes"
    if done.report is not None:
        from pipeline.cli import describe

        told["verdict"] = done.report.verdict.value
        _say(told, f"{text}, {done.report.verdict.value}", chosen, False)
        output.say(describe.as_line(done.report))
        return
    _say(told, text, chosen, False)


def _say_unmade(report: "Report", chosen: dict[str, Any]) -> None:
    """Report a raw recording of which nothing could be made, or not yet."""
    from pipeline.cli import describe

    told = {"recording": report.recording, "bag": None, "state": report.verdict.value}
    text = (describe.as_line(report) or "").removeprefix("recpipe: ")
    _say(told, text, chosen, True)


def _say_failure(failure: "Failure", chosen: dict[str, Any]) -> None:
    """Report a recording that could not be ingested, or a source without one."""
    state = "error" if failure.recording is None else "failed"
    told = {"recording": failure.recording, "bag": None, "state": state}
    text = f"{state:<9} {failure.message}"
    _say({**told, "error": failure.message}, text, chosen, True)


@archive.command(short_help="Check that bags are still what they were.")
@click.argument("place", metavar="STORE")
@click.option("--fast", is_flag=True, help="Compare names and sizes, not digests.")
@click.option("--fetch", is_flag=True, help="Also read what fetch.txt names, where it is.")
@click.option(
    "--sample",
    type=SHARE,
    metavar="N%",
    help="Check this share of the bags, longest unchecked first.",
)
@click.option("--repair-from", metavar="STORE", help="A second copy to repair damage from.")
@options.progress
@options.unattended
def verify(place: str, **chosen: Any) -> int:
    """Check that every bag of STORE is complete and every digest right.

    Bags that were not checked for longest come first.  What was checked when is remembered in the
    ledger if there is one, else in the archive itself, so that --sample 1% every day has checked
    all of it after a hundred days.

    \b
    Exit codes: 0 all sound, 4 something is wrong.

    \b
    Examples:
      recpipe archive verify /archive/ --sample 1% --quiet
      recpipe archive verify s3://vault/ --fast
      recpipe archive verify /archive/ --repair-from s3://second-copy/
    """
    with pinging(chosen["ping"]) as ended, if_any(chosen["ledger"]) as ledger:
        ended.code = _verify(place, ledger, chosen)
    return ended.code


def _verify(place: str, ledger: "Ledger | None", chosen: dict[str, Any]) -> int:
    from pipeline.archive.bagit import fixity, places, repair, schedule
    from pipeline.cli.bagged import watched_in_turn

    opened = opener(chosen)
    storage = folder(opened, place)
    copy = folder(opened, chosen["repair_from"]) if chosen["repair_from"] else None
    elsewhere = opened if chosen["fetch"] else None
    spool, how = spool_of(chosen), "fast" if chosen["fast"] else "full"
    found = places.places(storage)
    if not found:
        raise NotFoundError(f"{storage.url()}: no bag here; name an archive or a bag")
    memory: schedule.Memory = (
        schedule.InArchive(storage, spool) if ledger is None else schedule.InLedger(ledger, storage)
    )
    entries: dict[str, dict[str, str]] = {}
    sound, alone = True, found[0].name == ""
    due = schedule.due(found, memory.recall(), how, chosen["sample"] or 1.0)
    for one, watched in watched_in_turn(due, chosen):
        fast = chosen["fast"]
        checked = fixity.check(storage, one, fast=fast, opened=elsewhere, watched=watched)
        if not checked.ok and copy is not None:
            fixed = repair.repair(storage, one, copy, spool / "repair")
            again = fixity.check(storage, one, fast=fast, opened=elsewhere)
            checked = repair.repaired(again, fixed)
        sound &= checked.ok
        _say_checked(checked, chosen)
        entries[schedule.entry_key(one, how)] = schedule.entry(checked, time.time())
        if len(entries) >= REMEMBERED_AFTER and not alone:
            memory.remember(entries)
            entries = {}
    if entries and not alone:  # nothing is written into a bag that was named itself
        memory.remember(entries)
    return 0 if sound else DAMAGED


@archive.command(short_help="Copy bags out, as OCFL objects or as tars.")
@click.argument("place", metavar="STORE")
@click.option("--bag", "bags", metavar="NAME", multiple=True, help="Only these.  [default: all]")
@click.option("--ocfl", metavar="DIR", help="Into an OCFL 1.1 storage root.")
@click.option("--tar", metavar="DIR", help="As one tar each.")
@options.as_json
@options.quiet
@options.store
@options.general
def export(place: str, bags: tuple[str, ...], **chosen: Any) -> int:
    """Copy bags of STORE out, each checked on the way.

    \b
    Examples:
      recpipe archive export /archive/ --ocfl /export/ocfl
      recpipe archive export s3://vault/ --bag SID_CHANNEL --tar .
    """
    from pipeline.archive.bagit import export as exports

    if bool(chosen["ocfl"]) == bool(chosen["tar"]):
        raise UsageError("give either --ocfl DIR or --tar DIR")
    storage = folder(opener(chosen), place)
    to = Path(chosen["ocfl"] or chosen["tar"])
    for one in _named(storage, bags):
        if chosen["ocfl"]:
            made = exports.to_ocfl(storage, one, to, now=time.time())
        else:
            made = exports.to_tar(storage, one, to)
        _say({"bag": storage.url(one.key), "export": str(made)}, str(made), chosen, False)
    return 0


def _named(storage: "Storage", bags: Sequence[str]) -> "list[BagLocation]":
    from pipeline.archive.bagit import places

    found = {place.name: place for place in places.places(storage)}
    missing = [name for name in bags if name not in found]
    if missing or not found:
        said = f"no bag {missing[0]}" if missing else "no bag here"
        raise NotFoundError(f"{storage.url()}: {said}; see recpipe archive verify {storage.url()}")
    return [found[name] for name in bags] if bags else list(found.values())


def opener(chosen: dict[str, Any]) -> "Opener":
    """A function that opens the stores of a command."""
    from pipeline.jobs import many

    names = ("endpoint_url", "region", "profile")
    return many.opener(1, **{name: chosen[name] for name in names})


def folder(opened: "Opener", location: str) -> "Storage":
    """The store at a location, which is taken for a folder or prefix even without its slash."""
    storage, key = opened(location)
    if key:
        storage, _ = opened(location.rstrip("/") + "/")
    return storage


def state_of(chosen: dict[str, Any]) -> Path:
    """The folder where it is remembered what was started and what was deleted."""
    return Path(chosen["state"]) if chosen["state"] else config.default_state()


def spool_of(chosen: dict[str, Any]) -> Path:
    """The folder for temporary files."""
    return Path(chosen["spool"]) if chosen["spool"] else config.default_spool()


def _archive(opened: "Opener", chosen: dict[str, Any]) -> "Archive":
    from pipeline.archive.bagit.places import Form
    from pipeline.archive.bagit.staging import Archive

    storage = bags = folder(opened, chosen["to"])
    names = ("storage_class", "object_lock", "lock_days", "tags")
    if any(chosen[name] for name in names):
        bags = _placed(storage, chosen)
    form = Form(chosen["as"])
    if (chosen["storage_class"] or "").upper() in COLD and form is Form.OBJECTS:
        raise UsageError(
            f"--storage-class {chosen['storage_class']}: objects there cannot be looked at again; "
            "add --as tar"
        )
    return Archive(storage, bags, form)


def _placed(storage: "Storage", chosen: dict[str, Any]) -> "Storage":
    tags = dict(text.partition("=")[::2] for text in chosen["tags"])
    placed = storage.putting(
        storage_class=chosen["storage_class"],
        tags=tags,
        lock=chosen["object_lock"],
        locked_until=time.time() + (chosen["lock_days"] or 0) * 86400,
    )
    if bool(chosen["object_lock"]) != bool(chosen["lock_days"]):
        raise UsageError("--object-lock and --lock-days belong together")
    if not all(tags):
        raise UsageError("--tag: no key; write KEY=VALUE")
    return placed


def _say(told: dict[str, Any], text: str, chosen: dict[str, Any], bad: bool) -> None:
    from pipeline.storage.names import printable

    if chosen["json"]:
        output.say_json(told)
    if bad or not (chosen["quiet"] or chosen["json"]):
        output.say(printable(text))


def _say_checked(checked: "Checked", chosen: dict[str, Any]) -> None:
    from msgspec import to_builtins

    from pipeline.archive.bagit.fixity import summary

    told = {
        "bag": checked.bag,
        "result": "pass" if checked.ok else "fail",
        "how": checked.how,
        "files": checked.files,
        "size": checked.size,
        "problems": [to_builtins(problem) for problem in checked.problems],
        "repaired": list(checked.repaired),
    }
    fixed = f", repaired {len(checked.repaired)}" if checked.repaired else ""
    if checked.ok:
        text = f"sound     {checked.bag}: {checked.files} files{fixed}"
        _say(told, text, chosen, bool(checked.repaired))
        return
    (first, *_), damage = checked.problems, summary(checked.problems)
    named = f"{first.kind} {first.path}: {first.detail}".rstrip(": ")
    _say(told, f"damaged   {checked.bag}: {damage}{fixed}; {named}", chosen, True)
