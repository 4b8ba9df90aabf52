"""The ledger: what is known of every recording, and who is working on it.

A memory, not the proof: it can be rebuilt from the receipts.  The only room that imports
SQLAlchemy and Alembic.  Times are seconds since the epoch, by the database's clock.  All that asks
the database raises ``LedgerError`` if it does not answer or is locked.
"""
