"""Pages about what is published: the facts of a receipt, what is measured on its files, and the way
of a page to its place.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from msgspec.structs import replace

from pipeline.choices import Format
from pipeline.errors import ExistsError, NotFoundError
from pipeline.model import Hole, Report
from pipeline.muxing.locate import Ffmpeg
from pipeline.receipts.read import Output, Published, ReceiptError
from pipeline.receipts.report import reported
from pipeline.report.facts import Facts, Measured, Media, facts
from pipeline.report.measure import measure, step_of, together
from pipeline.stages.publish import RECEIPT, receipt_key
from pipeline.storage import Storage
from pipeline.storage.names import percent_encoded, printable
from pipeline.storage.oserrors import os_errors

PAGE = ".html"
MARK = b'<meta name="generator" content="recpipe'
CONTENT_TYPE = "text/html; charset=utf-8"
SOUND = (Format.M4A, Format.MP3, Format.WAV, Format.AAC)
PLAYED = (Format.MP4, *SOUND)  # formats that browsers play


def page_key(result: str) -> str:
    """The page beside a result, called like its receipt."""
    return receipt_key(result).removesuffix(RECEIPT) + PAGE


def facts_of(
    found: Published,
    storage: Storage,
    *,
    ffmpeg: Ffmpeg | None = None,
    spool: Path | None = None,
    media: Sequence[str] | None = None,
) -> Facts:
    """What a receipt and its files say; the files are opened if there is an ``ffmpeg``.

    Files of a remote store are copied into ``spool`` for that, and removed again.  ``media`` are
    the addresses at which a page can play them, in the order of ``found.outputs``; by default they
    lie beside it.  ReceiptError where a receipt cannot be one of this tool.
    """
    try:
        report = reported(found)
        of = facts(report, found.receipt)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        said = f"{printable(found.receipt_key)}: not as this tool writes it"
        raise ReceiptError(said) from error
    urls = media if media is not None else [beside(one.key) for one in found.outputs]
    format = Format(found.receipt["settings"]["format"])
    files = _media(report, urls, format) if format in PLAYED else ()
    measured = _measured(found, storage, report, ffmpeg=ffmpeg, spool=spool) if ffmpeg else None
    return replace(of, measured=measured, media=files)


def beside(key: str) -> str:
    """The address of a file for a page in the same folder."""
    return f"./{percent_encoded(key.rpartition('/')[2])}"


def _media(report: Report, urls: Sequence[str], format: Format) -> tuple[Media, ...]:
    begins = [piece.begin for piece in report.pieces] or [0.0]
    sound = format in SOUND
    return tuple(Media(url, at, sound) for url, at in zip(urls, begins, strict=False))


def _measured(
    found: Published, storage: Storage, report: Report, *, ffmpeg: Ffmpeg, spool: Path | None
) -> Measured | None:
    pieces = [(p.begin, p.duration) for p in report.pieces] or [(0.0, report.duration)]
    format = Format(found.receipt["settings"]["format"])
    step = step_of(report.duration)
    parts = []
    for output, (begin, duration) in zip(found.outputs, pieces, strict=False):
        gaps = [_earlier(hole, begin) for hole in report.holes]
        with _local(output, storage, spool) as path:
            parts.append((begin, measure(path, format, duration, ffmpeg, step=step, gaps=gaps)))
    return together(parts, report.duration)


def _earlier(hole: Hole, by: float) -> Hole:
    return replace(hole, start=hole.start - by)


@contextmanager
def _local(output: Output, storage: Storage, spool: Path | None) -> Iterator[Path]:
    """The file itself, or a copy of it for as long as it is looked at."""
    here = storage.path(output.key)
    if here is not None or spool is None:
        yield here or Path(output.key)
        return
    with os_errors(f"write {spool}"):
        spool.mkdir(parents=True, exist_ok=True)
    copy = storage.temporary(output.key, spool)
    try:
        with os_errors(f"write {copy}"), copy.open("wb") as file:
            for chunk in storage.open(output.key):
                file.write(chunk)
        yield copy
    finally:
        copy.unlink(missing_ok=True)


def put(text: str, storage: Storage, key: str, spool: Path) -> str:
    """Store a page whole or not at all, replacing what was there; returns how people name it.
    Safe to repeat.
    """
    data = text.encode("utf-8", "backslashreplace")
    if is_page(storage, key) is False:
        where = storage.url(key)
        raise ExistsError(f"{where}: exists and is no page of this tool; move it away")
    temporary = storage.temporary(key, spool)
    try:
        with os_errors(f"write {storage.url(key)}"):
            temporary.write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        storage.adopt(temporary, key, sha256=digest, content_type=CONTENT_TYPE)
    finally:
        temporary.unlink(missing_ok=True)
    return storage.url(key)


def is_page(storage: Storage, key: str) -> bool | None:
    """Whether what stands there is a page of this tool; None if nothing does."""
    try:
        return MARK in next(iter(storage.open(key)), b"")[:4096]
    except NotFoundError:
        return None


def between(page: str, target: str) -> str:
    """The address of one key for a page at another key of the same store."""
    here, there = page.split("/")[:-1], target.split("/")
    same = 0
    while same < min(len(here), len(there) - 1) and here[same] == there[same]:
        same += 1
    return "/".join([".." for _ in here[same:]] or ["."]) + "/" + quote("/".join(there[same:]))
