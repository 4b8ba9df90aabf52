"""Bags (RFC 8493, BagIt 1.0): their files, their places, whether they are still valid."""
