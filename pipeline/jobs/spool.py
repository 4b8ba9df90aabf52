"""Where the segments of a recording are kept while it is worked on."""

import fcntl
import hashlib
import shutil
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from typing import TextIO

from pipeline.jobs.limits.locks import locked
from pipeline.jobs.options import Options
from pipeline.model import Recording
from pipeline.stages.segments import Folder
from pipeline.storage import Storage
from pipeline.storage.oserrors import os_errors

WORK = "work-"  # what the folder of a single run begins with
LOCK = ".lock"  # in there: held as long as the run lasts


def spool_of(recording: Recording, options: Options) -> Path:
    """The folder of a recording, the same in every run."""
    return options.spool / hashlib.sha256(recording.source.encode()).hexdigest()[:32]


def spool_in_use(
    recording: Recording, source: Storage, options: Options
) -> AbstractContextManager[None]:
    """Nobody makes room there meanwhile.  Nothing is needed where segments are read in place."""
    if source.path("") is not None:
        return nullcontext()
    return locked(options.spool, str(spool_of(recording, options)))


class Workspace:
    """A folder of one run's own, for what it rewrites of segments: made when it is first needed,
    and removed when it is closed.  What killed runs left of the same recording is removed first.
    """

    def __init__(self, recording: Recording, options: Options) -> None:
        self._home = spool_of(recording, options)
        self._claim: tuple[Path, TextIO] | None = None
        self._parts = count()
        tidy_work(self._home)

    def close(self) -> None:
        """Remove the folder.  Safe to repeat."""
        if self._claim is not None:
            folder, lock = self._claim
            shutil.rmtree(folder, ignore_errors=True)
            lock.close()
            self._claim = None
        _remove_if_empty(self._home)

    def part(self) -> Folder:
        """A folder in there that nobody else is given."""
        return partial(self._part, str(next(self._parts)))

    def _part(self, name: str) -> Path:
        if self._claim is None:
            with os_errors(f"make {self._home}"):
                self._claim = _claimed(self._home)
        return self._claim[0] / name


def _claimed(home: Path) -> tuple[Path, TextIO]:
    """A new folder, and its lock, which the kernel frees however its holder ends."""
    while True:
        with suppress(FileNotFoundError):  # another run tidied up before it was locked
            home.mkdir(parents=True, exist_ok=True)
            work = Path(mkdtemp(prefix=WORK, dir=home))
            lock = (work / LOCK).open("w")
            fcntl.flock(lock, fcntl.LOCK_EX)
            if (work / LOCK).exists():
                return work, lock
            lock.close()


def tidy_work(home: Path) -> None:
    """Remove what killed runs left in the folder of a recording.  Safe while others run."""
    for work in home.glob(f"{WORK}*"):
        with suppress(OSError), (work / LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(work, ignore_errors=True)


def is_in_use(home: Path) -> bool:
    """Whether a run is rewriting segments in the folder of a recording, for however long."""
    return any(_is_held(lock) for lock in home.glob(f"{WORK}*/{LOCK}"))


def _is_held(path: Path) -> bool:
    try:
        with path.open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:  # it has just ended
        pass
    return False


def forget(recording: Recording, options: Options) -> None:
    """Segments that were fetched are not needed any more."""
    home = spool_of(recording, options)
    for path in home.glob("*"):
        with suppress(OSError):  # what is in a folder goes with the run it belongs to
            path.unlink()
    _remove_if_empty(home)


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()
