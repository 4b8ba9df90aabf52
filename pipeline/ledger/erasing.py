"""Recordings that are to be erased: what the ledger knows of them, and how it forgets them."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from pipeline.agora import webhook
from pipeline.agora.webhook import SliceStarted, StreamChanged
from pipeline.ledger.claims import PublishedVersion, keep
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
from pipeline.ledger.states import State
from pipeline.model import Verdict

_USER = "uid_s"  # in every name of something of one user


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


def sharing(ledger: Ledger, mentioned: Callable[[str], bool]) -> list[ErasableRecording]:
    """The recordings of others as well: one of their playlists or inputs is ``mentioned``."""
    with ledger.reading() as connection:
        ids = {
            row.rec_id for _, rows in _of_users(connection) for row in rows if mentioned(row.text)
        }
    return entries(ledger, lambda entry: entry.id in ids)


def _of_users(connection: sa.Connection) -> Iterator[tuple[sa.Column[str], Sequence[Any]]]:
    """Rows that name something of one user: the recording, and the name as ``text``."""
    for column in (parts.c.key, sources.c.key, artifacts.c.uri):
        told = sa.select(column.table.c.rec_id, column.label("text")).where(column.contains(_USER))
        yield column, connection.execute(told).all()


class LeftVersion(Struct, frozen=True):
    """A version of a recording that others are in as well, as its receipt has it now."""

    made: PublishedVersion
    why: str  # a person should look at it, if one should


def erase(
    ledger: Ledger,
    ids: Sequence[int],
    mentioned: Callable[[str], bool],
    left: Sequence[LeftVersion] = (),
) -> None:
    """Forget these recordings with their history, and every entry whose text ``mentioned`` selects;
    what is ``left`` of other recordings is kept instead of what was known of them.

    Nothing of it is left in a SQLite file either: free pages and log are rewritten.  Safe to
    repeat.
    """
    with ledger.writing() as connection:
        _recordings(connection, list(ids))
        for one in left:
            _keep(ledger, connection, one)
        _shared(connection, mentioned)
        _events(connection, mentioned)
        _notices(connection, mentioned)
        for bag in {row.bag for row in connection.execute(sa.select(checks.c.bag))}:
            if mentioned(bag):
                connection.execute(sa.delete(checks).where(checks.c.bag == bag))
        _stores(connection, mentioned)
    _compact(ledger)


def _recordings(connection: sa.Connection, ids: list[int]) -> None:
    for some in in_chunks(ids):
        for table in (events, parts, sources, attempts, artifacts):
            connection.execute(sa.delete(table).where(table.c.rec_id.in_(some)))
        connection.execute(sa.delete(recordings).where(recordings.c.id.in_(some)))


def _keep(ledger: Ledger, connection: sa.Connection, left: LeftVersion) -> None:
    """One version as it is now, of the same time and attempt."""
    made = left.made
    receipt = (artifacts.c.uri == made.receipt, artifacts.c.version == made.version)
    columns = (artifacts.c.rec_id, artifacts.c.token, artifacts.c.at)
    row = connection.execute(sa.select(*columns).where(*receipt)).first()
    if row is None:
        return
    for table in (artifacts, sources):
        old = (table.c.rec_id == row.rec_id, table.c.version == made.version)
        connection.execute(sa.delete(table).where(*old))
    keep(ledger, connection, row.rec_id, made, token=row.token)
    now_there = (artifacts.c.rec_id == row.rec_id, artifacts.c.version == made.version)
    connection.execute(sa.update(artifacts).where(*now_there).values(at=row.at))
    newest = (recordings.c.id == row.rec_id, recordings.c.version == made.version)
    done = (*newest, recordings.c.state == State.PUBLISHED)
    why = left.why if made.verdict is Verdict.DEGRADED else made.verdict.value
    told = {"verdict": made.verdict.value, "why": why}
    connection.execute(sa.update(recordings).where(*done).values(**told))


def _shared(connection: sa.Connection, mentioned: Callable[[str], bool]) -> None:
    """What recordings of others hold of it; one of which nothing else is known goes."""
    touched = set()
    for column, rows in _of_users(connection):
        table = column.table
        for row in (row for row in rows if mentioned(row.text)):
            own = (table.c.rec_id == row.rec_id, column == row.text)
            connection.execute(sa.delete(table).where(*own))
            touched.add(row.rec_id)
    known = {
        row.rec_id
        for table in (parts, sources)
        for row in connection.execute(sa.select(table.c.rec_id).distinct())
    }
    _recordings(connection, sorted(touched - known))
    for row in connection.execute(sa.select(attempts.c.id, attempts.c.error)).all():
        if mentioned(row.error or ""):
            own_error = sa.update(attempts).where(attempts.c.id == row.id)
            connection.execute(own_error.values(error="erased"))
    for row in connection.execute(sa.select(recordings.c.id, recordings.c.why)).all():
        if mentioned(row.why):
            own_why = sa.update(recordings).where(recordings.c.id == row.id)
            connection.execute(own_why.values(why="erased"))


def _stores(connection: sa.Connection, mentioned: Callable[[str], bool]) -> None:
    """What discovery remembers: where it stopped, and what it could not read."""
    told = sa.select(stores.c.store, stores.c.destination, stores.c.floor, stores.c.error)
    for row in connection.execute(told).all():
        values: dict[str, Any] = {"error": "erased"} if mentioned(row.error or "") else {}
        if mentioned(row.floor):  # then all is listed once more
            values |= {"floor": "", "swept": None}
        if values:
            one = (stores.c.store == row.store, stores.c.destination == row.destination)
            connection.execute(sa.update(stores).where(*one).values(**values))


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
