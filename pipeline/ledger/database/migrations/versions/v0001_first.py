"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create all tables."""
    _recordings()
    _runs()
    _stores()
    _artifacts()
    _attempts()
    _events()
    _parts()
    _sources()


def _recordings() -> None:
    op.create_table(
        "recordings",
        sa.Column("id", _ID, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("store", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sid", sa.Text()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("since", sa.Double(), nullable=False),
        sa.Column("why", sa.Text(), server_default="", nullable=False),
        sa.Column("held", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("as_is", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("first_seen", sa.Double(), nullable=False),
        sa.Column("fingerprint", sa.Text(), server_default="", nullable=False),
        sa.Column("unchanged_since", sa.Double(), server_default="0", nullable=False),
        sa.Column("ended_at", sa.Double()),
        sa.Column("done_fingerprint", sa.Text()),
        sa.Column("version", sa.Integer(), server_default="0", nullable=False),
        sa.Column("verdict", sa.Text()),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("not_before", sa.Double(), server_default="0", nullable=False),
        sa.Column("lease_owner", sa.Text()),
        sa.Column("lease_token", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("lease_expires", sa.Double()),
        sa.PrimaryKeyConstraint("id", name="pk_recordings"),
        sa.UniqueConstraint("source", "destination", name="uq_recordings_source"),
    )
    op.create_index("ix_recordings_due", "recordings", ["state", "not_before"])
    op.create_index("ix_recordings_name", "recordings", ["name"])
    op.create_index("ix_recordings_store", "recordings", ["store", "destination", "state"])


def _runs() -> None:
    op.create_table(
        "runs",
        sa.Column("id", _ID, nullable=False),
        sa.Column("command", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("started", sa.Double(), nullable=False),
        sa.Column("heartbeat", sa.Double(), nullable=False),
        sa.Column("ended", sa.Double()),
        sa.Column("exit_code", sa.Integer()),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
    )


def _stores() -> None:
    op.create_table(
        "stores",
        sa.Column("store", sa.Text(), nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("swept", sa.Double()),
        sa.Column("listed", sa.Double()),
        sa.Column("floor", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("store", "destination", name="pk_stores"),
    )


def _artifacts() -> None:
    op.create_table(
        "artifacts",
        sa.Column("rec_id", _ID, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger()),
        sa.Column("sha256", sa.Text()),
        sa.Column("verdict", sa.Text()),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["rec_id"], ["recordings.id"], name="fk_artifacts_rec_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("rec_id", "version", "kind", name="pk_artifacts"),
    )


def _attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("id", _ID, nullable=False),
        sa.Column("rec_id", _ID, nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("started", sa.Double(), nullable=False),
        sa.Column("ended", sa.Double()),
        sa.Column("outcome", sa.Text()),
        sa.Column("error", sa.Text()),
        sa.Column("ffmpeg", sa.Text()),
        sa.ForeignKeyConstraint(
            ["rec_id"], ["recordings.id"], name="fk_attempts_rec_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_attempts"),
    )
    op.create_index("ix_attempts_rec_id", "attempts", ["rec_id"])


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("id", _ID, nullable=False),
        sa.Column("rec_id", _ID),
        sa.Column("sid", sa.Text()),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["rec_id"], ["recordings.id"], name="fk_events_rec_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
    )
    op.create_index("ix_events_rec_id", "events", ["rec_id"])
    op.create_index("ix_events_sid", "events", ["sid"])


def _parts() -> None:
    op.create_table(
        "parts",
        sa.Column("rec_id", _ID, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("bak", sa.Integer()),
        sa.Column("ended", sa.Boolean(), nullable=False),
        sa.Column("listed", sa.Integer(), nullable=False),
        sa.Column("missing", sa.JSON(), nullable=False),
        sa.Column("missing_since", sa.Double()),
        sa.ForeignKeyConstraint(
            ["rec_id"], ["recordings.id"], name="fk_parts_rec_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("rec_id", "key", name="pk_parts"),
    )


def _sources() -> None:
    op.create_table(
        "sources",
        sa.Column("rec_id", _ID, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("etag", sa.Text()),
        sa.Column("sha256", sa.Text()),
        sa.ForeignKeyConstraint(
            ["rec_id"], ["recordings.id"], name="fk_sources_rec_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("rec_id", "version", "key", name="pk_sources"),
    )
