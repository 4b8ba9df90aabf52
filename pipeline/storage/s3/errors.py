"""Refusals of stores that speak S3, and answers that did not come, as our errors.

Codes are the error codes of the Amazon S3 API.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore import exceptions as boto
from urllib3.exceptions import HTTPError

from pipeline.errors import (
    ChangedError,
    DeniedError,
    DiskFullError,
    ExistsError,
    NotFoundError,
    RecpipeError,
    StorageError,
    UsageError,
)
from pipeline.storage.names import printable

_NO_CREDENTIALS = (
    "no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, "
    "or run where a role gives them"
)
_CONDITIONAL_WRITES = {"PutObject", "CompleteMultipartUpload"}
_DENIED_CODES = {"ExpiredToken", "InvalidToken", "TokenRefreshRequired"}  # with status 400
_REGION_CODES = {
    "301",
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
    "PermanentRedirect",
}
_DENIED_ADVICE = {
    "ExpiredToken": "get a new session token",
    "InvalidAccessKeyId": "check the access key",
    "InvalidObjectState": "the object is in a cold storage class, restore it first",
    "RequestTimeTooSkewed": "set the clock of this machine",
    "SignatureDoesNotMatch": "check the secret key",
}


@contextmanager
def s3_errors(where: str) -> Iterator[None]:
    """The one place that catches what boto3 raises; ``where`` says what was tried, and on what.

    Raises ``ChangedError``, ``DeniedError``, ``DiskFullError``, ``ExistsError``, ``NotFoundError``,
    ``UsageError``, or ``StorageError`` for what may pass.  The texts of boto3 are left out: they
    may span lines, or quote a signed URL.
    """
    try:
        yield
    except boto.ClientError as error:
        raise _refusal(error, where) from error
    except (boto.BotoCoreError, HTTPError) as error:
        raise _failure(error, where) from error


def _refusal(error: boto.ClientError, where: str) -> RecpipeError:
    """What the store's own answer means."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code = printable(error.response.get("Error", {}).get("Code", ""))[:80]
    if status == 404 or code in {"NoSuchBucket", "NoSuchKey"}:
        what = "bucket" if code == "NoSuchBucket" else "object"
        return NotFoundError(f"{where}: no such {what}; check bucket and key")
    if status in {401, 403} or code in _DENIED_CODES:
        advice = _DENIED_ADVICE.get(code, "check the credentials and what they may do")
        return DeniedError(f"{where}: access denied ({code}); {advice}")
    if status == 412 and error.operation_name in _CONDITIONAL_WRITES:
        return ExistsError(
            f"{where}: something stands there already; choose another name or remove it"
        )
    if status == 412:
        return ChangedError(f"{where}: changed while reading; run again")
    if status == 507:
        return DiskFullError(f"{where}: the store is full ({code}); make room and run again")
    if code in _REGION_CODES:
        return UsageError(f"{where}: the bucket is in another region ({code}); set the region")
    return StorageError(f"{where}: the store answered {status} ({code}); run again later")


def _failure(error: Exception, where: str) -> RecpipeError:
    """What it means that there was no answer, or only half of one."""
    kind = type(error).__name__
    if isinstance(error, boto.NoCredentialsError | boto.PartialCredentialsError):
        return UsageError(f"{where}: {_NO_CREDENTIALS}")
    if isinstance(error, boto.ProfileNotFound):
        return UsageError(f"{where}: no such profile; check AWS_PROFILE and ~/.aws/config")
    if isinstance(
        error, boto.ParamValidationError | boto.NoRegionError | boto.EndpointProviderError
    ):
        return UsageError(f"{where}: not valid ({kind}); check bucket, key, region and endpoint")
    if isinstance(error, boto.CredentialRetrievalError | boto.SSOError | boto.TokenRetrievalError):
        return DeniedError(f"{where}: no credentials to be had ({kind}); log in again")
    return StorageError(f"{where}: no whole answer ({kind}); run again later")
