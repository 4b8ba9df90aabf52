"""Values of the ledger as a page shows them.  Pure; none of what comes out is markup."""

import shlex
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pipeline.ledger.measures import Group
from pipeline.ledger.states import State
from pipeline.ledger.times import ago, moment
from pipeline.model import Verdict
from pipeline.report import words
from pipeline.storage.names import printable

LONGEST_COMMAND = 800  # characters of names in a command
_BAD = (State.FAILED, State.REJECTED)
_LOOK = (State.RETRY, State.LATE, State.LOST, State.BACKUPED, State.CHANGED)


def channel(row: Mapping[str, Any]) -> str:
    """The name of the channel; of what is not Agora's, its whole name."""
    name, sid = str(row["name"]), row["sid"]
    return name.removeprefix(f"{sid}_") if sid else name


def word(group: Group) -> str:
    """A state in a word; of a published recording, that it is degraded."""
    state, verdict = group
    degraded = state is State.PUBLISHED and verdict == Verdict.DEGRADED.value
    return verdict if degraded and verdict else state.value


def tone(group: Group) -> str:
    """How it looks: ``bad``, ``look``, ``good`` or ``calm``."""
    state, _ = group
    if state in _BAD or word(group) == Verdict.DEGRADED.value:
        return "bad"
    if state in _LOOK:
        return "look"
    return "good" if state is State.PUBLISHED else "calm"


def number(count: float) -> str:
    """With spaces between thousands."""
    return f"{count:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def lasting(seconds: float | None) -> str:
    """A length of time; a dash for what is not known."""
    if seconds is None:
        return "–"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def in_bytes(count: float | None) -> str:
    """A size to three digits or so; a dash for what is not known."""
    return "–" if count is None else words.in_bytes(round(count))


def lost(row: Mapping[str, Any]) -> str:
    """Seconds of the track that lost most; empty where nothing is."""
    seconds = max(row["lost_video"] or 0.0, row["lost_audio"] or 0.0)
    return f"{seconds:.1f} s" if seconds else ""


def for_people(seconds: float) -> str:
    """A moment in UTC, to the second."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def commands(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a person can do about a recording, each with the command, fit to be pasted.

    Nothing for names that a terminal would not take as they are.
    """
    named = str(row["sid"] or row["name"])
    words = named + row["destination"]
    if printable(words) != words or len(words) > LONGEST_COMMAND:
        return []
    to = f"--to {shlex.quote(row['destination'])}"
    which = f"{'-- ' * named.startswith('-')}{shlex.quote(named)}"  # not to be taken for an option
    found = [("Say why it is where it is", f"recpipe explain {to} {which}")]
    if row["state"] not in (State.PUBLISHED, State.WORKING, State.READY, State.LOST):
        found.append(("Do not wait any longer", f"recpipe retry {to} {which}"))
    release = "--release " if row["held"] else ""
    said = "Do no longer leave it alone" if row["held"] else "Leave it alone"
    found.append((said, f"recpipe hold {release}{to} {which}"))
    if row["state"] is State.PUBLISHED and row["verdict"] != Verdict.DEGRADED.value:
        found.append(("File it in the archive", f"recpipe archive ingest --to VAULT {which}"))
    return found


FILTERS = {
    **{"ago": ago, "moment": moment, "people": for_people, "short": words.name, "number": number},
    **{"lasting": lasting, "bytes": in_bytes},
}
