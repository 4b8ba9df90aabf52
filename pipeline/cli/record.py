"""``recpipe record``.  Long: its seven commands with options and text stand together."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline import config
from pipeline.cli import options, output, record_options
from pipeline.errors import UsageError

if TYPE_CHECKING:  # at run time these load httpx and pydantic, also for --help
    from pydantic import SecretStr

    from pipeline.agora.answers import Progress
    from pipeline.agora.calls import Call
    from pipeline.agora.client import AgoraClient
    from pipeline.agora.schema.requests import LayoutRequest, UpdateRequest
    from pipeline.agora.schema.storage import StorageConfig
    from pipeline.agora.schema.values import Caution
    from pipeline.jobs.agora.sessions import KeptSession, Sessions

RESOURCE = "{resourceid}"  # in place of the resourceId that a dry run does not know


@click.group(short_help="Start, follow and stop recordings.", invoke_without_command=True)
@click.pass_context
def record(context: click.Context) -> int | None:
    """Start, follow, change and stop recordings of Agora.

    The project and the customer are named by RECPIPE_AGORA_APP_ID and RECPIPE_AGORA_CUSTOMER_ID,
    the secret by RECPIPE_AGORA_CUSTOMER_SECRET or a file.  None of them is ever shown.

    \b
    Examples:
      recpipe record start --request request.json
      recpipe record list
      recpipe record status --channel lesson7
      recpipe record stop --channel lesson7
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        return UsageError.exit_code
    return None


@record.command(short_help="Acquire and start a recording, and wait until it records.")
@record_options.request
@record_options.channel
@record_options.recording
@record_options.calls
def start(request: str | None, **chosen: Any) -> int:
    """Start a recording and wait until it really records, at most 90 seconds.

    The request is Agora's own body of start, as JSON or TOML; options override what it says.  A
    recording of this channel with this uid that is already running is left alone.

    \b
    Examples:
      recpipe record start --request request.json
      recpipe record start --storage calls --channel lesson7 --uid 527841 --stream-types 2
    """
    import time

    from pipeline.agora.schema.requests import AcquireRequest, StartRequest
    from pipeline.agora.schema.values import parse
    from pipeline.cli.requests import secret_file, start_body
    from pipeline.jobs.agora import lifecycle as jobs

    token = chosen["token_file"]
    values = {**chosen, "token": secret_file(token, "--token-file") if token else None}
    if chosen["prefix"] is not None:
        values["prefix"] = [part for part in chosen["prefix"].split("/") if part]
    body, acquire = start_body(request, values, _storage(chosen["storage"]))
    wanted = parse(StartRequest, body)
    name = {"cname": wanted.cname, "uid": wanted.uid}
    parameters = parse(AcquireRequest, {**name, "clientRequest": acquire}).client_request
    recording = jobs.NewRecording(wanted, chosen["mode"], parameters)
    calls, mode = _calls(chosen), recording.mode
    pair = calls.acquire(recording.acquire, mode), calls.start(wanted, RESOURCE, mode)
    _warn(recording.cautions(time.time()))
    if chosen["dry_run"]:
        return _show(pair, chosen)
    with _client(chosen) as client:
        begun = jobs.start(jobs.Project(client, _sessions(chosen)), recording)
        progress = jobs.wait_until_recording(client, begun.known, at_once=begun.already)
    return _tell("start", begun.known, progress, chosen, already=begun.already)


@record.command("list", short_help="List what was started here.")
@options.as_json
@record_options.state
@options.general
def list_(**chosen: Any) -> int:
    """List the recordings that were started on this machine, the latest first.

    This is what is remembered; Agora is not asked.  See how one is doing: recpipe record status.
    """
    from pipeline.cli import recorded

    for known in _sessions(chosen).all():
        if chosen["json"]:
            output.say_json(recorded.entry("list", known, None))
            continue
        output.say_listing(recorded.line(known))
    return 0


@record.command(short_help="Say how a recording is doing.")
@record_options.session
@record_options.calls
def status(**chosen: Any) -> int:
    """Ask Agora how a recording is doing.

    Without --channel and --uid, the only one that was started here and not stopped.
    """
    _, known = _find(chosen)
    if chosen["dry_run"]:
        return _show([_calls(chosen).query(known.session)], chosen)
    if known.ended is not None:
        return _tell("status", known, None, chosen)
    with _client(chosen) as client:
        return _tell("status", known, client.query(known.session), chosen)


@record.command(short_help="Change whose sound and pictures are recorded.")
@record_options.request
@record_options.session
@record_options.subscriptions
@record_options.storage
@record_options.calls
def update(request: str | None, **chosen: Any) -> int:
    """Replace the subscription, or the credentials of the store.

    The request is Agora's own body of update; cname and uid may be left out.
    """
    from pipeline.agora.schema.requests import UpdateRequest
    from pipeline.agora.schema.values import parse
    from pipeline.cli.requests import update_body

    _, known = _find(chosen)
    storage = _storage(chosen["storage"])
    if storage is not None:  # only its keys are new
        storage = storage.model_copy(update={"file_name_prefix": list(known.prefix) or None})
    wanted = parse(UpdateRequest, {**_name(known), **update_body(request, chosen, storage)})
    _warn(_ending(wanted.client_request.storage_config))
    return _change("update", known, wanted, chosen)


@record.command(short_help="Change the layout of the picture.")
@record_options.request
@record_options.session
@record_options.arrangement
@record_options.calls
def layout(request: str | None, **chosen: Any) -> int:
    """Replace the whole layout: what is left out falls back to Agora's defaults.

    The request is Agora's own body of updateLayout; cname and uid may be left out.
    """
    from pipeline.agora.schema.requests import LayoutRequest
    from pipeline.agora.schema.values import parse
    from pipeline.cli.requests import layout_body

    _, known = _find(chosen)
    wanted = parse(LayoutRequest, {**_name(known), **layout_body(request, chosen)})
    return _change("layout", known, wanted, chosen)


@record.command(short_help="Stop a recording, and list its files.")
@record_options.session
@record_options.background
@record_options.handover
@record_options.calls
def stop(background: bool, **chosen: Any) -> int:
    """Stop a recording, wait until its files are uploaded, and list them.

    A recording that ended by itself counts as stopped.  Stopping again gives the same answer.  With
    --wait it is then converted as soon as all of it is in the bucket, as recpipe convert does, and
    the exit code is that of convert; the same command again continues where it was interrupted.

    \b
    Examples:
      recpipe record stop --channel lesson7
      recpipe record stop --channel lesson7 --wait --to s3://archive/
    """
    from pipeline.cli import handover
    from pipeline.jobs.agora import lifecycle as jobs

    sessions, known = _find(chosen)
    handover.refuse_nonsense(chosen, known)
    if chosen["dry_run"]:
        return _show([_calls(chosen).stop(known.session, in_background=background)], chosen)
    with _client(chosen) as client:
        project = jobs.Project(client, sessions)
        ended = jobs.stop(project, known, in_background=background)
    if ended.why:
        output.say(f"recpipe: warning: {ended.why}")
    told = _tell("stop", ended.known, ended.progress, chosen, already=ended.why is not None)
    if not chosen["wait"]:
        return told
    return handover.hand_over(ended.known, ended.progress.uploading, chosen)


def _change(
    command: str,
    known: "KeptSession",
    wanted: "UpdateRequest | LayoutRequest",
    chosen: Mapping[str, Any],
) -> int:
    from pipeline.jobs.agora import lifecycle as jobs

    _warn(wanted.cautions())
    if chosen["dry_run"]:
        return _show([_calls(chosen).update(wanted, known.session)], chosen)
    with _client(chosen) as client:
        jobs.change(jobs.Project(client, _sessions(chosen)), known, wanted)
    return _tell(command, known, None, chosen)


def _app_id(chosen: Mapping[str, Any]) -> str:
    if not chosen["agora_app_id"]:
        raise UsageError("no App ID; set RECPIPE_AGORA_APP_ID or --agora-app-id")
    return str(chosen["agora_app_id"])


def _calls(chosen: Mapping[str, Any]) -> Any:
    from pipeline.agora.calls import Calls

    return Calls(_app_id(chosen))


def _client(chosen: Mapping[str, Any]) -> "AgoraClient":
    from pipeline.agora.client import AgoraClient
    from pipeline.agora.transport import DEFAULT_HOSTS

    hosts = chosen["api_url"] or DEFAULT_HOSTS
    return AgoraClient(*account(chosen), hosts=hosts)


def account(chosen: Mapping[str, Any]) -> tuple[str, str, "SecretStr"]:
    """App ID, customer ID and secret, as they are set; UsageError says what is missing."""
    from pydantic import SecretStr

    from pipeline.cli.requests import secret_file

    app_id, file = _app_id(chosen), chosen["agora_customer_secret_file"]
    if not chosen["agora_customer_id"]:
        raise UsageError("no customer ID; set RECPIPE_AGORA_CUSTOMER_ID or --agora-customer-id")
    secret = secret_file(file, "--agora-customer-secret-file") if file else config.customer_secret()
    if not secret:
        how = "set RECPIPE_AGORA_CUSTOMER_SECRET or --agora-customer-secret-file"
        raise UsageError(f"no customer secret; {how}")
    return app_id, chosen["agora_customer_id"], SecretStr(secret)


def _storage(name: str | None) -> "StorageConfig | None":
    """Agora's ``storageConfig`` of a store in the settings file."""
    if name is None:
        return None
    from pipeline.agora.schema.storage import StorageConfig
    from pipeline.agora.schema.values import parse
    from pipeline.jobs.named_stores import storage_config

    file = click.get_current_context().ensure_object(options.Invocation).file
    return parse(StorageConfig, storage_config(name.removeprefix("@"), file))


def _ending(storage: "StorageConfig | None") -> Iterable["Caution"]:
    """Cautions that temporary credentials end soon."""
    import time

    return storage.ending(time.time()) if storage else ()


def _sessions(chosen: Mapping[str, Any]) -> "Sessions":
    from pipeline.jobs.agora.sessions import Sessions

    return Sessions(Path(chosen["state"]) if chosen["state"] else config.default_state())


def _find(chosen: Mapping[str, Any]) -> tuple["Sessions", "KeptSession"]:
    """The recording that is meant; a sid given with ``--sid`` is remembered."""
    from msgspec.structs import replace

    from pipeline.jobs.agora.sessions import checked_sid, find

    sessions = _sessions(chosen)
    known = find(sessions, _app_id(chosen), chosen["channel"], chosen["uid"])
    if chosen["sid"]:
        known = replace(known, sid=checked_sid(chosen["sid"]))
        if not chosen["dry_run"]:
            sessions.write(known)
    return sessions, known


def _name(known: "KeptSession") -> dict[str, str]:
    return {"cname": known.cname, "uid": known.uid}


def _warn(cautions: Iterable["Caution"]) -> None:
    for caution in cautions:
        output.say(f"recpipe: warning: {caution}")


def _show(calls: Iterable["Call"], chosen: Mapping[str, Any]) -> int:
    """Print what would be sent, without secrets."""
    import json

    from pipeline.agora.transport import DEFAULT_HOSTS, host_url

    host = host_url((chosen["api_url"] or DEFAULT_HOSTS)[0])
    for call in calls:
        shown = call.shown(host)
        if chosen["json"]:
            output.say_json({"dry_run": True, **shown})
            continue
        lines = [f"{shown['method']} {shown['url']}"]
        lines += [f"{name}: {value}" for name, value in shown["headers"].items()]
        if "body" in shown:
            lines += ["", json.dumps(shown["body"], ensure_ascii=True, indent=2)]
        output.say_listing("\n".join(lines) + "\n")
    return 0


def _tell(
    command: str,
    known: "KeptSession",
    progress: "Progress | None",
    chosen: Mapping[str, Any],
    *,
    already: bool = False,
) -> int:
    from pipeline.cli import recorded

    entry = recorded.entry(command, known, progress, already=already)
    if chosen["json"]:
        output.say_json(entry)
    else:
        output.say_listing(recorded.text(entry))
    return 0
