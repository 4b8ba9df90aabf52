"""What people ask of the ledger, and what they may change in it.

``id`` is a name or a sid, or the beginning of either; ``to`` the URL of a destination, "" for any.
"""

from collections.abc import Collection, Iterator
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from pipeline.agora.webhook import Notice
from pipeline.errors import NotFoundError, UsageError
from pipeline.ledger import notices
from pipeline.ledger.database.tables import (
    artifacts,
    attempts,
    events,
    now,
    parts,
    recordings,
    runs,
    stores,
)
from pipeline.ledger.ledger import Ledger, Move
from pipeline.ledger.states import WAITING, State

NEWEST = 20  # entries of a history that are shown


class Explained(Struct, frozen=True):
    """What the ledger knows of one recording, as rows: at most :data:`NEWEST` of each table."""

    recording: dict[str, Any]
    parts: tuple[dict[str, Any], ...]
    attempts: tuple[dict[str, Any], ...]
    artifacts: tuple[dict[str, Any], ...]
    events: tuple[dict[str, Any], ...]  # oldest first
    now: float
    notices: tuple[Notice, ...] = ()  # of Agora, as things happened


class Filter(Struct, frozen=True):
    """Which recordings are meant; a field that is empty selects all."""

    id: str = ""  # a name, a sid, or what either begins with
    to: str = ""  # URL of a destination
    states: Collection[str] = ()
    verdicts: Collection[str] = ()

    @property
    def where(self) -> Iterator[Any]:
        """The filter as conditions of a SELECT."""
        if self.id:
            yield recordings.c.name.startswith(self.id, autoescape=True)
        if self.to:
            yield recordings.c.destination == self.to
        if self.states:
            yield recordings.c.state.in_(sorted(map(State, self.states)))
        if self.verdicts:
            yield recordings.c.verdict.in_(sorted(self.verdicts))


ALL = Filter()


def status(ledger: Ledger, wanted: Filter = ALL) -> list[dict[str, Any]]:
    """One row of the columns :data:`SHOWN` for each recording, those that need attention first."""
    columns = [recordings.c[name] for name in SHOWN]
    order = sa.case({state.value: n for n, state in enumerate(_ORDER)}, value=recordings.c.state)
    with ledger.reading() as connection:
        chosen = sa.select(*columns).where(*wanted.where)
        chosen = chosen.order_by(order, recordings.c.since.desc(), recordings.c.id)
        return [dict(row._mapping) for row in connection.execute(chosen)]


def watched(ledger: Ledger, to: str = "") -> list[dict[str, Any]]:
    """Every store that was watched: when it was listed last, and when and why it could not be."""
    columns = [stores.c[name] for name in ("store", "destination", "listed", "failed", "error")]
    where = [stores.c.destination == to] if to else []
    with ledger.reading() as connection:
        chosen = sa.select(*columns).where(*where).order_by(stores.c.store, stores.c.destination)
        return [dict(row._mapping) for row in connection.execute(chosen)]


SHOWN = (
    *("name", "state", "since", "why", "verdict", "version", "attempts", "failures"),
    *("held", "not_before", "first_seen", "source", "destination"),
)
_ORDER = (
    *(State.FAILED, State.REJECTED, State.RETRY, State.LOST, State.LATE, State.BACKUPED),
    *(State.CHANGED, State.WORKING, State.READY, State.SETTLING, State.UPLOADING),
    *(State.RECORDING, State.PUBLISHED),
)


def last_run(ledger: Ledger) -> dict[str, Any] | None:
    """The run with the newest heartbeat, as a row with ``now`` beside it; None without any."""
    with ledger.reading() as connection:
        chosen = sa.select(runs, now().label("now")).order_by(runs.c.heartbeat.desc()).limit(1)
        row = connection.execute(chosen).first()
    return dict(row._mapping) if row else None


def explain(ledger: Ledger, id: str, to: str = "") -> Explained:
    """Everything about one recording.  Raises what ``one`` does."""
    with ledger.reading() as connection:
        return _explained(connection, one(connection, id, to), NEWEST)


def explain_row(ledger: Ledger, number: int, newest: int) -> Explained:
    """Everything about the recording with this number, and so many entries of each history.

    Raises ``NotFoundError`` if there is none.
    """
    chosen = sa.select(recordings).where(recordings.c.id == number)
    with ledger.reading() as connection:
        row = connection.execute(chosen).first()
        if row is None:
            raise NotFoundError(f"{number}: the ledger has no such recording")
        return _explained(connection, dict(row._mapping), newest)


def _explained(connection: sa.Connection, row: dict[str, Any], newest: int) -> Explained:
    def of(table: sa.Table, *order: Any) -> tuple[dict[str, Any], ...]:
        chosen = sa.select(table).where(table.c.rec_id == row["id"]).order_by(*order)
        return tuple(dict(r._mapping) for r in connection.execute(chosen.limit(newest)))

    told = sa.or_(events.c.rec_id == row["id"], events.c.sid == (row["sid"] or ""))
    history = sa.select(events).where(told).order_by(events.c.id.desc()).limit(newest)
    return Explained(
        recording=row,
        parts=of(parts, parts.c.key),
        attempts=of(attempts, attempts.c.id.desc()),
        artifacts=of(artifacts, artifacts.c.version.desc(), artifacts.c.kind),
        events=tuple(dict(r._mapping) for r in connection.execute(history))[::-1],
        now=float(connection.execute(sa.select(now())).scalar_one()),
        notices=notices.told(connection, row["sid"]),
    )


def one(connection: sa.Connection, id: str, to: str = "") -> dict[str, Any]:
    """The row of the recording of that name, or of the only one whose name begins so.

    Raises ``NotFoundError`` if there is none, ``UsageError`` if there are several.
    """
    chosen = sa.select(recordings).where(*Filter(id, to).where).order_by(recordings.c.id)
    rows = connection.execute(chosen.limit(MOST_MEANT)).all()
    exact = [row for row in rows if row.name == id]
    rows = exact or rows
    if not rows:
        where = f"the ledger for {to}" if to else "the ledger"
        raise NotFoundError(f"{id}: no such recording in {where}; recpipe status lists them")
    if len(rows) > 1:
        said = " and ".join(f"{row.source} for {row.destination}" for row in rows[:3])
        more = "--to DEST says which" if len({row.source for row in rows}) == 1 else ""
        more = more or "write more of the name"
        raise UsageError(f"{id}: means {len(rows)} recordings, {said}; {more}")
    return dict(rows[0]._mapping)


MOST_MEANT = 10


def retry(ledger: Ledger, id: str, to: str = "") -> Move:
    """Make a recording due at once; one that waits is converted with the segments that are there.

    Raises ``UsageError`` if there is nothing to retry, and what ``one`` does.
    """
    with ledger.writing() as connection:
        row = one(connection, id, to)
        state = row["state"]
        if state in (State.PUBLISHED, State.WORKING, State.READY, State.LOST):
            meant = "its source has not changed" if state is State.PUBLISHED else "its turn comes"
            raise UsageError(f"{row['name']}: is {state.value}; {meant}, there is nothing to retry")
        unended = bool(row["as_is"]) or state in WAITING
        after = State.LOST if unended else State.READY
        values = {"state": after, "since": now(), "not_before": 0.0, "attempts": 0, "failures": 0}
        values |= {"as_is": unended, "done_fingerprint": None, "why": "asked for"}
        unmoved = (recordings.c.id == row["id"], recordings.c.state == state)
        if not connection.execute(sa.update(recordings).where(*unmoved).values(**values)).rowcount:
            raise UsageError(f"{row['name']}: has moved on meanwhile; ask again")
        detail = {"before": state, "after": after, "why": "asked for"}
        ledger.record(connection, row["id"], "state", **detail)
    return Move(row["name"], row["source"], state, after, "asked for")


def hold(ledger: Ledger, id: str, to: str = "", *, held: bool) -> str:
    """Put a recording on hold, or release it; returns its name.  Work that has begun is finished.

    Raises what ``one`` does.
    """
    with ledger.writing() as connection:
        row = one(connection, id, to)
        update = sa.update(recordings).where(recordings.c.id == row["id"])
        connection.execute(update.values(held=held))
        ledger.record(connection, row["id"], "hold" if held else "release")
    return str(row["name"])


def forget(ledger: Ledger, id: str, to: str = "") -> str:
    """Remove all that is known of a recording; returns its name.  Its files stay where they are.

    Raises ``UsageError`` while it is being worked on, and what ``one`` does.
    """
    with ledger.writing() as connection:
        row = one(connection, id, to)
        idle = (recordings.c.id == row["id"], recordings.c.state != State.WORKING)
        if not connection.execute(sa.delete(recordings).where(*idle)).rowcount:
            raise UsageError(f"{row['name']}: is being worked on; wait until it is done")
    return str(row["name"])


def run_begins(ledger: Ledger, command: str) -> int:
    """Note that a watcher has started; returns the id of the run."""
    host, _, pid = ledger.actor.rpartition(":")
    values = {"command": command, "host": host, "pid": int(pid), "counts": {}}
    with ledger.writing() as connection:
        insert = sa.insert(runs).values(started=now(), heartbeat=now(), **values)
        return int(connection.execute(insert.returning(runs.c.id)).scalar_one())


def runs_here(ledger: Ledger) -> set[int]:
    """Process ids of all watchers in the ledger that ever ran on this machine."""
    host = ledger.actor.rpartition(":")[0]
    chosen = sa.select(runs.c.pid).where(runs.c.host == host).distinct()
    with ledger.reading() as connection:
        return set(connection.execute(chosen).scalars())


def run_goes_on(
    ledger: Ledger, run: int, counts: dict[str, int], *, exit_code: int | None = None
) -> None:
    """Note a heartbeat of a run; with an exit code, its end."""
    values: dict[str, Any] = {"heartbeat": now(), "counts": counts}
    if exit_code is not None:
        values |= {"ended": now(), "exit_code": exit_code}
    with ledger.writing() as connection:
        connection.execute(sa.update(runs).where(runs.c.id == run).values(**values))
