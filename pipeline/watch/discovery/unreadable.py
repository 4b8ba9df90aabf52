"""Recordings whose playlist could not be read; the others are not affected."""

from collections.abc import Sequence

from pipeline.errors import ChangedError, NotFoundError, RecpipeError, UnsafePathError
from pipeline.ledger.discovery import KnownRecording, Sighting
from pipeline.ledger.states import OPEN, State
from pipeline.storage.names import printable, safe_key
from pipeline.watch.discovery import observation
from pipeline.watch.discovery.observation import Observation

ITS_OWN = ChangedError | NotFoundError | UnsafePathError  # says nothing of the store


def refused(key: str) -> UnsafePathError | None:
    """The error for a key that cannot be watched, as it leaves its store or is not UTF-8; else
    None.
    """
    try:
        safe_key(key).encode()
    except UnsafePathError as error:
        return error
    except UnicodeEncodeError:
        return UnsafePathError(f"{printable(key)}: the name is not UTF-8; rename it")
    return None


def sighting(
    look: Observation, before: KnownRecording | None, *, store: str, until: float
) -> Sighting | None:
    """What the ledger keeps of such a look: the state before, and why; None if the next cycle
    decides.  ``until`` is when the listing ended, in seconds since the epoch.
    """
    assert look.error is not None
    waiting = before is not None and before.state in OPEN
    changing = isinstance(look.error, ChangedError)
    busy = before is not None and before.state in (State.PUBLISHED, State.WORKING)
    if busy or (waiting and changing):
        return None
    state, why = _judged(look.error)
    same = before is not None and before.fingerprint == look.fingerprint
    return Sighting(
        source=observation.source(look.recording),
        store=store,
        place=_storable(observation.place(look.recording)),
        name=_storable(look.recording.id),
        sid=look.recording.sid,
        before=before,
        state=before.state if before is not None and waiting else state,
        why=printable(why),
        as_is=before is not None and before.as_is,
        fingerprint=look.fingerprint,
        unchanged_since=before.unchanged_since if before is not None and same else until,
        ended_at=before.ended_at if before is not None else None,
        done_fingerprint=look.fingerprint if state is State.FAILED else None,
    )


def _storable(name: str) -> str:
    return name if refused(name) is None else printable(name)


def _judged(error: RecpipeError) -> tuple[State, str]:
    if isinstance(error, UnsafePathError):
        return State.FAILED, f"it cannot be watched: {error}"
    if isinstance(error, ChangedError):
        return State.RECORDING, "its playlist changes while it is read"
    return State.LATE, f"its playlist cannot be read: {error}"


def to_be_told(looks: Sequence[Observation], noted: Sequence[Sighting]) -> list[Observation]:
    """The looks whose error is new; a playlist that is just being rewritten is not reported."""
    news = {one.source for one in noted}
    return [
        look
        for look in looks
        if look.error is not None
        and not isinstance(look.error, ChangedError)
        and observation.source(look.recording) in news
    ]


def blind(errors: Sequence[RecpipeError | None]) -> RecpipeError | None:
    """The error to blame on the store: where several playlists were to be read and none could
    be; else None.
    """
    found = [error for error in errors if error is not None and not isinstance(error, ITS_OWN)]
    return found[0] if len(found) == len(errors) > 1 else None
