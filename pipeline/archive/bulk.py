"""Many published recordings into an archive; one that fails stops no other."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePosixPath

from pipeline.agora import names
from pipeline.archive.ingest import Ingested, Order, ingest
from pipeline.archive.staging import Archive
from pipeline.errors import NotFoundError, RecpipeError, UsageError
from pipeline.jobs.many import Failure, shown
from pipeline.jobs.published import Published, Unreadable, find, read
from pipeline.jobs.targets import Opener
from pipeline.muxing.locate import Ffmpeg
from pipeline.stages.publish import RECEIPT, receipt_key
from pipeline.storage import Storage

Found = tuple[Storage, Published]


def published_in(
    sources: Iterable[str], opened: Opener, located: Callable[[str], str] = str
) -> Iterator[Found | Failure]:
    """What each source holds: a folder, or the receipt or the MP4 of a single recording.

    ``located`` says where to find what is named otherwise, such as by an id of the ledger.
    """
    for source in sources:
        try:
            storage, key = opened(located(source))
            if key:
                name = key if key.endswith(RECEIPT) else receipt_key(key)
                yield storage, read(storage, name)
            else:
                yield from _folder(storage)
        except RecpipeError as error:
            yield Failure(None, shown(source), error)


def _folder(storage: Storage) -> Iterator[Found | Failure]:
    known: set[str] = set()  # receipts, and files that one speaks of
    count = 0
    for one in find(storage):
        count += 1
        if isinstance(one, Unreadable):
            known.add(one.receipt_key)
            name = one.receipt_key.removesuffix(RECEIPT)
            yield Failure(name, storage.url(one.receipt_key), one.error)
        else:
            known |= {one.receipt_key, *(output.key for output in one.outputs)}
            yield storage, one
    for entry in storage.list():
        path = PurePosixPath(entry.key)
        ours = path.suffix == ".mp4" and names.parse_mp4_name(path.name) is None
        told = {entry.key, receipt_key(entry.key)} & known
        if ours and not told and "/." not in f"/{entry.key}":
            count += 1
            said = f"{storage.url(entry.key)}: no receipt beside it; convert its recording again"
            yield Failure(path.stem, storage.url(entry.key), NotFoundError(said))
    if not count:
        said = f"{storage.url()}: nothing published here; name a folder with receipts"
        raise NotFoundError(said)


def ingest_all(
    found: Iterable[Found | Failure],
    open_root: Callable[[str], Storage],
    archive: Archive,
    ffmpeg: Ffmpeg,
    order: Order,
    *,
    now: Callable[[], float],
) -> Iterator[Ingested | Failure]:
    """Ingest each; outcomes come as soon as they are there."""
    taken: dict[str, str] = {}
    for one in found:
        if isinstance(one, Failure):
            yield one
            continue
        storage, published = one
        where = storage.url(published.receipt_key)
        earlier = taken.setdefault(published.name, where)
        try:
            if earlier != where:
                said = f"{where}: its bag would be called like that of {earlier}"
                raise UsageError(f"{said}; give them different archives")
            yield ingest(published, storage, open_root, archive, ffmpeg, order, now=now())
        except RecpipeError as error:
            yield Failure(published.id, where, error)
