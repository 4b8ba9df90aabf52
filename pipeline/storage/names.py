"""Keys that cannot leave a store's root, and how to print what somebody else named."""

import os
import re
from collections.abc import Iterable
from ipaddress import IPv6Address
from itertools import takewhile
from urllib.parse import quote, urlsplit

from pipeline.errors import UnsafePathError

TRASH = ".trash/"  # in the root of a store: what was cleaned up and can still be restored

_ABSOLUTE = re.compile(r"([A-Za-z]:)?/")
_ETAG = re.compile(r"[!#-~]*")
_ENDPOINT = re.compile(
    r"https?://([\w.~-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[!-?A-~]*)?", re.ASCII
)


def safe_key(key: str) -> str:
    """The key itself.  Raises ``UnsafePathError`` if in any store it could lead out of its root.

    A backslash counts as a slash, as it does on SeaweedFS; dot parts are refused because servers
    and proxies resolve them.
    """
    slashed = key.replace("\\", "/")
    if "\0" in key or not _encodable(key):
        raise UnsafePathError(f"{printable(key)}: holds a character no file name may hold")
    if _ABSOLUTE.match(slashed):
        raise UnsafePathError(f"{printable(key)}: absolute, expected a path below the root")
    if {".", ".."} & set(slashed.split("/")):
        raise UnsafePathError(f"{printable(key)}: a '.' or '..' part could leave the root")
    return key


def printable(text: object) -> str:
    """One line without control characters, whatever a file or an object is called."""
    line = str(text)
    if line.isprintable():
        return line
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)


def percent_encoded(key: str) -> str:
    """A key as the path of a URI (RFC 3986 section 2.1), also one that is not UTF-8."""
    return quote(key, errors="surrogateescape")


def is_etag(text: str) -> bool:
    """Whether this can be an ETag, without its quotes (RFC 9110, 8.8.3; of obs-text nothing)."""
    return _ETAG.fullmatch(text) is not None


def is_endpoint(text: str) -> bool:
    """Whether this is a URL that may come from anywhere and be given to any library: host, port and
    path, in ASCII, without a password.
    """
    if not _ENDPOINT.fullmatch(text):
        return False
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
        if ":" in host:
            IPv6Address(host)
        return bool(host) and (parts.port is None or parts.port > 0)
    except ValueError:  # a port beyond 65535, an address that is none
        return False


def common_folder(keys: Iterable[str]) -> str:
    """The deepest folder that holds all keys, directly or below: "" or ending in a slash."""
    folders = [key.split("/")[:-1] for key in keys]
    low, high = min(folders, default=[]), max(folders, default=[])
    same = takewhile(lambda pair: pair[0] == pair[1], zip(low, high, strict=False))
    return "".join(f"{name}/" for name, _ in same)


def _encodable(key: str) -> bool:
    try:
        os.fsencode(key)
    except UnicodeEncodeError:  # half a surrogate pair, say from a JSON escape
        return False
    return True


def not_behind(after: str) -> str:
    """A key to begin a listing behind, so that no key after this one is missed.

    A store that lists folder by folder gives ``a/b`` before ``a.ts``; in the order of keys it comes
    after it, as the dot, like every character below the slash, sorts first.
    """
    low = next((at for at, c in enumerate(after) if c < "/"), None)
    return after if low is None else after[: after.rfind("/", 0, low) + 1]
