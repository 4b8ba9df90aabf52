"""``recpipe watch``."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline import config
from pipeline.cli import options, output, quantities
from pipeline.cli.chosen import opener, selection, settings, spool
from pipeline.cli.ping import pinging
from pipeline.errors import UsageError

if TYPE_CHECKING:  # at run time these would load numpy, also for --help
    from pipeline.jobs.options import Options
    from pipeline.jobs.outcomes import Outcome
    from pipeline.ledger.ledger import Ledger
    from pipeline.storage import Storage
    from pipeline.watch.conversion.prefetch import Prefetcher
    from pipeline.watch.daemon import Watch
    from pipeline.watch.discovery.notifications import Events

BUSY = 75

_how_long = options.all_of(
    options.settle,
    options.late_deadline,
    options.duration("--interval", "60s", "Time between two cycles."),
    options.duration(
        "--sweep", "24h", "Time between two listings of everything, where less is enough meanwhile."
    ),
    options.duration(
        "--lease", "60s", "Time without a sign of life after which another watcher takes over."
    ),
)
_who_is_told = options.all_of(
    click.option(
        "--after", metavar="COMMAND", default="", help="Run this after each result, JSON on stdin."
    ),
    click.option(
        "--notify",
        metavar="URL",
        default="",
        callback=options.address,
        help="POST the same JSON here, signed with RECPIPE_NOTIFY_SECRET.",
    ),
    click.option(
        "--ping",
        metavar="URL",
        default="",
        callback=options.address,
        help="Call this address after every cycle: a dead man's switch.",
    ),
)


@click.command(short_help="Convert every recording of a store as soon as it is finished.")
@click.argument("sources", metavar="STORE...", nargs=-1, required=True)
@options.to
@click.option("--once", is_flag=True, help="One cycle, for cron; exit code 75 if one is running.")
@_how_long
@options.conversion
@options.naming
@options.selection
@options.bwlimit
@click.option(
    "--events",
    metavar="SRC",
    help="Notifications to listen to: a file of JSON lines, or the https:// URL of an SQS queue.",
)
@options.jobs
@options.encode_jobs
@click.option(
    "--max-attempts",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="How often a recording is tried before a person has to look.",
)
@click.option(
    "--spool-limit",
    metavar="SIZE",
    type=quantities.SIZE,
    default="20GiB",
    show_default=True,
    help="How much may be fetched of recordings that still run; 0 fetches nothing ahead.",
)
@_who_is_told
@options.ledger
@options.as_json
@options.quiet
@options.ffmpeg
@options.spool
@options.store
@options.general
def watch(sources: tuple[str, ...], **chosen: Any) -> int:
    """Discover, wait until settled, convert, prove and publish; again and again.

    STORE is a folder or s3://bucket/prefix/.  Any number of watchers may share the work; each
    recording is published once.  See what it waits for and why: recpipe status, recpipe explain.

    \b
    Examples:
      recpipe watch s3://calls/2026/ --to s3://archive/
      recpipe watch /srv/calls --to /srv/mp4 --once
    """
    from pipeline.cli import logs
    from pipeline.watch import daemon

    logs.let_speak("pipeline.watch", quiet=chosen["quiet"] or chosen["once"])
    with ExitStack() as stack:
        if not chosen["once"]:  # a signal is its usual end, also while it opens what it needs
            stack.enter_context(suppress(KeyboardInterrupt))
        elif not stack.enter_context(_alone(sources, chosen)):
            output.say("recpipe: another watch --once is at it")
            return BUSY
        ended = stack.enter_context(pinging(chosen["ping"] if chosen["once"] else None))
        from pipeline.cli.ledger import opened

        ledger = stack.enter_context(opened(chosen["ledger"]))
        made = _watch(sources, chosen, ledger)
        if made.follower is not None:
            stack.callback(made.follower.close)
        ended.code = daemon.once(made) if chosen["once"] else daemon.forever(made)
        return ended.code
    return 0


@contextmanager
def _alone(sources: tuple[str, ...], chosen: dict[str, Any]) -> Iterator[bool]:
    """Whether no other ``--once`` on this machine does the same; holds a lock meanwhile."""
    from pipeline.jobs.limits.locks import locked_at_once

    name = "\0".join(["watch", chosen["to"], *sorted(sources)])
    with locked_at_once(spool(chosen), name) as ours:
        yield ours


def _watch(sources: tuple[str, ...], chosen: dict[str, Any], ledger: "Ledger") -> "Watch":
    from msgspec.structs import replace

    from pipeline.jobs.limits.turns import turns
    from pipeline.jobs.many import MOST_JOBS
    from pipeline.jobs.output.destinations import destination
    from pipeline.jobs.output.naming import naming
    from pipeline.muxing.locate import locate
    from pipeline.watch import daemon, notify
    from pipeline.watch.conversion.claimed import WorkContext
    from pipeline.watch.discovery.readiness import Patience
    from pipeline.watch.discovery.store_watcher import StoreWatcher

    opened, how = opener(chosen), settings(chosen)
    to = destination(chosen["to"], how.format, opened)
    if to.key:
        raise UsageError(f"{to.storage.url(to.key)}: names one file; name a folder")
    jobs = chosen["jobs"] or min(_cpus(), MOST_JOBS)
    how = replace(how, turns=turns(jobs, chosen["encode_jobs"]))
    patience = Patience(chosen["settle"], chosen["late_deadline"], how.accept_unfinished)
    meant, where = selection(chosen), to.storage.url()
    store_watchers = [StoreWatcher(s, where, patience, meant) for s in _stores(sources, opened)]
    if chosen["after"]:
        notify.command(chosen["after"])
    told = notify.Recipients(
        chosen["after"], chosen["notify"], config.notify_secret(), chosen["ping"]
    )
    return daemon.Watch(
        context=WorkContext(
            ledger=ledger,
            store_watchers={store_watcher.url: store_watcher for store_watcher in store_watchers},
            to=to.storage,
            ffmpeg=locate(chosen["ffmpeg"]),
            options=how,
            most=chosen["max_attempts"],
            naming=naming(chosen["name"]),
        ),
        follower=_follower(how, chosen["spool_limit"], ledger, where),
        as_json=_as_json(chosen),
        jobs=jobs,
        lease=chosen["lease"],
        interval=chosen["interval"],
        sweep=chosen["sweep"],
        events=_events(chosen),
        told=told,
    )


def _follower(how: "Options", limit: int, ledger: "Ledger", to: str) -> "Prefetcher | None":
    from pipeline.ledger import discovery
    from pipeline.watch.conversion.prefetch import Prefetcher
    from pipeline.watch.discovery import observation

    def done(seen: observation.Observation) -> bool:
        return discovery.is_final(ledger, to, observation.source(seen.recording))

    return Prefetcher(how, limit, done) if limit else None


def _stores(sources: tuple[str, ...], opened: Callable[[str], Any]) -> Iterator["Storage"]:
    for source in sources:
        storage, key = opened(source)
        if key:
            raise UsageError(f"{storage.url(key)}: names one object; name a folder or a prefix")
        yield storage


def _events(chosen: dict[str, Any]) -> tuple["Events", ...]:
    from pipeline.watch.discovery.notifications import FileEvents, QueueEvents

    source, secret = chosen["events"], config.webhook_secret() or ""
    if not source:
        return ()
    if not source.startswith(("http://", "https://")):
        return (FileEvents(Path(source), secret),)
    from pipeline.storage.s3.sqs import connect

    queue = connect(source, region=chosen["region"], profile=chosen["profile"])
    return (QueueEvents(queue, secret),)


def _as_json(chosen: dict[str, Any]) -> Callable[["Outcome"], dict[str, Any]]:
    """A function that makes the JSON line of convert, and prints it with ``--json``."""
    from pipeline.cli import json_lines

    def line(outcome: "Outcome") -> dict[str, Any]:
        value = json_lines.as_json(outcome)
        for one in json_lines.as_lines(outcome) if chosen["json"] else ():
            output.say_json(one)
        return value

    return line


def _cpus() -> int:
    import os

    return os.cpu_count() or 1
