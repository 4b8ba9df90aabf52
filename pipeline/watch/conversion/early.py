"""Complete recordings converted while they settle, so that only publishing is left."""

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from msgspec import Struct

from pipeline.errors import RecpipeError
from pipeline.ledger import claims, discovery
from pipeline.ledger.claims import Claim
from pipeline.ledger.discovery import KnownRecording
from pipeline.watch.conversion.claimed import Done, WorkContext, work_ahead
from pipeline.watch.conversion.publish_gate import PublishGate
from pipeline.watch.discovery import observation
from pipeline.watch.discovery.observation import Observation
from pipeline.watch.log import log


class _Made(Struct, frozen=True, eq=False):
    """One recording that is converted early."""

    known: KnownRecording
    place: PublishGate
    future: Future[Done | None]


PLACES = 4  # for each job: a finished result waits for long, and needs little meanwhile


class EarlyConversions:
    """Converts as many at once as there are jobs; each is reserved for this watcher until it is
    claimed.  ``lease`` is in seconds.
    """

    def __init__(self, context: WorkContext, *, jobs: int, lease: float) -> None:
        self._bench, self._lease = context, lease
        self._places, self._hands = PLACES * jobs, threading.Semaphore(jobs)
        self._pool = ThreadPoolExecutor(self._places, thread_name_prefix="ahead")
        self._lock = threading.Lock()
        self._made: dict[int, _Made] = {}
        self._tried: dict[int, str] = {}  # fingerprints
        self._stop = False

    def begin(self, looks: Sequence[Observation]) -> None:
        """Begin to convert complete recordings, as far as there are places.

        Each source is tried once: errors are reported when it is claimed.
        """
        whole = {observation.source(look.recording): look for look in looks if _complete(look)}
        self._forget_what_has_ended()
        try:
            found = discovery.known(self._bench.ledger, self._bench.to.url(), list(whole)).values()
            for known in found:
                self._begin(known, whole[known.source])
        except RecpipeError as error:
            log.debug("nothing made ahead", error=str(error))
            return
        waiting = {known.id for known in found}
        self._tried = {id: print for id, print in self._tried.items() if id in waiting}

    def _begin(self, known: KnownRecording, look: Observation) -> None:
        before = self._made.get(known.id)
        if before is not None and before.known.fingerprint != known.fingerprint:
            before.place.give_up()
        tried = self._tried.get(known.id) == known.fingerprint
        busy = before is not None or len(self._made) >= self._places
        if tried or busy or known.fingerprint != look.fingerprint:
            return
        wanted = {known.id: known.fingerprint}
        if not claims.reserve(self._bench.ledger, wanted, lease=self._lease):
            return
        self._tried |= wanted
        place = PublishGate(self._hands)

        def progress(stage: str, count: int) -> None:
            if self._stop or place.given_up:
                raise KeyboardInterrupt

        future = self._pool.submit(
            work_ahead,
            self._bench,
            known,
            look,
            place,
            progress=progress,
            stopping=lambda: self._stop,
        )
        with self._lock:
            self._made[known.id] = _Made(known, place, future)

    def take(self, claim: Claim) -> Future[Done | None] | None:
        """Let the result made for this claim be published; None if there is none."""
        with self._lock:
            made = self._made.get(claim.id)
            if made is None:
                return None
            same = (claim.fingerprint, claim.version) == (
                made.known.fingerprint,
                made.known.version,
            )
            if not same:
                made.place.give_up()
                return None
            del self._made[claim.id]
            return made.future if made.place.give(claim) else None

    def renew(self) -> None:
        """Extend the reservations, and give up results whose source changed or that were lost."""
        with self._lock:
            made = dict(self._made)
        wanted = {id: one.known.fingerprint for id, one in made.items()}
        held = claims.reserve(self._bench.ledger, wanted, lease=self._lease)
        for id, one in made.items():
            if id not in held:
                one.place.give_up()

    def _forget_what_has_ended(self) -> None:
        with self._lock:
            for id in [id for id, one in self._made.items() if one.future.done()]:
                future = self._made.pop(id).future
                error = None if future.cancelled() else future.exception()
                if isinstance(error, RecpipeError):
                    log.debug("not made ahead", error=str(error))

    def close(self) -> None:
        """Stop all conversions that are not claimed, and wait for their threads."""
        self._stop = True
        self._pool.shutdown(wait=True, cancel_futures=True)


def _complete(look: Observation) -> bool:
    return look.ended and not look.missing
