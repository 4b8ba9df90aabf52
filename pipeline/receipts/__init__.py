"""Receipts, one beside every result: written, and read back."""
