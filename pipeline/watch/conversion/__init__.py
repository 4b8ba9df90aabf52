"""Claimed recordings converted; and what can be done before a recording may be claimed."""
