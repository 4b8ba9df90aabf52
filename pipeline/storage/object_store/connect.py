"""Stores of Azure and Google, opened: an account and its keys, an endpoint, and time limits."""

from datetime import timedelta
from typing import Any

from obstore import exceptions as failed
from obstore.store import AzureStore, GCSStore

from pipeline.errors import UsageError
from pipeline.storage.names import is_endpoint, printable
from pipeline.storage.object_store.errors import CREDENTIALS
from pipeline.storage.object_store.store import ObjectStorage

_RETRIES: Any = {"max_retries": 4, "retry_timeout": timedelta(seconds=60)}


def connect_azure(
    container: str,
    prefix: str = "",
    *,
    endpoint_url: str | None = None,
    account: str | None = None,
    key: str | None = None,
) -> ObjectStorage:
    """A container of an Azure account; what is not given comes from ``AZURE_STORAGE_*``.

    The endpoint is the account's, with its name in the path if it is not in the host.  Raises
    ``UsageError`` without a usable account, key or endpoint; nothing is requested.
    """
    given = {"account_name": account, "account_key": key, "endpoint": endpoint_url}
    store = _open(AzureStore, "az", container, given, endpoint_url=endpoint_url)
    return ObjectStorage("az", container, prefix, store)


def connect_google(
    bucket: str, prefix: str = "", *, endpoint_url: str | None = None
) -> ObjectStorage:
    """A bucket of Google Cloud Storage, with the application default credentials.

    Raises ``UsageError`` without usable credentials or endpoint.
    """
    given = {"base_url": endpoint_url}
    store = _open(GCSStore, "gs", bucket, given, endpoint_url=endpoint_url)
    return ObjectStorage("gs", bucket, prefix, store)


def _open(kind: Any, scheme: str, bucket: str, given: Any, *, endpoint_url: str | None) -> Any:
    options = {
        "connect_timeout": timedelta(seconds=10),
        "read_timeout": timedelta(seconds=60),
        "timeout": timedelta(hours=1),  # of a whole request, however large
        "allow_http": (endpoint_url or "").startswith("http://"),
    }
    config = {name: value for name, value in given.items() if value}
    if endpoint_url and not is_endpoint(endpoint_url):  # obstore panics at some
        # not quoted: a mistyped endpoint may hold a password
        raise UsageError("the endpoint is no URL; write https://host or http://host:port")
    try:
        return kind(bucket, config=config, client_options=options, retry_config=_RETRIES)
    except (failed.BaseError, ValueError) as error:
        # not quoted: a mistyped endpoint or key file may hold a secret
        raise UsageError(
            f"connect to {scheme}://{printable(bucket)}: no usable account or credentials; "
            f"{CREDENTIALS[scheme]}, and check --endpoint-url"
        ) from error
