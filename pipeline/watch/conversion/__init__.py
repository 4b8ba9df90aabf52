"""Claimed recordings converted; and what can be done for a recording before it may be claimed."""
