"""Recordings that are published already, read back from their receipts.

A receipt found in a store may have been written by anybody: one that is not exactly as this tool
writes it is refused.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from pipeline.agora import names
from pipeline.choices import Format
from pipeline.errors import RecpipeError, UsageError
from pipeline.model import SourceFile, Verdict
from pipeline.receipts import values
from pipeline.stages.publish import (
    RECEIPT,
    SCHEMA,
    is_session_file,
    named,
    piece_key,
    plain_name,
    receipt_key,
    session_key,
    speakers_keys,
)
from pipeline.storage import Storage
from pipeline.storage.names import safe_key

LARGEST = 64 << 20  # bytes of a receipt; 100,000 segments need about 30 MB


class ReceiptError(UsageError):
    """A receipt that nothing may rely on."""


class Output(Struct, frozen=True):
    """One file of a result; ``name`` is without what one run alone put into it."""

    key: str
    size: int  # bytes
    sha256: str  # hex
    name: str


class Published(Struct, frozen=True, eq=False):
    """One result with its receipt.  ``inputs`` are those that were read; ``missing`` were not.

    Where it is several files, ``key``, ``size`` and ``sha256`` are those of the first.
    """

    id: str
    key: str  # of the result
    receipt_key: str
    receipt_sha256: str
    text: bytes  # the receipt itself
    receipt: Mapping[str, Any]
    converted: float  # when the result was proven, seconds since the epoch
    size: int  # bytes
    sha256: str  # hex
    verdict: Verdict
    root: str  # the URL, fit to print, that the keys of the inputs are relative to
    inputs: tuple[SourceFile, ...]
    missing: tuple[str, ...]  # keys
    pieces: tuple[Output, ...] = ()  # all files, if there are several, or of a session
    besides: tuple[Output, ...] = ()  # what else was written of it

    @property
    def stem(self) -> str:
        """The receipt's key without the ending of all receipts."""
        return self.receipt_key.removesuffix(RECEIPT)

    @property
    def name(self) -> str:
        """The last part of the stem: the name of its bag."""
        return self.stem.rpartition("/")[2]

    @property
    def file(self) -> str:
        """The result's file name, without what one run alone put into it."""
        format = self.receipt["settings"]["format"]
        own = self.name.lower().endswith(f".{format}")
        return self.name if own else f"{self.name}.{format}"

    @property
    def plain(self) -> str:
        """The key that every run gives the result, or derives its files' names from."""
        return self.stem.removesuffix(self.name) + self.file

    @property
    def files(self) -> tuple[Output, ...]:
        """Every file of the result that holds media."""
        return self.pieces or (Output(self.key, self.size, self.sha256, self.file),)

    @property
    def outputs(self) -> tuple[Output, ...]:
        """Every file of the result."""
        return (*self.files, *self.besides)

    @property
    def agora(self) -> names.PlaylistName | None:
        """Sid and channel, if it is a recording of Agora's."""
        if self.receipt.get("users"):
            return names.parse_session_name(self.receipt["source"].rpartition("/")[2])
        for key in (self.receipt["source"], *(one.key for one in self.inputs)):
            found = names.parse_playlist_name(key.rpartition("/")[2])
            if found is not None and found.bak is None:
                return found
        return None

    @property
    def seconds(self) -> float | None:
        """How long the result is, all files together; None if the receipt does not say."""
        pieces = self.receipt.get("pieces")
        last = pieces[-1] if isinstance(pieces, list) and pieces else self.receipt["output"]
        if not isinstance(last, Mapping):
            return None
        begin, length = values.seconds(last.get("begin", 0)), values.seconds(last.get("duration"))
        return None if begin is None or length is None else begin + length

    @property
    def lost(self) -> dict[str, float]:
        """Seconds that are missing of each kind of track, as far as the receipt says."""
        told = self.receipt.get("lost_seconds")
        pairs = told.items() if isinstance(told, Mapping) else ()
        return {kind: lost for kind, s in pairs if (lost := values.seconds(s)) is not None}

    @property
    def begin(self) -> float | None:
        """When the recording began, by its slice names, in seconds since the epoch."""
        slices = (names.parse_slice_name(i.key.rpartition("/")[2]) for i in self.inputs)
        return min((s.utc for s in slices if s is not None), default=None)


class Unreadable(Struct, frozen=True):
    """A receipt that could not be used, and why."""

    receipt_key: str
    error: RecpipeError


def find(storage: Storage, prefix: str = "") -> Iterator[Published | Unreadable]:
    """Everything published below a prefix, in the order of the keys.

    Raises the errors of the store while it lists; those of one receipt are values.
    """
    for found in storage.list(prefix):
        if found.key.endswith(RECEIPT) and "/." not in f"/{found.key}":
            try:
                yield read(storage, found.key)
            except RecpipeError as error:
                yield Unreadable(found.key, error)


def read(storage: Storage, key: str) -> Published:
    """One receipt.  Raises ``ReceiptError`` if this tool could not have written it, and the errors
    of the store.
    """
    entry = storage.head(key)
    if entry.size > LARGEST:
        raise ReceiptError(f"{storage.url(key)}: {entry.size} bytes, too long for a receipt")
    text = b"".join(storage.open(key, etag=entry.etag))
    return parsed(text, key, where=storage.url(key), written=entry.modified)


def parsed(text: bytes, key: str, *, where: str, written: float) -> Published:
    """A receipt from its bytes; ``where`` names it in errors, ``written`` is when it was stored:
    seconds since the epoch.  Raises ``ReceiptError``.
    """
    try:
        made: Any = json.loads(text)
        if made["schema"] != SCHEMA:
            raise ReceiptError(f"{where}: written by another version; convert again")
        _refuse_other_shapes(made)
        return _published(text, key, made, written)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ReceiptError(
            f"{where}: not a receipt of this tool; convert the recording again"
        ) from error


def _published(text: bytes, key: str, made: Any, written: float) -> Published:
    inputs = tuple(_input(one) for one in made["inputs"])
    output = made["output"]
    stem = key.removesuffix(RECEIPT)
    format = Format(made["settings"]["format"])
    result = _result(stem, format, output.get("file"))
    return Published(
        id=values.text(made["recording"]),
        key=_pointed(result, made) if _belongs(result, key, format) else values.wrong(),
        receipt_key=key,
        receipt_sha256=hashlib.sha256(text).hexdigest(),
        text=text,
        receipt=made,
        converted=values.moment(made.get("converted"), written),
        size=values.size(output["size"]),
        sha256=values.digest(output["sha256"]),
        verdict=Verdict(made["verdict"]),
        root=values.root(values.text(made["source"]), inputs),
        inputs=tuple(one for one in inputs if one.sha256 is not None),
        missing=tuple(one.key for one in inputs if one.sha256 is None),
        pieces=_users(result, made) if made.get("users") else _pieces(result, made),
        besides=_besides(result, made),
    )


def _result(stem: str, format: Format, file: Any) -> str:
    """The key that the receipt is named after: of an MP4 without the suffix, unless that is written
    in other letters.
    """
    if format is not Format.MP4:
        return stem
    own = named(stem, file).rpartition("/")[2] == file or is_session_file(stem, str(file))
    return stem if own and stem.lower().endswith(".mp4") else f"{stem}.mp4"


def _pieces(result: str, made: Any) -> tuple[Output, ...]:
    """Every file of a recording that became several; the first is the result itself."""
    found = []
    for number, one in enumerate(made.get("pieces", ()), 1):
        plain = piece_key(result, number)
        key = named(plain, values.text(one["file"]))
        if key.rpartition("/")[2] != one["file"]:
            raise ValueError(key)
        name = plain.rpartition("/")[2]
        found.append(Output(key, values.size(one["size"]), values.digest(one["sha256"]), name))
    first = made["output"]
    told = (_pointed(result, made), first["size"], first["sha256"])
    if found and (found[0].key, found[0].size, found[0].sha256) != told:
        raise ValueError(first)
    return tuple(found)


def _users(result: str, made: Any) -> tuple[Output, ...]:
    """Every file of a session, named after its user."""
    files = [values.text(one["file"]) for one in made["pieces"]]
    if not files or not all(is_session_file(result, file) for file in files):
        raise ValueError(files)
    found = [_beside(result, one, plain_name(one["file"])) for one in made["pieces"]]
    first = made["output"]
    if (found[0].size, found[0].sha256) != (first["size"], first["sha256"]):
        raise ValueError(first)
    return tuple(found)


def _besides(result: str, made: Any) -> tuple[Output, ...]:
    """The document of a session, and who spoke when in it; other recordings have none."""
    return tuple(_document(result, one) for one in made.get("besides", ()))


def _document(result: str, one: Any) -> Output:
    for plain in (session_key(result), *speakers_keys(result)):
        found = _beside(result, one, plain.rpartition("/")[2])
        if named(plain, found.key.rpartition("/")[2]) == found.key:
            return found
    raise ValueError(one)


def _beside(result: str, one: Any, name: str) -> Output:
    """A file in the folder of a result."""
    key = result.removesuffix(result.rpartition("/")[2]) + values.text(one["file"])
    return Output(key, values.size(one["size"]), values.digest(one["sha256"]), name)


def _pointed(result: str, made: Any) -> str:
    """The key of the file, or of the first of several."""
    if made.get("users"):
        return _users(result, made)[0].key
    return named(result, made["output"].get("file"))


def _belongs(result: str, receipt: str, format: Format) -> bool:
    return receipt_key(result) == receipt and result.lower().endswith(f".{format}")


def _refuse_other_shapes(made: Any) -> None:
    """What is only passed on, such as findings, must be of the right type as well."""
    for finding in made["findings"]:
        values.text(finding["id"]), values.text(finding["severity"]), values.size(finding["count"])
    muxer, proof = made["muxer"], made["proof"]
    lists = (made["findings"], made["inputs"], muxer["command"], muxer["messages"])
    whole = all(type(one) is list for one in lists)
    if not (whole and isinstance(made["settings"], dict) and isinstance(proof or {}, dict)):
        raise ValueError


def _input(made: Any) -> SourceFile:
    digest = made["sha256"]
    return SourceFile(
        key=safe_key(values.text(made["key"])),
        size=values.size(made["size"]),
        etag=None if made["etag"] is None else values.text(made["etag"]),
        sha256=None if digest is None else values.digest(digest),
    )
