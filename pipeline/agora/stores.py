"""A place for recordings, written once: Agora's ``storageConfig``, and how we open it.

A table ``[storage.NAME]`` of the settings becomes a :class:`Store`.  Its keys are read later, from
where the table says, and never shown.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from msgspec import Struct

from pipeline.agora import vendors
from pipeline.agora.vendors import Vendor
from pipeline.errors import UsageError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
LONGEST_PREFIX = 128  # characters of fileNamePrefix, joined with slashes

_PART = re.compile(r"[A-Za-z0-9]+")
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_ENDPOINT = re.compile(r"(?:(https?)://)?([A-Za-z0-9.-]+(?::[0-9]{1,5})?)/?")
_TEXTS = ("bucket", "prefix", "endpoint", "sse", "tag", "profile", "credentials_file")
_KEYS = ("access_key", "secret_key", "session_token", "session_expiration")
_VARIABLES = tuple(f"{key}_env" for key in _KEYS)
_KNOWN = {"vendor", "region", "keys_in_clear", *_TEXTS, *_VARIABLES, *_KEYS}


@dataclass(frozen=True, slots=True)
class Credentials:
    """Keys of an account.  Only ``access_key`` is ever shown; in Azure it is the account's name."""

    access_key: str
    secret_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)
    expires: int | None = None  # when the token does, seconds since 1970


class Store(Struct, frozen=True):
    """One table; of ``variables``, ``profile``, ``file`` and ``in_clear`` at most one is set."""

    name: str
    vendor: Vendor
    region: int  # Agora's number
    bucket: str
    prefix: str = ""
    endpoint: str | None = None
    sse: str | None = None
    tag: str | None = None
    variables: tuple[str, str, str | None, str | None] | None = None  # in the order of Credentials
    profile: str | None = None  # of ~/.aws
    file: str | None = None  # that holds the keys
    in_clear: Credentials | None = None

    @property
    def opening(self) -> vendors.Opening:
        """How we open it."""
        return vendors.opening(self.vendor, self.region, self.endpoint)


def parse(name: str, table: Mapping[str, Any]) -> Store:
    """The store of one table.

    Raises ``UsageError`` for a table that is wrong; the message never holds a key.
    """
    values = {key.replace("-", "_"): value for key, value in table.items()}
    if not NAME.fullmatch(name):
        raise UsageError(f"{name!r}: no name for a store; use letters, digits, - and _")
    unknown = sorted(values.keys() - _KNOWN)
    if unknown:
        raise UsageError(f"unknown key {unknown[0]!r}; known are {_listed(_KNOWN)}")
    for key in (*_TEXTS, *_VARIABLES, *_KEYS[:3]):
        if key in values and (not isinstance(values[key], str) or not values[key]):
            raise UsageError(f"{_dashed(key)}: expected text in quotes")  # not quoted: may be a key
    for key in ("vendor", "bucket"):
        if key not in values:
            raise UsageError(f"{key}: missing")
    vendor = vendors.vendor(_plain("vendor", values["vendor"]))
    if not _BUCKET.fullmatch(values["bucket"]):
        raise UsageError(
            "bucket: not a valid name; expected its plain name, without address or folder"
        )
    return Store(
        name=name,
        vendor=vendor,
        region=_region(vendor, values),
        bucket=values["bucket"],
        prefix=values.get("prefix", "").strip("/"),
        endpoint=_endpoint(vendor, values.get("endpoint")),
        sse=values.get("sse"),
        tag=values.get("tag"),
        **_keys(values),
    )


def credentials(values: Mapping[str, Any]) -> Credentials:
    """Credentials from ``access_key``, ``secret_key``, and the session's token and expiration.

    Raises ``UsageError`` for an expiration that is no time, or has no token.
    """
    token, expiration = values.get("session_token"), values.get("session_expiration")
    expires = None if expiration is None else _moment(expiration)
    if expires is not None and not token:
        raise UsageError("session-expiration: without a session-token")
    return Credentials(values["access_key"], values["secret_key"], token or None, expires)


def _moment(given: object) -> int:
    """Seconds since 1970, as a number or as ISO 8601 says it; not quoted: may be a key."""
    try:
        if isinstance(given, datetime) or (isinstance(given, str) and not given.isdecimal()):
            at = given if isinstance(given, datetime) else datetime.fromisoformat(given)
            if at.tzinfo is not None:
                return int(at.timestamp())
        elif isinstance(given, int | str) and not isinstance(given, bool) and int(given) > 0:
            return int(given)
    except (ValueError, OverflowError):
        pass
    raise UsageError("session-expiration: expected Unix seconds, or a time like 2026-11-22T19:30Z")


def storage_config(store: Store, credentials: Credentials) -> dict[str, Any]:
    """The ``storageConfig`` of a start request.  It holds the secret: never to be printed.

    Raises ``UsageError`` for temporary credentials or a prefix that Agora does not take.
    """
    config: dict[str, Any] = {
        "vendor": store.vendor.id,
        "region": store.region,
        "bucket": store.bucket,
        "accessKey": credentials.access_key,
        "secretKey": credentials.secret_key,
    }
    if credentials.session_token:
        if not store.vendor.sts:
            raise UsageError(f"{store.vendor.title}: Agora takes no temporary credentials for it")
        config["stsToken"] = credentials.session_token
        if credentials.expires is not None:
            config["stsExpiration"] = credentials.expires
    if store.prefix:
        config["fileNamePrefix"] = file_name_prefix(store.prefix)
    extension = {"sse": store.sse, "tag": store.tag}
    if store.endpoint and store.vendor.name == "self":
        extension["endpoint"] = store.endpoint.partition("://")[2]
    if any(extension.values()):
        config["extensionParams"] = {key: value for key, value in extension.items() if value}
    return config


def file_name_prefix(prefix: str) -> list[str]:
    """The parts of a folder, as ``fileNamePrefix`` has them.

    Raises ``UsageError`` for a folder in which Agora cannot put files.
    """
    parts = prefix.split("/")
    for part in parts:
        if not _PART.fullmatch(part):
            raise UsageError(f"prefix {prefix!r}: Agora takes letters, digits and / only")
    if len(prefix) + 1 > LONGEST_PREFIX:
        raise UsageError(
            f"prefix: {len(prefix) + 1} characters with its slashes, Agora takes {LONGEST_PREFIX}"
        )
    return parts


def _region(vendor: Vendor, values: Mapping[str, Any]) -> int:
    if "region" in values:
        return vendors.region_code(vendor, _plain("region", values["region"]))
    if len(vendor.regions) > 1:
        raise UsageError(f"region: missing; {vendor.title} has {len(vendor.regions)} of them")
    return vendor.first


def _endpoint(vendor: Vendor, endpoint: str | None) -> str | None:
    if endpoint is None:
        if vendor.name == "self":
            raise UsageError(f"endpoint: missing, which {vendor.title} needs")
        return None
    if vendor.name == "azure":
        return endpoint  # with the account in its path
    match = _ENDPOINT.fullmatch(endpoint)
    if match is None:  # not quoted: a mistyped endpoint may hold a password
        raise UsageError("endpoint: expected a host name, or https://host")
    return f"{match[1] or 'https'}://{match[2]}"


def _keys(values: Mapping[str, Any]) -> dict[str, Any]:
    """Where the keys are; UsageError if the table says so in more than one way."""
    ways = {
        "variables": any(key in values for key in _VARIABLES),
        "profile": "profile" in values,
        "credentials-file": "credentials_file" in values,
        "keys in clear": any(key in values for key in _KEYS),
    }
    if sum(ways.values()) > 1:
        said = " and ".join(way for way, used in ways.items() if used)
        raise UsageError(f"{said}: say in one way where the keys are")
    if ways["variables"]:
        _both(values, "access_key_env", "secret_key_env")
        return {"variables": tuple(values.get(name) for name in _VARIABLES)}
    if ways["keys in clear"]:
        if values.get("keys_in_clear") is not True:
            raise UsageError(
                "access-key, secret-key: a secret in a settings file; name variables with "
                "access-key-env and secret-key-env, or insist with keys-in-clear = true"
            )
        _both(values, "access_key", "secret_key")
        return {"in_clear": credentials(values)}
    return {"profile": values.get("profile"), "file": values.get("credentials_file")}


def _both(values: Mapping[str, Any], one: str, other: str) -> None:
    if not (one in values and other in values):
        raise UsageError(
            f"{_dashed(one)} and {_dashed(other)}: one of them is missing; give both or neither"
        )


def _plain(key: str, value: object) -> str | int:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise UsageError(f"{key}: expected a name in quotes, or Agora's number")
    return value


def _dashed(key: str) -> str:
    return key.replace("_", "-")


def _listed(keys: set[str]) -> str:
    return ", ".join(sorted(map(_dashed, keys)))
