"""Recordings as discovery would enter them."""

from pipeline.ledger import discovery
from pipeline.ledger.discovery import KnownRecording, PartSeen, Sighting
from pipeline.ledger.ledger import Ledger, Move
from pipeline.ledger.states import State

STORE = "s3://calls/"
TO = "s3://archive/"


def sighting(
    n: int, state: State = State.READY, before: KnownRecording | None = None, **chosen
) -> Sighting:
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
    return discovery.note(ledger, TO, [sighting(n, state, **chosen) for n in range(count)])


def known(ledger: Ledger, n: int = 0) -> KnownRecording:
    (found,) = discovery.known(ledger, TO, [f"{STORE}{n:032x}"]).values()
    return found


def state(ledger: Ledger, n: int = 0) -> State:
    return known(ledger, n).state
