"""A published recording becomes one BagIt bag: access copy, originals, metadata, events."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from importlib.resources import files
from pathlib import Path

from pipeline.archive import premis, technical
from pipeline.archive.bagit import bag, places
from pipeline.archive.bagit.staging import Archive, Staging, digest
from pipeline.archive.beside import mp4s
from pipeline.archive.history import events_of
from pipeline.choices import Format
from pipeline.errors import ExistsError, NotFoundError, StorageError, UsageError
from pipeline.jobs.locks import locked
from pipeline.model import Report, SourceFile, StoredObject
from pipeline.muxing.locate import Ffmpeg
from pipeline.receipts.inputs import inputs_of
from pipeline.receipts.read import Output, Published
from pipeline.receipts.write import software
from pipeline.storage import Storage
from pipeline.storage.locations import is_local
from pipeline.storage.names import common_folder, printable

COPIERS = 8  # originals at once
ORIGINALS = "data/original/"
ACCESS = "data/access/"
METADATA = "data/metadata/"


class Originals(StrEnum):
    """What becomes of the slices."""

    KEEP = "keep"  # in the bag
    FETCH = "fetch"  # where they are; fetch.txt names them
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Order:
    """How bags are made."""

    originals: Originals = Originals.KEEP
    organization: str = ""
    extra: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)  # by id
    source: str | None = None  # where the originals are; None: where the receipt says
    spool: Path = Path(".recpipe-spool")


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of one recording."""

    recording: str
    receipt: str  # URL
    bag: str
    state: str  # "ingested", or "present": it was there already
    files: int
    size: int
    report: Report | None = None  # of the conversion, if it was made just now


def ingest(
    published: Published,
    results: Storage,
    open_root: Callable[[str], Storage],
    archive: Archive,
    ffmpeg: Ffmpeg,
    order: Order,
    *,
    now: float,
) -> Ingested:
    """Make one bag.  It appears whole or not at all; safe to repeat, also after a crash."""
    with locked(order.spool, archive.url(published.name)):
        receipt = results.url(published.receipt_key)
        there = _present(published, receipt, archive, order)
        if there is not None:
            return there
        staging = Staging(archive, published.name, order.spool)
        _copy_access(staging, published, results, ffmpeg)
        source = _source(published, results, open_root, order)
        beside = mp4s(published, source) if source is not None else ()
        fetched = _take_originals(staging, published, beside, source, order)
        _describe(staging, published, beside, order, fetched, ffmpeg, now)
        payload = {p: d for p, d in staging.files.items() if bag.is_payload(p)}
        payload |= {one.path: digests for one, digests in fetched}
        _tag(staging, published, order, payload, [one for one, _ in fetched], now)
        staging.finish(_told(published, order, payload))
    size = sum(one.size for one in payload.values())
    url = archive.url(published.name)
    return Ingested(published.id, receipt, url, "ingested", len(payload), size)


def original_path(published: Published, key: str) -> str:
    """Where an input lies in the bag: below the folder all inputs have in common."""
    return ORIGINALS + key.removeprefix(common_folder(one.key for one in published.inputs))


def receipt_path(published: Published) -> str:
    """Where the receipt lies in the bag."""
    return METADATA + published.receipt_key.rpartition("/")[2]


def _present(published: Published, receipt: str, archive: Archive, order: Order) -> Ingested | None:
    """The bag that is there already; ExistsError if it is not of this receipt."""
    place = places.named(archive.storage, published.name)
    if place is None:
        return None
    told = _what_is_there(published, archive, place)
    wanted = _told(published, order, {})
    if told.get("receipt") != wanted["receipt"] or told.get("originals") != wanted["originals"]:
        raise another(archive, place)
    url = archive.storage.url(place.key.removesuffix("/"))
    size, _, count = str(told.get("oxum", "0.0")).partition(".")
    return Ingested(published.id, receipt, url, "present", int(count), int(size))


def another(archive: Archive, place: places.Place) -> ExistsError:
    """That the bag which is there is not the one that was to be made."""
    where = archive.storage.url(place.key)
    return ExistsError(
        f"{where}: another version of this recording is archived; name another store"
    )


def size_of(archive: Archive, place: places.Place) -> tuple[int, int]:
    """Number and bytes of the payload of a bag, as it says itself."""
    noted = places.recall_tar(archive.storage, place.name) if place.form is places.Form.TAR else {}
    if place.form is places.Form.OBJECTS:
        info = bag.parse_info(places.read(archive.storage, place, bag.INFO))
        noted = {"oxum": info.get("Payload-Oxum", "0.0")}
    size, _, count = str((noted or {}).get("oxum", "0.0")).partition(".")
    return int(count), int(size)


def _what_is_there(
    published: Published, archive: Archive, place: places.Place
) -> Mapping[str, str]:
    if place.form is places.Form.TAR:
        noted = places.recall_tar(archive.storage, place.name)
        if noted is not None:
            return noted
    try:
        listed = bag.parse_manifest(
            places.read(archive.storage, place, bag.manifest_name("sha256"))
        )
        info = bag.parse_info(places.read(archive.storage, place, bag.INFO))
    except (ValueError, NotFoundError) as error:
        where = archive.storage.url(place.key)
        raise ExistsError(f"{where}: a bag that is damaged; see recpipe archive verify") from error
    return {
        "receipt": listed.get(receipt_path(published), ""),
        "originals": info.get("Originals", ""),
        "oxum": info.get("Payload-Oxum", "0.0"),
    }


def _told(published: Published, order: Order, payload: Mapping[str, bag.Digests]) -> dict[str, str]:
    return {
        "receipt": published.receipt_sha256,
        "originals": order.originals.value,
        "oxum": bag.oxum(payload.values()),
        "origin": made_from(
            inputs_of(published.receipt),
            published.receipt["settings"],
        ),
    }


def made_from(inputs: Iterable[tuple[str, int, str | None]], settings: Mapping[str, str]) -> str:
    """Equal for what was made of the same inputs in the same way."""
    told = json.dumps([sorted(map(str, inputs)), dict(settings)], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()


def _copy_access(staging: Staging, published: Published, results: Storage, ffmpeg: Ffmpeg) -> None:
    for number, one in enumerate(published.outputs, 1):
        _copy_one(staging, published, one, results, ffmpeg, number)


def _copy_one(
    staging: Staging,
    published: Published,
    one: Output,
    results: Storage,
    ffmpeg: Ffmpeg,
    number: int,
) -> None:
    path, sha256 = ACCESS + one.name, one.sha256
    probe, info = _described("ffprobe.json", number), _described("mediainfo.xml", number)
    if all(staging.has(there, sha256) for there in (path, probe, info)):
        return
    format = Format(published.receipt["settings"]["format"])

    def look(copy: Path) -> None:
        told = technical.ffprobe(ffmpeg, copy, format, one.name)
        staging.write(probe, told, identity=sha256)
        staging.write(info, technical.mediainfo(copy), identity=sha256)

    staging.files.pop(path, None)
    staging.copy(results, one.key, path, sha256=sha256, look=look)


def _described(name: str, number: int) -> str:
    """Where the technical metadata of the n-th file lies."""
    stem, _, suffix = name.partition(".")
    return f"{METADATA}{name}" if number == 1 else f"{METADATA}{stem}.{number}.{suffix}"


def _source(
    published: Published, results: Storage, open_root: Callable[[str], Storage], order: Order
) -> Storage | None:
    """None where originals are left out, and need not be reached."""
    root = _root(published, results, order)
    return open_root(root) if order.originals is not Originals.NONE else None


def _root(published: Published, results: Storage, order: Order) -> str:
    """Where the originals are; a receipt in a bucket does not make us read this machine's files."""
    if order.source is not None:
        return order.source
    if results.path("") is None and is_local(published.root):
        where = results.url(published.receipt_key)
        raise UsageError(f"{where}: names a folder of this machine; say where with --source")
    return published.root


def _take_originals(
    staging: Staging,
    published: Published,
    beside: Sequence[StoredObject],
    source: Storage | None,
    order: Order,
) -> list[tuple[bag.Fetch, bag.Digests]]:
    """Copy the originals, or read them where they stay, for a manifest lists those as well."""
    if source is None:
        return []
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
        digests = digest(source.open(one.key))
        if one.sha256 not in (None, digests.sha256):
            raise StorageError(f"{source.url(one.key)}: changed since it was converted")
        where = original_path(published, one.key)
        return bag.Fetch(source.uri(one.key), digests.size, where), digests

    with ThreadPoolExecutor(COPIERS) as pool:
        if order.originals is Originals.FETCH:
            return list(pool.map(stay, originals))
        list(pool.map(keep, originals))
    return []


def _describe(
    staging: Staging,
    published: Published,
    beside: Sequence[StoredObject],
    order: Order,
    fetched: list[tuple[bag.Fetch, bag.Digests]],
    ffmpeg: Ffmpeg,
    now: float,
) -> None:
    staging.write(receipt_path(published), published.text)
    staging.write(f"{METADATA}recording.json", _recording(published, beside))
    muxer = published.receipt.get("muxer")
    log = muxer if isinstance(muxer, Mapping) else {}
    lines = [f"{log.get('version')}\n", " ".join(map(str, log.get("command", ()))) + "\n"]
    lines += [f"{line}\n" for line in log.get("messages", ())]
    staging.write(f"{METADATA}ffmpeg.log", "".join(lines).encode("utf-8", "backslashreplace"))
    digests = dict(staging.files) | {one.path: read for one, read in fetched}
    kept = {
        original_path(published, one.key): one.key
        for one in published.inputs
        if order.originals is not Originals.NONE
    }
    access = tuple(ACCESS + one.name for one in published.outputs)
    objects = [premis.File(one, digests[one], premis.format_of(one)) for one in access]
    for path, key in kept.items():
        name = key.rpartition("/")[2]
        kind = premis.format_of(name)
        objects.append(premis.File(path, digests[path], kind, name, access))
    others = [original_path(published, one.key) for one in beside]
    objects += [
        premis.File(p, digests[p], premis.format_of(p), p.rpartition("/")[2]) for p in others
    ]
    version = technical.mediainfo_version(staging.read(f"{METADATA}mediainfo.xml"))
    events = events_of(
        published, access, list(kept), probe=ffmpeg.version, mediainfo=version, now=now
    )
    staging.write(f"{METADATA}premis.xml", premis.document(objects, events))


def _recording(published: Published, beside: Sequence[StoredObject]) -> bytes:
    agora = published.agora
    told = {
        "recording": published.id,
        "sid": agora and agora.sid,
        "cname": agora and agora.cname,
        "begin": premis.moment(published.begin) if published.begin is not None else None,
        "source": published.receipt["source"],
        "verdict": published.verdict.value,
        "settings": published.receipt["settings"],
        "inputs": [asdict(one) for one in published.inputs],
        "missing": list(published.missing),
        "agora_mp4": [one.key for one in beside],
    }
    return (json.dumps(told, indent=1) + "\n").encode()


def _tag(
    staging: Staging,
    published: Published,
    order: Order,
    payload: Mapping[str, bag.Digests],
    fetched: list[bag.Fetch],
    now: float,
) -> None:
    agora = published.agora
    fields = [("Source-Organization", order.organization)] if order.organization else []
    fields += [
        ("External-Identifier", f"agora:{agora.sid}" if agora else published.id),
        ("Recording", published.id),
        ("Recording-Verdict", published.verdict.value),
        ("Originals", order.originals.value),
        *order.extra.get(published.id, ()),
        ("Bagging-Date", premis.moment(now)[:10]),
        ("Bag-Software-Agent", software()),
        ("Payload-Oxum", bag.oxum(payload.values())),
        ("BagIt-Profile-Identifier", bag.PROFILE),
    ]
    profile = files("pipeline.archive").joinpath(bag.PROFILE_FILE).read_bytes()
    staging.write(bag.PROFILE_FILE, profile)
    staging.write(bag.INFO, bag.info(fields))
    if fetched:
        staging.write(bag.FETCH, bag.fetch(fetched))
    for algorithm in bag.ALGORITHMS:
        staging.write(bag.manifest_name(algorithm), bag.manifest(payload, algorithm))
    tags = {path: one for path, one in staging.files.items() if not bag.is_payload(path)}
    tags[bag.DECLARATION] = digest([bag.DECLARED])
    for algorithm in bag.ALGORITHMS:
        name = bag.manifest_name(algorithm, tags=True)
        staging.write(name, bag.manifest(tags, algorithm))
