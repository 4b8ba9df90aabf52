"""``recpipe simulate service``: a stand-in for Agora's REST API that really records."""

import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

import click

from pipeline import config
from pipeline.cli import options, output, quantities, simulated_session
from pipeline.cli.record import account
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from pipeline.agora.schema.storage import StorageConfig
    from pipeline.simulator.recorder.material import Look, Material
    from pipeline.simulator.service.chaos import Chaos
    from pipeline.simulator.service.notifications import Tell
    from pipeline.simulator.service.service import Encode, Note, Open, Service
    from pipeline.storage import Storage

BLOCK = 24  # seconds of picture and sound that are encoded once and then repeated


@click.command(short_help="Stand in for Agora's REST service, and really record.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8021,
    show_default=True,
    metavar="N",
    help="The port of this machine to listen on; 0 takes any free one.",
)
@click.option(
    "-o",
    "--output",
    "--to",
    metavar="DEST",
    help="What every bucket stands for: a folder, s3://bucket/ or @NAME/.  [default: the "
    "[storage.NAME] that a request names]",
)
@click.option(
    "--segments",
    metavar="TIME",
    default="15s",
    show_default=True,
    type=quantities.LENGTH,
    help="Length of a segment.",
)
@click.option(
    "--speed", type=float, default=1.0, show_default=True, help="How many times as fast to record."
)
@click.option(
    "--kill-recorder",
    type=float,
    multiple=True,
    metavar="SECONDS",
    help="Age of a recording at which its server fails and another takes over; can be repeated.",
)
@click.option(
    "--users-leave",
    type=float,
    metavar="SECONDS",
    help="Age of a recording at which the last user leaves: it ends after maxIdleTime.",
)
@simulated_session.act
@simulated_session.web
@click.option(
    "--truth",
    metavar="DIR",
    help="Write here as <sid>.json what is true of each recording in individual mode.",
)
@click.option(
    "--slow-stop",
    type=click.FloatRange(0, 3600),
    default=0.0,
    metavar="SECONDS",
    help="How long uploads take after stop.",
)
@click.option(
    "--backup",
    type=click.FloatRange(0, 86400),
    metavar="SECONDS",
    help="How long after the end the last files come, from Agora's backup cloud.",
)
@click.option(
    "--fail",
    multiple=True,
    metavar="CALL:CODE",
    help="Answer the next such call with this documented error: start:109; can be repeated.",
)
@click.option(
    "--chaos",
    type=click.FloatRange(0, 1),
    default=0.0,
    metavar="RATE",
    help="The share of requests and notifications that go wrong, 0 to 1.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Seed of --chaos: with another number other things go wrong.",
)
@click.option("--webhook", metavar="URL", help="Where notifications are sent.")
@click.option(
    "--webhook-secret-file",
    metavar="FILE",
    help="A file with the secret they are signed with.  [default: the variable "
    "RECPIPE_WEBHOOK_SECRET]",
)
@click.option("--log", metavar="FILE", help="Note every request, one JSON object per line.")
@click.option("--json", "json", is_flag=True, help="Print its URL on stdout as JSON.")
@options.account
@options.ffmpeg
@options.store
@options.general
def service(**chosen: Any) -> int:
    """Stand in for Agora's REST service on this machine, until it is interrupted.

    It takes the App ID, customer ID and secret that recpipe record would send.  A recording that is
    started really appears in the store, in real time or faster; once stopped it can be converted.

    \b
    Examples:
      recpipe simulate service --to recordings/
      recpipe simulate service --to s3://bucket/ --speed 10 --segments 5s --log requests.jsonl
      recpipe simulate service --to recordings/ --chaos 0.2 --seed 7 --kill-recorder 30
      recpipe simulate service --to recordings/ --webhook http://127.0.0.1:8080/agora/events
    """
    from pipeline.simulator.service.chaos import Chaos, planned

    try:
        from pipeline.simulator.service.rest import listen, serve
    except ImportError as error:
        raise UsageError(
            "Starlette and uvicorn are not installed; run `pip install 'recpipe[web]'`"
        ) from error
    _refuse_nonsense(chosen)
    with suppress(KeyboardInterrupt), ExitStack() as closing:  # a signal is its usual end
        chaos = Chaos(chosen["chaos"], chosen["seed"], [planned(one) for one in chosen["fail"]])
        made = _service(chosen, chaos, closing)
        listening = closing.enter_context(listen(chosen["port"]))
        url = "http://{}:{}".format(*listening.getsockname())
        if chosen["json"]:
            output.say_json({"url": url})
        else:
            output.say(f"recpipe: listening at {url}, so set RECPIPE_API_URL={url}; end: Ctrl-C")
        serve(made, listening)
    return 0


def _refuse_nonsense(chosen: Mapping[str, Any]) -> None:
    if not (math.isfinite(chosen["speed"]) and chosen["speed"] > 0):
        raise click.UsageError(f"--speed {chosen['speed']:g}: expected more than 0")
    if not 1 <= chosen["segments"] <= 3600:
        raise click.UsageError(f"--segments {chosen['segments']:g}: expected 1 s to 1 h")
    for name in ("kill_recorder", "users_leave"):
        given = chosen[name] if isinstance(chosen[name], tuple) else (chosen[name],)
        if not all(at is None or (math.isfinite(at) and at >= 0) for at in given):
            raise click.UsageError(f"--{name.replace('_', '-')}: expected seconds from 0 on")


def _service(chosen: Mapping[str, Any], chaos: "Chaos", closing: ExitStack) -> "Service":
    import time

    from pipeline.simulator.service.gateway import Customer
    from pipeline.simulator.service.requests import Conduct
    from pipeline.simulator.service.service import Service
    from pipeline.simulator.session.cast import parse_act

    leap = time.time() - time.monotonic()
    return Service(
        Customer(*account(chosen)),
        Conduct(
            speed=chosen["speed"],
            slice=math.ceil(chosen["segments"]),
            kills=chosen["kill_recorder"],
            users_leave=chosen["users_leave"],
            slow_stop=chosen["slow_stop"],
            backup=chosen["backup"],
            acts=tuple(map(parse_act, chosen["acts"])),
            web=dict(map(simulated_session.web_user, chosen["web"])),
        ),
        _stores(chosen),
        _studio(chosen["ffmpeg"], closing),
        lambda: leap + time.monotonic(),
        tell=_hooks(chosen, chaos, closing),
        note=_notes(chosen["log"], closing),
        chaos=chaos,
        browser=simulated_session.browser(chosen["ffmpeg"]),
        keep=simulated_session.truths(chosen["truth"]),
    )


def _stores(chosen: Mapping[str, Any]) -> "Open":
    """What a bucket stands for: one place for all, or the configured store with Agora's numbers for
    vendor and region.
    """
    from pipeline.jobs import named_stores as stores

    file = click.get_current_context().ensure_object(options.Invocation).file
    if chosen["output"]:
        places = {name: chosen[name] for name in ("endpoint_url", "region", "profile")}
        place = chosen["output"].rstrip("/") + "/"
        storage, _ = stores.locations(**places, file=file)(place)
        return lambda _: storage

    def find(wanted: "StorageConfig") -> "Storage":
        return stores.bucket(wanted.vendor, wanted.region, wanted.bucket, file)

    return find


def _studio(ffmpeg: str | None, closing: ExitStack) -> "Encode":
    """Encodes what is recorded, in a thread beside the answers."""
    from concurrent.futures import ThreadPoolExecutor

    from pipeline.muxing.locate import locate
    from pipeline.simulator.recorder.material import encode

    found = locate(ffmpeg)
    pool = closing.enter_context(ThreadPoolExecutor(1, thread_name_prefix="studio"))

    def made(looks: "Sequence[Look]") -> "Mapping[Look, Material]":
        return {look: encode(look, BLOCK, found) for look in looks}

    return lambda looks: pool.submit(made, looks)


def _hooks(chosen: Mapping[str, Any], chaos: "Chaos", closing: ExitStack) -> "Tell":
    if not chosen["webhook"]:
        return lambda _: None
    from pydantic import SecretStr

    from pipeline.cli.requests import secret_file
    from pipeline.simulator.service.webhooks import Hooks

    file = chosen["webhook_secret_file"]
    secret = secret_file(file, "--webhook-secret-file") if file else config.webhook_secret()
    if not secret:
        how = "set RECPIPE_WEBHOOK_SECRET or --webhook-secret-file"
        raise UsageError(f"no secret to sign notifications with; {how}")
    hooks = Hooks(chosen["webhook"], SecretStr(secret), copies=chaos.copies)
    closing.callback(hooks.close)
    return hooks


def _notes(path: str | None, closing: ExitStack) -> "Note":
    """A function that appends each request to a file, a JSON line with its time since the epoch."""
    if path is None:
        return lambda _: None
    import json
    import time
    from pathlib import Path

    from pipeline.storage.names import printable
    from pipeline.storage.oserrors import os_errors

    with os_errors(f"write {printable(path)}"):
        file = Path(path).open("a", encoding="utf-8")  # noqa: SIM115 - closed with the service
    closing.callback(file.close)

    def note(seen: Mapping[str, Any]) -> None:
        file.write(json.dumps({"at": round(time.time(), 3), **seen}) + "\n")
        file.flush()

    return note
