"""Pages about recordings: about what is published, by its receipts, and what is only checked."""

import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from pipeline.errors import ExistsError, NotFoundError, RecpipeError, UsageError
from pipeline.jobs.limits.parallel import Progress, each
from pipeline.jobs.many import at_once
from pipeline.jobs.output.destinations import Opener, file_name
from pipeline.model import Report
from pipeline.muxing.locate import Ffmpeg
from pipeline.receipts import read
from pipeline.receipts.read import Published
from pipeline.report.facts import Facts, facts
from pipeline.report.page import Row, overview, page
from pipeline.report.published import PAGE, between, facts_of, is_page, put
from pipeline.stages.publish import RECEIPT, receipt_key
from pipeline.storage import Storage
from pipeline.storage.names import percent_encoded, printable

INDEX = f"index{PAGE}"


class Subject(Struct, frozen=True, eq=False):
    """What a page is to be about: a receipt and where it lies, or a report without a result."""

    recording: str
    storage: Storage | None = None
    published: Published | None = None
    report: Report | None = None

    @property
    def stem(self) -> str:
        """The key of its page without the suffix."""
        return self.published.stem if self.published else file_name(self.recording)


class Unread(Struct, frozen=True):
    """What no page is written about, and why."""

    name: str
    error: RecpipeError


class Place(Struct, frozen=True, eq=False):
    """Where pages go: a folder, or with a key one file in it."""

    storage: Storage
    key: str = ""


class Written(Struct, frozen=True):
    """One page, and what it is about."""

    facts: Facts
    key: str
    url: str


def place(location: str, opened: Opener) -> Place:
    """A file if the name ends in .html, else a folder.  UsageError for another file."""
    storage, key = opened(location)
    if key and not key.lower().endswith((PAGE, ".htm")):
        said = f"{printable(location)}: expected a folder, or a name that ends in {PAGE}"
        raise UsageError(said)
    return Place(storage, key)


def published(source: str, opened: Opener) -> Iterator[Subject | Unread]:
    """Everything at a location that has a receipt: a receipt, a result, or all below a folder."""
    storage, key = opened(source)
    if not key:
        for found in read.find(storage):
            if isinstance(found, Published):
                yield Subject(found.id, storage, found)
            else:
                yield Unread(storage.url(found.receipt_key), found.error)
        return
    with suppress(NotFoundError):
        one = read.read(storage, key if key.endswith(RECEIPT) else receipt_key(key))
        yield Subject(one.id, storage, one)


class Writer(Struct, frozen=True, eq=False):
    """How pages are made; without an ``ffmpeg`` no result is opened."""

    to: Place
    spool: Path
    ffmpeg: Ffmpeg | None = None
    force: bool = False  # also those that are there

    def write_all(
        self, subjects: Sequence[Subject], keys: Sequence[str], *, jobs: int | None = None
    ) -> Generator[Written | Unread, None, None]:
        """The pages of all, side by side; one that cannot be written stops no other."""

        def attempted(work: tuple[Subject, str], progress: Progress) -> Written | Unread:
            try:
                return self.write(*work)
            except RecpipeError as error:
                return Unread(work[0].recording, error)

        works = list(zip(subjects, keys, strict=True))
        pages: Generator[Written | Unread, None, None]
        pages = each(works, attempted, at_once(works, jobs), None)
        return pages

    def write(self, subject: Subject, key: str) -> Written:
        """One page at a key.  One that is newer than the result is left as it is."""
        if self._stands(subject, key):
            return Written(self._facts(subject, key, None), key, self.to.storage.url(key))
        made = self._facts(subject, key, self.ffmpeg)
        url = put(page(made), self.to.storage, key, self.spool)
        return Written(replace(made, measured=None), key, url)  # of many, pictures would pile up

    def _facts(self, subject: Subject, key: str, ffmpeg: Ffmpeg | None) -> Facts:
        if subject.published is None or subject.storage is None:
            assert subject.report is not None
            return facts(subject.report)
        media = _addresses(subject.published, subject.storage, self.to.storage, key)
        found, storage = subject.published, subject.storage
        return facts_of(found, storage, ffmpeg=ffmpeg, spool=self.spool, media=media)

    def _stands(self, subject: Subject, key: str) -> bool:
        if self.force or self.to.key or subject.published is None:
            return False
        try:
            newer = self.to.storage.head(key).modified > subject.published.converted
        except NotFoundError:
            return False
        return newer and bool(is_page(self.to.storage, key))

    def index(self, written: Sequence[Written]) -> str:
        """The page of many; returns how people name it."""
        ordered = sorted(written, key=lambda one: one.key)
        rows = [Row(one.facts, between(INDEX, one.key)) for one in ordered]
        return put(overview(rows), self.to.storage, INDEX, self.spool)


def keys(subjects: Sequence[Subject], to: Place) -> list[str]:
    """Where the page of each goes; ExistsError where two would be one file."""
    if to.key:
        if len(subjects) > 1:
            said = f"names one file for {len(subjects)} recordings; name a folder"
            raise UsageError(f"{to.storage.url(to.key)}: {said}")
        return [to.key]
    found = [f"{subject.stem}{PAGE}" for subject in subjects]
    twice = next((key for key in found if found.count(key) > 1 or key == INDEX), None)
    if twice is not None:
        url = to.storage.url(twice)
        raise ExistsError(f"{url}: would be two pages; report one folder at a time")
    return found


def _addresses(found: Published, source: Storage, to: Storage, page: str) -> list[str]:
    """Of the files of a result for a page elsewhere; none where it cannot reach them."""
    here = to.path(page)
    files = [source.path(output.key) for output in found.outputs]
    if here is None or None in files:
        same = source.uri() == to.uri()
        return [between(page, output.key) for output in found.outputs] if same else []
    return [_relative(file, here) for file in files if file is not None]


def _relative(file: Path, page: Path) -> str:
    path = os.path.relpath(file.resolve(), page.resolve().parent)
    return percent_encoded(path if path.startswith("../") else f"./{path}")
