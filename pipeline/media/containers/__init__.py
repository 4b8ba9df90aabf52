"""Segments that are no transport stream as they lie there, made into one."""
