"""Log lines on stderr: text for people, or JSON lines for a collector."""

import json
import logging
import time
from typing import Any

import click

from pipeline.errors import masked

PACKAGE = "pipeline"
FORMAT = "recpipe: %(levelname)s: %(message)s"


def configure(form: str, *, debug: bool) -> None:
    """Log warnings of everything to stderr, as "text" or "json"; with ``debug`` also every step,
    but of this package only: libraries log headers with credentials when asked for details.
    """
    root = logging.getLogger()
    for handler in root.handlers:
        if isinstance(handler, _Stderr):
            root.removeHandler(handler)
    handler = _Stderr()
    handler.setFormatter(_Json() if form == "json" else _Text(FORMAT))
    root.addHandler(handler)
    logging.getLogger(PACKAGE).setLevel(logging.DEBUG if debug else logging.WARNING)


def let_speak(name: str, *, quiet: bool) -> None:
    """Let a logger report what it does; with ``quiet`` only what a person should know."""
    logger = logging.getLogger(name)
    if logging.getLogger(PACKAGE).level > logging.DEBUG:
        logger.setLevel(logging.WARNING if quiet else logging.INFO)


class _Stderr(logging.Handler):
    """Looks up stderr for each line: a progress bar may have taken its place."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            click.echo(masked(self.format(record)), err=True)
        except (OSError, ValueError):
            self.handleError(record)


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record).replace(record.levelname, record.levelname.lower(), 1)
        bound = " ".join(f"{key}={_printable(value)}" for key, value in _bound(record).items())
        return f"{line}  {bound}" if bound else line


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        entry = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_bound(record),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False, default=str)


_OWN = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"}


def _bound(record: logging.LogRecord) -> dict[str, Any]:
    """What was bound to a log line besides its text."""
    return {key: value for key, value in vars(record).items() if key not in _OWN}


def _printable(value: Any) -> str:
    from pipeline.storage.names import printable

    text = printable(value)
    return f"'{text}'" if " " in text else text
