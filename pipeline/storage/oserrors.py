"""The operating system's errors (``errno`` of POSIX) as ours."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.errors import (
    DeniedError,
    DiskFullError,
    ExistsError,
    NotFoundError,
    RecpipeError,
    StorageError,
    UsageError,
)
from pipeline.storage.names import printable

_DENIED = (DeniedError, "check its owner and mode, and the user this runs as")
_FULL = (DiskFullError, "make room and run again")
_TAKEN = (ExistsError, "another kind of file has that name")
_MISSING = (NotFoundError, "check the path")

_MEANINGS: dict[int | None, tuple[type[RecpipeError], str]] = {
    errno.EACCES: _DENIED,
    errno.EPERM: _DENIED,
    errno.EROFS: _DENIED,
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: _FULL,  # FAT, or a limit set with ulimit -f
    errno.ENOENT: _MISSING,
    errno.ENOTDIR: _MISSING,
    errno.ELOOP: _MISSING,
    errno.EISDIR: _TAKEN,
    errno.EEXIST: _TAKEN,
    errno.ENAMETOOLONG: (UsageError, "use a shorter name"),
}


@contextmanager
def os_errors(action: str) -> Iterator[None]:
    """Raise one of our errors for an OSError inside: ``DeniedError``, ``DiskFullError``,
    ``ExistsError``, ``NotFoundError``, ``UsageError``, else ``StorageError``.  ``action`` says what
    was tried and where: ``read /a/b``.
    """
    try:
        yield
    except OSError as error:
        kind, advice = _MEANINGS.get(error.errno, (StorageError, "run again later"))
        reason = (error.strerror or str(error)).lower()
        raise kind(printable(f"{action}: {reason}; {advice}")) from error
