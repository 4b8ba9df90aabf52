"""What can be measured on the ledger: how much there is of what, and how old it is."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from pipeline.ledger.database.tables import (
    artifacts,
    attempts,
    checks,
    now,
    recordings,
    runs,
    stores,
)
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.states import OPEN, State

Group = tuple[State, str | None]  # state and verdict


class StoreSeen(Struct, frozen=True):
    """When a store was looked at last; times in seconds since the epoch."""

    store: str
    destination: str
    listed: float | None  # None: never
    failed: float | None  # when it could not be looked at last
    error: str | None

    @property
    def blind(self) -> bool:
        """It could not be looked at when that was tried last."""
        return self.failed is not None and (self.listed is None or self.failed > self.listed)


class Measures(Struct, frozen=True):
    """All of it at one moment; times in seconds since the epoch."""

    now: float
    recordings: dict[Group, int]
    held: int
    lost: dict[str, float]  # seconds of "video" and "audio", of the newest versions
    published: float  # seconds of the newest versions
    bytes: int  # of all versions
    oldest: float | None  # since when the oldest unfinished recording waits
    stores: tuple[StoreSeen, ...]
    sign_of_life: float | None  # of any watcher
    bags: dict[tuple[str, str], int]  # by how they were checked last, and how that ended


class Timed(Struct, frozen=True):
    """An attempt that has ended, and the seconds each of its stages took."""

    id: int
    ended: float
    timings: dict[str, float]


def measures(ledger: Ledger) -> Measures:
    """Look at all tables once."""
    with ledger.reading() as connection:
        lost, published, size = _published(connection)
        held = sa.select(sa.func.count()).where(recordings.c.held.is_(sa.true()))
        return Measures(
            now=float(connection.execute(sa.select(now())).scalar_one()),
            recordings=groups(connection),
            held=int(connection.execute(held).scalar_one()),
            lost=lost,
            published=published,
            bytes=size,
            oldest=connection.execute(sa.select(sa.func.min(_WAITS)).where(*_UNFINISHED)).scalar(),
            stores=tuple(_stores(connection)),
            sign_of_life=connection.execute(sa.select(sa.func.max(runs.c.heartbeat))).scalar(),
            bags=_bags(connection),
        )


def groups(connection: sa.Connection, *where: Any) -> dict[Group, int]:
    """How many recordings there are of each state and verdict."""
    columns = (recordings.c.state, recordings.c.verdict)
    chosen = sa.select(*columns, sa.func.count()).where(*where).group_by(*columns)
    return {(row[0], row[1]): row[2] for row in connection.execute(chosen)}


_UNFINISHED = (recordings.c.state.in_(sorted(OPEN)), recordings.c.held.is_(sa.false()))
_WAITS = sa.case((recordings.c.version > 0, recordings.c.since), else_=recordings.c.first_seen)


def _published(connection: sa.Connection) -> tuple[dict[str, float], float, int]:
    """Seconds lost and there of the newest version of each, and bytes of all versions."""
    newest = sa.and_(
        artifacts.c.rec_id == recordings.c.id, artifacts.c.version == recordings.c.version
    )
    columns = (artifacts.c.lost_video, artifacts.c.lost_audio, artifacts.c.duration)
    sums = sa.select(*(sa.func.coalesce(sa.func.sum(column), 0.0) for column in columns))
    sums = sums.select_from(recordings.join(artifacts, newest)).where(artifacts.c.kind == "mp4")
    video, audio, there = connection.execute(sums).one()
    size = connection.execute(sa.select(sa.func.sum(artifacts.c.size))).scalar()
    return {"video": float(video), "audio": float(audio)}, float(there), int(size or 0)


def _stores(connection: sa.Connection) -> Iterator[StoreSeen]:
    columns = [stores.c[name] for name in StoreSeen.__struct_fields__]
    for row in connection.execute(sa.select(*columns).order_by(*columns[:2])):
        yield StoreSeen(**row._mapping)


def _bags(connection: sa.Connection) -> dict[tuple[str, str], int]:
    columns = (checks.c.how, checks.c.result)
    chosen = sa.select(*columns, sa.func.count()).group_by(*columns)
    return {(row[0], row[1]): row[2] for row in connection.execute(chosen)}


def timed(ledger: Ledger, since: float) -> list[Timed]:
    """Attempts that ended at or after this moment, in seconds since the epoch."""
    columns = (attempts.c.id, attempts.c.ended, attempts.c.timings)
    where = (attempts.c.ended >= since, attempts.c.timings.is_not(None))
    chosen = sa.select(*columns).where(*where).order_by(attempts.c.ended)
    with ledger.reading() as connection:
        return [Timed(**row._mapping) for row in connection.execute(chosen)]
