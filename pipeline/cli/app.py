"""The command ``recpipe``, and the one place where errors become a line and an exit code."""

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click
from click.core import ParameterSource

from pipeline import config
from pipeline.cli import exits
from pipeline.cli.options import Invocation
from pipeline.cli.output import STDOUT, OutputClosed, say, silence
from pipeline.errors import RecpipeError

NAME = "recpipe"
BUG = 1
USAGE = 2
INTERRUPTED = 130


COMMANDS = {  # by name: the module below pipeline.cli
    **dict.fromkeys(("convert", "check"), "batch"),
    "report": "report",
    "cluster": "cluster",
    "watch": "watch",
    **dict.fromkeys(("status", "explain", "retry", "hold", "ledger"), "ledger"),
    "serve": "serve",
    "record": "record",
    "archive": "archive",
    "clean": "clean",
    "doctor": "doctor",
    "simulate": "simulate",
    "completion": "completion",
    "help": "help",
}


class App(click.Group):
    """A group whose errors are one line on stderr, and whose commands are imported when they are
    called.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the commands, in the order of ``--help``."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command, imported now; None if there is no such command."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"pipeline.cli.{COMMANDS[cmd_name]}")
        found: click.Command = getattr(module, "help_" if cmd_name == "help" else cmd_name)
        return found

    def main(self, args: Sequence[str] | None = None, *_: Any, **extra: Any) -> Any:
        """Run the command; always ends in SystemExit with its exit code."""
        state = Invocation()
        if instruction := config.completion():
            from pipeline.cli.completion import complete

            sys.exit(complete(self, instruction))
        try:
            code = self._run([*(sys.argv[1:] if args is None else args)], state)
        except (RecpipeError, click.ClickException) as error:
            code = _complain(_line(error, state), error.exit_code, state)
        except (OutputClosed, BrokenPipeError):
            silence(STDOUT)
            code = INTERRUPTED
        except (KeyboardInterrupt, click.Abort):
            code = _complain("interrupted", INTERRUPTED, state)
        except Exception as error:  # nobody planned it; its text may hold anything
            what = f"unexpected {type(error).__name__}: a bug, please report it"
            code = _complain(what if state.debug else f"{what}; --debug shows where", BUG, state)
        sys.exit(code)

    def _run(self, args: list[str], state: Invocation) -> int:
        try:
            with self.make_context(NAME, args, obj=state) as context:
                code = self.invoke(context)
        except click.exceptions.Exit as leave:
            code = leave.exit_code
        if sys.stdout is not None:
            sys.stdout.flush()  # here, where a closed pipe is understood
        return code if isinstance(code, int) else 0


def _version(context: click.Context, option: click.Parameter, wanted: bool) -> None:
    if wanted:
        from pipeline.receipts.write import software

        click.echo(software())
        context.exit()


@click.group(
    cls=App,
    name=NAME,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\n".join(["\b", "Exit codes:", *(f"  {line}" for line in exits.lines())]),
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_version,
    help="Show the version and exit.",
)
@click.pass_context
def cli(context: click.Context) -> int | None:
    """Turn finished Agora Cloud Recordings into one MP4 each, proven to hold everything.

    \b
    Examples:
      recpipe convert recordings/ -o out/
      recpipe convert s3://bucket/2026/ -o s3://archive/2026/ --json
      recpipe check recordings/
      recpipe report out/ -o reports/
      recpipe archive ingest out/ --to /archive/
      recpipe clean plan recordings/ --to out/ -o plan.json
      recpipe doctor

    Every option can also be set as RECPIPE_<OPTION> in the environment, or in a file of
    settings (~/.config/recpipe/config.toml).
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        return USAGE
    return None


def _complain(line: str, code: int, state: Invocation) -> int:
    if state.debug:
        import traceback

        say(traceback.format_exc().rstrip())
    say(f"{NAME}: error: {line}" if code != INTERRUPTED else f"{NAME}: {line}")
    return code


def _line(error: RecpipeError | click.ClickException, state: Invocation) -> str:
    from pipeline.storage.names import printable

    if isinstance(error, RecpipeError):
        return printable(error)
    text = " ".join(error.format_message().split()).removesuffix(".").replace(". (", " (")
    text = text[:1].lower() + text[1:]
    if not isinstance(error, click.UsageError) or error.ctx is None:
        return text
    origin = _origin(error, error.ctx, state)
    return f"{text}{origin}; see {error.ctx.command_path} --help"


def _origin(error: click.UsageError, context: click.Context, state: Invocation) -> str:
    """Where a value was set that was not given on the command line; empty if it was given."""
    name = error.param.name if isinstance(error, click.BadParameter) and error.param else None
    if name is None or context.get_parameter_source(name) is not ParameterSource.DEFAULT_MAP:
        return ""
    return f" (set by {state.settings[name].origin})" if name in state.settings else ""
