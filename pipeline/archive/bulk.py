"""Many recordings into an archive, published or raw; one that fails does not stop the others."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePosixPath

from pipeline.agora import names
from pipeline.archive import raw
from pipeline.archive.ingest import Ingested, ingest
from pipeline.archive.order import Bagging
from pipeline.errors import NotFoundError, RecpipeError, UsageError
from pipeline.jobs.many import Task, shown
from pipeline.jobs.options import Options
from pipeline.jobs.outcomes import Failure
from pipeline.jobs.output.destinations import Opener
from pipeline.model import Report
from pipeline.receipts.read import Published, Unreadable, find, read
from pipeline.stages.discover import discover
from pipeline.stages.publish import RECEIPT, receipt_key
from pipeline.storage import Storage

Found = tuple[Storage, Published] | Task


def published_in(
    sources: Iterable[str], opened: Opener, located: Callable[[str], str] = str
) -> Iterator[Found | Failure]:
    """The recordings of each source: a folder, or the receipt, the MP4 or the playlist of one.

    ``located`` gives the location of a source that is named otherwise, such as by an id of the
    ledger.  A source that cannot be read is a ``Failure``, not an exception.
    """
    for source in sources:
        try:
            storage, key = opened(located(source))
            if key and (key.endswith((RECEIPT, ".mp4")) or _exists(storage, receipt_key(key))):
                name = key if key.endswith(RECEIPT) else receipt_key(key)
                yield storage, read(storage, name)
            elif key:
                yield from (Task(found, storage) for found in discover(storage, key))
            else:
                yield from _folder(storage)
        except RecpipeError as error:
            yield Failure(None, shown(source), error)


def _exists(storage: Storage, key: str) -> bool:
    try:
        storage.head(key)
    except NotFoundError:
        return False
    return True


def _raw(storage: Storage) -> list[Task]:
    """Recordings by their playlists; there may be none."""
    try:
        return [Task(found, storage) for found in discover(storage, "")]
    except NotFoundError:
        return []


def _folder(storage: Storage) -> Iterator[Found | Failure]:
    known: set[str] = set()  # receipts, and the files in them
    made: set[str] = set()  # what was converted already
    count = 0
    for one in find(storage):
        count += 1
        if isinstance(one, Unreadable):
            known.add(one.receipt_key)
            name = one.receipt_key.removesuffix(RECEIPT)
            yield Failure(name, storage.url(one.receipt_key), one.error)
        else:
            known |= {one.receipt_key, *(output.key for output in one.outputs)}
            made.add(one.receipt["source"])
            yield storage, one
    for work in _raw(storage):
        count += 1
        known |= {found.key for part in work.recording.parts for found in part.objects.values()}
        if work.recording.source not in made:
            yield work
    for entry in storage.list():
        path = PurePosixPath(entry.key)
        ours = path.suffix == ".mp4" and names.parse_mp4_name(path.name) is None
        told = {entry.key, receipt_key(entry.key)} & known
        if ours and not told and "/." not in f"/{entry.key}":
            count += 1
            said = f"{storage.url(entry.key)}: no receipt beside it; convert its recording again"
            yield Failure(path.stem, storage.url(entry.key), NotFoundError(said))
    if not count:
        said = "nothing published here, and no recording; name a folder with receipts or playlists"
        raise NotFoundError(f"{storage.url()}: {said}")


def ingest_all(
    found: Iterable[Found | Failure],
    open_root: Callable[[str], Storage],
    bagging: Bagging,
    *,
    now: Callable[[], float],
    options: Options | None = None,
) -> Iterator[Ingested | Report | Failure]:
    """Ingest each recording, raw ones converted with ``options``; outcomes as they come.

    A raw one without an MP4 gives its ``Report``, an error a ``Failure``.  ``now`` gives seconds
    since the epoch.
    """
    taken: dict[str, str] = {}
    for one in found:
        if isinstance(one, Failure):
            yield one
            continue
        how = options or Options(spool=bagging.order.spool)
        id, where, name = _named(one, how)
        earlier = taken.setdefault(name, where)
        try:
            if earlier != where:
                said = f"{where}: its bag would be called like that of {earlier}"
                raise UsageError(f"{said}; give them different archives")
            if isinstance(one, Task):
                yield raw.take(one, bagging, how, now)
            else:
                storage, published = one
                yield ingest(published, storage, open_root, bagging, now=now())
        except RecpipeError as error:
            yield Failure(id, where, error)


def _named(one: Found, options: Options) -> tuple[str, str, str]:
    """The recording, where it is, and the name of its bag."""
    if isinstance(one, Task):
        return one.recording.id, one.recording.source, raw.bag_name(one, options)
    storage, published = one
    return published.id, storage.url(published.receipt_key), published.name
