"""What discovery saw of each recording, and of each store, in the ledger."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from pipeline.ledger import notices
from pipeline.ledger.database.tables import events, now, parts, recordings, sources, stores
from pipeline.ledger.ledger import Ledger, Move, in_chunks
from pipeline.ledger.states import FINAL, OPEN, State

Identity = tuple[str, int, str | None]  # key, size in bytes, ETag


class KnownRecording(Struct, frozen=True):
    """What the ledger holds of a recording; the columns of its table."""

    id: int
    source: str
    store: str
    place: str
    name: str
    sid: str | None
    state: State
    since: float  # of the state
    fingerprint: str  # of the source when it was looked at last
    unchanged_since: float
    ended_at: float | None  # first seen with its end
    done_fingerprint: str | None  # of the last verdict
    version: int  # published last; 0: none
    as_is: bool
    why: str


class PartSeen(Struct, frozen=True):
    """One playlist, and which of the segments it lists are not there."""

    key: str
    bak: int | None  # None: the main part
    ended: bool  # EXT-X-ENDLIST
    listed: int  # segments
    missing: tuple[str, ...]  # names of segments


class Sighting(Struct, frozen=True, kw_only=True):
    """One look at a recording, and the state it leads to."""

    source: str
    store: str
    place: str
    name: str
    sid: str | None
    before: KnownRecording | None
    state: State
    why: str
    as_is: bool
    fingerprint: str
    unchanged_since: float
    ended_at: float | None
    done_fingerprint: str | None = None  # if not None, the last verdict holds for this source
    parts: tuple[PartSeen, ...] = ()


class StoreMemory(Struct, frozen=True):
    """What discovery remembers of a store."""

    swept: float | None = None  # when all of it was listed last
    listed: float | None = None  # when some of it was
    floor: str = ""  # no new object has a key below this one


def open_ones(ledger: Ledger, store: str, destination: str) -> list[KnownRecording]:
    """Recordings of a store whose source is looked at in every cycle: those in no final state."""
    where = (recordings.c.store == store, recordings.c.state.in_(sorted(OPEN)))
    with ledger.reading() as connection:
        return list(_known(connection, destination, *where))


def known(ledger: Ledger, destination: str, found: Sequence[str]) -> dict[str, KnownRecording]:
    """What is known of these sources, by source; unknown ones are left out."""
    with ledger.reading() as connection:
        return {
            row.source: row
            for some in in_chunks(found)
            for row in _known(connection, destination, recordings.c.source.in_(some))
        }


def is_final(ledger: Ledger, destination: str, source: str) -> bool:
    """Whether nothing is to be done for a source: published, or given up."""
    return any(row.state in FINAL for row in known(ledger, destination, [source]).values())


def _known(connection: sa.Connection, destination: str, *where: Any) -> Iterable[KnownRecording]:
    columns = [recordings.c[name] for name in KnownRecording.__struct_fields__]
    chosen = sa.select(*columns).where(recordings.c.destination == destination, *where)
    for row in connection.execute(chosen):
        yield KnownRecording(**row._mapping)


def is_new(ledger: Ledger, destination: str) -> bool:
    """Whether nothing is known of this destination yet."""
    chosen = sa.select(recordings.c.id).where(recordings.c.destination == destination).limit(1)
    with ledger.reading() as connection:
        return connection.execute(chosen).first() is None


def converted(ledger: Ledger, rec_id: int, version: int) -> set[Identity]:
    """Exactly which objects a version was made of."""
    columns = (sources.c.key, sources.c.size, sources.c.etag)
    where = (sources.c.rec_id == rec_id, sources.c.version == version)
    with ledger.reading() as connection:
        return {tuple(row) for row in connection.execute(sa.select(*columns).where(*where))}


def note(ledger: Ledger, destination: str, seen: Sequence[Sighting]) -> list[Move]:
    """Write what was seen; returns the changes of state.

    A recording whose state another watcher changed meanwhile is left as that one has it.
    """
    moves = []
    for some in in_chunks(seen):
        with ledger.writing() as connection:
            for sighting in some:
                moved = _note(ledger, connection, destination, sighting)
                moves += [moved] if moved else []
    return moves


def _note(
    ledger: Ledger, connection: sa.Connection, destination: str, seen: Sighting
) -> Move | None:
    before = seen.before
    values: dict[str, Any] = {
        **{name: getattr(seen, name) for name in ("store", "place", "name", "sid", "why")},
        **{name: getattr(seen, name) for name in ("fingerprint", "unchanged_since", "ended_at")},
        "as_is": seen.as_is,
    }
    if seen.done_fingerprint is not None:
        values["done_fingerprint"] = seen.done_fingerprint
    if before is None or before.state is not seen.state:
        values |= {"state": seen.state, "since": now(), "not_before": 0.0, "attempts": 0}
        values["failures"] = 0
    if before is None:
        values |= {"source": seen.source, "destination": destination, "first_seen": now()}
        insert = ledger.insert(recordings).values(**values).on_conflict_do_nothing()
        rec_id = connection.execute(insert.returning(recordings.c.id)).scalar()
    else:
        unmoved = (recordings.c.id == before.id, recordings.c.state == before.state)
        update = sa.update(recordings).where(*unmoved).values(**values)
        rec_id = before.id if connection.execute(update).rowcount else None
    if rec_id is None:
        return None
    _note_parts(ledger, connection, rec_id, seen.parts)
    if before is not None and before.state is seen.state:
        return None
    was = before.state if before else None
    ledger.record(connection, rec_id, "state", before=was, after=seen.state, why=seen.why)
    return Move(seen.name, seen.source, was, seen.state, seen.why)


def _note_parts(
    ledger: Ledger, connection: sa.Connection, rec_id: int, seen: Sequence[PartSeen]
) -> None:
    for part in seen:
        values: dict[str, Any] = {
            "ended": part.ended,
            "listed": part.listed,
            "missing": list(part.missing),
        }
        since = sa.case((parts.c.missing_since.is_(None), now()), else_=parts.c.missing_since)
        first = {"rec_id": rec_id, "key": part.key, "bak": part.bak, **values}
        insert = ledger.insert(parts).values(**first, missing_since=_since(part, now()))
        update = {**values, "missing_since": _since(part, since)}
        connection.execute(
            insert.on_conflict_do_update(index_elements=["rec_id", "key"], set_=update)
        )


def _since(part: PartSeen, moment: Any) -> Any:
    return moment if part.missing else None


def memory(ledger: Ledger, store: str, destination: str) -> StoreMemory:
    """What is remembered of a store; empty if it was never listed."""
    chosen = sa.select(stores.c.swept, stores.c.listed, stores.c.floor)
    where = (stores.c.store == store, stores.c.destination == destination)
    with ledger.reading() as connection:
        row = connection.execute(chosen.where(*where)).first()
    return StoreMemory(*row) if row else StoreMemory()


def remember(
    ledger: Ledger, store: str, destination: str, *, swept: bool, floor: str, at: float
) -> None:
    """Note that a store was listed, as a whole (``swept``) or in part, ``at`` this time."""
    values: Mapping[str, Any] = {
        "listed": at,
        "floor": floor,
        **({"swept": at} if swept else {}),
    }
    insert = ledger.insert(stores).values(store=store, destination=destination, **values)
    update = insert.on_conflict_do_update(index_elements=["store", "destination"], set_=values)
    with ledger.writing() as connection:
        connection.execute(update)


def blind(ledger: Ledger, store: str, destination: str, error: str) -> None:
    """Note that a store could not be listed, and why."""
    values: Mapping[str, Any] = {"failed": now(), "error": error}
    insert = ledger.insert(stores).values(store=store, destination=destination, **values)
    update = insert.on_conflict_do_update(index_elements=["store", "destination"], set_=values)
    with ledger.writing() as connection:
        connection.execute(update)


def hint(ledger: Ledger, sid: str, kind: str, **detail: Any) -> None:
    """Note what Agora notified about a recording, perhaps before it was seen: ``uploaded`` or
    ``backuped``.  Each kind is kept once for a sid.
    """
    entry = {"sid": sid, "kind": f"agora.{kind}"}
    with ledger.writing() as connection:
        if connection.execute(sa.select(events.c.id).filter_by(**entry)).first() is None:
            values = {**entry, "actor": ledger.actor, "detail": detail}
            connection.execute(sa.insert(events).values(at=now(), **values))


def hints(ledger: Ledger, sids: Collection[str]) -> dict[str, set[str]]:
    """The kinds of hints of each of these sids; sids without any are left out."""
    told: dict[str, set[str]] = {}
    with ledger.reading() as connection:
        for some in in_chunks(sorted(sids)):
            chosen = sa.select(events.c.sid, events.c.kind).where(events.c.sid.in_(some))
            for sid, kind in connection.execute(chosen):
                told.setdefault(sid, set()).add(kind.removeprefix("agora."))
            for sid, kinds in notices.hints(connection, some).items():
                told.setdefault(sid, set()).update(kinds)
    return told
