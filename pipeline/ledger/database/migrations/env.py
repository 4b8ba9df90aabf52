"""Alembic runs this for each upgrade; the connection and its transaction are the caller's."""

from alembic import context

from pipeline.ledger.database.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transaction_per_migration=False,
)
context.run_migrations()
