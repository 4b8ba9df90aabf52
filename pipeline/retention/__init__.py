"""Cleanup: what may be deleted because a receipt proves it safe elsewhere, and its deletion."""
