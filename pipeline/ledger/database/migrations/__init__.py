"""How the tables came to be, version by version (Alembic)."""

HEAD = "0003"  # the newest version, as in versions/
LOCK = 0x72656370  # PostgreSQL: whoever holds it migrates
