"""What earlier runs on this machine finished, found again by the listings of both stores.

A note says what a recording's listing was when its result was published, and what that of the
destination says of result and receipt.  If neither has changed, there is nothing to do, and no
request to make for that recording.  A note that is lost or does not fit costs these requests only.
"""

import hashlib
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from pipeline.agora import names
from pipeline.errors import RecpipeError
from pipeline.jobs.options import Options
from pipeline.jobs.output.destinations import Target
from pipeline.jobs.output.naming import Listings
from pipeline.model import Recording, Report, StoredObject
from pipeline.report.published import page_key
from pipeline.stages.captions import belonging
from pipeline.stages.publish import receipt_key
from pipeline.version import VERSION

log = logging.getLogger(__name__)
Standing = tuple[tuple[str, int, str | None], ...]  # URL, size (bytes), ETag


class Note(Struct, frozen=True):
    """A finished recording: its listing as a digest, what stands in the destination, the report."""

    listed: str
    stands: Standing  # the receipt and every file of the result
    report: Report


class Finished:
    """The notes in a folder, about results of one destination.  Threads may share it."""

    def __init__(self, folder: Path, targets: Sequence[Target]) -> None:
        """One recording alone is not worth a listing: then nothing is found."""
        self._folder = folder
        self._storage = targets[0].storage if len(targets) > 1 else None
        self._there: dict[str, list[object]] | None = None
        self._listings = Listings()
        self._lock = Lock()

    @property
    def kept(self) -> bool:
        """Whether notes are looked for and written."""
        return self._storage is not None

    def report(self, recording: Recording, target: Target, options: Options) -> Report | None:
        """The report of the run that published the result; None if it has to be looked at."""
        if self._storage is None or options.force:
            return None
        note = self._read(target, options)
        if note is None or note.listed != self._digest(recording):
            return None
        there = self._listed()
        if any(there.get(url) != told for url, *told in note.stands):
            return None
        page = target.storage.url(page_key(target.key)) if options.report else None
        if page is not None and page not in there:
            return None
        return replace(note.report, source=recording.source, made=False, timings={}, page=page)

    def remember(
        self, work: tuple[Recording, Target], options: Options, report: Report, stands: Standing
    ) -> None:
        """Note what was finished, and what :func:`standing` said of it then.  Nothing is lost if
        that cannot be done.
        """
        recording, target = work
        if not (self.kept and stands):
            return
        with suppress(OSError):
            note = Note(self._digest(recording), stands, report)
            self._write(self._path(target, options), msgspec.json.encode(note))

    def _write(self, path: Path, data: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.part")
        part.write_bytes(data)
        part.replace(path)

    def _read(self, target: Target, options: Options) -> Note | None:
        try:
            return msgspec.json.decode(self._path(target, options).read_bytes(), type=Note)
        except (OSError, msgspec.MsgspecError):
            return None

    def _path(self, target: Target, options: Options) -> Path:
        """Of the note about a result, as this version makes it with these choices."""
        place = target.storage.uri(target.key), target.name
        told = (VERSION, place, options.settings, options.accept_unfinished)
        return self._folder / f"{hashlib.sha256(msgspec.json.encode(told)).hexdigest()[:32]}.json"

    def _listed(self) -> dict[str, list[object]]:
        """Size and ETag of what stands in the destination, by URL: listed once."""
        with self._lock:
            if self._there is None:
                assert self._storage is not None
                url = self._storage.url
                try:
                    self._there = {url(x.key): [x.size, x.etag] for x in self._storage.list()}
                except RecpipeError as error:
                    log.debug("finished recordings are not known: %s", error)
                    self._there = {}
            return self._there

    def _digest(self, recording: Recording) -> str:
        """Of all that the listing says of a recording: another one if anything changed."""
        with self._lock:
            found = {(o.key, o.size, o.etag) for o in _objects(recording, self._listings)}
        told = [recording.id, sorted((key, size, etag or "") for key, size, etag in found)]
        return hashlib.sha256(msgspec.json.encode(told)).hexdigest()


def standing(target: Target, report: Report) -> Standing:
    """What stands in the destination of a result that was just published; empty if it is not known,
    or there is none.
    """
    storage = target.storage
    if report.output is None or report.receipt is None:
        return ()
    urls = [piece.output or "" for piece in report.pieces] or [report.output]
    root = storage.url("")
    keys = [receipt_key(target.key), *(url.removeprefix(root).lstrip("/") for url in urls)]
    with suppress(RecpipeError, OSError):
        return tuple(_stands(storage.url(key), storage.head(key)) for key in keys)
    return ()


def _stands(url: str, found: StoredObject) -> tuple[str, int, str | None]:
    return url, found.size, found.etag


def _objects(recording: Recording, listings: Listings) -> Iterator[StoredObject]:
    """What is named after the recording; without names of Agora, all beside its playlist.  Captions
    have names of their own.
    """
    yield from belonging(recording).values()
    for part in recording.parts:
        yield from part.copies
        if part.playlist is not None:
            yield part.playlist
        stem = ""
        if recording.sid:
            stem = names.stem(part.sid or recording.sid, recording.cname or "", bak=part.bak)
        yield from (part.objects[name] for name in listings.starting(part, stem))
