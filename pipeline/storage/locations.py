"""Locations as people give them: a local path, ``@NAME``, or a bucket of ``s3://``, ``az://`` or
``gs://``.
"""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any
from urllib.parse import unquote

from msgspec import Struct

from pipeline.agora.stores import Credentials, Store
from pipeline.errors import UsageError
from pipeline.storage import Storage
from pipeline.storage.local import LocalStorage
from pipeline.storage.names import printable
from pipeline.storage.oserrors import os_errors

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Access(Struct, frozen=True):
    """How a store is reached; what is None comes from where that vendor's own tools look."""

    endpoint_url: str | None = None
    region: str | None = None
    profile: str | None = None
    credentials: Credentials | None = None
    list_version: int | None = None  # of S3's ListObjects, 1 or 2


class Locations:
    """Opens locations; those reached the same way share one client.

    ``connections`` is the most that a client of S3 keeps open; ``named`` looks up what ``@NAME``
    stands for: a store and its keys.
    """

    def __init__(
        self,
        *,
        endpoint_url: str | None = None,
        region: str | None = None,
        profile: str | None = None,
        connections: int = 16,
        named: Callable[[str], tuple[Store, Credentials | None]] | None = None,
    ) -> None:
        self._given = Access(endpoint_url, region, profile)
        self._connections = connections
        self._named = named
        self._clients: Any = None

    def __call__(self, location: str | Path) -> tuple[Storage, str]:
        """The folder as a storage, and the key in it: empty if the location is the folder itself.

        A folder is what is one on the disk, else what ends in ``/`` or has no suffix.  Nothing is
        requested over the network, and nothing has to exist.  Raises ``UsageError`` for text that
        is no location, and for a library or keys that are missing.
        """
        text = str(location)
        if text.startswith("@") and self._named is not None:
            return self._open_named(text[1:], self._named)
        scheme = _SCHEME.match(text)
        if scheme is None:
            return _local(text)
        kind = scheme[1].lower()
        if kind not in KINDS:
            known = ", ".join(f"{one}://bucket/prefix" for one in KINDS)
            raise UsageError(f"{scheme[0]}: not supported; give a local path or one of {known}")
        bucket, _, key = text[scheme.end() :].partition("/")
        if not _BUCKET.fullmatch(bucket):
            # not quoted: people paste keys and passwords before an @
            raise UsageError(
                f"the {kind}:// URL names no valid bucket; write {kind}://bucket/prefix"
            )
        folder, name = split(key)
        return KINDS[kind](self, bucket, folder, self._given), name

    def _open_named(
        self, text: str, named: Callable[[str], tuple[Store, Credentials | None]]
    ) -> tuple[Storage, str]:
        """A store with a table is opened with its options, not with those of the command line."""
        name, _, key = text.partition("/")
        store, credentials = named(name)
        folder, name = split("/".join(part for part in (store.prefix, key) if part))
        if not key:
            folder, name = store.prefix, ""
        how = store.opening
        given = Access(how.endpoint, how.region, store.profile, credentials, how.list_version)
        return KINDS[_PROTOCOLS[how.protocol]](self, store.bucket, folder, given), name

    def _s3(self, bucket: str, folder: str, how: Access) -> Storage:
        from pipeline.storage.s3 import clients, store  # here, because boto3 takes long to import

        self._clients = self._clients or clients.Clients(self._connections)
        return store.connect(
            bucket,
            folder,
            endpoint_url=how.endpoint_url,
            region=how.region,
            profile=how.profile,
            credentials=how.credentials,
            list_version=how.list_version,
            clients=self._clients,
        )

    def _azure(self, container: str, folder: str, how: Access) -> Storage:
        keys = how.credentials
        storage: Storage = _object_store("azure").connect_azure(
            container,
            folder,
            endpoint_url=how.endpoint_url,
            account=keys and keys.access_key,
            key=keys and keys.secret_key,
        )
        return storage

    def _google(self, bucket: str, folder: str, how: Access) -> Storage:
        storage: Storage = _object_store("gcs").connect_google(
            bucket, folder, endpoint_url=how.endpoint_url
        )
        return storage


KINDS: Mapping[str, Callable[[Locations, str, str, Access], Storage]] = {
    "s3": Locations._s3,
    "az": Locations._azure,
    "gs": Locations._google,
}
_PROTOCOLS = {"s3": "s3", "azure": "az"}  # of agora.vendors.Opening


def open_storage(
    location: str | Path,
    *,
    endpoint_url: str | None = None,
    region: str | None = None,
    profile: str | None = None,
    connections: int = 16,
) -> tuple[Storage, str]:
    """Open one location, with a client of its own; result and errors as of :class:`Locations`."""
    return Locations(
        endpoint_url=endpoint_url, region=region, profile=profile, connections=connections
    )(location)


def folder(path: Path) -> LocalStorage:
    """A folder of this machine, which need not exist yet; its ``root`` has all links resolved."""
    return LocalStorage(path)


def is_local(location: str) -> bool:
    """Whether a location is a path of this machine, neither a URL nor ``@NAME``."""
    return not location.startswith("@") and _SCHEME.match(location) is None


def absolute(location: str) -> str:
    """The same location, independent of the working directory."""
    return str(Path(location).absolute()) if is_local(location) else location


def of_uri(uri: str) -> str:
    """The location of a URI that ``Storage.uri`` gave: its inverse."""
    scheme, _, rest = uri.partition("://")
    path = unquote(rest, errors="surrogateescape")
    return path if scheme == "file" else f"{scheme}://{path}"


def _local(text: str) -> tuple[Storage, str]:
    if not text or "\0" in text:
        raise UsageError(f"{printable(text) or 'an empty path'}: not a path; . is this folder")
    path = Path(os.path.realpath(text))  # what a link names lies beside its target
    with os_errors(f"open {path}"):
        if path.is_dir():
            return LocalStorage(path), ""
        if path.exists():
            return LocalStorage(path.parent), path.name
    folder, name = split(text)
    return LocalStorage(Path(folder)), name


def _object_store(extra: str) -> ModuleType:
    """The module that opens stores of Azure and Google, whose library is an extra."""
    try:
        from pipeline.storage.object_store import connect
    except ImportError as error:
        raise UsageError(
            f"obstore is not installed; run `pip install 'recpipe[{extra}]'`"
        ) from error
    return connect


def split(key: str) -> tuple[str, str]:
    """Folder and file name of a key; a key that ends in ``/`` or has no suffix is all folder."""
    if key.endswith("/") or not PurePosixPath(key).suffix:
        return key, ""
    folder, slash, name = key.rpartition("/")
    return folder + slash, name
