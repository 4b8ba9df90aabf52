"""The tables.  Times are seconds since the epoch by the database's own clock, sizes bytes."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from pipeline.ledger.states import State

metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)


class _State(sa.TypeDecorator[State]):
    """A state, stored as its word."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: State | None, dialect: Any) -> str | None:
        return None if value is None else State(value).value

    def process_result_value(self, value: Any | None, dialect: Any) -> State | None:
        return None if value is None else State(value)


_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # only INTEGER counts up by itself


def _of_recording(**options: Any) -> sa.Column[int]:
    key = sa.ForeignKey("recordings.id", ondelete="CASCADE")
    return sa.Column("rec_id", _ID, key, nullable=False, **options)


recordings = sa.Table(
    "recordings",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("source", sa.Text, nullable=False),  # URL of its folder and sid, or playlist
    sa.Column("destination", sa.Text, nullable=False),
    sa.Column("store", sa.Text, nullable=False),  # URL of the store it was last seen in
    sa.Column("place", sa.Text, nullable=False),  # its key there
    sa.Column("name", sa.Text, nullable=False),  # "<sid>_<cname>"
    sa.Column("sid", sa.Text),
    sa.Column("state", _State, nullable=False),
    sa.Column("since", sa.Double, nullable=False),  # of the state
    sa.Column("why", sa.Text, nullable=False, server_default=""),  # for people
    sa.Column("held", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("as_is", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("first_seen", sa.Double, nullable=False),
    sa.Column("fingerprint", sa.Text, nullable=False, server_default=""),
    sa.Column("unchanged_since", sa.Double, nullable=False, server_default="0"),
    sa.Column("ended_at", sa.Double),  # first seen with its end
    sa.Column("done_fingerprint", sa.Text),  # of the last verdict
    sa.Column("version", sa.Integer, nullable=False, server_default="0"),  # published last
    sa.Column("verdict", sa.Text),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),  # that count
    sa.Column("failures", sa.Integer, nullable=False, server_default="0"),  # all, in a row
    sa.Column("not_before", sa.Double, nullable=False, server_default="0"),
    sa.Column("lease_owner", sa.Text),
    sa.Column("lease_token", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("lease_expires", sa.Double),
    sa.UniqueConstraint("source", "destination"),
    sa.Index("ix_recordings_due", "state", "not_before"),
    sa.Index("ix_recordings_name", "name"),
    sa.Index("ix_recordings_store", "store", "destination", "state"),
    sa.Index("ix_recordings_shown", "state", "verdict", "since", "id"),
)
"""``lease_token`` is the fencing token and only grows: a write with an older one is refused."""

parts = sa.Table(
    "parts",
    metadata,
    _of_recording(primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),  # of the playlist
    sa.Column("bak", sa.Integer),
    sa.Column("ended", sa.Boolean, nullable=False),
    sa.Column("listed", sa.Integer, nullable=False),
    sa.Column("missing", sa.JSON, nullable=False),  # names of listed segments
    sa.Column("missing_since", sa.Double),
)

sources = sa.Table(
    "sources",
    metadata,
    _of_recording(primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("etag", sa.Text),
    sa.Column("sha256", sa.Text),
)
"""Exactly which objects each version was made of."""

attempts = sa.Table(
    "attempts",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    _of_recording(index=True),
    sa.Column("token", sa.BigInteger, nullable=False),
    sa.Column("worker", sa.Text, nullable=False),
    sa.Column("started", sa.Double, nullable=False),
    sa.Column("ended", sa.Double, index=True),
    sa.Column("outcome", sa.Text),
    sa.Column("error", sa.Text),
    sa.Column("ffmpeg", sa.Text),
    sa.Column("timings", sa.JSON(none_as_null=True)),  # seconds by the name of the stage
)

artifacts = sa.Table(
    "artifacts",
    metadata,
    _of_recording(primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),  # mp4, receipt; mp4.2 and on
    sa.Column("uri", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger),
    sa.Column("sha256", sa.Text),
    sa.Column("verdict", sa.Text),
    sa.Column("token", sa.BigInteger, nullable=False),
    sa.Column("at", sa.Double, nullable=False, index=True),
    sa.Column("duration", sa.Double),  # seconds; these three are of kind mp4 alone
    sa.Column("lost_video", sa.Double),
    sa.Column("lost_audio", sa.Double),
)
"""The primary key ensures that a version is published once."""

events = sa.Table(
    "events",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("rec_id", _ID, sa.ForeignKey("recordings.id", ondelete="CASCADE"), index=True),
    sa.Column("sid", sa.Text, index=True),  # of a notification about a recording not seen yet
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False, index=True),
    sa.Column("detail", sa.JSON, nullable=False),
)
"""Append only."""

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("command", sa.Text, nullable=False),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("started", sa.Double, nullable=False),
    sa.Column("heartbeat", sa.Double, nullable=False),
    sa.Column("ended", sa.Double),
    sa.Column("exit_code", sa.Integer),
    sa.Column("counts", sa.JSON, nullable=False),
)

stores = sa.Table(
    "stores",
    metadata,
    sa.Column("store", sa.Text, primary_key=True),
    sa.Column("destination", sa.Text, primary_key=True),
    sa.Column("swept", sa.Double),  # when all of it was listed last
    sa.Column("listed", sa.Double),  # when some of it was: when it was looked at last
    sa.Column("floor", sa.Text, nullable=False, server_default=""),  # key; nothing new below it
    sa.Column("failed", sa.Double),  # when it could not be looked at last
    sa.Column("error", sa.Text),  # and why
)
"""What discovery remembers of a store."""


checks = sa.Table(
    "checks",
    metadata,
    sa.Column("archive", sa.Text, primary_key=True),  # URL
    sa.Column("bag", sa.Text, primary_key=True),  # its key there
    sa.Column("how", sa.Text, primary_key=True),  # full, fast
    sa.Column("checked", sa.Text, nullable=False),  # ISO 8601, by the clock of the checker
    sa.Column("result", sa.Text, nullable=False),  # pass, fail
    sa.Column("at", sa.Double, nullable=False),
)
"""When each bag of an archive was checked last."""

notices = sa.Table(
    "notices",
    metadata,
    sa.Column("number", _ID, primary_key=True),  # in the order in which they came
    sa.Column("id", sa.Text, nullable=False, unique=True),  # Agora's
    sa.Column("type", sa.Integer, nullable=False),
    sa.Column("sid", sa.Text),
    sa.Column("sequence", sa.BigInteger),
    sa.Column("happened", sa.Double),
    sa.Column("received", sa.Double, nullable=False, index=True),
    sa.Column("body", sa.Text, nullable=False),  # JSON, all that was said
    sa.UniqueConstraint("sid", "type", "sequence", "happened"),  # sent by two channels
)
"""What Agora's notifications said, each once."""


class now(FunctionElement[float]):
    """The database's clock, seconds since the epoch: that of a host may be wrong."""

    type = sa.Double()
    inherit_cache = True


@compiles(now, "sqlite")
def _now_sqlite(element: now, compiler: Any, **_: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(now, "postgresql")
def _now_postgresql(element: now, compiler: Any, **_: Any) -> str:
    return "(extract(epoch from clock_timestamp())::double precision)"
