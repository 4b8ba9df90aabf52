"""How much of a file has been sent, whatever a library does to send it."""

import threading
from collections.abc import Callable

Sent = Callable[[int], None]  # bytes since the last call


def unseen(count: int) -> None:
    """Nobody looks."""


class Counted:
    """Tells of each byte of a file once, also where a library reads it again; threads may call it.

    Whom it tells does not end an upload, as some libraries would then wait for ever: in the main
    thread, where interrupts arrive, ``rest`` raises what came; in others nothing more is told.
    """

    def __init__(self, size: int, tell: Sent) -> None:
        self._size, self._tell = size, tell
        self._net = self._told = 0
        self._interrupt: KeyboardInterrupt | None = None
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        """So many bytes more have been handed over; below 0: so many will be once more."""
        with self._lock:
            self._net += count
            self._tell_of(min(self._net, self._size))

    def rest(self) -> None:
        """All of it is stored."""
        with self._lock:
            self._tell_of(self._size)
        if self._interrupt is not None:
            raise self._interrupt

    def _tell_of(self, reached: int) -> None:
        more = reached - self._told
        if more <= 0:
            return
        self._told = reached
        try:
            self._tell(more)
        except KeyboardInterrupt as error:
            self._tell = unseen
            if threading.current_thread() is threading.main_thread():
                self._interrupt = error
