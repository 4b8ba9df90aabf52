"""Waits until one recording is ready to be converted; without a ledger."""

from collections.abc import Callable, Collection
from itertools import chain, repeat

from msgspec import Struct, field
from msgspec.structs import replace

from pipeline.agora.transport import Clock
from pipeline.errors import NotFoundError, StorageError, TemporaryError
from pipeline.ledger.states import State
from pipeline.model import Recording
from pipeline.storage import Storage
from pipeline.watch.discovery.observation import Observation
from pipeline.watch.discovery.readiness import Judged, Patience, judge
from pipeline.watch.discovery.store_watcher import StoreWatcher

PAUSES = (1.0, 1.0, 2.0, 5.0)  # seconds between the first looks
LATER = 10.0  # seconds between the others
EMPTY = 3  # looks that find nothing although everything is said to be uploaded
NOTHING = "nothing of it is there"


class Awaited(Struct, frozen=True):
    """A recording in its bucket: ``place`` is the key of its sid.

    ``told`` is what Agora said of its upload: "uploaded", "backuped" or nothing.
    """

    storage: Storage
    place: str
    told: Collection[str] = ()
    patience: Patience = field(default_factory=Patience)

    @property
    def where(self) -> str:
        """Its URL, for messages."""
        return self.storage.url(self.place)


class _Before(Struct, frozen=True):
    """The result of the last look."""

    fingerprint: str
    unchanged_since: float
    ended_at: float | None
    as_is: bool = False


def settled(awaited: Awaited, *, clock: Clock, say: Callable[[str], None]) -> Recording:
    """The recording, once it has ended and every listed segment is there.

    If Agora said that everything is uploaded, a finished playlist is believed at once, else after
    two equal listings far enough apart.  ``say`` is called whenever what it waits for changes.
    Raises ``NotFoundError`` if nothing is there though everything should be, ``TemporaryError`` if
    nothing has changed for ``late_deadline``.
    """
    store_watcher = StoreWatcher(awaited.storage, "", awaited.patience)
    before: _Before | None = None
    began, empty, said = clock.now(), 0, ""
    for pause in chain(PAUSES, repeat(LATER)):
        now = clock.now()
        look, why = _look(store_watcher, awaited.place)
        given_up = now - began >= awaited.patience.late_deadline
        if look is not None:
            judged = _judged(awaited, look, before, now=now, until=clock.now())
            if judged.state is State.READY:
                return look.recording
            before = _Before(look.fingerprint, judged.unchanged_since, judged.ended_at)
            given_up = judged.state is State.LOST
            why = judged.why or _almost(look, awaited.patience)
        empty += why == NOTHING
        if empty >= EMPTY and "uploaded" in awaited.told:
            raise NotFoundError(f"{awaited.where}: {NOTHING}, though everything is uploaded")
        if given_up:
            raise TemporaryError(f"{awaited.where}: {why}; nothing new for too long")
        if why != said:
            said = why
            say(f"{awaited.where}: {why}")
        clock.sleep(pause)
    raise AssertionError("there is always another look")


def _look(store_watcher: StoreWatcher, place: str) -> tuple[Observation | None, str]:
    """A fresh look, or why there is none: a store that fails now may answer later."""
    try:
        return store_watcher.one(place), ""
    except NotFoundError:
        return None, NOTHING
    except StorageError as error:
        return None, str(error)


def _almost(look: Observation, patience: Patience) -> str:
    there = "all is there" if look.ended else "all is there but the end of the playlist"
    return f"{there}; unchanged for {patience.settle:g} s?"


def _judged(
    awaited: Awaited, look: Observation, before: _Before | None, *, now: float, until: float
) -> Judged:
    patience = awaited.patience
    if look.ended and "uploaded" in awaited.told:
        patience = replace(patience, settle=0.0)
    return judge(look, before, awaited.told, patience, now=now, until=until)
