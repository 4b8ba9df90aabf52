"""``recpipe record stop --wait``: from a recording that was stopped to its MP4."""

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli import options, output
from pipeline.errors import RecpipeError, UsageError

if TYPE_CHECKING:  # at run time these would load numpy, also for --help
    from pipeline.jobs.agora.sessions import KeptSession
    from pipeline.storage import Storage
    from pipeline.watch.discovery.wait_for_one import Awaited


def refuse_nonsense(chosen: Mapping[str, Any], known: "KeptSession") -> None:
    """UsageError for what could not be converted in the end, before anything is stopped."""
    if not chosen["wait"]:
        source = click.get_current_context().get_parameter_source("to")
        if source is click.core.ParameterSource.COMMANDLINE:
            raise UsageError("--to is where results go with --wait; give both")
        return
    if not chosen["to"]:
        raise UsageError("--wait: name with --to where the result goes")
    _bucket(known, chosen)


def hand_over(known: "KeptSession", uploading: str | None, chosen: Mapping[str, Any]) -> int:
    """Wait until everything is in the bucket and convert it; returns the exit code of convert.
    ``uploading`` is the uploadingStatus of the answer to stop.
    """
    from pipeline.agora.transport import Clock
    from pipeline.cli import batch
    from pipeline.jobs.many import Task
    from pipeline.storage.names import printable
    from pipeline.watch.discovery import wait_for_one

    awaited = _awaited(known, uploading, chosen)
    try:
        recording = wait_for_one.settled(awaited, clock=Clock(), say=_waits)
        output.say(f"recpipe: {recording.source}: all of it is there")
        return batch.convert_found([Task(recording, awaited.storage)], [], _as_convert(chosen))
    except (KeyboardInterrupt, RecpipeError):
        name = f"--channel {shlex.quote(printable(known.cname))} --uid {known.uid}"
        output.say(f"recpipe: stopped, and nothing is lost: the same command with {name} goes on")
        raise


def _awaited(known: "KeptSession", uploading: str | None, chosen: Mapping[str, Any]) -> "Awaited":
    from pipeline.watch.discovery.readiness import Patience
    from pipeline.watch.discovery.wait_for_one import Awaited

    assert known.sid is not None  # it was stopped by it
    place = "/".join((*known.prefix, known.sid))
    patience = Patience(chosen["settle"], chosen["late_deadline"])
    told = (uploading,) if uploading else ()
    return Awaited(_bucket(known, chosen), place, told, patience)


def _bucket(known: "KeptSession", chosen: Mapping[str, Any]) -> "Storage":
    """The root of the bucket, reached as ``--from`` or a table of the settings says."""
    from pipeline.jobs import named_stores as stores

    file = click.get_current_context().ensure_object(options.Invocation).file
    if chosen["from"]:
        names = ("endpoint_url", "region", "profile")
        open_location = stores.locations(**{name: chosen[name] for name in names}, file=file)
        return open_location(chosen["from"].rstrip("/") + "/")[0]
    if known.vendor is None or known.region is None or known.bucket is None:
        raise UsageError("--wait: its bucket is not known here; name it with --from")
    try:
        return stores.bucket(known.vendor, known.region, known.bucket, file)
    except UsageError as error:
        raise UsageError(f"{error}; name the bucket with --from") from error


def _as_convert(chosen: Mapping[str, Any]) -> dict[str, Any]:
    """The options of convert for one recording that is known to have ended."""
    decided = {"accept_unfinished": True, "jobs": 1, "dry_run": False, "quiet": False}
    unasked = {"key": None, "stream_types": None, "output": chosen["to"], "progress": "auto"}
    return {**chosen, **decided, **unasked}


def _waits(why: str) -> None:
    output.say(f"recpipe: waiting: {why}")
