"""Tells a dead man's switch (healthchecks and the like) that a job began, and how it ended."""

from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.errors import RecpipeError


class Ended:
    """The exit code a job is about to end with; the job sets it."""

    code: int = 1


@contextmanager
def pinging(url: str | None) -> Iterator[Ended]:
    """GET ``URL/start``, then ``URL/<exit code>`` at the end, whatever it is.  Whether anybody
    answers changes nothing; without a URL it does nothing.
    """
    ended = Ended()
    if not url:
        yield ended
        return
    from pipeline.watch.notify import ping  # here, because it takes long to import

    ping(url, "/start")
    try:
        yield ended
    except RecpipeError as error:
        ended.code = error.exit_code
        raise
    except KeyboardInterrupt:
        ended.code = 130
        raise
    finally:
        ping(url, f"/{ended.code}")
