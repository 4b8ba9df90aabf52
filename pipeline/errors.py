"""Every exception raised on purpose, each with the exit code it ends a command with.

Bad *data* is a :class:`pipeline.model.Finding`; these are for bad *circumstances*.
"""

import re

# also with one slash: a path takes two for one
_USER = re.compile(r"(?<=[a-z0-9]:/)(/?)[^/\s\"'<>]*@", re.IGNORECASE)


def masked(text: str) -> str:
    """A text without the user information (RFC 3986 section 3.2.1) of any URL in it."""
    return _USER.sub(r"\1...@", text)


class RecpipeError(Exception):
    """Root of all errors raised on purpose.  The message is one line: what, where, what to do.

    It goes to logs, the ledger and JSON: no password of a URL is in it.
    """

    exit_code = 1

    def __init__(self, message: str) -> None:
        super().__init__(masked(message))


class UsageError(RecpipeError):
    """Wrong usage or configuration: run again only after a change to the command."""

    exit_code = 2


class NotFoundError(UsageError):
    """What the command names is not there: no recording, no bucket, no object."""


class DeniedError(UsageError):
    """The operating system or the store refused access."""


class UnsafePathError(UsageError):
    """A name that would leave its own folder: ``..``, an absolute path, a link to elsewhere."""


class ExistsError(UsageError):
    """The destination already holds something else under that name."""


class FfmpegMissingError(UsageError):
    """No ffmpeg was found that remuxes a transport stream, or decodes what has to be decoded."""


class TemporaryError(RecpipeError):
    """May go away by itself: run again later."""

    exit_code = 75


class StorageError(TemporaryError):
    """The store did not answer, or answered something that cannot be right."""


class ChangedError(StorageError):
    """An object is no longer the one that was looked at; nothing was done to it."""


class BusyError(TemporaryError):
    """Another process is at the same work."""


class DiskFullError(TemporaryError):
    """No room for what has to be written."""


class MuxingError(TemporaryError):
    """ffmpeg failed, was killed, or did not end in time."""


class RefusedError(MuxingError):
    """ffmpeg ran, and would not take what it was given: asked again, it says the same."""


class LedgerError(TemporaryError):
    """The ledger's database did not answer, or was busy for too long."""


class LeaseLostError(TemporaryError):
    """Another watcher took a recording over: what was made of it here comes too late."""


class NoticeError(UsageError):
    """A notification that is not Agora's, or cannot be read."""


class AgoraError(RecpipeError):
    """Agora's service refused a call, failed, or did not answer.

    ``kind`` is one of :class:`pipeline.agora.statuses.Kind`; ``http_status`` and ``host`` are those
    of the last answer, None if there was none.  A ``retriable`` error may go away by itself.
    """

    def __init__(
        self,
        message: str,
        *,
        kind: str,
        endpoint: str,
        host: str | None = None,
        http_status: int | None = None,
        code: int | None = None,
        reason: str | None = None,
        request_id: str | None = None,
        retriable: bool = False,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.endpoint = endpoint
        self.host = host
        self.http_status = http_status
        self.code = code
        self.reason = reason
        self.request_id = request_id
        self.retriable = retriable
        self.exit_code = 75 if retriable else 4 if kind == "no_data" else 2
