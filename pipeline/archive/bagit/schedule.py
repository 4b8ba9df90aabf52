"""Which bags to check next: those that were not checked for longest; and what is remembered."""

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
    """What is known of earlier checks: by key of the bag and kind of check, when and how it was."""

    def recall(self) -> Mapping[str, Mapping[str, str]]:
        """Moments as text that sorts, by ``<key> <how>``."""

    def remember(self, entries: Mapping[str, Mapping[str, str]]) -> None:
        """Keep these beside what is known."""


class InArchive(Struct, frozen=True):
    """A memory in the archive's own hidden folder."""

    storage: Storage
    spool: Path

    def recall(self) -> Mapping[str, Mapping[str, str]]:
        """Nothing if it was never written, or is damaged: then all is due."""
        told: Any = places.read_state(self.storage, FILE)
        if not isinstance(told, dict):
            return {}
        return {k: v for k, v in told.items() if isinstance(v, dict)}

    def remember(self, entries: Mapping[str, Mapping[str, str]]) -> None:
        """Read, add, write: what another process wrote meanwhile stays."""
        places.write_state(self.storage, FILE, {**self.recall(), **entries}, self.spool)


class InLedger(Struct, frozen=True):
    """A memory in the ledger, which also keeps every check as an event of its recording."""

    ledger: Ledger
    storage: Storage

    def recall(self) -> Mapping[str, Mapping[str, str]]:
        """What is known of this archive."""
        known = custody.checked(self.ledger, self.storage.url())
        return {f"{bag} {how}": told for (bag, how), told in known.items()}

    def remember(self, entries: Mapping[str, Mapping[str, str]]) -> None:
        """Keep these beside what is known."""
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
    """This share of the bags, at least one: never checked first, then the longest not checked."""

    def last(place: BagLocation) -> str:
        return str(known.get(entry_key(place, how), {}).get("checked", ""))

    count = math.ceil(len(found) * share)
    return sorted(found, key=lambda place: (last(place), place.key))[:count]


def entry_key(place: BagLocation, how: str) -> str:
    """What a check of this bag is remembered under."""
    return f"{place.key} {how}"


def entry(checked: Checked, now: float) -> dict[str, str]:
    """What is remembered of a check."""
    return {"checked": moment(now), "result": "pass" if checked.ok else "fail"}
