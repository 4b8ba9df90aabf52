"""One ffmpeg for several short recordings: to start it takes longer than to remux one of them.

Each recording is an input of its own and a file of its own, with the options it would have alone,
and so every file is the very same.  Where ffmpeg fails, or says anything, none of it counts: each
recording is then muxed by itself, which shows the one it was.
"""

import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import BinaryIO

from msgspec import Struct

from pipeline.errors import RecpipeError
from pipeline.muxing import run
from pipeline.muxing.joint_command import joint
from pipeline.muxing.locate import Ffmpeg

SHORT = 8 << 20  # bytes of a recording; longer ones take more time than the start of ffmpeg
MOST = 8  # recordings: with more of them hardly anything is saved
SIZE = 32 << 20  # bytes of all of them, which wait in memory
PATIENCE = 1.0  # seconds that one waits for others


Aside = Callable[[], AbstractContextManager[None]]


class Fed(Struct, eq=False):
    """What one recording gives to ffmpeg, and what comes of it."""

    ffmpeg: Ffmpeg
    argv: Sequence[str]  # by which its file would be made alone
    stream: BinaryIO  # in memory, what is read from standard input then
    size: int  # bytes of it
    since: float  # when it began to wait, by a clock that never steps
    ended: bool = False
    made: bool = False  # the file is there, and ffmpeg said nothing


class Together:
    """Where short recordings wait for each other.  Shared by threads.

    They are muxed when enough of them wait, when no other one can come, or after ``PATIENCE``.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._coming = 0  # recordings that may still give something
        self._waiting: list[Fed] = []

    @contextmanager
    def coming(self, aside: Aside = nullcontext) -> Iterator["Guest"]:
        """A recording that others wait for, until it gives something or is done without that; while
        it waits itself, it stands ``aside``.
        """
        with self._changed:
            self._coming += 1
        guest = Guest(self, aside)
        try:
            yield guest
        finally:
            guest.leave()

    def came(self) -> None:
        """One is not waited for any more."""
        with self._changed:
            self._coming -= 1
            self._changed.notify_all()

    def mux(self, fed: Fed, guest: "Guest", waiting: Callable[[], None]) -> bool:
        """Whether its file was made with those of others.  ``waiting`` is called again and again
        meanwhile; what it raises ends the wait.
        """
        with self._changed:
            self._waiting.append(fed)
            guest.leave()
            group = self._group(fed, waiting)
        if group:
            self._mux(group)
        return fed.made

    def _mux(self, group: Sequence[Fed]) -> None:
        """Whatever happens, nobody waits for this group any longer."""
        made = False
        try:
            made = _made(group)
        finally:
            with self._changed:
                for one in group:
                    one.ended, one.made = True, made
                self._changed.notify_all()

    def _group(self, fed: Fed, waiting: Callable[[], None]) -> list[Fed]:
        """Those to be muxed with this one, by this thread; none where another thread does it."""
        try:
            while not fed.ended:
                if fed in self._waiting and self._is_time():
                    group, self._waiting = self._waiting, []
                    return group
                waiting()
                self._changed.wait(timeout=run.AWAKE)
        finally:
            self._waiting = [one for one in self._waiting if one is not fed]
        return []

    def _is_time(self) -> bool:
        full = len(self._waiting) >= MOST or sum(fed.size for fed in self._waiting) >= SIZE
        return full or not self._coming or time.monotonic() - self._waiting[0].since > PATIENCE


class Guest:
    """One recording that may be muxed together with others."""

    def __init__(self, together: Together, aside: Aside) -> None:
        self._together, self._aside = together, aside
        self._left = False

    def mux(
        self,
        ffmpeg: Ffmpeg,
        argv: Sequence[str],
        stream: BinaryIO,
        *,
        waiting: Callable[[], None],
    ) -> bool:
        """Make the file of the command ``argv``, which would read ``stream`` alone, as soon as
        others are ready; False where it has to be made alone.
        """
        fed = Fed(ffmpeg, argv, stream, stream.tell(), time.monotonic())
        with self._aside():
            return self._together.mux(fed, self, waiting)

    def leave(self) -> None:
        """Nobody has to wait for it any more.  Safe to repeat."""
        if not self._left:
            self._left = True
            self._together.came()


def _made(group: Sequence[Fed]) -> bool:
    """Whether one ffmpeg made the files of all; one that is alone makes its own."""
    same = all(fed.ffmpeg == group[0].ffmpeg for fed in group)
    argv = joint([fed.argv for fed in group], [fed.stream.fileno() for fed in group])
    if argv is None or not same or len(group) == 1:
        return False
    try:
        for fed in group:
            fed.stream.seek(0)
        return not run.run(argv, env=group[0].ffmpeg.env, inputs=[fed.stream for fed in group])
    except (RecpipeError, OSError):  # it shows again when each is muxed by itself
        return False


def in_memory() -> BinaryIO:
    """A file that lies in memory, where the system has such files."""
    if not hasattr(os, "memfd_create"):
        return tempfile.TemporaryFile()
    return open(os.memfd_create("recording"), "w+b")  # noqa: PTH123  # a number, no path
