"""The plan as a JSON file: exact keys, sizes and ETags, reasons, and a SHA-256 over all of it."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from msgspec import Struct

from pipeline.archive.premis import moment
from pipeline.errors import UsageError
from pipeline.storage.locations import folder
from pipeline.storage.names import safe_key
from pipeline.storage.oserrors import os_errors

SCHEMA = 1
COPY, VERSIONS = "copy", "versions"  # kinds of trash
_SEAL = re.compile(rb'\n"sha256": "([0-9a-f]{64})"\}\n?\Z')


class Doomed(Struct, frozen=True):
    """One object that is to be deleted, as it was converted."""

    key: str
    size: int  # bytes
    etag: str
    sha256: str  # hex


class Candidate(Struct, frozen=True):
    """One recording whose objects are to be deleted."""

    recording: str
    receipt_key: str
    receipt_sha256: str
    key: str  # of the result, as are size and sha256
    size: int
    sha256: str
    reason: str  # for people
    objects: tuple[Doomed, ...]


class Leftover(Struct, frozen=True):
    """Something of ours that nobody needs any more."""

    kind: str  # temporary, spool, upload, trash or report
    where: str  # a path, a key, or the name of a run
    size: int  # bytes
    modified: float  # seconds since the epoch
    detail: str = ""  # of an upload its store and id, of a report its ETag


class CleanupPlan(Struct, frozen=True):
    """A plan as it was read."""

    run: str
    text: bytes  # the file
    made: float  # seconds since the epoch
    source: str  # locations, as the user gave them
    results: str
    verify: str  # "full" or "head"
    include_degraded: bool
    archive: str | None
    ledger: bool  # whether one was asked
    trash: str  # COPY or VERSIONS
    recordings: tuple[Candidate, ...]
    leftovers: tuple[Leftover, ...]


class Writer:
    """Writes a plan entry by entry, hashing it on the way; see ``writing``."""

    def __init__(self, file: IO[bytes], header: Mapping[str, Any]) -> None:
        self._file, self._hash = file, hashlib.sha256()
        self._first = True
        lines = (f"{json.dumps(k)}: {json.dumps(v)}" for k, v in header.items())
        self._write("{" + ",\n".join(lines))

    def section(self, name: str) -> None:
        """Begin a list."""
        self._write(f',\n"{name}": [')
        self._first = True

    def entry(self, told: Mapping[str, Any]) -> None:
        """Add an entry to the list."""
        self._write(("\n" if self._first else ",\n") + json.dumps(told))
        self._first = False

    def end_section(self) -> None:
        """End the list."""
        self._write("]")

    def seal(self, totals: Mapping[str, Any]) -> str:
        """Write totals and SHA-256; returns the digest in hex."""
        self._write(f',\n"totals": {json.dumps(totals)},')
        digest = self._hash.hexdigest()
        self._file.write(f'\n"sha256": "{digest}"}}\n'.encode())
        return digest

    def _write(self, text: str) -> None:
        data = text.encode()
        self._hash.update(data)
        self._file.write(data)


@contextmanager
def writing(path: Path, header: Mapping[str, Any]) -> Iterator[Writer]:
    """A writer for a file that appears only if the block raises nothing."""
    home = folder(path.parent)
    temporary = home.temporary(path.name)
    try:
        with os_errors(f"write {path}"), temporary.open("wb") as file:
            yield Writer(file, header)
        home.adopt(temporary, path.name)
    finally:
        temporary.unlink(missing_ok=True)


def read(path: Path) -> CleanupPlan:
    """A plan to clean up.  Raises ``UsageError`` if it was changed, or is no plan."""
    with os_errors(f"read {path}"):
        return parse(path.read_bytes(), str(path))


def unsealed(text: bytes, where: str) -> tuple[Any, str]:
    """The JSON of a plan, and the name of its run; ``where`` names it in errors.

    Raises ``UsageError`` if it is not as it was written, or of another version.
    """
    seal = _SEAL.search(text)
    if seal is None or hashlib.sha256(text[: seal.start()]).hexdigest() != seal[1].decode():
        raise UsageError(f"{where}: not a whole plan as recpipe clean wrote it; plan again")
    try:
        told: Any = json.loads(text)
        if told["schema"] != SCHEMA:
            raise UsageError(f"{where}: a plan of another version; plan again")
        return told, str(told.get("run") or run_name(float(told["made"]), seal[1].decode()))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(f"{where}: not a plan of this tool; plan again") from error


def sealed(told: Mapping[str, Any]) -> bytes:
    """A plan with fewer recordings than it was written with, as a file; its run keeps its name."""
    lists = ("recordings", "leftovers")
    header = {k: v for k, v in told.items() if k not in (*lists, "totals", "sha256")}
    before = told.get("run") or run_name(float(told["made"]), str(told["sha256"]))
    file = BytesIO()
    writer = Writer(file, {**header, "run": before})
    for name in lists:
        writer.section(name)
        for one in told[name]:
            writer.entry(one)
        writer.end_section()
    writer.seal({"recordings": len(told["recordings"])})
    return file.getvalue()


def parse(text: bytes, where: str) -> CleanupPlan:
    """A plan from the bytes of its file; errors as of ``read``."""
    told, run = unsealed(text, where)
    try:
        return CleanupPlan(
            run=run,
            text=text,
            made=float(told["made"]),
            source=str(told["source"]),
            results=str(told["results"]),
            verify=str(told["verify"]),
            include_degraded=bool(told["include_degraded"]),
            archive=told["archive"],
            ledger=bool(told.get("ledger")),
            trash=_kind(told.get("trash", COPY)),
            recordings=tuple(_candidate(one) for one in told["recordings"]),
            leftovers=tuple(Leftover(**one) for one in told["leftovers"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(f"{where}: not a plan of this tool; plan again") from error


def _kind(told: Any) -> str:
    if told not in (COPY, VERSIONS):
        raise ValueError(told)
    return str(told)


def _candidate(told: Any) -> Candidate:
    objects = tuple(
        Doomed(safe_key(o["key"]), int(o["size"]), str(o["etag"]), str(o["sha256"]))
        for o in told["objects"]
    )
    safe_key(told["receipt_key"]), safe_key(told["key"])
    return Candidate(**{**told, "objects": objects})


def run_name(made: float, digest: str) -> str:
    """The name of a run: when it was planned (``made``, seconds since the epoch) in UTC, and the
    beginning of the plan's digest.
    """
    return f"{moment(made).replace('-', '').replace(':', '')}-{digest[:12]}"
