"""Pages through the ledger: of many recordings those that need a look first, so that a page of a
hundred thousand costs as little as one of a hundred.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from pipeline.ledger.database.tables import (
    artifacts,
    events,
    notices,
    now,
    recordings,
    runs,
    stores,
)
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.measures import Group, groups
from pipeline.ledger.states import State
from pipeline.model import Verdict

ROWS = 50  # on one page
FEW = 500  # that a search finds: these are looked up by their ids
MOST = 200_000  # results that a look back counts

ORDER: Sequence[Group | State] = (
    *(State.FAILED, State.REJECTED, (State.PUBLISHED, Verdict.DEGRADED.value)),
    *(State.RETRY, State.LOST, State.LATE, State.BACKUPED, State.CHANGED, State.WORKING),
    *(State.READY, State.SETTLING, State.UPLOADING, State.RECORDING, State.PUBLISHED),
)
"""What needs a look first."""

Row = dict[str, Any]


class Wanted(Struct, frozen=True):
    """Which recordings are asked for; what is empty does not matter."""

    search: str = ""  # in the name or the source
    state: State | None = None
    verdict: str = ""

    def takes(self, group: Group) -> bool:
        """Whether recordings of this state and verdict are asked for."""
        state, verdict = group
        return self.state in (None, state) and self.verdict in ("", verdict or "")


class Page(Struct, frozen=True):
    """Some of the recordings that were asked for, and how many there are of what."""

    rows: tuple[Row, ...]
    groups: dict[Group, int]  # of all that the search finds, those first that need a look
    total: int  # recordings that were asked for
    number: int  # of this page, from 1
    pages: int
    now: float  # seconds since the epoch


def page(ledger: Ledger, wanted: Wanted, number: int = 1) -> Page:
    """One page; the last one if there are not so many."""
    with ledger.reading() as connection:
        where = _searched(connection, wanted.search)
        found = groups(connection, *where)
        ordered = {group: found[group] for group in sorted(found, key=_rank)}
        chosen = {group: count for group, count in ordered.items() if wanted.takes(group)}
        total = sum(chosen.values())
        pages = max((total + ROWS - 1) // ROWS, 1)
        number = min(max(number, 1), pages)
        return Page(
            rows=tuple(_rows(connection, chosen, where, (number - 1) * ROWS)),
            groups=ordered,
            total=total,
            number=number,
            pages=pages,
            now=float(connection.execute(sa.select(now())).scalar_one()),
        )


def _searched(connection: sa.Connection, text: str) -> list[Any]:
    """A search as conditions.  What is rare is looked for once, in the order in which it is stored:
    to look for it in each group, from the newest on, would take as long for each.
    """
    if not text:
        return []
    columns = (recordings.c.name, recordings.c.source)
    alike = sa.or_(*(column.icontains(text, autoescape=True) for column in columns))
    found = connection.execute(sa.select(recordings.c.id).where(alike).limit(FEW + 1))
    ids = list(found.scalars())
    return [recordings.c.id.in_(ids) if len(ids) <= FEW else alike]


def _rank(group: Group) -> tuple[int, str]:
    place = ORDER.index(group) if group in ORDER else ORDER.index(group[0])
    return place, group[1] or ""


def _rows(
    connection: sa.Connection, chosen: dict[Group, int], where: list[Any], skip: int
) -> list[Row]:
    """From the groups in their order, after so many recordings: most groups are only counted."""
    rows: list[Row] = []
    for group, count in chosen.items():
        if skip >= count:
            skip -= count
            continue
        ids = _ids(group, where).offset(skip).limit(ROWS - len(rows))
        rows += [dict(row._mapping) for row in connection.execute(_shown(ids))]
        skip = 0
        if len(rows) >= ROWS:
            break
    return rows


_COLUMNS = (
    *("id", "name", "sid", "state", "since", "why", "verdict", "version", "attempts"),
    *("held", "not_before", "first_seen", "source", "destination"),
)


def _ids(group: Group, where: list[Any]) -> sa.Select[Any]:
    """Of one group, the newest first; without a search an index has all of it."""
    state, verdict = group
    same = (recordings.c.state == state, recordings.c.verdict.is_not_distinct_from(verdict))
    query = sa.select(recordings.c.id).where(*same, *where)
    return query.order_by(recordings.c.since.desc(), recordings.c.id.desc())


def _shown(ids: sa.Select[Any]) -> sa.Select[Any]:
    newest = sa.and_(
        artifacts.c.rec_id == recordings.c.id,
        artifacts.c.version == recordings.c.version,
        artifacts.c.kind == "mp4",
    )
    columns = [recordings.c[name] for name in _COLUMNS]
    result = (artifacts.c.duration, artifacts.c.lost_video, artifacts.c.lost_audio)
    query = sa.select(*columns, *result).select_from(recordings.outerjoin(artifacts, newest))
    query = query.where(recordings.c.id.in_(ids.subquery().select()))
    return query.order_by(recordings.c.since.desc(), recordings.c.id.desc())


def pulse(ledger: Ledger) -> tuple[Any, ...]:
    """Changes whenever something happened that a page would show."""
    marks = (events.c.id, notices.c.number, runs.c.heartbeat, stores.c.listed, stores.c.failed)
    with ledger.reading() as connection:
        return tuple(connection.execute(sa.select(sa.func.max(mark))).scalar() for mark in marks)


class Result(Struct, frozen=True):
    """One version that was published, in short."""

    at: float
    verdict: str | None
    size: int | None
    duration: float | None
    lost_video: float | None
    lost_audio: float | None


def results(ledger: Ledger, since: float) -> list[Result]:
    """What was published since then, oldest first."""
    columns = [artifacts.c[name] for name in Result.__struct_fields__]
    where = (artifacts.c.kind == "mp4", artifacts.c.at >= since)
    chosen = sa.select(*columns).where(*where).order_by(artifacts.c.at.desc()).limit(MOST)
    with ledger.reading() as connection:
        return [Result(**row._mapping) for row in connection.execute(chosen)][::-1]


def watchers(ledger: Ledger, count: int) -> list[Row]:
    """The newest runs of watchers."""
    chosen = sa.select(runs).order_by(runs.c.heartbeat.desc()).limit(count)
    with ledger.reading() as connection:
        return [dict(row._mapping) for row in connection.execute(chosen)]


def acts(ledger: Ledger, kinds: Sequence[str], count: int) -> list[Row]:
    """The newest entries of these kinds in the history, with the name of their recording."""
    columns = [events.c[name] for name in ("id", "at", "actor", "kind", "detail", "rec_id")]
    query = sa.select(*columns, recordings.c.name).select_from(
        events.outerjoin(recordings, recordings.c.id == events.c.rec_id)
    )
    query = query.where(events.c.kind.in_(sorted(kinds))).order_by(events.c.id.desc())
    with ledger.reading() as connection:
        return [dict(row._mapping) for row in connection.execute(query.limit(count))]
