"""The result goes to its destination: whole or not at all, the receipt last.

Two runs at once publish once.  A folder of this machine has a lock for that.  A bucket may be
written to from many machines: there the result is created only where nothing stands, if the store
was seen to keep that promise.  If not, it gets a name that no other run has, and the receipt says
which one counts.
"""

import hashlib
import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import ExistsError, NotFoundError, StorageError
from pipeline.model import Format, StoredObject
from pipeline.storage import Storage, allowed
from pipeline.storage.local import LocalStorage
from pipeline.storage.probe import creates_once

CONTENT_TYPES = {
    Format.MP4: "video/mp4",
    Format.M4A: "audio/mp4",
    Format.MP3: "audio/mpeg",
    Format.WAV: "audio/wav",
    Format.AAC: "audio/aac",
    Format.TS: "video/mp2t",
}
RECEIPT = ".receipt.json"
_TOKEN = 16  # hex digits in a name of one run alone
SCHEMA = 1  # of the receipts this version writes and understands


def receipt_key(key: str) -> str:
    """The receipt beside a result; an MP4's is named without its suffix."""
    return key.removesuffix(".mp4") + RECEIPT


def workplace(destination: Storage, key: str, spool: Path) -> Path:
    """Where to write the result first: beside its final name if that is a folder, else in the
    spool.
    """
    if isinstance(destination, LocalStorage):
        return destination.temporary(key)
    return LocalStorage(_made(spool)).temporary(key.rpartition("/")[2])


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def place(destination: Storage, key: str) -> str:
    """The key a result gets: its own, or one of this run alone where that is safer."""
    if isinstance(destination, LocalStorage) or creates_once(destination):
        return key
    stem, dot, suffix = key.rpartition(".")
    return f"{stem}.{secrets.token_hex(_TOKEN // 2)}{dot}{suffix}"


def publish(
    temporary: Path,
    destination: Storage,
    key: str,
    receipt: Mapping[str, Any],
    *,
    format: Format,
    sha256: str,
    placed: str | None = None,
    replacing: bool = True,
    guard: Callable[[], None] = allowed,
) -> StoredObject:
    """Put the file under its final name, then the receipt.  Safe to repeat.

    ``placed`` is what :func:`place` said.  ExistsError if nothing was to be replaced and another
    run was quicker.  Before ``guard`` returns nothing is changed at the destination.
    """
    placed = placed or key

    def cleared() -> None:
        guard()
        if placed == key:
            destination.delete(receipt_key(key))  # an earlier one says nothing of this file

    text = json.dumps(receipt, indent=1, ensure_ascii=False) + "\n"
    # a file name that is no UTF-8 becomes an escape of JSON, and the same name when read again
    data = text.encode("utf-8", "backslashreplace")
    note = temporary.with_name(temporary.name.replace(".part", ".receipt.part"))
    try:
        note.write_bytes(data)  # before the file: there may be no room left
        if isinstance(destination, LocalStorage):
            destination.flush(temporary)
            cleared()
            stored = destination.adopt(temporary, key)
            destination.adopt(note, receipt_key(key))
            return stored
        content = CONTENT_TYPES[format]
        if replacing or placed != key:
            cleared()
            stored = destination.put(temporary, placed, sha256=sha256, content_type=content)
        else:
            stored = _create(temporary, destination, key, sha256, content, cleared)
        if stored.size != receipt["output"]["size"]:
            where, sent = destination.url(placed), receipt["output"]["size"]
            raise StorageError(f"{where}: {stored.size} bytes arrived, {sent} sent")
        digest = hashlib.sha256(data).hexdigest()
        destination.put(note, receipt_key(key), sha256=digest, content_type="application/json")
    finally:
        note.unlink(missing_ok=True)
    return stored


def _create(
    temporary: Path,
    destination: Storage,
    key: str,
    sha256: str,
    content: str,
    guard: Callable[[], None],
) -> StoredObject:
    try:
        return destination.create(temporary, key, sha256=sha256, content_type=content, guard=guard)
    except ExistsError:
        # a lost answer makes a client ask twice, and then its own file is in the way
        refuse_other(destination, key, sha256)
        return destination.head(key)


@dataclass(frozen=True, slots=True)
class Earlier:
    """What already stands under the result's name."""

    key: str
    size: int
    receipt: Mapping[str, Any] | None  # None: a crash came between the two, or it is not ours


def earlier(destination: Storage, key: str) -> Earlier | None:
    """An earlier result, None when there is none."""
    receipt = _receipt(destination, key)
    own = pointed(key, receipt)
    for name in dict.fromkeys((own, key)):
        try:
            there = destination.head(name)
        except NotFoundError:
            continue
        whole = name == own and receipt is not None
        whole = whole and receipt["output"]["size"] == there.size
        return Earlier(name, there.size, receipt if whole else None)
    return None


def _receipt(destination: Storage, key: str) -> Any:
    """The receipt beside a result; None if there is none, or another tool's."""
    try:
        receipt: Any = json.loads(b"".join(destination.open(receipt_key(key))))
        fits = receipt["schema"] == SCHEMA and isinstance(receipt["output"]["size"], int)
        fits &= all(isinstance(one["key"], str) for one in receipt["inputs"])
        fits &= isinstance(receipt["settings"], dict)
    except (NotFoundError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return receipt if fits else None


def pointed(key: str, receipt: Any) -> str:
    """The key of the result a receipt speaks of; a name that no run gives is not followed."""
    file = receipt["output"].get("file") if receipt else None
    folder, slash, _ = key.rpartition("/")
    if isinstance(file, str) and is_own(key, folder + slash + file):
        return f"{folder}{slash}{file}"
    return key


def is_own(key: str, placed: str) -> bool:
    """Whether that is a name which one run alone gives to its result in place of this key."""
    stem, dot, suffix = key.rpartition(".")
    own = rf"{re.escape(stem)}\.[0-9a-f]{{{_TOKEN}}}{re.escape(dot + suffix)}"
    return re.fullmatch(own, placed) is not None


def lost(destination: Storage, key: str, placed: str) -> bool:
    """Whether the receipt that stands now speaks of another run's result; then ours goes.

    A receipt that cannot be read is being written: a file too many is better than one too few.
    """
    receipt = None if placed == key else _receipt(destination, key)
    if receipt is None or pointed(key, receipt) == placed:
        return False
    destination.delete(placed)
    return True


def refuse_other(destination: Storage, key: str, sha256: str) -> None:
    """ExistsError unless the file that stands there without a receipt is the very same."""
    digest = hashlib.sha256()
    for chunk in destination.open(key):
        digest.update(chunk)
    if digest.hexdigest() != sha256:
        where = destination.url(key)
        raise ExistsError(
            f"{where}: exists and no receipt explains it; move it away or give --force"
        )
