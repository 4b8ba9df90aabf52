"""Notifications on their way into the ledger: many in one transaction, never more than there is
room for.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from pipeline.errors import BusyError, RecpipeError
from pipeline.ledger import notices
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.notices import Kept

log = logging.getLogger(__name__)

ROOM = 2_000  # notifications that wait to be written
AT_ONCE = 500  # in one transaction
GATHER = 0.01  # seconds between the beginnings of two transactions, in which more may come
TIDY = 3600.0  # seconds between two removals of what is too old

Write = Callable[[Sequence[Kept]], set[str]]
Waiting = tuple[Kept, "Future[bool]"]


class Inbox:
    """A thread that writes down what was put in.  The more comes, the more it writes at once: that
    keeps the wait short, as most of the time goes into making a transaction durable.
    """

    def __init__(self, write: Write, tidy: Callable[[], object], *, room: int = ROOM) -> None:
        self._write, self._tidy, self._room = write, tidy, room
        self._waiting: deque[Waiting] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._begun = -GATHER  # when the last transaction did, by the clock of this machine
        self._thread = threading.Thread(target=self._run, name="inbox", daemon=True)
        self._thread.start()

    def put(self, one: Kept) -> "Future[bool]":
        """Whether it was news, once it is durable.  BusyError if there is no room for it."""
        future: Future[bool] = Future()
        with self._changed:
            if len(self._waiting) >= self._room or not self.works:
                said = f"{len(self._waiting)} notifications wait to be written"
                raise BusyError(f"{said}, expected less than {self._room}; send it again later")
            self._waiting.append((one, future))
            self._changed.notify()
        return future

    @property
    def works(self) -> bool:
        """Whether what is put in will be written."""
        return self._thread.is_alive() and not self._closed

    def close(self) -> None:
        """Write what was put in, and end."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        tidied = 0.0
        while True:
            if some := self._next():
                self._keep(some)
            elif self._closed:
                return
            if not tidied or time.monotonic() - tidied > TIDY:
                self._tidied()
                tidied = time.monotonic()

    def _next(self) -> list[Waiting]:
        """What waits; nothing when it is time to tidy up, or to end."""
        with self._changed:
            if not self._waiting and not self._closed:
                self._changed.wait(TIDY)
        # fewer transactions; while a slow disk is waited for, more come anyway
        pause = self._begun + GATHER - time.monotonic()
        if pause > 0 and not self._closed:
            time.sleep(pause)
        with self._changed:
            count = min(len(self._waiting), AT_ONCE)
            return [self._waiting.popleft() for _ in range(count)]

    def _keep(self, some: Sequence[Waiting]) -> None:
        awaited = [(one, f) for one, f in some if f.set_running_or_notify_cancel()]
        self._begun = time.monotonic()
        try:
            fresh = self._write([one for one, _ in some])
        except RecpipeError as error:
            log.warning("%d notifications not written: %s", len(some), error)
            for _, future in awaited:
                future.set_exception(error)
            return
        for one, future in awaited:
            future.set_result(one.id in fresh)
            fresh.discard(one.id)  # twice in one transaction is news once

    def _tidied(self) -> None:
        try:
            self._tidy()
        except RecpipeError as error:
            log.warning("old notifications not removed: %s", error)


def inbox(ledger: Ledger) -> Inbox:
    """One that writes into a ledger."""
    return Inbox(lambda some: notices.keep(ledger, some), lambda: notices.prune(ledger))
