"""Two streams: JSON and what was asked for on stdout, all other text for people on stderr."""

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
    """One line of JSON on stdout, at once, in UTF-8 whatever the locale says."""
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
    """Text for people, on stderr; None is nothing to say.

    Without passwords: libraries quote addresses in what a traceback shows.
    """
    if text is not None:
        try:
            click.echo(masked(text), err=True, color=_coloured(sys.stderr))
        except OSError:  # nobody reads it; the exit code still speaks
            silence(STDERR)


def say_listing(text: str) -> None:
    """Text for people that they asked for, on stdout."""
    from pipeline.storage.oserrors import os_errors

    with os_errors("write standard output"), _closing():
        click.echo(text, color=_coloured(sys.stdout))


def silence(stream: int) -> None:
    """Forget what could not be written, or the interpreter would complain at its end."""
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
    """Whether a person sees it at once; None is a stream closed by whoever started us."""
    return stream is not None and stream.isatty()


def _coloured(stream: TextIO | None) -> bool:
    return is_terminal(stream) and config.colour_wanted()
