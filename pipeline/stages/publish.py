"""The result goes to its destination: whole or not at all, the receipt last."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import ExistsError, NotFoundError, StorageError
from pipeline.model import Format, StoredObject
from pipeline.storage import Storage
from pipeline.storage.local import LocalStorage

CONTENT_TYPES = {
    Format.MP4: "video/mp4",
    Format.M4A: "audio/mp4",
    Format.MP3: "audio/mpeg",
    Format.WAV: "audio/wav",
    Format.AAC: "audio/aac",
    Format.TS: "video/mp2t",
}
RECEIPT = ".receipt.json"
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


def publish(
    temporary: Path,
    destination: Storage,
    key: str,
    receipt: Mapping[str, Any],
    *,
    format: Format,
    sha256: str,
) -> StoredObject:
    """Put the file under its final name, then the receipt.  Safe to repeat."""
    text = json.dumps(receipt, indent=1, ensure_ascii=False) + "\n"
    # a file name that is no UTF-8 becomes an escape of JSON, and the same name when read again
    data = text.encode("utf-8", "backslashreplace")
    note = temporary.with_name(temporary.name.replace(".part", ".receipt.part"))
    try:
        note.write_bytes(data)  # before the file: there may be no room left
        destination.delete(receipt_key(key))  # an earlier one says nothing of this file
        if isinstance(destination, LocalStorage):
            stored = destination.adopt(temporary, key)
            destination.adopt(note, receipt_key(key))
            return stored
        content = CONTENT_TYPES[format]
        stored = destination.put(temporary, key, sha256=sha256, content_type=content)
        if stored.size != receipt["output"]["size"]:
            where, sent = destination.url(key), receipt["output"]["size"]
            raise StorageError(f"{where}: {stored.size} bytes arrived, {sent} sent")
        digest = hashlib.sha256(data).hexdigest()
        destination.put(note, receipt_key(key), sha256=digest, content_type="application/json")
    finally:
        note.unlink(missing_ok=True)
    return stored


@dataclass(frozen=True, slots=True)
class Earlier:
    """What already stands under the result's name."""

    size: int
    receipt: Mapping[str, Any] | None  # None: a crash came between the two, or it is not ours


def earlier(destination: Storage, key: str) -> Earlier | None:
    """An earlier result, None when there is none."""
    try:
        there = destination.head(key)
    except NotFoundError:
        return None
    try:
        receipt: Any = json.loads(b"".join(destination.open(receipt_key(key))))
        whole = receipt["output"]["size"] == there.size and receipt["schema"] == SCHEMA
        whole &= all(isinstance(one["key"], str) for one in receipt["inputs"])
        whole &= isinstance(receipt["settings"], dict)
    except (NotFoundError, ValueError, KeyError, TypeError, RecursionError):
        whole = False
    return Earlier(there.size, receipt if whole else None)


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
