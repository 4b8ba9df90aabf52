"""Segments become local files, scanned."""
