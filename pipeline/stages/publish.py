"""The result goes to its destination: whole or not at all, the receipt last.

Two runs at once publish once.  A folder of this machine has a lock for that.  A bucket may be
written to from many machines: there the result is created only where nothing stands yet, if the
store has shown that it keeps that promise.  If not, it gets a name that no other run has, and the
receipt says which one counts.
"""

import hashlib
import json
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from msgspec import Struct

from pipeline.choices import Format, Users
from pipeline.errors import ExistsError, StorageError
from pipeline.model import StoredObject
from pipeline.storage import Storage, allowed
from pipeline.storage.probe import creates_once
from pipeline.storage.sending import Sent, unseen

CONTENT_TYPES = {
    Format.MP4: "video/mp4",
    Format.M4A: "audio/mp4",
    Format.MP3: "audio/mpeg",
    Format.WAV: "audio/wav",
    Format.AAC: "audio/aac",
    Format.TS: "video/mp2t",
}
SESSION = ".session.json"
SPEAKERS = (".speakers.json", ".speakers.vtt")
RECEIPT = ".receipt.json"
_TOKEN = 16  # hex digits in a name of one run alone
USER = "__uid_s_"  # in front of the uid, in the name of a user's file
_USER_FILE = re.compile(
    rf"{USER}[1-9][0-9]{{0,9}}(__uid_e_(audio|video|av))?(\.[1-9][0-9]{{0,5}})?"
    rf"(\.[0-9a-f]{{{_TOKEN}}})?\.({'|'.join(Format)})"
)
_OF_ALL = re.compile(rf"(\.[0-9a-f]{{{_TOKEN}}})?\.(mp4|m4a)", re.IGNORECASE)
_OWN = re.compile(rf"\.[0-9a-f]{{{_TOKEN}}}(\.[a-z0-9]+)\Z")
SCHEMA = 1  # of the receipts this version writes and understands


def format_of(key: str) -> Format:
    """What a result of this name is, whatever the case of its suffix."""
    return Format(key.rpartition(".")[2].lower())


def receipt_key(key: str) -> str:
    """The key of the receipt beside a result; that of an MP4 is named without the suffix."""
    return key.removesuffix(".mp4") + RECEIPT


def piece_key(key: str, number: int) -> str:
    """The key of one of several results, counted from 1."""
    stem, dot, suffix = key.rpartition(".")
    return f"{stem}.{number}{dot}{suffix}"


def user_key(key: str, cname: str, format: Format) -> str:
    """The key of the file of one user, or of one stream, beside what a session's key names."""
    return f"{key.rpartition('.')[0]}{cname[cname.rindex(USER) :]}.{format.value}"


def everyone_key(key: str, users: Users) -> str:
    """The key of the one file of all users of a session, beside what the session's key names."""
    stem, _, suffix = key.rpartition(".")
    wanted = Format.M4A if users is Users.MIX_AUDIO else Format.MP4
    return key if suffix.lower() == wanted else f"{stem}.{wanted.value}"


def session_key(key: str) -> str:
    """The key of the document about a session, beside what the session's key names."""
    return key.rpartition(".")[0] + SESSION


def speakers_keys(key: str) -> tuple[str, str]:
    """The keys of who spoke when in a session, as JSON and as WebVTT."""
    stem = key.rpartition(".")[0]
    return stem + SPEAKERS[0], stem + SPEAKERS[1]


def is_user_file(key: str, name: str) -> bool:
    """Whether a run may give this name to a file of one user of the session whose key this is."""
    return _names(_USER_FILE, key, name)


def is_session_file(key: str, name: str) -> bool:
    """The same, or to the one file of all its users."""
    return is_user_file(key, name) or _names(_OF_ALL, key, name)


def _names(form: re.Pattern[str], key: str, name: str) -> bool:
    stem = key.rpartition("/")[2].rpartition(".")[0]
    return name.startswith(stem) and form.fullmatch(name, len(stem)) is not None


def plain_name(name: str) -> str:
    """The name of a file of a session without what one run alone put into it."""
    return _OWN.sub(r"\1", name)


def place(destination: Storage, key: str) -> str:
    """The key a result gets: its own, or one of this run alone where a shared store cannot create a
    key exactly once.
    """
    if not destination.shared or creates_once(destination):
        return key
    stem, dot, suffix = key.rpartition(".")
    return f"{stem}.{secrets.token_hex(_TOKEN // 2)}{dot}{suffix}"


class Result(Struct, frozen=True):
    """One file on its way to its key."""

    temporary: Path
    key: str
    size: int  # bytes
    sha256: str  # hexadecimal
    content_type: str = "application/json"


def publish(
    temporary: Path,
    destination: Storage,
    key: str,
    receipt: Mapping[str, Any],
    *,
    format: Format,
    sha256: str,
    placed: str | None = None,
    more: Sequence[Result] = (),
    replacing: bool = True,
    guard: Callable[[], None] = allowed,
    sent: Sent = unseen,
) -> StoredObject:
    """Put the file under its final name, and ``more`` that belong to it, then the receipt.  Safe
    to repeat.

    The files are those of ``Storage.temporary``; ``placed`` is what :func:`place` returned.
    ExistsError if nothing was to be replaced and another run was quicker; StorageError if bytes
    are missing at the destination.  Before ``guard`` returns nothing is changed there.  ``sent``
    gets the bytes of all files but the receipt.
    """
    size, kind = receipt["output"]["size"], CONTENT_TYPES[format]
    results = [Result(temporary, placed or key, size, sha256, kind), *more]
    plain = is_plain(key, results[0].key)

    def cleared() -> None:
        guard()
        if plain:
            destination.delete(receipt_key(key))  # an earlier one says nothing of these files

    creating = destination.shared and plain and not replacing
    put = partial(_create_all if creating else _adopt_all, results, destination, sent)
    data = receipt_bytes(receipt)
    note = temporary.with_name(temporary.name.replace(".part", ".receipt.part"))
    try:
        note.write_bytes(data)  # before the file: there may be no room left
        stored = put(cleared)
        digest = hashlib.sha256(data).hexdigest()
        written = _create_receipt if creating else _adopt_receipt
        written(note, destination, receipt_key(key), digest)
    finally:
        note.unlink(missing_ok=True)
    return stored[0]


def receipt_bytes(receipt: Mapping[str, Any]) -> bytes:
    """The receipt as JSON; a file name that is no UTF-8 is escaped so that reading restores it."""
    text = json.dumps(receipt, indent=1, ensure_ascii=False) + "\n"
    return text.encode("utf-8", "backslashreplace")


def _adopt_receipt(note: Path, destination: Storage, key: str, sha256: str) -> None:
    destination.adopt(note, key, sha256=sha256, content_type="application/json")


def _create_receipt(note: Path, destination: Storage, key: str, sha256: str) -> None:
    """Put the receipt where none was a moment ago.  ExistsError if another run's is there by now:
    that run found our file, which is the same as its own, while we were stopped.
    """
    data = note.read_bytes()
    try:
        destination.create(note, key, sha256=sha256, content_type="application/json")
    except ExistsError:
        if b"".join(destination.open(key)) != data:  # else the answer to ours was lost
            raise


def _create_all(
    results: Sequence[Result], destination: Storage, sent: Sent, cleared: Callable[[], None]
) -> list[StoredObject]:
    """Create files where nothing may stand yet; ``cleared`` is called once, for all of them."""
    asked = (cleared, *(allowed for _ in results[1:]))
    pairs = zip(results, asked, strict=True)
    return [_create(one, destination, guard=ask, sent=sent) for one, ask in pairs]


def _adopt_all(
    results: Sequence[Result], destination: Storage, sent: Sent, cleared: Callable[[], None]
) -> list[StoredObject]:
    for one in results:
        destination.flush(one.temporary)
    cleared()
    return [_adopt(one, destination, sent) for one in results]


def _adopt(one: Result, destination: Storage, sent: Sent) -> StoredObject:
    """Put one file under its key, whatever stood there."""
    stored = destination.adopt(
        one.temporary, one.key, sha256=one.sha256, content_type=one.content_type, sent=sent
    )
    return _whole(one, stored, destination)


def _whole(one: Result, stored: StoredObject, destination: Storage) -> StoredObject:
    if stored.size != one.size:
        where = destination.url(one.key)
        raise StorageError(f"{where}: {stored.size} bytes arrived, {one.size} sent")
    return stored


def is_plain(key: str, placed: str) -> bool:
    """Whether that is the key every run gives its first file, or its only one."""
    name = placed.rpartition("/")[2]
    of_users = is_session_file(key, name) and plain_name(name) == name
    return of_users or placed in (key, piece_key(key, 1))


def _create(
    one: Result, destination: Storage, *, guard: Callable[[], None], sent: Sent
) -> StoredObject:
    """Put one file under its key; ExistsError if anything but the same file stands there."""
    try:
        stored = destination.create(
            one.temporary,
            one.key,
            sha256=one.sha256,
            content_type=one.content_type,
            guard=guard,
            sent=sent,
        )
    except ExistsError:
        # a lost answer makes a client ask twice, and then its own file is in the way
        refuse_other(destination, one.key, one.sha256)
        return destination.head(one.key)
    return _whole(one, stored, destination)


def named(key: str, file: Any) -> str:
    """The key of the ``file`` that a receipt names beside ``key``; ``key`` itself if that is no
    name a run gives.
    """
    folder, slash, name = key.rpartition("/")
    stem, dot, suffix = name.rpartition(".")
    number, token = r"(\.[1-9][0-9]{0,5})?", rf"(\.[0-9a-f]{{{_TOKEN}}})?"
    own = rf"{re.escape(stem)}{number}{token}{re.escape(dot + suffix)}"
    if isinstance(file, str) and re.fullmatch(own, file):
        return f"{folder}{slash}{file}"
    return key


def is_own(key: str, placed: str) -> bool:
    """Whether ``placed`` is a name that one run alone gives its result instead of ``key``."""
    stem, dot, suffix = key.rpartition(".")
    own = rf"{re.escape(stem)}\.[0-9a-f]{{{_TOKEN}}}{re.escape(dot + suffix)}"
    return re.fullmatch(own, placed) is not None


def refuse_other(destination: Storage, key: str, sha256: str) -> None:
    """ExistsError unless the file at the key, which has no receipt, has this SHA-256.  Reads all of
    it.
    """
    digest = hashlib.sha256()
    for chunk in destination.open(key):
        digest.update(chunk)
    if digest.hexdigest() != sha256:
        where = destination.url(key)
        raise ExistsError(
            f"{where}: exists and no receipt explains it; move it away or give --force"
        )
