"""What is lost in each version, how long each stage took, and indexes for those who only look."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Four more columns; earlier versions do not know what stands in them."""
    op.add_column("artifacts", sa.Column("duration", sa.Double(), nullable=True))
    op.add_column("artifacts", sa.Column("lost_video", sa.Double(), nullable=True))
    op.add_column("artifacts", sa.Column("lost_audio", sa.Double(), nullable=True))
    op.add_column("attempts", sa.Column("timings", sa.JSON(), nullable=True))
    op.create_index("ix_recordings_shown", "recordings", ["state", "verdict", "since", "id"])
    op.create_index("ix_artifacts_at", "artifacts", ["at"])
    op.create_index("ix_attempts_ended", "attempts", ["ended"])
    op.create_index("ix_events_kind", "events", ["kind"])
