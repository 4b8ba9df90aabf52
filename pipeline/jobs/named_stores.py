"""``@NAME``: the stores of the settings, with the keys from where each says they are."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from pipeline import config
from pipeline.agora import stores
from pipeline.agora.stores import Credentials, Store
from pipeline.errors import RecpipeError, UsageError
from pipeline.storage import Storage
from pipeline.storage.locations import Locations
from pipeline.storage.names import printable

NamedStore = tuple[Store, Credentials | None]
_KEYS = ("access_key", "secret_key", "session_token", "session_expiration")
_SAY_WHERE = "name its keys with access-key-env and secret-key-env, profile or credentials-file"


def locations(
    *,
    endpoint_url: str | None = None,
    region: str | None = None,
    profile: str | None = None,
    connections: int = 16,
    file: str | Path | None = None,
) -> Locations:
    """How locations are opened, those of the settings file among them."""
    return Locations(
        endpoint_url=endpoint_url,
        region=region,
        profile=profile,
        connections=connections,
        named=named(file),
    )


def storage_config(name: str, file: str | Path | None = None) -> dict[str, Any]:
    """Agora's ``storageConfig`` for a store.  It holds the secret: never to be printed."""
    store, credentials = named(file)(name)
    with _telling(store.name):
        if store.profile:
            from pipeline.storage.s3.clients import profile_credentials

            credentials = profile_credentials(store.profile)
        if credentials is None:
            raise UsageError(f"Agora needs keys of its own; {_SAY_WHERE}")
        return stores.storage_config(store, credentials)


def bucket(vendor: int, region: int, name: str, file: str | Path | None = None) -> Storage:
    """The root of a bucket that Agora's numbers name, reached as its table says."""
    tables, origin = config.load_stores(str(file) if file else None)
    look_up = named(file)
    for table in tables:
        store, credentials = look_up(table)
        if (store.vendor.id, store.region, store.bucket) == (vendor, region, name):
            root: NamedStore = replace(store, prefix=""), credentials
            return Locations(named=partial(_same, root))(f"@{table}")[0]
    raise UsageError(
        f"no [storage.NAME] in {origin} is bucket {printable(name)} of vendor {vendor}, "
        f"region {region}"
    )


def named(file: str | Path | None = None) -> Callable[[str], NamedStore]:
    """Looks a store up; the file is read when the first one is asked for."""

    def look_up(name: str) -> NamedStore:
        tables, origin = config.load_stores(str(file) if file else None)
        if name not in tables:
            known = ", ".join(f"@{one}" for one in sorted(tables)) or "none"
            raise UsageError(
                f"@{printable(name)}: no [storage.{printable(name)}] in {origin}; known: {known}"
            )
        with _telling(name):
            store = stores.parse(name, tables[name])
            return store, _credentials(store, origin.parent)

    return look_up


def _same(known: NamedStore, _: str) -> NamedStore:
    return known


def _credentials(store: Store, folder: Path) -> Credentials | None:
    """None where a profile has them, or the usual search of the store's own tools."""
    if store.in_clear is not None:
        return store.in_clear
    if store.variables is not None:
        named = zip(_KEYS, store.variables, strict=True)
        return stores.credentials({key: _variable(name) for key, name in named if name})
    if store.file is not None:
        return _from_file(folder / Path(store.file).expanduser())
    return None


def _variable(name: str) -> str:
    value = config.variable(name)
    if not value:
        raise UsageError(f"the variable {printable(name)} is not set")
    return value


def _from_file(path: Path) -> Credentials:
    values = {key.replace("-", "_"): value for key, value in config.read_toml(path).items()}
    if not all(isinstance(values.get(key), str) and values[key] for key in _KEYS[:2]):
        raise UsageError(f"{path}: expected access-key and secret-key, each text in quotes")
    token = values.get("session_token")
    if token is not None and not isinstance(token, str):
        raise UsageError(f"{path}: session-token: expected text in quotes")
    return stores.credentials(values)


@contextmanager
def _telling(name: str) -> Iterator[None]:
    """Says of which table an error speaks."""
    try:
        yield
    except RecpipeError as error:
        raise type(error)(f"[storage.{printable(name)}] {error}") from error
