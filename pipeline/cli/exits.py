"""The exit codes in words, for ``--help`` and ``recpipe help``."""

from collections.abc import Mapping

EXITS: Mapping[int, str] = {
    0: "done, or nothing to do",
    1: "a bug: please report it",
    2: "wrong usage or configuration",
    3: "degraded: made, but the source had lost media",
    4: "rejected: nothing made, it would mislead or be unsafe",
    5: "many recordings: some are not done",
    75: "not finished yet, or a temporary failure: run again",
    130: "interrupted",
}


def lines() -> list[str]:
    """One line for each, the codes below each other."""
    return [f"{code:<5}{meaning}" for code, meaning in EXITS.items()]
