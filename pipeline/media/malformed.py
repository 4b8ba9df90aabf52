"""What readers of formats say of bytes that they cannot vouch for."""


class Malformed(ValueError):
    """Not what it should be.  One line: what, where, found, expected."""
