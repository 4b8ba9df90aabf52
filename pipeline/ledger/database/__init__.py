"""The database below the ledger: its tables, how they came to be, and what its refusals mean."""
