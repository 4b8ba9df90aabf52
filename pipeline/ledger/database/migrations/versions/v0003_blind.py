"""Why a store could not be looked at, and since when that is known."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns ``failed`` and ``error`` of ``stores``."""
    op.add_column("stores", sa.Column("failed", sa.Double(), nullable=True))
    op.add_column("stores", sa.Column("error", sa.Text(), nullable=True))
