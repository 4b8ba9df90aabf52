"""Failover parts of one recording become one (docs/adr/0006)."""
