"""The ledger for archive and cleanup: what they ask it, and what they note in it."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from pipeline.errors import UsageError
from pipeline.ledger.database import engine
from pipeline.ledger.database.tables import artifacts, checks, now, recordings
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.queries import one
from pipeline.ledger.sources import identity
from pipeline.ledger.states import State

_VERSION = re.compile(r"\.v[1-9][0-9]{0,5}\Z")


def exists(url: str) -> bool:
    """Whether there is a ledger already; opening one makes it.  Always True for PostgreSQL.

    Raises ``UsageError`` for what is no URL of a ledger.
    """
    parsed = engine.parsed(url)
    if parsed.get_backend_name() != "sqlite":
        return True
    assert parsed.database is not None
    return Path(parsed.database).is_file()


def is_empty(ledger: Ledger) -> bool:
    """Whether it knows no recording at all, like one that was lost and created again."""
    with ledger.reading() as connection:
        return connection.execute(sa.select(recordings.c.id).limit(1)).first() is None


def objection(ledger: Ledger, name: str, source: str) -> str | None:
    """Why the sources of a recording must not be deleted; ``source`` as its receipt has it.

    None without an objection, or if the ledger does not know it: receipts are the proof.
    """
    place, sid = identity(source)
    same = recordings.c.source == place
    if sid is not None:  # a name with a sid in it is nobody else's, wherever it was published
        same |= recordings.c.name == name
    with ledger.reading() as connection:
        found = sa.select(recordings.c.held, recordings.c.state).where(same)
        rows = connection.execute(found).all()
    if any(row.held for row in rows):
        return "held"
    for row in rows:
        if row.state is not State.PUBLISHED:
            return f"the ledger says {row.state.value}"
    return None


def receipt_of(ledger: Ledger, id: str) -> str:
    """The URL of the newest receipt of a recording, given by sid or the beginning of its name.

    Raises ``NotFoundError`` if there is no such recording, ``UsageError`` if nothing of it was
    published, or several are meant.
    """
    with ledger.reading() as connection:
        row = one(connection, id)
        newest = (
            sa.select(artifacts.c.uri)
            .where(artifacts.c.rec_id == row["id"], artifacts.c.kind == "receipt")
            .order_by(artifacts.c.version.desc())
        )
        uri = connection.execute(newest.limit(1)).scalar()
    if uri is None:
        raise UsageError(f"{row['name']}: is {row['state'].value}; nothing is published of it yet")
    return str(uri)


def note(
    ledger: Ledger, kind: str, detail: Mapping[str, Any], *, name: str = "", receipt: str = ""
) -> None:
    """Add an entry to the history, under the recording of this name or receipt if it is known."""
    with ledger.writing() as connection:
        rec_id = _id_of(connection, name, receipt)
        ledger.record(connection, rec_id, kind, **detail)


def _id_of(connection: sa.Connection, name: str, receipt: str) -> int | None:
    called = recordings.c.name.in_({name, _VERSION.sub("", name)})
    ids = set(connection.execute(sa.select(recordings.c.id).where(called)).scalars())
    if len(ids) > 1:  # one name in several places
        own = sa.select(artifacts.c.rec_id).where(artifacts.c.uri == receipt)
        ids &= set(connection.execute(own.where(artifacts.c.rec_id.in_(ids))).scalars())
    return ids.pop() if len(ids) == 1 else None


def checked(ledger: Ledger, archive: str) -> dict[tuple[str, str], dict[str, str]]:
    """When each bag of an archive was checked last (ISO 8601), and the result.

    The keys are a bag and how it was checked: full or fast.
    """
    found = sa.select(checks).where(checks.c.archive == archive)
    with ledger.reading() as connection:
        rows = connection.execute(found).all()
    return {(r.bag, r.how): {"checked": r.checked, "result": r.result} for r in rows}


def remember(
    ledger: Ledger, archive: str, entries: Mapping[tuple[str, str], Mapping[str, str]]
) -> None:
    """Keep these checks in place of earlier ones; in the form that ``checked`` returns."""
    insert = ledger.insert(checks)
    told = {name: insert.excluded[name] for name in ("checked", "result", "at")}
    upsert = insert.on_conflict_do_update(index_elements=["archive", "bag", "how"], set_=told)
    with ledger.writing() as connection:
        for (bag, how), entry in entries.items():
            values = {"archive": archive, "bag": bag, "how": how, **entry}
            connection.execute(upsert.values(**values, at=now()))
