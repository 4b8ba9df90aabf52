"""Whose a temporary name is: it tells the process that wrote it."""

import os


def lives(process: int) -> bool:
    """There is a process of this number on this machine."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
