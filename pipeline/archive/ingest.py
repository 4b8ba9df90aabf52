"""A published recording becomes one BagIt bag: access copy, originals, metadata, events."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from msgspec import Struct

from pipeline.archive import metadata, present, technical
from pipeline.archive.bagit import bag, places
from pipeline.archive.bagit.staging import Staging, digest
from pipeline.archive.beside import mp4s
from pipeline.archive.order import (
    ACCESS,
    METADATA,
    Bagging,
    Making,
    Originals,
    original_path,
)
from pipeline.errors import StorageError, UsageError
from pipeline.jobs.limits.locks import locked
from pipeline.model import Report, SourceFile, StoredObject
from pipeline.receipts.read import Output, Published
from pipeline.stages.publish import format_of
from pipeline.storage import Storage
from pipeline.storage.locations import is_local
from pipeline.storage.names import printable

COPIERS = 8  # originals at once


class Ingested(Struct, frozen=True):
    """What became of one recording."""

    recording: str
    receipt: str  # URL; empty for a raw recording
    bag: str  # URL
    state: str  # "ingested", or "present": it was there already
    files: int  # of the payload
    size: int  # bytes of the payload
    report: Report | None = None  # of the conversion, if it was made just now


def ingest(
    published: Published,
    results: Storage,
    open_root: Callable[[str], Storage],
    bagging: Bagging,
    *,
    now: float,
) -> Ingested:
    """Make one bag.  It appears whole or not at all; safe to repeat, also after a crash.

    ``now`` is in seconds since the epoch.  Raises ``ExistsError`` for a bag of another version,
    ``StorageError`` for a file that is not as its receipt says, ``UsageError`` for originals that
    cannot be named or reached.  Waits while another process makes this bag.
    """
    archive, order = bagging.archive, bagging.order
    with locked(order.spool, archive.url(published.name)):
        receipt = results.url(published.receipt_key)
        there = _present(published, receipt, bagging)
        if there is not None:
            return there
        staging = Staging(archive, published.name, order.spool, bagging.progress)
        making = Making(published, results, staging, bagging)
        _copy_access(making)
        source = _source(making, open_root)
        beside = mp4s(published, source) if source is not None else ()
        fetched = _take_originals(making, source, beside)
        metadata.describe(making, beside, fetched, now)
        payload = {p: d for p, d in staging.files.items() if bag.is_payload(p)}
        payload |= {one.path: digests for one, digests in fetched}
        metadata.tag(making, payload, [one for one, _ in fetched], now)
        staging.finish(present.to_remember(published, order, payload))
    size = sum(one.size for one in payload.values())
    url = archive.url(published.name)
    return Ingested(published.id, receipt, url, "ingested", len(payload), size)


def _present(published: Published, receipt: str, bagging: Bagging) -> Ingested | None:
    """The bag that is there already; ExistsError if it is not of this receipt."""
    archive = bagging.archive
    place = places.named(archive.storage, published.name)
    if place is None:
        return None
    told = present.what_is_there(published, archive, place)
    wanted = present.to_remember(published, bagging.order, {})
    if told.get("receipt") != wanted["receipt"] or told.get("originals") != wanted["originals"]:
        raise present.another(archive, place)
    url = archive.storage.url(place.key.removesuffix("/"))
    size, _, count = str(told.get("oxum", "0.0")).partition(".")
    return Ingested(published.id, receipt, url, "present", int(count), int(size))


def _copy_access(making: Making) -> None:
    for number, one in enumerate(making.published.files, 1):
        _copy_one(making, number, one)
    for one in making.published.besides:  # no media: there is nothing technical to say of it
        path = ACCESS + one.name
        if not making.staging.has(path, one.sha256):
            making.staging.files.pop(path, None)
            making.staging.copy(making.results, one.key, path, sha256=one.sha256)


def _copy_one(making: Making, number: int, one: Output) -> None:
    staging = making.staging
    path, sha256 = ACCESS + one.name, one.sha256
    probe, info = _described("ffprobe.json", number), _described("mediainfo.xml", number)
    if all(staging.has(there, sha256) for there in (path, probe, info)):
        return
    format = format_of(one.name)

    def look(copy: Path) -> None:
        told = technical.ffprobe(making.bagging.ffmpeg, copy, format, one.name)
        staging.write(probe, told, identity=sha256)
        staging.write(info, technical.mediainfo(copy), identity=sha256)

    staging.files.pop(path, None)
    staging.copy(making.results, one.key, path, sha256=sha256, look=look)


def _described(name: str, number: int) -> str:
    """Where the technical metadata of the n-th file lies."""
    stem, _, suffix = name.partition(".")
    return f"{METADATA}{name}" if number == 1 else f"{METADATA}{stem}.{number}.{suffix}"


def _source(making: Making, open_root: Callable[[str], Storage]) -> Storage | None:
    """Where the originals are; None if they are left out and need not be reached."""
    root = _root(making)
    return open_root(root) if making.bagging.order.originals is not Originals.NONE else None


def _root(making: Making) -> str:
    """Where the originals are; a receipt in a bucket does not make us read this machine's files."""
    published, source = making.published, making.bagging.order.source
    if source is not None:
        return source
    if making.results.path("") is None and is_local(published.root):
        where = making.results.url(published.receipt_key)
        raise UsageError(f"{where}: names a folder of this machine; say where with --source")
    return published.root


def _take_originals(
    making: Making, source: Storage | None, beside: Sequence[StoredObject]
) -> metadata.Fetched:
    """Copy the originals, or read them where they stay: a manifest lists those as well."""
    if source is None:
        return []
    published, staging = making.published, making.staging
    mp4 = [SourceFile(one.key, one.size, one.etag, None) for one in beside]
    originals = [*published.inputs, *mp4]
    for one in originals:
        try:
            one.key.encode()
        except UnicodeEncodeError as error:
            name = printable(one.key)
            raise UsageError(f"{name}: not UTF-8, as BagIt expects; rename it") from error

    def keep(one: SourceFile) -> None:
        path, version = original_path(published, one.key), f"{one.size} {one.etag}"
        staging.copy(source, one.key, path, sha256=one.sha256, version=version)

    def stay(one: SourceFile) -> tuple[bag.Fetch, bag.Digests]:
        digests = digest(source.open(one.key), staging.read_on)
        if one.sha256 not in (None, digests.sha256):
            said = "changed since it was converted; convert it again"
            raise StorageError(f"{source.url(one.key)}: {said}")
        where = original_path(published, one.key)
        return bag.Fetch(source.uri(one.key), digests.size, where), digests

    with ThreadPoolExecutor(COPIERS) as pool:
        if making.bagging.order.originals is Originals.FETCH:
            return list(pool.map(stay, originals))
        list(pool.map(keep, originals))
    return []
