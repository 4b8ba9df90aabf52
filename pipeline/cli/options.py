"""Options that several commands have, and where they come from.  Long: every shared one is here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

import click

from pipeline import config
from pipeline.choices import CHOICES, DEFAULTS, StreamTypes
from pipeline.cli import quantities
from pipeline.cli.output import say

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(slots=True)
class Invocation:
    """What is known before a command runs, and needed when it fails."""

    debug: bool = False
    file: str | None = None  # --config
    settings: Mapping[str, config.Setting] = field(default_factory=dict)  # by option


def _configure(context: click.Context, option: click.Parameter, file: str | None) -> None:
    state = context.ensure_object(Invocation)
    state.file = file
    stray = config.stray(file)
    say(stray and f"recpipe: warning: {stray}")
    state.settings = config.load(file)
    for said in config.misspelt():
        say(f"recpipe: warning: {said}")
    context.default_map = {key: setting.value for key, setting in state.settings.items()}


def _debug(context: click.Context, option: click.Parameter, on: bool) -> bool:
    context.ensure_object(Invocation).debug = on
    return on


def _log(context: click.Context, option: click.Parameter, form: str) -> str:
    from pipeline.cli import logs

    logs.configure(form, debug=context.ensure_object(Invocation).debug)
    return form


def _stream_types(context: click.Context, option: click.Parameter, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return StreamTypes(text).number
    except ValueError as error:
        expected = ", ".join(f"{word.number} or {word}" for word in StreamTypes)
        raise click.BadParameter(f"{text!r}, expected {expected}") from error


def address(context: click.Context, option: click.Parameter, url: str | None) -> str | None:
    """A callback that accepts http:// and https:// URLs only; BadParameter does not show the URL,
    as it may hold a secret.
    """
    if url and not url.startswith(("https://", "http://")):
        raise click.BadParameter("expected http:// or https://")
    return url


def all_of(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """A decorator that adds several options to a command, in this order."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def above_zero(context: click.Context, option: click.Parameter, seconds: float) -> float:
    """A callback that refuses no time at all."""
    if not seconds > 0:
        raise click.BadParameter("expected more than 0 seconds")
    return seconds


def duration(name: str, default: str, help: str, **more: Any) -> Callable[[Command], Command]:
    """An option for a length of time like "10m"; the command gets seconds, as a float."""
    kind = quantities.DURATION
    return click.option(
        name, metavar="TIME", type=kind, default=default, show_default=True, help=help, **more
    )


def _choice(name: str, **more: Any) -> Callable[[Command], Command]:
    """The option for a choice of a conversion, as :mod:`pipeline.choices` defines it."""
    told = CHOICES[name]
    flag = told.flag or f"--{name.replace('_', '-')}"
    if told.kind is float:
        return duration(flag, f"{DEFAULTS[name] / 3600:g}h", told.help, callback=above_zero, **more)
    if told.kind is bool:
        return click.option(flag, is_flag=True, help=told.help, **more)
    if issubclass(told.kind, StrEnum) and not told.numbered:
        words = click.Choice([word.value for word in told.kind])
        usual = DEFAULTS[name].value
        return click.option(
            flag, type=words, default=usual, show_default=True, help=told.help, **more
        )
    if told.bounds:
        more["type"] = click.IntRange(*told.bounds)
    return click.option(flag, name, metavar=told.metavar, help=told.help, **more)


sources = click.argument("sources", metavar="SRC...", nargs=-1, required=True)

output = click.option(
    "-o",
    "--output",
    metavar="DEST",
    required=True,
    help="A folder, a file for a single recording, s3://bucket/prefix/ or @NAME/prefix/.",
)
format = _choice("format")
on_loss = _choice("on_loss")
on_change = _choice("on_change")
max_length = _choice("max_length")
sparse_sound = _choice("sparse_sound")
accept_unfinished = _choice("accept_unfinished")
key = _choice("key")
deep = _choice("deep")
force = _choice("force")
stream_types = _choice("stream_types", callback=_stream_types)
conversion = all_of(  # convert and watch share all choices
    *(
        stream_types if name == "stream_types" else _choice(name)
        for name in CHOICES
        if name != "force"
    )
)
selection = all_of(
    click.option(
        "--include",
        metavar="GLOB",
        multiple=True,
        help="Only recordings whose playlist or id matches; can be repeated.",
    ),
    click.option(
        "--exclude",
        metavar="GLOB",
        multiple=True,
        help="Leave out recordings that match; can be repeated.",
    ),
    click.option(
        "--min-age",
        metavar="TIME",
        type=quantities.DURATION,
        help="Only what was last written at least this long ago.",
    ),
    click.option(
        "--max-age",
        metavar="TIME",
        type=quantities.DURATION,
        help="Only what was last written at most this long ago.",
    ),
)
bwlimit = click.option(
    "--bwlimit",
    metavar="RATE",
    type=quantities.SIZE,
    help="The most that is read from stores per second: 2MB, 500KiB.",
)
limit = click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help="At most this many in this run; what was done before does not count.",
)
budget = all_of(
    limit,
    click.option(
        "--max-duration",
        metavar="TIME",
        type=quantities.DURATION,
        help="Begin nothing more after this time; exit code 75 says that something is left.",
    ),
    click.option(
        "--max-bytes",
        metavar="SIZE",
        type=quantities.SIZE,
        help="Begin nothing more once so much was read from sources; exit code 75 as well.",
    ),
)
naming = click.option(
    "--name",
    metavar="TEMPLATE",
    help="How results are named, such as '{date}/{cname}_{sid}'; also {id}, {year}, {month}, {day},"
    " {time}.  [default: {id}]",
)
jobs = click.option(
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Recordings processed at once.  [default: one per processor, at most 4]",
)
encode_jobs = click.option(
    "--encode-jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Of these, how many re-encode at once.  [default: one for every four processors]",
)
executor = click.option(
    "--executor",
    metavar="WHERE",
    default="local",
    show_default=True,
    help="Who works on them: this process, or the workers of dask://host:8786 (dask-tls://).",
)
dry_run = click.option("--dry-run", is_flag=True, help="Say what would be done, but do nothing.")
as_json = click.option(
    "--json", "json", is_flag=True, help="One JSON object per recording on stdout, one per line."
)
quiet = click.option("--quiet", is_flag=True, help="Say nothing unless a person should look.")
progress = click.option(
    "--progress",
    type=click.Choice(["auto", "plain", "json", "none"]),
    default="auto",
    show_default=True,
    help="On stderr, how far it is: bars on a terminal, else a line every 30 s; or JSON.",
)
report_known = click.option(
    "--report-known",
    is_flag=True,
    help="With --quiet: also report what an earlier run made.",
)
ffmpeg = click.option(
    "--ffmpeg", metavar="PATH", help="This ffmpeg, or the folder it is in.  [default: PATH]"
)
spool = click.option(
    "--spool",
    metavar="DIR",
    help="Where segments from a store are kept while in use.  [default: ~/.cache/recpipe/spool]",
)

store = all_of(
    click.option("--endpoint-url", metavar="URL", help="Where the store is, if it is not AWS."),
    click.option("--region", metavar="NAME", help="The region of the store."),
    click.option("--profile", metavar="NAME", help="A profile in ~/.aws/config."),
)

to = click.option(
    "--to", metavar="DEST", required=True, help="Where results go: a folder or s3://bucket/prefix/."
)
ledger = click.option(
    "--ledger",
    metavar="URL",
    help="sqlite:////path/ledger.db or postgresql://host/name.  "
    "[default: ~/.local/state/recpipe/ledger.db]",
)

settle = duration(
    "--settle", "10m", "How long a finished recording has to stay unchanged before it is converted."
)
late_deadline = duration(
    "--late-deadline", "48h", "How long to wait for missing segments, or for an end."
)
account = all_of(
    click.option("--agora-app-id", metavar="ID", help="The App ID of the project."),
    click.option("--agora-customer-id", metavar="ID", help="The customer ID of the REST API."),
    click.option(
        "--agora-customer-secret-file",
        metavar="FILE",
        help="A file with the secret.  [default: the variable RECPIPE_AGORA_CUSTOMER_SECRET]",
    ),
)
audit = click.option(
    "--state", metavar="DIR", help="Where the audit trail is.  [default: ~/.local/state/recpipe]"
)

general = all_of(
    click.option(
        "--config",
        metavar="FILE",
        is_eager=True,
        expose_value=False,
        callback=_configure,
        help="Settings.  [default: ~/.config/recpipe/config.toml]",
    ),
    click.option(
        "--debug",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_debug,
        help="Log every step, and show where errors come from.",
    ),
    click.option(
        "--log-format",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        expose_value=False,
        callback=_log,
        help="How log lines on stderr look.",
    ),
)

remembered = all_of(  # a recording of the ledger, which several destinations may have
    click.option("--to", metavar="DEST", help="Only for this destination."),
    store,
    ledger,
    general,
)
unattended = all_of(  # options of jobs that cron starts
    ledger,
    click.option(
        "--ping",
        metavar="URL",
        callback=address,
        help="GET URL/start, and URL/EXIT-CODE at the end.",
    ),
    as_json,
    quiet,
    spool,
    store,
    general,
)
