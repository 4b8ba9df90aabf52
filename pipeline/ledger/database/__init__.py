"""The database below the ledger: its tables, their migrations, and what its errors mean."""
