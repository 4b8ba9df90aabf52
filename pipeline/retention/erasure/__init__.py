"""Erasure: everything of a recording, or of one user in it, found and deleted for good."""
