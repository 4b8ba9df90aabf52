"""Two streams: JSON and listings that were asked for on stdout, all other text on stderr."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TextIO

import click

from pipeline import config
from pipeline.errors import masked

STDOUT, STDERR = 1, 2


class OutputClosed(Exception):
    """Nobody reads standard output any more."""


def say_json(value: Mapping[str, Any]) -> None:
    """Write one line of JSON to stdout, at once, in UTF-8 whatever the locale says.

    OutputClosed if nobody reads it, DiskFullError and the like if it is a file.
    """
    import json

    from pipeline.storage.oserrors import os_errors

    if sys.stdout is None:  # closed by whoever started us
        return
    line = json.dumps(value, ensure_ascii=False) + "\n"
    with os_errors("write standard output"), _closing():
        # a file name that is no UTF-8 becomes an escape of JSON
        sys.stdout.buffer.write(line.encode("utf-8", "backslashreplace"))
        sys.stdout.buffer.flush()


def say(text: str | None) -> None:
    """Write text for people to stderr; None writes nothing.  Never raises.

    Without passwords: libraries quote URLs in what a traceback shows.
    """
    if text is not None:
        try:
            click.echo(masked(text), err=True, color=_coloured(sys.stderr))
        except OSError:  # nobody reads it; the exit code still speaks
            silence(STDERR)


def say_listing(text: str) -> None:
    """Write text that people asked for to stdout; raises as :func:`say_json` does."""
    from pipeline.storage.oserrors import os_errors

    with os_errors("write standard output"), _closing():
        click.echo(text, color=_coloured(sys.stdout))


def silence(stream: int) -> None:
    """Send a file descriptor to the null device: else the interpreter complains at its end about
    what could not be written.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream)
    os.close(nowhere)


@contextmanager
def _closing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        silence(STDOUT)
        if isinstance(error, BrokenPipeError):
            raise OutputClosed from None
        raise


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a person sees a stream at once; None is one closed by whoever started us."""
    return stream is not None and stream.isatty()


def _coloured(stream: TextIO | None) -> bool:
    return is_terminal(stream) and config.colour_wanted()
