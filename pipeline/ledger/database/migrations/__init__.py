"""The migrations of the tables, version by version (Alembic)."""

HEAD = "0005"  # the newest version, as in versions/
LOCK = 0x72656370  # PostgreSQL: the holder of this advisory lock migrates
