"""The exception with which readers of formats refuse bytes that they cannot vouch for."""


class Malformed(ValueError):
    """Bytes are not what they should be.  One line: what, where (byte), found, expected."""
