"""The ledger: what is known of every recording, and who is working on it.

A memory, not the proof: it can be rebuilt from the receipts.  The only room that imports
SQLAlchemy and Alembic.
"""
