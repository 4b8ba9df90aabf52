"""Where a result that was made early waits until it may be published."""

import threading
from collections.abc import Callable

from pipeline.errors import LeaseLostError
from pipeline.ledger.claims import Claim

AWAKE = 0.2  # seconds


class PublishGate:
    """Shared by the thread that converts and waits, and the one that claims.

    ``hands`` bounds how many convert at once.
    """

    def __init__(self, hands: threading.Semaphore) -> None:
        self._hands, self._busy = hands, False
        self._lock = threading.Lock()
        self._told = threading.Event()
        self._claim: Claim | None = None
        self._left = False

    @property
    def given_up(self) -> bool:
        """Whether the result is not wanted any more."""
        return self._left

    def begin(self, stopping: Callable[[], bool]) -> None:
        """Wait until a conversion may begin.  Raises ``KeyboardInterrupt`` if it is not wanted any
        more.
        """
        while not self._hands.acquire(timeout=AWAKE):
            if stopping() or self._left:
                raise KeyboardInterrupt
        self._busy = True

    def _rest(self) -> None:
        if self._busy:
            self._busy = False
            self._hands.release()

    def give(self, claim: Claim) -> bool:
        """Let the result be published under this claim; False if nobody waits here any more."""
        with self._lock:
            if self._left:
                return False
            self._claim = claim
            self._told.set()
            return True

    def give_up(self) -> None:
        """Say that no claim will come; without effect if one was given before."""
        with self._lock:
            self._left |= self._claim is None
            self._told.set()

    def wait(self, stopping: Callable[[], bool]) -> Claim:
        """Wait for the claim.  Raises ``LeaseLostError`` when there will be none,
        ``KeyboardInterrupt`` if ``stopping`` says so.
        """
        self._rest()
        while not self._told.wait(AWAKE):
            if stopping():
                raise KeyboardInterrupt
        if self._claim is None:
            raise LeaseLostError("given up while its recording settled")
        return self._claim

    def leave(self) -> Claim | None:
        """Accept no claim from now on; returns the one that was given, if any."""
        self._rest()
        with self._lock:
            self._left = True
            return self._claim
