"""Recordings as discovery would enter them."""

from pipeline.jobs.ledger import sightings
from pipeline.jobs.ledger.handle import Ledger, Move
from pipeline.jobs.ledger.sightings import Known, PartSeen, Sighting
from pipeline.jobs.ledger.states import State

STORE = "s3://calls/"
TO = "s3://archive/"


def sighting(n: int, state: State = State.READY, before: Known | None = None, **chosen) -> Sighting:
    values = {
        "source": f"{STORE}{n:032x}",
        "store": STORE,
        "place": f"{n:032x}",
        "name": f"{n:032x}_room",
        "sid": f"{n:032x}",
        "before": before,
        "state": state,
        "why": "",
        "as_is": False,
        "fingerprint": "f",
        "unchanged_since": 1.0,
        "ended_at": 1.0,
        "parts": (PartSeen(f"{n:032x}_room.m3u8", None, True, 4, ()),),
        **chosen,
    }
    return Sighting(**values)


def enter(ledger: Ledger, count: int, state: State = State.READY, **chosen) -> list[Move]:
    return sightings.note(ledger, TO, [sighting(n, state, **chosen) for n in range(count)])


def known(ledger: Ledger, n: int = 0) -> Known:
    (found,) = sightings.known(ledger, TO, [f"{STORE}{n:032x}"]).values()
    return found


def state(ledger: Ledger, n: int = 0) -> State:
    return known(ledger, n).state
