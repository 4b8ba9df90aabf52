"""``recpipe report``."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli import options, output
from pipeline.cli.chosen import opener, settings, spool
from pipeline.errors import NotFoundError

if TYPE_CHECKING:  # at run time these would load numpy, also for --help
    from pipeline.jobs.output.destinations import Opener
    from pipeline.jobs.reports import Subject, Unread, Written


@click.command(short_help="Show what became of recordings, as pages to look at.")
@click.argument("sources", metavar="SRC|ID...", nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    metavar="DEST",
    required=True,
    help="A file for one recording (x.html); a folder or s3://bucket/prefix/ for many.",
)
@click.option(
    "--no-media",
    is_flag=True,
    help="Leave results closed: no loudness, bit rate and pictures.  Quick, also for many.",
)
@click.option("--force", is_flag=True, help="Also write pages that are there and up to date.")
@options.jobs
@options.as_json
@options.quiet
@options.progress
@options.ffmpeg
@options.spool
@options.remembered
def report(sources: tuple[str, ...], **chosen: Any) -> int:
    """Write one page for each recording: verdict, timeline of losses by cause, player, findings,
    proof.  Pages hold all they need and ask nothing of any network.

    SRC is a result, its receipt, or a folder or s3://bucket/prefix/ with results.  Where there is
    no receipt it is a recording, which is checked.  ID is a recording of the ledger: its name, its
    sid, or what either begins with.

    In a folder each page is called like its result, and index.html lists them all.

    \b
    Examples:
      recpipe report out/room.mp4 -o room.html
      recpipe report s3://archive/2026/03/ -o reports/ --no-media
      recpipe report recordings/call.m3u8 -o call.html
      recpipe report 0a93a5e0 -o room.html
    """
    from pipeline.cli.progress import of_number
    from pipeline.jobs import reports
    from pipeline.storage.names import printable

    opened = opener(chosen)
    to = reports.place(chosen["output"], opened)
    found = [one for source in sources for one in _subjects(source, opened, chosen)]
    subjects = [one for one in found if isinstance(one, reports.Subject)]
    keys = reports.keys(subjects, to)
    writer = reports.Writer(to, spool(chosen), _ffmpeg(subjects, chosen), chosen["force"])
    unread = [one for one in found if isinstance(one, reports.Unread)]
    failed, written = [], []
    with closing(writer.write_all(subjects, keys, jobs=chosen["jobs"])) as pages:
        for outcome in chain(unread, of_number(pages, len(subjects), "pages", chosen)):
            if isinstance(outcome, reports.Unread):
                failed.append(outcome.error)
                output.say(f"recpipe: error: {printable(outcome.error)}")
            else:
                written.append(outcome)
                _say(outcome, chosen, alone=bool(to.key))
    if written and not to.key:
        url = writer.index(written)
        if not (chosen["json"] or chosen["quiet"]):
            output.say_listing(url)
    return failed[0].exit_code if failed else 0


def _say(made: "Written", chosen: dict[str, Any], *, alone: bool) -> None:
    told = made.facts.report
    if chosen["json"]:
        line = {"recording": told.recording, "verdict": told.verdict.value, "page": made.url}
        output.say_json(line)
    elif alone and not chosen["quiet"]:
        output.say_listing(made.url)


def _ffmpeg(subjects: Sequence["Subject"], chosen: dict[str, Any]) -> Any:
    """None where no result is to be opened."""
    from pipeline.muxing.locate import locate

    opens = any(subject.published for subject in subjects) and not chosen["no_media"]
    return locate(chosen["ffmpeg"]) if opens else None


def _subjects(
    source: str, opened: "Opener", chosen: dict[str, Any]
) -> Iterator["Subject | Unread"]:
    """What one source means: what is published there, what is recorded there, or an ID."""
    from pipeline.jobs import reports

    if not _is_place(source):
        source = _of_ledger(source, chosen)
    found = list(reports.published(source, opened))
    yield from found or _checked(source, opened, chosen)


def _is_place(source: str) -> bool:
    from pipeline.storage.locations import is_local

    return not is_local(source) or "/" in source or Path(source).exists()


def _of_ledger(id: str, chosen: dict[str, Any]) -> str:
    """Where the receipt of a recording is, or the recording itself if nothing was made of it."""
    from pipeline.choices import Format
    from pipeline.cli.ledger import if_any
    from pipeline.jobs.output.destinations import destination
    from pipeline.ledger import queries

    to = chosen["to"] and destination(chosen["to"], Format.MP4, opener(chosen)).storage.url()
    with if_any(chosen["ledger"]) as ledger:
        if ledger is None:
            raise NotFoundError(f"{id}: no such file, and there is no ledger that could know it")
        told = queries.explain(ledger, id, to or "")
    uri = next((a["uri"] for a in told.artifacts if a["kind"] == "receipt"), None)
    return str(uri or told.recording["source"])


def _checked(source: str, opened: "Opener", chosen: dict[str, Any]) -> Iterator["Subject | Unread"]:
    """Recordings without a result."""
    from pipeline.jobs import many, reports
    from pipeline.jobs.outcomes import Failure

    works, failures = many.find([source], opened)
    for failure in failures:
        raise failure.error
    for outcome in many.check_all(works, settings(chosen)):
        if isinstance(outcome, Failure):
            raise outcome.error
        yield reports.Subject(outcome.recording, report=outcome)
