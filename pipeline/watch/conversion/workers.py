"""Claimed recordings converted in parallel, while their leases are renewed."""

import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from types import TracebackType

from pipeline.errors import RecpipeError
from pipeline.ledger import claims
from pipeline.ledger.claims import Claim
from pipeline.ledger.states import State
from pipeline.muxing import run
from pipeline.watch.conversion.claimed import Done, WorkContext, work
from pipeline.watch.conversion.early import EarlyConversions
from pipeline.watch.log import log, told

AWAKE = 0.2  # seconds


class Workers:
    """A pool of ``jobs`` workers; leaving it interrupts them and gives back what they had claimed.

    ``lease`` is in seconds.
    """

    def __init__(
        self, context: WorkContext, *, jobs: int, lease: float, ahead: bool = False
    ) -> None:
        self._bench, self._jobs, self._lease = context, jobs, lease
        self._pool = ThreadPoolExecutor(jobs, thread_name_prefix="recording")
        self.ahead = EarlyConversions(context, jobs=jobs, lease=lease) if ahead else None
        self._at_work: dict[Future[Done | None], Claim] = {}
        self._stop = threading.Event()
        self._over = threading.Event()
        self._beating = threading.Thread(target=self._beat, name="leases", daemon=True)

    def __enter__(self) -> "Workers":
        self._beating.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        run.kill_all()
        if self.ahead is not None:
            self.ahead.close()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self.done()
        self._over.set()
        self._beating.join()

    @property
    def busy(self) -> bool:
        """Whether any worker is at work."""
        return bool(self._at_work)

    def take(self) -> int:
        """Claim a recording for each free worker; returns how many were claimed.

        Raises ``LedgerError`` if the ledger does not answer.
        """
        free = self._jobs - len(self._at_work)
        if not free:
            return 0
        context = self._bench
        taken, moves = claims.claim(
            context.ledger,
            context.store_watchers.keys(),
            context.to.url(),
            count=free,
            lease=self._lease,
            most=context.most,
        )
        for move in moves:
            told(move)
        for claim in taken:
            self._at_work[self._begun(claim)] = claim
        return len(taken)

    def _begun(self, claim: Claim) -> Future[Done | None]:
        made = self.ahead.take(claim) if self.ahead is not None else None
        if made is not None:
            return made
        return self._pool.submit(work, self._bench, claim, self._progress, self._stop.is_set)

    def wait(self, seconds: float) -> list[Done]:
        """Wait for a worker to finish, ``seconds`` at most; returns what is finished."""
        end = time.monotonic() + seconds
        while self._at_work and not any(f.done() for f in self._at_work):
            left = end - time.monotonic()
            if left <= 0:
                return []
            # not for ever: a signal that reaches another thread is seen when this one wakes up
            wait(self._at_work, timeout=min(left, AWAKE), return_when=FIRST_COMPLETED)
        return self.done()

    def done(self) -> list[Done]:
        """What is finished by now; interrupted recordings are given back."""
        finished = []
        for future in [future for future in self._at_work if future.done()]:
            claim = self._at_work.pop(future)
            if future.cancelled() or isinstance(future.exception(), KeyboardInterrupt):
                self._give_back(claim)
                continue
            try:
                done = future.result()
                finished += [done] if done is not None else []
            except RecpipeError as error:  # the ledger: the lease will run out
                log.warning("not committed", recording=claim.name, error=str(error))
        for one in finished:
            if one.move is not None:
                told(one.move)
            else:
                log.warning("taken over by another watcher", recording=one.claim.name)
        return finished

    def _give_back(self, claim: Claim) -> None:
        state = State.LOST if claim.as_is else State.READY
        try:
            told(claims.release(self._bench.ledger, claim, state, "stopped"))
        except RecpipeError as error:
            log.warning("not given back", recording=claim.name, error=str(error))

    def _progress(self, stage: str, count: int) -> None:
        """Threads cannot be interrupted: this callback for their progress ends them."""
        if self._stop.is_set():
            raise KeyboardInterrupt

    def _beat(self) -> None:
        while not self._over.wait(self._lease / 3):
            try:
                claims.renew(self._bench.ledger, list(self._at_work.values()), lease=self._lease)
                if self.ahead is not None:
                    self.ahead.renew()
            except RecpipeError as error:
                log.warning("leases not renewed", error=str(error))
