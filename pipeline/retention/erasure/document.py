"""What is to be erased, as a JSON file: every object and version, and a SHA-256 over all of it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct, to_builtins

from pipeline.errors import UsageError
from pipeline.retention import document
from pipeline.retention.erasure.subject import Subject
from pipeline.retention.erasure.traces import Trace, Traces, Upload, sids_of
from pipeline.storage.names import safe_key
from pipeline.storage.oserrors import os_errors

KIND = "erase"
_LISTS = ("objects", "uploads", "sessions", "bags")


class Erasure(Struct, frozen=True):
    """A plan to erase, as it was read."""

    run: str
    made: float  # seconds since the epoch
    reason: str  # the option that asked for it, without its value
    stores: Mapping[str, str]  # locations, as the user named them
    ledger: bool  # whether one was asked
    subject: Subject
    objects: tuple[Trace, ...]
    uploads: tuple[Upload, ...]
    sessions: tuple[Trace, ...] = ()  # receipts the user is taken out of
    bags: tuple[Trace, ...] = ()  # the same in bags: their receipts, or tars

    @property
    def sids(self) -> list[str]:
        """The recordings that lose something, or may have lost it before a crash."""
        return sids_of(self.objects, self.uploads, self.sessions, self.bags)


class ErasureRequest(Struct, frozen=True):
    """Why and where something is to be erased; fields as of :class:`Erasure`."""

    reason: str
    stores: Mapping[str, str]
    ledger: bool


def write(to: Path, asked: ErasureRequest, subject: Subject, found: Traces, *, now: float) -> str:
    """Write a plan without what is held; returns the name of its run.

    ``now`` is in seconds since the epoch.
    """
    header = {
        "schema": document.SCHEMA,
        "kind": KIND,
        "made": now,
        **to_builtins(asked),
        "sids": None if subject.sids is None else sorted(subject.sids),
        "uid": subject.uid,
    }
    with document.writing(to, header) as writer:
        for name in _LISTS:
            every: Sequence[Trace | Upload] = getattr(found, name)
            _section(writer, name, [one for one in every if one.sid not in found.held])
        return document.run_name(now, writer.seal({"held": found.held}))


def _section(writer: document.Writer, name: str, entries: Sequence[Trace | Upload]) -> None:
    writer.section(name)
    for one in entries:
        writer.entry(to_builtins(one))
    writer.end_section()


def is_one(path: Path) -> bool:
    """Whether a file is a plan to erase."""
    with os_errors(f"read {path}"):
        return f'"kind": "{KIND}",\n'.encode() in path.read_bytes()[:200]


def read(path: Path) -> Erasure:
    """A plan to erase.  Raises ``UsageError`` if it was changed, or is no plan."""
    with os_errors(f"read {path}"):
        told, run = document.unsealed(path.read_bytes(), str(path))
    try:
        sids = told["sids"]
        return Erasure(
            run=run,
            made=float(told["made"]),
            reason=str(told["reason"]),
            stores=dict(told["stores"]),
            ledger=bool(told["ledger"]),
            subject=Subject(None if sids is None else frozenset(sids), told["uid"]),
            objects=tuple(_trace(one) for one in told["objects"]),
            uploads=tuple(Upload(**one) for one in told["uploads"]),
            sessions=tuple(_trace(one) for one in told["sessions"]),
            bags=tuple(_trace(one) for one in told["bags"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{path}: not a plan of this tool; plan again") from error


def _trace(told: Any) -> Trace:
    safe_key(told["key"])
    return Trace(**told)
