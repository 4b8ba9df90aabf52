"""Tells a dead-man's switch (healthchecks and the like) that a job began, and how it ended."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from pipeline.errors import RecpipeError, UsageError

TIMEOUT = 10  # seconds


class Ended:
    """The exit code a job is about to end with."""

    code: int = 1


@contextmanager
def pinging(url: str | None) -> Iterator[Ended]:
    """``URL/start``, then ``URL/<exit code>``.  Whether anybody hears it changes nothing."""
    ended = Ended()
    if not url:
        yield ended
        return
    if not url.startswith(("https://", "http://")):
        raise UsageError("--ping: expected http:// or https://")
    _get(f"{url.rstrip('/')}/start")
    try:
        yield ended
    except RecpipeError as error:
        ended.code = error.exit_code
        raise
    except KeyboardInterrupt:
        ended.code = 130
        raise
    finally:
        _get(f"{url.rstrip('/')}/{ended.code}")


def _get(url: str) -> None:
    from http.client import HTTPException
    from urllib.request import urlopen

    with suppress(OSError, ValueError, HTTPException), urlopen(url, timeout=TIMEOUT) as answer:
        answer.read(1024)
