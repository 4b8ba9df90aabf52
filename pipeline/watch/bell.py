"""Notifications that `recpipe serve` wrote into the ledger: they end the wait for the next look."""

from pipeline.errors import RecpipeError
from pipeline.ledger import notices
from pipeline.ledger.ledger import Ledger
from pipeline.watch.log import log


class Bell:
    """Rings when Agora has said something after which a look at the store is worth while."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._heard = self._newest(0)

    def rings(self) -> bool:
        """Whether there is news since the last time."""
        before = self._heard
        self._heard = self._newest(before)
        return self._heard > before

    def _newest(self, since: int) -> int:
        try:
            return notices.newest(self._ledger, since)
        except RecpipeError as error:  # the next look comes all the same
            log.debug("no notifications", error=str(error))
            return since
