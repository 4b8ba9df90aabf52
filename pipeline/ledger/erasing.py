"""Recordings that are to be erased: what the ledger knows of them, and how it forgets them."""

import json
from collections.abc import Callable, Sequence
from contextlib import closing

import sqlalchemy as sa
from msgspec import Struct

from pipeline.agora import webhook
from pipeline.agora.webhook import SliceStarted, StreamChanged
from pipeline.ledger.database.engine import ledger_errors
from pipeline.ledger.database.tables import (
    artifacts,
    attempts,
    checks,
    events,
    notices,
    parts,
    recordings,
    sources,
    stores,
)
from pipeline.ledger.ledger import Ledger, in_chunks


class ErasableRecording(Struct, frozen=True):
    """What erasing needs to know of a recording."""

    id: int
    name: str
    source: str
    place: str  # its key in the store
    store: str
    destination: str
    held: bool


def entries(ledger: Ledger, chosen: Callable[[ErasableRecording], bool]) -> list[ErasableRecording]:
    """The recordings that ``chosen`` selects, of all stores and destinations."""
    columns = ("id", "name", "source", "place", "store", "destination", "held")
    wanted = sa.select(*(recordings.c[name] for name in columns)).order_by(recordings.c.id)
    with ledger.reading() as connection:
        found = (ErasableRecording(**row._mapping) for row in connection.execute(wanted))
        return [entry for entry in found if chosen(entry)]


def erase(ledger: Ledger, ids: Sequence[int], mentioned: Callable[[str], bool]) -> None:
    """Forget these recordings with their history, and every entry whose text ``mentioned`` selects.

    Nothing of it is left in a SQLite file either: free pages and log are rewritten.  Safe to
    repeat.
    """
    with ledger.writing() as connection:
        for some in in_chunks(list(ids)):
            for table in (events, parts, sources, attempts, artifacts):
                connection.execute(sa.delete(table).where(table.c.rec_id.in_(some)))
            connection.execute(sa.delete(recordings).where(recordings.c.id.in_(some)))
        _events(connection, mentioned)
        _notices(connection, mentioned)
        for bag in {row.bag for row in connection.execute(sa.select(checks.c.bag))}:
            if mentioned(bag):
                connection.execute(sa.delete(checks).where(checks.c.bag == bag))
        for floor in {row.floor for row in connection.execute(sa.select(stores.c.floor))}:
            if mentioned(floor):  # then all is listed once more
                changed = sa.update(stores).where(stores.c.floor == floor)
                connection.execute(changed.values(floor="", swept=None))
    _compact(ledger)


def _events(connection: sa.Connection, mentioned: Callable[[str], bool]) -> None:
    """Delete events of no recording, or of another one, that mention it nevertheless."""
    told = sa.select(events.c.id, events.c.sid, events.c.detail)
    found = [
        row.id
        for row in connection.execute(told)
        if mentioned(row.sid or "") or mentioned(json.dumps(row.detail, ensure_ascii=False))
    ]
    for some in in_chunks(found):
        connection.execute(sa.delete(events).where(events.c.id.in_(some)))


def _notices(connection: sa.Connection, mentioned: Callable[[str], bool]) -> None:
    """What Agora said of it; also of one stream, whose user is named as in its files."""
    found = [
        row.number
        for row in connection.execute(sa.select(notices.c.number, notices.c.sid, notices.c.body))
        if mentioned(row.body) or mentioned(_stream(row.sid, row.body))
    ]
    for some in in_chunks(found):
        connection.execute(sa.delete(notices).where(notices.c.number.in_(some)))


def _stream(sid: str | None, body: str) -> str:
    event = webhook.read(json.loads(body)).event
    uid = event.stream_uid if isinstance(event, SliceStarted | StreamChanged) else None
    return f"{sid}__uid_s_{uid}" if sid and uid else ""


def _compact(ledger: Ledger) -> None:
    """SQLite leaves what was deleted in free pages and in its log until both are rewritten."""
    if ledger.engine.dialect.name != "sqlite":
        return
    with (
        ledger_errors(ledger.engine.url),
        closing(ledger.engine.raw_connection()) as connection,
        closing(connection.cursor()) as cursor,
    ):
        cursor.execute("VACUUM")
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
