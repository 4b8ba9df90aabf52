"""``recpipe convert`` and ``recpipe check``."""

from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from pipeline.cli import cluster, options, output, quantities, source_lists
from pipeline.cli.chosen import budget, opener, selection, settings
from pipeline.cli.meant import meant, warn_of_strangers

if TYPE_CHECKING:  # at run time these would load numpy, also for --help
    from pipeline.jobs.many import Task, Watch
    from pipeline.jobs.options import Options
    from pipeline.jobs.outcomes import Failure, Outcome

Outcomes: TypeAlias = "Generator[Outcome, None, None]"

uids = click.option(
    "--uid",
    "of_uid",
    metavar="UID",
    multiple=True,
    help="Of users that were recorded one by one: only this one; can be repeated.",
)
event = click.option(
    "--event",
    "event_within",
    metavar="TIME",
    type=quantities.DURATION,
    help="Join recordings of one channel that follow each other within this time: 30m.",
)


@click.command(short_help="Make one proven MP4 of each recording.")
@source_lists.arguments
@options.output
@options.conversion
@options.naming
@options.selection
@uids
@event
@options.bwlimit
@options.budget
@options.jobs
@options.encode_jobs
@options.executor
@options.dry_run
@options.force
@options.as_json
@options.quiet
@options.progress
@options.report_known
@options.ffmpeg
@options.spool
@options.store
@options.general
def convert(sources: tuple[str, ...], **chosen: Any) -> int:
    """Make one MP4 of each recording, and prove that it holds everything its segments hold.

    SRC is a playlist, a single media file, a folder or s3://bucket/prefix with any number of
    recordings, or - for a list of these on standard input, one per line; --from reads such a list,
    or the column "source" of a CSV file.  Stores are s3://, az://, gs://, and @NAME for a table
    [storage.NAME] of the settings.

    Results are called <recording>.<format>, or as --name says, with a receipt beside each.  What is
    done already is left alone, so the same command may run again at any time.

    \b
    Examples:
      recpipe convert recordings/ -o out/
      recpipe convert call.m3u8 -o call.mp4
      recpipe convert s3://bucket/2026/03/ -o s3://archive/2026/03/ --json
      recpipe convert s3://bucket/ -o out/ --name '{date}/{cname}_{sid}' --max-age 1d
      find . -name '*.m3u8' | recpipe convert - -o out/ --format m4a
      recpipe convert --from calls.csv -o s3://archive/ --max-duration 6h
    """
    from pipeline.jobs import many

    named = source_lists.sources(sources, chosen["from_file"])
    works, failures = many.find(named, opener(chosen), selection(chosen))
    return convert_found(meant(works, chosen), failures, chosen)


def convert_found(
    works: Sequence["Task"], failures: Sequence["Failure"], chosen: dict[str, Any]
) -> int:
    """Convert what was found into ``output``, and report what became of it; returns the exit code.
    UsageError for a destination that cannot be used, FfmpegMissingError without a working ffmpeg.
    """
    from pipeline.choices import Format
    from pipeline.jobs import many
    from pipeline.jobs.executors.processes import convert_all
    from pipeline.jobs.output import destinations as targets
    from pipeline.jobs.output.naming import naming
    from pipeline.muxing.locate import locate

    to = targets.destination(chosen["output"], Format(chosen["format"]), opener(chosen))
    works, refused = many.aim(works, to, naming(chosen.get("name")))
    failures = [*failures, *refused]
    warn_of_strangers(works, chosen)
    if chosen["dry_run"]:
        return _preview(works, failures, chosen)
    away = cluster.is_elsewhere(chosen)
    pair = locate(chosen["ffmpeg"]) if works and not away else None

    def outcomes(how: "Options", watch: "Watch") -> Outcomes:
        if away:
            return cluster.outcomes(works, how, chosen)
        assert pair is not None
        side_by_side = {"jobs": chosen["jobs"], "encodes": chosen.get("encode_jobs")}
        most = budget(chosen)
        return convert_all(works, pair, how, watch=watch, budget=most, **side_by_side)

    return _report(works, failures, outcomes, chosen)


@click.command(short_help="Say what convert would make of each recording.")
@source_lists.arguments
@options.on_loss
@options.on_change
@options.max_length
@options.accept_unfinished
@options.key
@options.stream_types
@options.selection
@uids
@event
@options.bwlimit
@options.budget
@options.jobs
@options.executor
@options.as_json
@options.quiet
@options.progress
@options.spool
@options.store
@options.general
def check(sources: tuple[str, ...], **chosen: Any) -> int:
    """Read every segment and say what convert would find, without making anything.

    SRC is a playlist, a single media file, a folder or s3://bucket/prefix with any number of
    recordings, or - for a list of these on standard input, one per line; --from reads such a list,
    or the column "source" of a CSV file.  Stores are s3://, az://, gs://, and @NAME for a table
    [storage.NAME] of the settings.

    \b
    Examples:
      recpipe check recordings/
      recpipe check s3://bucket/2026/03/ --json
      recpipe check recordings/ | grep degraded
    """
    from pipeline.jobs import many

    named = source_lists.sources(sources, chosen["from_file"])
    works, failures = many.find(named, opener(chosen), selection(chosen))
    works = meant(works, chosen)

    away = cluster.is_elsewhere(chosen)

    def outcomes(how: "Options", watch: "Watch") -> Outcomes:
        if away:
            return cluster.outcomes(works, how, chosen)
        most = budget(chosen)
        return many.check_all(works, how, jobs=chosen["jobs"], watch=watch, budget=most)

    return _report(works, failures, outcomes, chosen)


def _report(
    works: Sequence["Task"],
    failures: Sequence["Failure"],
    outcomes: Callable[["Options", "Watch"], Outcomes],
    chosen: dict[str, Any],
) -> int:
    """Report what became of each recording as soon as it is known; returns the exit code."""
    from pipeline.cli import describe
    from pipeline.cli.progress import of_recordings
    from pipeline.cli.tally import Tally
    from pipeline.jobs.outcomes import TEMPORARY, code_of, exit_code

    for failure in failures:
        _say(failure, chosen, among_many=False)
    codes = [code_of(failure) for failure in failures]
    if not works:
        if not (codes or chosen["quiet"]):
            output.say("recpipe: none of the recordings is selected")
        # nothing was begun: it is the command that has to be fixed
        return codes[0] if len(set(codes)) == 1 else exit_code(codes)
    verdicts: Counter[str] = Counter(failed=len(failures)) if failures else Counter()
    before, tally = 0, Tally()
    for failure in failures:
        tally.add(failure)
    with (
        of_recordings(works, chosen) as meter,
        closing(outcomes(settings(chosen), meter.watch)) as reports,
    ):
        for outcome in reports:
            meter.done(outcome)
            done_before = describe.done_before(outcome)
            before += done_before
            codes.append(0 if done_before and _told_before(chosen) else code_of(outcome))
            verdicts[describe.word(outcome)] += 1
            tally.add(outcome)
            _say(outcome, chosen, among_many=len(works) > 1)
    left = len(failures) + len(works) - len(codes)
    if len(codes) + left > 1 and not (chosen["quiet"] or chosen["json"]):
        for line in tally.lines():
            output.say(line)
        output.say(describe.summary(verdicts, before, left))
    return exit_code([*codes, TEMPORARY] if left else codes)


def _told_before(chosen: dict[str, Any]) -> bool:
    """Whether earlier results are not reported again: with ``--quiet`` a person hears of a result
    once, from the run that made it.
    """
    return bool(chosen["quiet"]) and not chosen.get("report_known", True)


def _say(outcome: "Outcome", chosen: dict[str, Any], *, among_many: bool) -> None:
    from pipeline.cli import describe, json_lines
    from pipeline.jobs.outcomes import Failure

    if chosen["json"]:
        for line in json_lines.as_lines(outcome):
            output.say_json(line)
    if isinstance(outcome, Failure):
        output.say(describe.complaint(outcome, among_many=among_many))
        if click.get_current_context().ensure_object(options.Invocation).debug:
            import traceback

            output.say("".join(traceback.format_exception(outcome.error)).rstrip())
    elif chosen["quiet"]:
        output.say(describe.as_line(outcome, known=not _told_before(chosen)))
    elif not chosen["json"]:
        output.say_listing("\n".join(describe.as_text(outcome)))


def _preview(works: Sequence["Task"], failures: Sequence["Failure"], chosen: dict[str, Any]) -> int:
    """Print what would be done; no segment is opened and nothing is written."""
    from pipeline.cli import describe, json_lines
    from pipeline.jobs import many
    from pipeline.jobs.outcomes import Failure, code_of, exit_code

    codes = [code_of(failure) for failure in failures]
    left = chosen.get("limit") or len(works) + 1
    for failure in failures:
        _say(failure, chosen, among_many=False)
    for work in works:
        planned = many.planned(work, settings(chosen))
        if isinstance(planned, Failure):
            codes.append(planned.exit_code)
            _say(planned, chosen, among_many=len(works) > 1)
            continue
        codes.append(0)
        if chosen["json"]:
            output.say_json(json_lines.planned_json(planned))
        else:
            output.say_listing(describe.planned_text(planned))
        left -= not (planned.exists or planned.verdict)
        if not left:
            break
    return codes[0] if len(set(codes)) == 1 else exit_code(codes)
