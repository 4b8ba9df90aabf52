"""Runs of archive and cleanup, put together from the entries they left in the history.  Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

ARCHIVE = {"archived": "filed in the archive", "fixity check": "bags checked"}
CLEANUP = {
    **dict.fromkeys(("apply", "trash", "trashed", "applied"), "moved to the trash"),
    **dict.fromkeys(("restore", "restored"), "restored"),
    **dict.fromkeys(("purge", "purged"), "purged for good"),
    **dict.fromkeys(("erase", "erased"), "erased for good"),
    "sweep": "leftovers removed",
}
WORDS = ARCHIVE | CLEANUP
COUNTED = frozenset({"archived", "fixity check", "trash", "restored", "purge", "sweep"})
"""Kinds of which there is one entry for each recording."""


class Run(Struct, frozen=True):
    """What one command did; times in seconds since the epoch."""

    what: str
    run: str  # its number, or where it ran
    first: float
    last: float
    recordings: int
    objects: int
    bytes: int
    problems: tuple[str, ...]


def runs(entries: Iterable[Mapping[str, Any]]) -> list[Run]:
    """The newest first, as the entries are."""
    gathered: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for entry in entries:
        run = str(entry["detail"].get("run") or entry["actor"])
        gathered.setdefault((WORDS[entry["kind"]], run), []).append(entry)
    return [_run(what, run, own) for (what, run), own in gathered.items()]


def _run(what: str, run: str, own: list[Mapping[str, Any]]) -> Run:
    counted = [one for one in own if one["kind"] in COUNTED]
    return Run(
        what=what,
        run=run,
        first=min(one["at"] for one in own),
        last=max(one["at"] for one in own),
        recordings=len(counted),
        objects=sum(_whole(one, "objects", "files") for one in counted),
        bytes=sum(_whole(one, "bytes") for one in counted),
        problems=tuple(said for one in own if (said := _problem(one))),
    )


def _whole(entry: Mapping[str, Any], *names: str) -> int:
    found = (entry["detail"].get(name) for name in names)
    return next((value for value in found if isinstance(value, int)), 0)


def _problem(entry: Mapping[str, Any]) -> str:
    detail = entry["detail"]
    if detail.get("problem"):
        return str(detail["problem"])
    return f"{detail.get('bag', 'a bag')} is damaged" if detail.get("result") == "fail" else ""
