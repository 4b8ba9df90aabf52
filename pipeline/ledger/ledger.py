"""An open ledger: transactions, the database's clock, the history."""

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from pipeline.ledger.database.engine import connect, ledger_errors
from pipeline.ledger.database.tables import events, now
from pipeline.ledger.states import State

MOST_AT_ONCE = 500  # values in one IN (...)


class Move(Struct, frozen=True):
    """A recording that went from one state to another."""

    recording: str
    source: str
    before: State | None  # None: it is new
    after: State
    why: str = ""
    verdict: str = ""  # of the version that was published


class Ledger:
    """Opened once by a command, shared by its threads, closed at its end.

    ``actor`` is ``host:pid`` of this process.  Raises what
    :func:`pipeline.ledger.database.engine.connect` does.
    """

    def __init__(self, url: str) -> None:
        self.engine = connect(url)
        self.actor = f"{socket.gethostname()}:{os.getpid()}"

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *error: object) -> None:
        self.engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A transaction that only reads and makes no writer wait.

        Raises the errors of ``ledger_errors``.
        """
        with (
            ledger_errors(self.engine.url),
            self.engine.connect().execution_options(reading=True) as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction that is durable once the block has ended, and undone if the block raises.

        Raises the errors of ``ledger_errors``.
        """
        with ledger_errors(self.engine.url), self.engine.begin() as connection:
            yield connection

    def time(self) -> float:
        """Seconds since the epoch, by the database's clock."""
        with self.reading() as connection:
            return float(connection.execute(sa.select(now())).scalar_one())

    def insert(self, table: sa.Table) -> Any:
        """An INSERT of the database's dialect, which can have an ON CONFLICT clause."""
        from sqlalchemy.dialects import postgresql, sqlite

        kind = self.engine.dialect.name
        return postgresql.insert(table) if kind == "postgresql" else sqlite.insert(table)

    def record(
        self, connection: sa.Connection, rec_id: int | None, kind: str, **detail: Any
    ) -> None:
        """Add an entry to the history, of one recording or of none, in a transaction."""
        entry = {"rec_id": rec_id, "actor": self.actor, "kind": kind, "detail": detail}
        connection.execute(sa.insert(events).values(at=now(), **entry))


def in_chunks(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """The values in slices of :data:`MOST_AT_ONCE`: a statement holds only so many."""
    for at in range(0, len(values), MOST_AT_ONCE):
        yield values[at : at + MOST_AT_ONCE]
