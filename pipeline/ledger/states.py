"""The states of a recording, and the moves between them.  Pure: no clock, no database."""

import random
from collections.abc import Callable
from enum import StrEnum

from pipeline.errors import (
    DeniedError,
    DiskFullError,
    FfmpegMissingError,
    NotFoundError,
    RecpipeError,
    StorageError,
    TemporaryError,
)


class State(StrEnum):
    """The state of a recording."""

    RECORDING = "recording"  # no part of it has ended
    UPLOADING = "uploading"  # ended; its last segments are on their way
    BACKUPED = "backuped"  # some are in Agora's backup cloud, to be forwarded later
    LATE = "late"  # segments are missing for longer than an upload usually takes
    SETTLING = "settling"  # all there; to be seen unchanged once more
    CHANGED = "changed"  # published before, and its source has changed since
    READY = "ready"  # to be converted
    LOST = "lost"  # waited in vain: to be converted with what is there
    WORKING = "working"  # a watcher has claimed it
    RETRY = "retry"  # an attempt failed; to be tried again later
    PUBLISHED = "published"
    REJECTED = "rejected"  # no MP4: it would mislead or be unsafe
    FAILED = "failed"  # a person has to look


WAITING = frozenset(
    {
        State.RECORDING,
        State.UPLOADING,
        State.BACKUPED,
        State.LATE,
        State.SETTLING,
        State.CHANGED,
    }
)
DUE = frozenset({State.READY, State.LOST, State.RETRY})
FINAL = frozenset({State.PUBLISHED, State.REJECTED, State.FAILED})
OPEN = frozenset(State) - FINAL  # its source is looked at in every cycle

MOVES: dict[State, frozenset[State]] = {
    **{state: WAITING | {State.READY, State.LOST} for state in WAITING},
    State.READY: WAITING | {State.LOST, State.WORKING},
    State.LOST: WAITING | {State.READY, State.WORKING},
    State.RETRY: WAITING | {State.READY, State.LOST, State.WORKING},
    State.WORKING: FINAL | DUE | WAITING,
    State.PUBLISHED: frozenset({State.CHANGED, State.READY, State.LOST}),
    State.REJECTED: WAITING | {State.READY, State.LOST},
    State.FAILED: WAITING | {State.READY, State.LOST},
}
"""Every move that is allowed; to stay in a state is none."""


class After(StrEnum):
    """What a failed attempt leads to."""

    AGAIN = "again"  # the store or the disk is to blame: tried for ever
    COUNTED = "counted"  # tried again, up to a number of attempts
    NEVER = "never"  # only a person, or a change of the source, helps


def observed(state: State, judged: State, *, version: int, same_as_done: bool, same: bool) -> State:
    """The state after a look at the source that by itself would be ``judged``.

    ``version`` was published last, 0 is none.  ``same_as_done``: the source is the one of the last
    verdict; ``same``: the one of the last look.
    """
    if state is State.WORKING:
        return state  # the watcher that works on it looks itself
    if state in FINAL and same_as_done:
        return state
    if state is State.RETRY and same and judged in (State.READY, State.LOST):
        return state
    if version and judged in WAITING:
        return State.CHANGED
    return judged


def after(error: Exception) -> After:
    """What an error means for the next attempt."""
    if isinstance(error, StorageError | DiskFullError | DeniedError | FfmpegMissingError):
        return After.AGAIN
    if isinstance(error, TemporaryError | NotFoundError) or not isinstance(error, RecpipeError):
        return After.COUNTED
    return After.NEVER


FIRST_PAUSE = 15.0  # seconds
LONGEST_PAUSE = 3600.0  # seconds


def pause(attempt: int, chance: Callable[[], float] = random.random) -> float:
    """Seconds before the next attempt: doubling, with jitter so that watchers do not run in step.

    ``attempt`` counts from 1; ``chance`` gives 0 to 1.
    """
    longest = min(FIRST_PAUSE * 2.0 ** min(max(attempt, 1) - 1, 20), LONGEST_PAUSE)
    return longest * (0.5 + chance() / 2)
