"""Where results go: a destination, and a name in it that no recording can choose to be harmful."""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from msgspec import Struct

from pipeline.choices import Format
from pipeline.errors import ExistsError, UsageError
from pipeline.storage import Storage
from pipeline.storage.names import printable
from pipeline.storage.oserrors import os_errors

Opener = Callable[[str], tuple[Storage, str]]  # a location becomes a storage and a key in it

LONGEST = 200  # bytes of a name without its suffix; file systems hold 255 with ".receipt.json"
_DIGEST = 8

# separators, control characters, halves of surrogate pairs, and what turns the direction of text
_HARMFUL = re.compile(
    r"[/\\\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029\u202a-\u202e\u2066-\u2069\ufffe\uffff]"
)
_OTHER_FILE = re.compile(r"[a-z][a-z0-9]{1,4}")  # a suffix of files that are not ours
_LEADING_DOTS = re.compile(r"\A\.+")


def file_name(id: str) -> str:
    """One safe part of a path for any id; spaces and letters of all scripts stay."""
    safe = _LEADING_DOTS.sub(lambda dots: "_" * len(dots[0]), _HARMFUL.sub("_", id))
    if len(safe.encode()) > LONGEST:
        digest = hashlib.sha256(id.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST]
        short = safe.encode()[: LONGEST - _DIGEST - 1].decode("utf-8", "ignore")
        safe = f"{short}-{digest}"  # two that only differ at the end stay two
    return safe if safe.strip() else "recording"


class Target(Struct, frozen=True):
    """Where one result goes."""

    storage: Storage
    key: str
    name: str = ""  # what a template called it, without version and suffix

    @property
    def url(self) -> str:
        """How people name it."""
        return self.storage.url(self.key)


class Destination(Struct, frozen=True):
    """A folder or prefix, or with a key one file in it."""

    storage: Storage
    format: Format
    key: str = ""

    def target(self, id: str, name: str = "") -> Target:
        """Where the result of one recording goes; ``name`` is what a template calls it."""
        key = self.key or f"{name or file_name(id)}.{self.format.value}"
        return Target(self.storage, key, name)


def destination(location: str, format: Format, opened: Opener) -> Destination:
    """A file if the name ends like one of this format and is no folder, else a folder.  UsageError
    for the suffix of anything else.
    """
    if location == "-":
        raise UsageError("results cannot be written to standard output; name a folder or a file")
    storage, key = opened(location)
    if not key:
        return Destination(storage, format)
    suffix = PurePosixPath(key).suffix.lower().removeprefix(".")
    if suffix == format.value:
        return Destination(storage, format, key)
    if suffix in list(Format) and not location.endswith("/"):
        said = f"{printable(location)}: ends in .{suffix}, the format is {format.value}"
        raise UsageError(f"{said}; give --format {suffix} or another name")
    there = storage.path(key)
    with os_errors(f"open {storage.url(key)}"):
        if there is not None and Path(there).exists():
            raise ExistsError(f"{storage.url(key)}: is a file; name a folder")
    if _OTHER_FILE.fullmatch(suffix) and not location.endswith("/"):
        known = ", ".join(f".{one}" for one in Format)
        said = f"{printable(location)}: ends in .{suffix}, expected one of {known}"
        raise UsageError(f"{said}; a folder of that name ends in /")
    storage, _ = opened(location.rstrip("/") + "/")
    return Destination(storage, format)
