"""Bags (RFC 8493, BagIt 1.0): what is in them, where they lie, whether they are still whole."""
