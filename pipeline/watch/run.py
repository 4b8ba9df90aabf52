"""The row of one run of the watcher in the ledger: its heartbeat, what it did, how it ended."""

from collections.abc import Mapping

from pipeline.errors import RecpipeError
from pipeline.ledger import queries
from pipeline.ledger.ledger import Ledger
from pipeline.watch.log import log


class Run:
    """Begun when it is made; ``counts`` grows while the watcher works: states, and how often."""

    def __init__(self, ledger: Ledger, command: str, counts: Mapping[str, int]) -> None:
        self._ledger, self._counts = ledger, counts
        self._id = queries.run_begins(ledger, command)

    def goes_on(self) -> None:
        """Note a heartbeat; a failure to do so is no reason to stop."""
        try:
            queries.run_goes_on(self._ledger, self._id, dict(self._counts))
        except RecpipeError as error:
            log.warning("no sign of life left", error=str(error))

    def ends(self, code: int) -> None:
        """Note the end of the run."""
        queries.run_goes_on(self._ledger, self._id, dict(self._counts), exit_code=code)
