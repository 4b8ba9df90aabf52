"""Log lines on stderr: text for people, or JSON lines for a collector."""

import json
import logging
import time

import click

PACKAGE = "pipeline"
FORMAT = "recpipe: %(levelname)s: %(message)s"


def configure(form: str, *, debug: bool) -> None:
    """Warnings of everything; with ``debug`` also every step, but of this package only.

    Libraries log headers with credentials when they are asked for details.
    """
    root = logging.getLogger()
    for handler in root.handlers:
        if isinstance(handler, _Stderr):
            root.removeHandler(handler)
    handler = _Stderr()
    handler.setFormatter(_Json() if form == "json" else _Text(FORMAT))
    root.addHandler(handler)
    logging.getLogger(PACKAGE).setLevel(logging.DEBUG if debug else logging.WARNING)


class _Stderr(logging.Handler):
    """Asks for stderr anew each time: a progress bar may have taken its place."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            click.echo(self.format(record), err=True)
        except (OSError, ValueError):
            self.handleError(record)


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return super().format(record).replace(record.levelname, record.levelname.lower(), 1)


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        entry = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)
