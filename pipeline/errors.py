"""Every exception raised on purpose, each with the exit code it ends a command with.

Bad *data* is a :class:`pipeline.model.Finding`; these are for bad *circumstances*.
"""


class RecpipeError(Exception):
    """Root of all errors raised on purpose.  The message is one line: what, where, what to do."""

    exit_code = 1


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
    """No ffmpeg that really remuxes a transport stream was found."""


class TemporaryError(RecpipeError):
    """May go away by itself: run again later."""

    exit_code = 75


class StorageError(TemporaryError):
    """The store did not answer, or answered something that cannot be right."""


class DiskFullError(TemporaryError):
    """No room for what has to be written."""


class MuxingError(TemporaryError):
    """ffmpeg failed, was killed, or did not end in time."""


class LedgerError(TemporaryError):
    """The ledger's database did not answer, or was busy for too long."""


class LeaseLostError(TemporaryError):
    """Another watcher took a recording over: what was made of it here comes too late."""
