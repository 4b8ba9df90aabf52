"""``recpipe serve``."""

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import click

from pipeline import config
from pipeline.cli import options, output
from pipeline.cli.chosen import opener
from pipeline.errors import UsageError

_HEADER = re.compile(r"[A-Za-z0-9-]+")
_HOST = re.compile(r"[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]")


def _matching(pattern: re.Pattern[str], expected: str) -> Any:
    """Checks what was given, once or several times."""

    def check(context: click.Context, option: click.Parameter, given: Any) -> Any:
        for one in given if isinstance(given, tuple) else (given,):
            if one and not pattern.fullmatch(one):
                raise click.BadParameter(f"{one!r}, expected {expected}")
        return given

    return check


@click.command(short_help="Show recordings in a browser, and take Agora's notifications.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8020,
    show_default=True,
    metavar="N",
    help="Of this machine, where it listens; 0 is any that is free.",
)
@click.option(
    "--allow-host",
    metavar="NAME",
    multiple=True,
    callback=_matching(_HOST, "the name of a host, without a port"),
    help="A name under which browsers reach it through a proxy; can be repeated.",
)
@click.option(
    "--trust-proxy-user",
    metavar="HEADER",
    callback=_matching(_HEADER, "the name of a header"),
    help="The header in which the proxy says who asks, such as X-Forwarded-User; nobody is "
    "answered without it.",
)
@click.option(
    "--webhook-secret-file",
    metavar="FILE",
    help="A file with the secret Agora signs notifications with.  [default: the variable "
    "RECPIPE_WEBHOOK_SECRET]",
)
@click.option("--json", "json", is_flag=True, help="Say on stdout as JSON where it listens.")
@options.ledger
@options.store
@options.general
def serve(**chosen: Any) -> int:
    """Show in a browser what became of all recordings; take Agora's notifications at
    /agora/events and write them into the ledger; tell Prometheus what is in it at /metrics.

    It listens on this machine alone: put a proxy with TLS in front of it.  A watcher on the same
    ledger is woken by what Agora says.  It changes no recording.

    \b
    Examples:
      recpipe serve
      recpipe serve --allow-host recordings.example.com --trust-proxy-user X-Forwarded-User
    """
    try:
        from pipeline.web import server
    except ImportError as error:
        said = f"{error.name} is not installed; run `pip install 'recpipe[web]'`"
        raise UsageError(said) from error
    from pydantic import SecretStr

    from pipeline.cli import logs
    from pipeline.cli.ledger import opened
    from pipeline.web.guard import Rules

    logs.let_speak("pipeline.web", quiet=False)
    secret = SecretStr(_secret(chosen))
    with (
        suppress(KeyboardInterrupt),  # the usual end
        opened(chosen["ledger"]) as ledger,
        server.listen(chosen["port"]) as listening,
    ):
        rules = Rules(
            tuple(name.lower() for name in chosen["allow_host"]), chosen["trust_proxy_user"] or ""
        )
        _say_where("http://{}:{}".format(*listening.getsockname()), chosen)
        if not secret.get_secret_value():
            output.say("recpipe: warning: no notifications are taken: set RECPIPE_WEBHOOK_SECRET")
        server.serve(server.Served(ledger, secret, opener(chosen), rules), listening)
    return 0


def _say_where(url: str, chosen: Mapping[str, Any]) -> None:
    if chosen["json"]:
        output.say_json({"url": url})
    else:
        output.say(f"recpipe: listening at {url}; end: Ctrl-C")


def _secret(chosen: Mapping[str, Any]) -> str:
    from pipeline.cli.requests import secret_file

    file = chosen["webhook_secret_file"]
    found = secret_file(file, "--webhook-secret-file") if file else config.webhook_secret()
    return found or ""
