"""Which bags to check next: those checked longest ago; and the memory of earlier checks."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct

from pipeline.archive.bagit import places
from pipeline.archive.bagit.fixity import Checked
from pipeline.archive.bagit.places import BagLocation
from pipeline.archive.premis import moment
from pipeline.ledger import custody
from pipeline.ledger.ledger import Ledger
from pipeline.storage import Storage

FILE = "fixity.json"


class Memory(Protocol):
    """Earlier checks, by ``<key of the bag> <full or fast>``: when (``checked``) and ``result``."""

    def recall(self) -> Mapping[str, Mapping[str, str]]:
        """All entries; ``checked`` is ISO 8601 in UTC, which sorts as text."""

    def remember(self, entries: Mapping[str, Mapping[str, str]]) -> None:
        """Add entries, or replace those of the same keys."""


class InArchive(Struct, frozen=True):
    """A memory in the archive's own hidden folder."""

    storage: Storage
    spool: Path

    def recall(self) -> Mapping[str, Mapping[str, str]]:
        """All entries; none if the file is missing or damaged: then every bag is due."""
        told: Any = places.read_state(self.storage, FILE)
        if not isinstance(told, dict):
            return {}
        return {k: v for k, v in told.items() if isinstance(v, dict)}

    def remember(self, entries: Mapping[str, Mapping[str, str]]) -> None:
        """Read, add, write: entries of another process stay."""
        places.write_state(self.storage, FILE, {**self.recall(), **entries}, self.spool)


class InLedger(Struct, frozen=True):
    """A memory in the ledger, which also keeps every check as an event of its recording."""

    ledger: Ledger
    storage: Storage

    def recall(self) -> Mapping[str, Mapping[str, str]]:
        """All entries of this archive."""
        known = custody.checked(self.ledger, self.storage.url())
        return {f"{bag} {how}": told for (bag, how), told in known.items()}

    def remember(self, entries: Mapping[str, Mapping[str, str]]) -> None:
        """Add entries, or replace those of the same keys; each also becomes an event."""
        told = {tuple(key.rsplit(" ", 1)): entry for key, entry in entries.items()}
        custody.remember(self.ledger, self.storage.url(), {(b, h): e for (b, h), e in told.items()})
        for (bag, how), entry in told.items():
            name = bag.removesuffix("/").removesuffix(places.TAR)
            url = self.storage.url(bag).removesuffix("/")
            detail = {"bag": url, "how": how, "result": entry["result"]}
            custody.note(self.ledger, "fixity check", detail, name=name)


def due(
    found: Sequence[BagLocation], known: Mapping[str, Mapping[str, str]], how: str, share: float
) -> list[BagLocation]:
    """A share (0 to 1) of the bags, at least one: those never checked, then those checked longest
    ago.
    """

    def last(place: BagLocation) -> str:
        return str(known.get(entry_key(place, how), {}).get("checked", ""))

    count = math.ceil(len(found) * share)
    return sorted(found, key=lambda place: (last(place), place.key))[:count]


def entry_key(place: BagLocation, how: str) -> str:
    """The key under which a check of this bag is remembered."""
    return f"{place.key} {how}"


def entry(checked: Checked, now: float) -> dict[str, str]:
    """The entry for a check; ``now`` is in seconds since the epoch."""
    return {"checked": moment(now), "result": "pass" if checked.ok else "fail"}
