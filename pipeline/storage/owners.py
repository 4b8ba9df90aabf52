"""Which process wrote a temporary file: its number is in the name."""

import os


def lives(process: int) -> bool:
    """Whether a process has this number on this machine (signal 0 of POSIX kill())."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):  # a number that no process has
        return False
    except PermissionError:
        pass
    return True
