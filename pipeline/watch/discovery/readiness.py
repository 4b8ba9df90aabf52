"""Whether a recording may be converted, and if not what it waits for.  Pure."""

from collections.abc import Collection
from typing import Protocol

from msgspec import Struct

from pipeline.ledger.states import State
from pipeline.watch.discovery.observation import Observation

USUALLY = 20 * 60.0  # seconds in which everything is uploaded, by Agora's best practices
MOST_NAMES = 3


class Patience(Struct, frozen=True):
    """How long to wait, in seconds."""

    settle: float = 600.0  # between two equal listings
    late_deadline: float = 48 * 3600.0  # after the last change
    accept_unfinished: bool = False  # do not wait for an end


class Before(Protocol):
    """The result of the look before this one; times are seconds since the epoch."""

    @property
    def fingerprint(self) -> str:
        """The digest of its listing."""

    @property
    def unchanged_since(self) -> float:
        """When the listing was first seen like this."""

    @property
    def ended_at(self) -> float | None:
        """When an end was first seen; None if there is none yet."""

    @property
    def as_is(self) -> bool:
        """Whether waiting for the rest was given up."""


class Judged(Struct, frozen=True):
    """The state of a recording by what is in the store; fields as of :class:`Before`."""

    state: State
    why: str  # for people: what it waits for
    unchanged_since: float
    ended_at: float | None
    as_is: bool


def judge(
    seen: Observation,
    before: Before | None,
    told: Collection[str],
    patience: Patience,
    *,
    now: float,
    until: float,
) -> Judged:
    """The state of a recording.  READY: ended, every listed segment there, and two equal listings
    far enough apart.

    ``told`` is what Agora notified; which objects are there, only the listing says.  That was made
    from ``now`` to ``until``, in seconds since the epoch by the ledger's clock.
    """
    same = before is not None and before.fingerprint == seen.fingerprint
    since = before.unchanged_since if before is not None and same else until
    ended = seen.ended or "uploaded" in told or patience.accept_unfinished
    earlier = before.ended_at if before is not None else None
    ended_at = (earlier if earlier is not None else now) if ended else None
    as_is = before is not None and before.as_is
    waited = now - min(seen.newest or since, since)
    if ended and not seen.missing:
        quiet = now - since >= patience.settle or not patience.settle
        state = State.READY if quiet else State.SETTLING
        return Judged(state, "", since, ended_at, as_is=False)
    why = _why(seen, ended=ended)
    if as_is or (same and waited >= patience.late_deadline):
        return Judged(State.LOST, why, since, ended_at, as_is=True)
    return Judged(_waiting(seen, told, waited, ended=ended), why, since, ended_at, as_is=False)


def _waiting(seen: Observation, told: Collection[str], waited: float, *, ended: bool) -> State:
    if not ended:
        return State.RECORDING
    if seen.copies or "backuped" in told:
        return State.BACKUPED
    return State.UPLOADING if waited < USUALLY else State.LATE


def _why(seen: Observation, *, ended: bool) -> str:
    """What is missing, for people."""
    parts = [] if ended else [f"no end yet, {seen.listed} segments so far"]
    if seen.missing:
        some = ", ".join(seen.missing[:MOST_NAMES])
        more = ", ..." if len(seen.missing) > MOST_NAMES else ""
        parts.append(f"{len(seen.missing)} of {seen.listed} segments missing: {some}{more}")
    return "; ".join(parts)
