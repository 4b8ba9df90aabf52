"""Finished segments of recordings that still run, fetched and scanned in advance.

The spool is a cache, bounded and never the only copy: the oldest segments go first, those in use
stay.
"""

import re
import shutil
from collections.abc import Callable, Container, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from pipeline.errors import DiskFullError, RecpipeError
from pipeline.jobs.limits.locks import locked_at_once
from pipeline.jobs.options import Options, unwatched
from pipeline.jobs.spool import spool_of, tidy_work
from pipeline.model import Recording, StoredObject
from pipeline.stages.fetch.download import download, spooled
from pipeline.stages.fetch.scan_notes import KEPT
from pipeline.storage import Storage
from pipeline.storage.oserrors import os_errors
from pipeline.storage.owners import lives
from pipeline.watch.discovery.observation import Folders, Observation, own_objects
from pipeline.watch.log import log

AT_ONCE = 16  # segments for which the spool of a recording is held
_FOLDER = re.compile(r"[0-9a-f]{32}")
_RESULT = re.compile(r"\.recpipe-([0-9]{1,9})-[0-9a-f]+(?:\.receipt)?\.part")  # of a process


class _Kept(Struct, frozen=True):
    folder: Path
    path: Path
    size: int
    modified: float


class Prefetcher:
    """Fetches in the background, one recording after the other, while others are converted.

    ``limit`` is the size of the spool in bytes; ``done`` tells whether a recording needs nothing
    any more, as of now: another watcher may have published it.
    """

    def __init__(self, options: Options, limit: int, done: Callable[[Observation], bool]) -> None:
        self._options, self._limit, self._done = options, limit, done
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="follow")
        self._at: Future[None] | None = None
        self._stop = False

    def follow(self, storage: Storage, running: Sequence[Observation]) -> None:
        """Fetch new segments of these in the background; nothing if the last call still does."""
        if self._at is not None and not self._at.done():
            return
        self._at = self._pool.submit(self._follow, storage, running)

    def idle(self) -> None:
        """Wait until nothing is being fetched any more."""
        if self._at is not None:
            self._at.result()

    def close(self) -> None:
        """End after the segments that are being fetched."""
        self._stop = True
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _follow(self, storage: Storage, running: Sequence[Observation]) -> None:
        try:
            sweep(self._options.spool, self._limit, needed=0)
            for seen in running:
                self._try(storage, seen)
        except DiskFullError as error:
            log.warning("following pauses", error=str(error))
        except RecpipeError as error:
            log.debug("not followed", error=str(error))

    def _try(self, storage: Storage, seen: Observation) -> None:
        """Fetch one recording; an error does not stop the next one, a full disk does."""
        try:
            self._ahead(storage, seen)
        except DiskFullError:
            raise
        except RecpipeError as error:
            log.debug("not followed", recording=seen.recording.id, error=str(error))

    def _ahead(self, storage: Storage, seen: Observation) -> None:
        folder = spool_of(seen.recording, self._options)
        playlists = {part.key for part in seen.parts}
        new = [
            found
            for found in own_objects(seen.recording, Folders())
            if found.size
            and found.key not in playlists
            and not found.key.endswith(".m3u8")
            and not spooled(found, folder).with_suffix(KEPT).exists()
        ]
        if new and storage.path(new[0].key) is not None:
            return  # read in place
        for at in range(0, len(new), AT_ONCE):
            if self._stop:
                return
            self._fetch(storage, seen, new[at : at + AT_ONCE])

    def _fetch(self, storage: Storage, seen: Observation, some: Sequence[StoredObject]) -> None:
        room = sweep(self._options.spool, self._limit, needed=sum(o.size for o in some))
        if not room:
            return
        folder = spool_of(seen.recording, self._options)
        with locked_at_once(self._options.spool, str(folder)) as ours:
            # else it is being converted, or another watcher follows it
            if not ours or self._done(seen):
                return
            with os_errors(f"fetch to {folder}"):
                download(some, storage, folder, unwatched, ahead=True)
            if self._done(seen):  # meanwhile: who forgets it does not wait for us
                shutil.rmtree(folder, ignore_errors=True)


def sweep(spool: Path, limit: int, *, needed: int) -> bool:
    """Remove the oldest segments from a spool; whether ``needed`` bytes now fit into ``limit``.

    Raises ``StorageError`` and its like for a spool that cannot be read.
    """
    with os_errors(f"look after {spool}"):
        kept = sorted(_kept(spool), key=lambda one: one.modified)
        used = sum(one.size for one in kept)
        for one in kept:
            if used + needed <= limit:
                break
            with locked_at_once(spool, str(one.folder)) as ours:
                if ours:
                    one.path.with_suffix(KEPT).unlink(missing_ok=True)
                    one.path.unlink(missing_ok=True)
                    used -= one.size
    return used + needed <= limit


def _kept(spool: Path) -> list[_Kept]:
    """Every segment in a spool."""
    found = []
    for folder in spool.iterdir() if spool.is_dir() else ():
        if not _FOLDER.fullmatch(folder.name):
            continue
        for path in folder.glob("*.segment"):
            with suppress(FileNotFoundError):
                status = path.stat()
                found.append(_Kept(folder, path, status.st_size, status.st_mtime))
    return found


def tidy(spool: Path) -> None:
    """Remove what a crash left in a spool: unfinished files, and what was rewritten of segments,
    that no process holds.
    """
    with os_errors(f"look after {spool}"):
        for folder in spool.iterdir() if spool.is_dir() else ():
            if _FOLDER.fullmatch(folder.name):
                tidy_work(folder)
                with locked_at_once(spool, str(folder)) as ours, suppress(FileNotFoundError):
                    for part in folder.glob("*.part") if ours else ():
                        part.unlink()
                    if ours and not any(folder.iterdir()):
                        folder.rmdir()
            elif (match := _RESULT.fullmatch(folder.name)) and not lives(int(match[1])):
                folder.unlink(missing_ok=True)


def tidy_results(to: Storage, watchers: Container[int]) -> None:
    """Remove results that watchers of this machine were writing when they were killed.

    ``watchers`` are their process ids; only for a local folder.
    """
    root = to.path("")
    if root is None:
        return
    with os_errors(f"look after {to.url()}"):
        for path in root.glob(".recpipe-*.part"):
            match = _RESULT.fullmatch(path.name)
            if match and int(match[1]) in watchers and not lives(int(match[1])):
                path.unlink(missing_ok=True)


def forget(recording: Recording, options: Options) -> None:
    """Remove the segments of a recording that is done from the spool, unless they are in use: who
    uses them looks again whether it is done.
    """
    folder = spool_of(recording, options)
    with locked_at_once(options.spool, str(folder)) as ours:
        if ours:
            shutil.rmtree(folder, ignore_errors=True)
