"""What happens next with a recording, and what a person can do about it.  Pure."""

from collections.abc import Mapping
from typing import Any

from pipeline.ledger.states import State
from pipeline.model import Verdict

_NEXT: dict[State, tuple[str, str]] = {
    State.RECORDING: (
        "it is converted when its playlist ends and nothing has changed for a while",
        "if the recording is over and its end will never come: recpipe retry",
    ),
    State.UPLOADING: (
        "its last segments are awaited",
        "nothing; Agora needs up to 20 minutes",
    ),
    State.BACKUPED: (
        "Agora forwards what is in its backup cloud; it is awaited until the late deadline",
        "nothing; or convert it without what is missing: recpipe retry",
    ),
    State.LATE: (
        "what is missing is awaited until the late deadline, then the rest is converted",
        "look at the bucket's permissions and region; or do not wait: recpipe retry",
    ),
    State.SETTLING: ("it is converted once it was seen unchanged again", "nothing"),
    State.CHANGED: (
        "its new source is converted into a new version once it has settled",
        "find out who changed the source of a published recording",
    ),
    State.READY: ("it is converted next", "nothing; is a watcher running?"),
    State.LOST: (
        "it is converted with what is there",
        "nothing; what comes later makes a new version",
    ),
    State.WORKING: ("it is published, or tried again", "nothing"),
    State.RETRY: ("it is tried again", "put right what the error says, then: recpipe retry"),
    State.PUBLISHED: ("nothing, unless its source changes", "nothing"),
    State.REJECTED: (
        "nothing, unless its source changes",
        "read the findings with recpipe check; after a repair: recpipe retry",
    ),
    State.FAILED: (
        "nothing, unless its source changes",
        "put right what the error says, then: recpipe retry",
    ),
}


_LACKING = "look for what is missing in the original store: put back, it makes a new version"


def advice(row: Mapping[str, Any]) -> tuple[str, str]:
    """What happens next, and what a person can do; ``row`` is one of the table of recordings."""
    if row["held"] and row["state"] not in (State.PUBLISHED, State.WORKING):
        return "nothing: it is held", "recpipe hold --release"
    if row["state"] is State.PUBLISHED and row.get("verdict") == Verdict.DEGRADED:
        return _NEXT[State.PUBLISHED][0], _LACKING
    return _NEXT[row["state"]]
