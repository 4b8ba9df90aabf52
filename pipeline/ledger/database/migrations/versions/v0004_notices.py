"""What Agora's notifications said, each once."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """One more table."""
    op.create_table(
        "notices",
        sa.Column("number", _ID, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("type", sa.Integer(), nullable=False),
        sa.Column("sid", sa.Text()),
        sa.Column("sequence", sa.BigInteger()),
        sa.Column("happened", sa.Double()),
        sa.Column("received", sa.Double(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_notices"),
        sa.UniqueConstraint("id", name="uq_notices_id"),
        sa.UniqueConstraint("sid", "type", "sequence", "happened", name="uq_notices_sid"),
    )
    op.create_index("ix_notices_received", "notices", ["received"])
