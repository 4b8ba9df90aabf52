"""Refusals of Azure and Google, and answers that did not come, as our errors."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from obstore import exceptions as failed

from pipeline.errors import (
    ChangedError,
    DeniedError,
    ExistsError,
    NotFoundError,
    RecpipeError,
    StorageError,
    UnsafePathError,
    UsageError,
)

CREDENTIALS = {
    "az": "set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
    "gs": "set GOOGLE_APPLICATION_CREDENTIALS to the file of a service account",
}
_STATUS = re.compile(r"non-2xx status code: ([0-9]{3})")


@contextmanager
def object_store_errors(where: str, scheme: str) -> Iterator[None]:
    """The one place that catches what obstore raises; ``where`` says what was tried, and on what.

    Raises ``ChangedError``, ``DeniedError``, ``ExistsError``, ``NotFoundError``, ``UsageError``, or
    ``StorageError`` for what may pass.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise NotFoundError(f"{where}: no such object; check container and key") from error
    except ValueError as error:
        # control characters, halves of surrogate pairs
        raise UnsafePathError(f"{where}: holds a character no key may hold") from error
    except failed.BaseError as error:
        raise _meaning(error, where, scheme) from error


def _meaning(error: failed.BaseError, where: str, scheme: str) -> RecpipeError:
    """Our error for one of obstore's, without its text: it quotes URLs, perhaps signed ones."""
    text = str(error)
    status = _STATUS.search(text)
    code = status[1] if status else ""
    if "token request" in text:
        return DeniedError(f"{where}: no credentials to be had; {CREDENTIALS[scheme]}")
    if isinstance(error, failed.AlreadyExistsError):
        return ExistsError(
            f"{where}: something stands there already; choose another name or remove it"
        )
    if isinstance(error, failed.PreconditionError | failed.NotModifiedError):
        return ChangedError(f"{where}: changed while reading; run again")
    if isinstance(error, failed.PermissionDeniedError | failed.UnauthenticatedError) or (
        code in {"401", "403"}
    ):
        return DeniedError(
            f"{where}: access denied ({code}); check the credentials and what they may do"
        )
    if isinstance(error, failed.NotFoundError) or code == "404":
        return NotFoundError(f"{where}: no such container or bucket; check the name")
    if isinstance(error, failed.InvalidPathError):
        return UsageError(f"{where}: not a valid key; check it")
    if code:
        return StorageError(f"{where}: the store answered {code}; run again later")
    return StorageError(f"{where}: no whole answer ({type(error).__name__}); run again later")
