"""Notifications that `recpipe serve` wrote into the ledger: they end the wait for the next look."""

import time
from collections.abc import Callable

from pipeline.errors import RecpipeError
from pipeline.ledger import notices
from pipeline.ledger.ledger import Ledger
from pipeline.watch.log import log

REST = 5.0  # seconds between two looks for the sake of notifications


class Bell:
    """Rings when Agora has said something after which a look at the store is worth while, until
    it is answered; then not again for ``REST`` seconds, however much comes.
    """

    def __init__(self, ledger: Ledger, clock: Callable[[], float] = time.monotonic) -> None:
        self._ledger, self._clock = ledger, clock
        self._heard = self._newest(0)
        self._not_before = 0.0

    def rings(self) -> bool:
        """Whether there is news that was not answered."""
        return self._clock() >= self._not_before and self._newest(self._heard) > self._heard

    def answered(self) -> None:
        """A look begins now: what came so far will be seen by it."""
        self._heard = self._newest(self._heard)
        self._not_before = self._clock() + REST

    def _newest(self, since: int) -> int:
        try:
            return notices.newest(self._ledger, since)
        except RecpipeError as error:  # the next look comes all the same
            log.debug("no notifications", error=str(error))
            return since
