"""Where people say a thing is: a local path, or ``s3://``, ``az://`` or ``gs://`` and a bucket."""

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
    """How a store is reached; what is None comes from where each tool of that store looks."""

    endpoint_url: str | None = None
    region: str | None = None
    profile: str | None = None
    credentials: Credentials | None = None
    list_version: int | None = None  # of ListObjects


class Locations:
    """Opens locations; what is reached the same way shares one client.

    ``named`` looks up what ``@NAME`` stands for: a store and its keys.
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

        A folder is what is one on the disk; else what ends in ``/`` or has no suffix.  Nothing is
        asked over the network and nothing has to exist.
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
        """The options for a store are those of its table, not those of the command line."""
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
    """One location alone."""
    return Locations(
        endpoint_url=endpoint_url, region=region, profile=profile, connections=connections
    )(location)


def folder(path: Path) -> LocalStorage:
    """A folder of this machine; ``root`` is where it really lies.  It need not exist yet."""
    return LocalStorage(path)


def is_local(location: str) -> bool:
    """Whether it names a path of this machine, not a URL nor ``@NAME``."""
    return not location.startswith("@") and _SCHEME.match(location) is None


def absolute(location: str) -> str:
    """The same place, whatever folder one works in."""
    return str(Path(location).absolute()) if is_local(location) else location


def of_uri(uri: str) -> str:
    """What ``Storage.uri`` gave, as people give a location."""
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
    """How those of Azure and Google are opened, whose library is an extra."""
    try:
        from pipeline.storage.object_store import connect
    except ImportError as error:
        raise UsageError(
            f"obstore is not installed; run `pip install 'recpipe[{extra}]'`"
        ) from error
    return connect


def split(key: str) -> tuple[str, str]:
    """Folder and file name; all of it is the folder if it ends in ``/`` or has no suffix."""
    if key.endswith("/") or not PurePosixPath(key).suffix:
        return key, ""
    folder, slash, name = key.rpartition("/")
    return folder + slash, name
