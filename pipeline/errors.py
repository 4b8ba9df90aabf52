"""Every exception raised on purpose, each with the exit code it ends a command with.

Bad *data* is a :class:`pipeline.model.Finding`; these are for bad *circumstances*.  The codes are
those of "Exit codes" in ``docs/design.md``.
"""

import re

# also with one slash: as a path, ``//`` becomes ``/``
_USER = re.compile(r"(?<=[a-z0-9]:/)(/?)[^/\s\"'<>]*@", re.IGNORECASE)


def masked(text: str) -> str:
    """A text without the user information (RFC 3986 section 3.2.1) of any URL in it."""
    return _USER.sub(r"\1...@", text)


class RecpipeError(Exception):
    """Root of all errors raised on purpose.  The message is one line: what, where, what to do.

    It goes to logs, the ledger and JSON: passwords in URLs are masked.
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
    """A name that would lead out of its folder: ``..``, an absolute path, a link to elsewhere."""


class ExistsError(UsageError):
    """The destination already holds something else under that name."""


class FfmpegMissingError(UsageError):
    """No ffmpeg was found that remuxes a transport stream, or decodes what has to be decoded."""


class TemporaryError(RecpipeError):
    """May go away by itself: run again later."""

    exit_code = 75  # EX_TEMPFAIL of sysexits.h


class StorageError(TemporaryError):
    """The store did not answer, or gave an answer that cannot be right."""


class ChangedError(StorageError):
    """An object is no longer the one that was looked at; nothing was done to it."""


class BusyError(TemporaryError):
    """Another process is doing the same work."""


class ExecutorLostError(TemporaryError):
    """Where recordings were sent to be worked on is gone, or nobody there can."""


class DiskFullError(TemporaryError):
    """No room for what has to be written."""


class MuxingError(TemporaryError):
    """ffmpeg failed, was killed, or did not end in time."""


class RefusedError(MuxingError):
    """ffmpeg ran and refused its input: another run would end the same way."""


class LedgerError(TemporaryError):
    """The ledger's database did not answer, or was busy for too long."""


class LeaseLostError(TemporaryError):
    """Another watcher took the recording over: the result made here comes too late."""


class NoticeError(UsageError):
    """A notification that is not from Agora, or cannot be read."""


class UnplannedError(RecpipeError):
    """An error of another process that nobody planned: a bug, and where it is."""


class AgoraError(RecpipeError):
    """Agora's service refused a call, failed, or did not answer.

    ``kind`` is one of :class:`pipeline.agora.statuses.Kind`; ``host`` was asked last, and
    ``http_status``, ``code`` and ``reason`` are of its answer, None if there was none.  A
    ``retriable`` error may go away by itself.
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
