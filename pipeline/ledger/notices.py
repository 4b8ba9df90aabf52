"""Notifications of Agora, each kept once however often and in whatever order it comes."""

import json
import re
from collections.abc import Collection, Mapping, Sequence

import sqlalchemy as sa
from msgspec import Struct

from pipeline.agora import webhook
from pipeline.agora.webhook import Notice
from pipeline.errors import NoticeError
from pipeline.ledger.database.tables import notices, now
from pipeline.ledger.ledger import Ledger

NEWS = (4, 11, 31, 32)  # types after which a look at the store is worth while
HINTS: Mapping[int, str] = {31: "uploaded", 32: "backuped"}  # what discovery waits for
PROGRESS = 33  # comes every minute; only the last one of a recording is kept
KEPT = 90 * 86400.0  # seconds
MOST = 5_000  # of one recording that are read
_ID = re.compile(r"[\x21-\x7e]{1,200}")
_SID = re.compile(r"[0-9a-f]{32}")
_MOST_NUMBER = 2**31 - 1
_MOST_SEQUENCE = 2**53


class Kept(Struct, frozen=True):
    """A notification as it is kept."""

    id: str
    type: int
    sid: str | None
    sequence: int | None
    happened: float | None
    body: str


def kept(notice: Notice, raw: bytes) -> Kept:
    """A notification that :func:`webhook.parse` read from these bytes, ready to be kept.

    NoticeError for an id or a type that Agora never gives.
    """
    if not _ID.fullmatch(notice.id):
        raise NoticeError("noticeId: expected 1 to 200 characters of ASCII without spaces")
    if not 0 <= notice.type <= _MOST_NUMBER:
        raise NoticeError(f"eventType: expected 0 to {_MOST_NUMBER}")
    sid = notice.sid if notice.sid and _SID.fullmatch(notice.sid) else None
    number = notice.sequence if notice.sequence is not None else -1
    sequence = number if 0 <= number < _MOST_SEQUENCE else None
    try:
        body = json.dumps(
            json.loads(raw)
        )  # in ASCII: a database refuses some of what JSON may hold
    except RecursionError:
        raise NoticeError("JSON too deep, expected a notification") from None
    return Kept(notice.id, notice.type, sid, sequence, notice.happened, body)


def keep(ledger: Ledger, arrived: Sequence[Kept]) -> set[str]:
    """Write them down, one or more, durable once this returns; returns the ids of those that were
    news.

    Safe to repeat, and safe for several servers at once.
    """
    rows = [
        {name: getattr(one, name) for name in Kept.__struct_fields__}
        for one in {one.id: one for one in arrived}.values()
    ]
    # of rows as parameters one statement is made once, not again for each transaction
    insert = ledger.insert(notices).values(received=now()).on_conflict_do_nothing()
    with ledger.writing() as connection:
        fresh = set(connection.execute(insert.returning(notices.c.id), rows).scalars())
        progressed = {one.sid for one in arrived if one.type == PROGRESS and one.id in fresh}
        if sids := progressed - {None}:
            _supersede(connection, sids)
    return fresh


def _supersede(connection: sa.Connection, sids: Collection[str | None]) -> None:
    """Leave only the newest progress of each of these recordings."""
    newer = notices.alias()
    later = sa.select(newer.c.number).where(
        newer.c.sid == notices.c.sid,
        newer.c.type == PROGRESS,
        newer.c.sequence > notices.c.sequence,
    )
    old = (notices.c.sid.in_(sorted(map(str, sids))), notices.c.type == PROGRESS, later.exists())
    connection.execute(sa.delete(notices).where(*old))


def prune(ledger: Ledger, *, older: float = KEPT) -> int:
    """Remove what came longer ago than this, in seconds; returns how many."""
    with ledger.writing() as connection:
        gone = sa.delete(notices).where(notices.c.received < now() - older)
        return int(connection.execute(gone).rowcount)


def newest(ledger: Ledger, since: int = 0) -> int:
    """The number of the newest notification behind ``since`` after which a look at the store is
    worth while; ``since`` if there is none.
    """
    chosen = sa.select(notices.c.number)
    chosen = chosen.where(notices.c.number > since, notices.c.type.in_(NEWS))
    with ledger.reading() as connection:
        found = connection.execute(chosen.order_by(notices.c.number.desc()).limit(1)).scalar()
    return since if found is None else int(found)


def hints(connection: sa.Connection, sids: Sequence[str]) -> dict[str, set[str]]:
    """What was said of the files of each of these recordings: ``uploaded``, ``backuped``."""
    chosen = sa.select(notices.c.sid, notices.c.type)
    chosen = chosen.where(notices.c.sid.in_(sids), notices.c.type.in_(sorted(HINTS)))
    told: dict[str, set[str]] = {}
    for sid, kind in connection.execute(chosen):
        told.setdefault(sid, set()).add(HINTS[kind])
    return told


def told(connection: sa.Connection, sid: str | None) -> tuple[Notice, ...]:
    """What was said of one recording, in the order in which it happened."""
    if sid is None:
        return ()
    chosen = sa.select(notices.c.body).where(notices.c.sid == sid)
    chosen = chosen.order_by(notices.c.number.desc()).limit(MOST)
    bodies = connection.execute(chosen).scalars()
    return webhook.in_order(webhook.read(json.loads(body)) for body in bodies)
