"""Which watcher holds what, also if it no longer runs."""

from collections.abc import Callable, Collection

import sqlalchemy as sa
from msgspec import Struct

from pipeline.ledger.database.tables import now, recordings
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.states import DUE, State


class Undone(Struct, frozen=True):
    """A recording that is due, or worked on; ``lease_owner`` is ``host:pid`` of its watcher."""

    name: str
    source: str
    state: State
    lease_owner: str | None
    lease_expires: float | None


def bury(ledger: Ledger, lives: Callable[[int], bool]) -> int:
    """Expire all leases of watchers of this machine that no longer run; returns how many.

    ``lives`` tells whether a process runs.  For the start of a watcher: a lease under its own
    process number is from an earlier process.
    """
    host, _, own = ledger.actor.rpartition(":")

    def dead(owner: str) -> bool:
        there, _, pid = owner.rpartition(":")
        return there == host and pid.isdigit() and (pid == own or not lives(int(pid)))

    held = recordings.c.lease_expires.is_not(None) & (recordings.c.lease_expires >= now())
    with ledger.writing() as connection:
        found = connection.execute(sa.select(recordings.c.lease_owner).where(held).distinct())
        owners = [owner for owner in found.scalars() if dead(owner)]
        update = sa.update(recordings).where(held, recordings.c.lease_owner.in_(owners))
        return int(connection.execute(update.values(lease_expires=0.0)).rowcount)


def undone(ledger: Ledger, stores: Collection[str], destination: str) -> list[Undone]:
    """Recordings that are due or worked on; not those that wait for their source."""
    columns = [recordings.c[name] for name in Undone.__struct_fields__]
    where = (
        recordings.c.store.in_(sorted(stores)),
        recordings.c.destination == destination,
        recordings.c.held.is_(sa.false()),
        recordings.c.state.in_(sorted(DUE | {State.WORKING})),
    )
    with ledger.reading() as connection:
        chosen = sa.select(*columns).where(*where).order_by(recordings.c.id)
        return [Undone(**row._mapping) for row in connection.execute(chosen)]
