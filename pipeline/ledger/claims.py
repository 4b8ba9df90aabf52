"""Leases that expire, and fencing tokens that stop a late writer.  Long: every move of a claim.

``lease`` is in seconds.  Every write under a claim that another watcher took over raises
``LeaseLostError``.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from msgspec import Struct, field
from msgspec.structs import replace

from pipeline.errors import LeaseLostError
from pipeline.ledger.database.tables import artifacts, attempts, events, now, recordings, sources
from pipeline.ledger.ledger import Ledger, Move
from pipeline.ledger.states import DUE, WAITING, After, State, after, pause
from pipeline.model import SourceFile, Verdict

MOST_ATTEMPTS = 5  # a recording whose watcher falls silent in the last of them fails
_FRESH = {"attempts": 0, "failures": 0}


class Claim(Struct, frozen=True):
    """A recording that is ours until the lease expires."""

    id: int
    token: int  # grows with every claim of the recording
    source: str  # as identity() of ledger.sources names it
    store: str  # URL
    place: str  # its key in the store
    name: str
    sid: str | None
    fingerprint: str  # of the source when it was looked at last
    version: int  # published last; 0: none
    as_is: bool  # to be converted although it has no end or lacks segments
    attempts: int  # this one included, those that do not count left out
    failures: int  # in a row, all of them
    why: str


class PublishedVersion(Struct, frozen=True):
    """One published version, as its receipt says."""

    version: int
    verdict: Verdict
    uri: str  # of the first file
    receipt: str  # URL
    size: int | None  # bytes
    sha256: str | None
    inputs: tuple[SourceFile, ...]
    more: tuple[tuple[str, int, str], ...] = ()  # URL, size, SHA-256 of each file after the first
    duration: float | None = None  # seconds
    lost: Mapping[str, float] = field(default_factory=dict)  # seconds of "video" and "audio"


def claim(
    ledger: Ledger,
    stores: Collection[str],
    destination: str,
    *,
    count: int,
    lease: float,
    most: int = MOST_ATTEMPTS,
) -> tuple[list[Claim], list[Move]]:
    """Claim up to ``count`` recordings that are due, or whose watcher let its lease expire."""
    ours = (
        recordings.c.store.in_(sorted(stores)),
        recordings.c.destination == destination,
        recordings.c.held.is_(sa.false()),
    )
    silent = sa.and_(recordings.c.state == State.WORKING, recordings.c.lease_expires < now())
    due = sa.and_(
        recordings.c.state.in_(sorted(DUE)), recordings.c.not_before <= now(), _free(ledger)
    )
    with ledger.writing() as connection:
        moves = _give_up(ledger, connection, (*ours, silent, recordings.c.attempts >= most))
        chosen = (
            sa.select(recordings.c.id, recordings.c.state)
            .where(*ours, due | silent)
            .order_by(recordings.c.id)
            .limit(count)
            .with_for_update(skip_locked=True)
        )
        before = {row.id: State(row.state) for row in connection.execute(chosen)}
        rows = connection.execute(
            sa.update(recordings)
            .where(recordings.c.id.in_(before))
            .values(
                state=State.WORKING,
                since=now(),
                attempts=recordings.c.attempts + 1,
                lease_owner=ledger.actor,
                lease_token=recordings.c.lease_token + 1,
                lease_expires=now() + lease,
            )
            .returning(recordings)
        ).all()
        claims = sorted((_claim(row) for row in rows), key=lambda one: one.id)
        for one in claims:
            _begin(ledger, connection, one, before[one.id])
    return claims, [
        *moves,
        *(Move(c.name, c.source, before[c.id], State.WORKING) for c in claims),
    ]


def _claim(row: Any) -> Claim:
    names = [name for name in Claim.__struct_fields__ if name != "token"]
    return Claim(token=row.lease_token, **{name: getattr(row, name) for name in names})


def _begin(ledger: Ledger, connection: sa.Connection, one: Claim, before: State) -> None:
    """Open an attempt; one that is still open was never ended by its watcher."""
    left = (attempts.c.rec_id == one.id, attempts.c.ended.is_(None))
    connection.execute(sa.update(attempts).where(*left).values(ended=now(), outcome="abandoned"))
    entry = {"rec_id": one.id, "token": one.token, "worker": ledger.actor}
    connection.execute(sa.insert(attempts).values(started=now(), **entry))
    ledger.record(
        connection, one.id, "state", before=before, after=State.WORKING, why="", token=one.token
    )


def _give_up(ledger: Ledger, connection: sa.Connection, where: Sequence[Any]) -> list[Move]:
    """A recording that ended its watcher in every attempt is not tried for ever."""
    why = "whoever worked on it ended in the middle, every time"
    rows = connection.execute(
        sa.update(recordings)
        .where(*where)
        .values(
            state=State.FAILED,
            since=now(),
            why=why,
            done_fingerprint=recordings.c.fingerprint,
            lease_owner=None,
            lease_expires=None,
        )
        .returning(recordings.c.id, recordings.c.name, recordings.c.source)
    ).all()
    for row in rows:
        detail = {"before": State.WORKING, "after": State.FAILED, "why": why}
        ledger.record(connection, row.id, "state", **detail)
    return [Move(row.name, row.source, State.WORKING, State.FAILED, why) for row in rows]


def _free(ledger: Ledger) -> Any:
    """No other watcher has reserved it."""
    expires = recordings.c.lease_expires
    return sa.or_(expires.is_(None), expires < now(), recordings.c.lease_owner == ledger.actor)


def reserve(ledger: Ledger, ids: Mapping[int, str], *, lease: float) -> set[int]:
    """Reserve recordings for this watcher until they are due; ``ids`` are ids and fingerprints.

    Returns the ids that were reserved: not those whose source changed, that are held, claimed, or
    reserved by another watcher.
    """
    kept = set()
    with ledger.writing() as connection:
        for rec_id, fingerprint in ids.items():
            update = sa.update(recordings).where(
                recordings.c.id == rec_id,
                recordings.c.fingerprint == fingerprint,
                recordings.c.state.in_(sorted(WAITING | {State.READY})),
                recordings.c.held.is_(sa.false()),
                _free(ledger),
            )
            lasts = {"lease_owner": ledger.actor, "lease_expires": now() + lease}
            kept |= {rec_id} if connection.execute(update.values(**lasts)).rowcount else set()
    return kept


def let_go(ledger: Ledger, rec_id: int) -> None:
    """Undo ``reserve``: any watcher may claim the recording when it is due."""
    ours = (recordings.c.id == rec_id, recordings.c.lease_owner == ledger.actor)
    unclaimed = recordings.c.state != State.WORKING
    update = sa.update(recordings).where(*ours, unclaimed)
    with ledger.writing() as connection:
        connection.execute(update.values(lease_owner=None, lease_expires=None))


def renew(ledger: Ledger, claims: Collection[Claim], *, lease: float) -> set[int]:
    """Extend leases to ``lease`` seconds from now; returns the ids that are still ours."""
    held = set()
    with ledger.writing() as connection:
        for one in claims:
            update = sa.update(recordings).where(*_ours(ledger, one))
            done = connection.execute(update.values(lease_expires=now() + lease))
            held |= {one.id} if done.rowcount else set()
    return held


def still_ours(ledger: Ledger, one: Claim) -> None:
    """Raise ``LeaseLostError`` if another watcher took the recording over."""
    with ledger.reading() as connection:
        mine = connection.execute(sa.select(recordings.c.id).where(*_ours(ledger, one))).first()
    if mine is None:
        raise LeaseLostError(f"{one.name}: another watcher has taken it over")


def _ours(ledger: Ledger, one: Claim) -> tuple[Any, ...]:
    return (
        recordings.c.id == one.id,
        recordings.c.lease_token == one.token,
        recordings.c.lease_owner == ledger.actor,
        recordings.c.state == State.WORKING,
    )


def placing(ledger: Ledger, one: Claim, key: str) -> None:
    """Note that a result is about to get this key, which no other attempt uses.

    Raises ``LeaseLostError`` if another watcher took the recording over.
    """
    with ledger.writing() as connection:
        mine = connection.execute(sa.select(recordings.c.id).where(*_ours(ledger, one))).first()
        if mine is None:
            raise LeaseLostError(f"{one.name}: another watcher has taken it over")
        ledger.record(connection, one.id, "placing", key=key, token=one.token)


def placed(ledger: Ledger, one: Claim) -> set[str]:
    """Every key that ``placing`` noted for a recording, of all attempts."""
    where = (events.c.rec_id == one.id, events.c.kind == "placing")
    with ledger.reading() as connection:
        told = connection.execute(sa.select(events.c.detail).where(*where)).scalars()
        return {detail["key"] for detail in told}


def published(
    ledger: Ledger,
    one: Claim,
    made: PublishedVersion,
    *,
    ffmpeg: str,
    why: str = "",
    timings: Mapping[str, float] | None = None,
) -> Move:
    """End a claim: a version is published, with its receipt; ``why`` it is degraded, if it is.
    ``timings`` are the seconds that each stage took.
    """
    with ledger.writing() as connection:
        values = {"version": made.version, "verdict": made.verdict.value, **_FRESH}
        values |= {"done_fingerprint": one.fingerprint, "as_is": False}
        why = why if made.verdict is Verdict.DEGRADED else made.verdict.value
        ending = _Ending(State.PUBLISHED, why, values, ffmpeg, timings or None)
        move = _end(ledger, connection, one, ending)
        keep(ledger, connection, one.id, made, token=one.token)
    return replace(move, verdict=made.verdict.value)


def keep(
    ledger: Ledger, connection: sa.Connection, rec_id: int, made: PublishedVersion, *, token: int
) -> None:
    """Keep what was published, and what it was made of, in a transaction.  Safe to repeat."""
    common = {"rec_id": rec_id, "version": made.version}
    stored = {**common, "verdict": made.verdict.value, "token": token, "at": now()}
    mp4: dict[str, Any] = {"kind": "mp4", "uri": made.uri, "size": made.size, "sha256": made.sha256}
    mp4 |= {"duration": made.duration}
    mp4 |= {f"lost_{track}": made.lost.get(track) for track in ("video", "audio")}
    note: dict[str, Any] = {"kind": "receipt", "uri": made.receipt}
    more: list[dict[str, Any]] = [
        {"kind": f"mp4.{number}", "uri": uri, "size": size, "sha256": sha256}
        for number, (uri, size, sha256) in enumerate(made.more, 2)
    ]
    for one in (mp4, note, *more):
        entry = {**stored, **one}
        connection.execute(ledger.insert(artifacts).values(entry).on_conflict_do_nothing())
    rows = [
        {**common, "key": i.key, "size": i.size, "etag": i.etag, "sha256": i.sha256}
        for i in made.inputs
    ]
    if rows:
        connection.execute(ledger.insert(sources).on_conflict_do_nothing(), rows)


def rejected(ledger: Ledger, one: Claim, why: str, *, ffmpeg: str) -> Move:
    """End a claim: nothing can be made of the recording until its source changes or a person says
    so.
    """
    values = {"done_fingerprint": one.fingerprint, "verdict": Verdict.REJECTED.value, **_FRESH}
    with ledger.writing() as connection:
        return _end(ledger, connection, one, _Ending(State.REJECTED, why, values, ffmpeg))


def failed(ledger: Ledger, one: Claim, error: Exception, why: str, *, most: int) -> Move:
    """End a claim after an error: retried later, or failed for good and left to a person.

    :func:`pipeline.ledger.states.after` decides; errors that count fail at ``most`` attempts.
    """
    what = after(error)
    done = what is After.NEVER or (what is After.COUNTED and one.attempts >= most)
    failures = one.failures + 1
    values: dict[str, Any] = {"not_before": now() + pause(failures), "failures": failures}
    if what is After.AGAIN:  # not its fault: the pause grows, but the attempt does not count
        values["attempts"] = one.attempts - 1
    if done:
        values["done_fingerprint"] = one.fingerprint
    with ledger.writing() as connection:
        state = State.FAILED if done else State.RETRY
        return _end(ledger, connection, one, _Ending(state, why, values))


def release(ledger: Ledger, one: Claim, state: State, why: str) -> Move:
    """End a claim without an attempt, in the given state."""
    with ledger.writing() as connection:
        untried = {"attempts": one.attempts - 1}
        return _end(ledger, connection, one, _Ending(state, why, untried))


class _Ending(Struct, frozen=True):
    """How work on a recording ended; ``values`` is what else the ledger keeps of it."""

    state: State
    why: str
    values: Mapping[str, Any]
    ffmpeg: str | None = None
    timings: Mapping[str, float] | None = None


def _end(ledger: Ledger, connection: sa.Connection, one: Claim, end: _Ending) -> Move:
    update = sa.update(recordings).where(*_ours(ledger, one))
    common = {"state": end.state, "since": now(), "why": end.why}
    ended = {"lease_owner": None, "lease_expires": None}
    if not connection.execute(update.values(**common, **ended, **end.values)).rowcount:
        raise LeaseLostError(f"{one.name}: another watcher has taken it over")
    open_one = (attempts.c.rec_id == one.id, attempts.c.token == one.token)
    error = end.why if end.state in (State.RETRY, State.FAILED) else None
    timings = dict(end.timings) if end.timings else None
    entry: dict[str, Any] = {
        "timings": timings,
        "outcome": end.state.value,
        "error": error,
        "ffmpeg": end.ffmpeg,
    }
    connection.execute(sa.update(attempts).where(*open_one).values(ended=now(), **entry))
    detail = {"before": State.WORKING, "after": end.state, "why": end.why, "token": one.token}
    ledger.record(connection, one.id, "state", **detail)
    return Move(one.name, one.source, State.WORKING, end.state, end.why)
