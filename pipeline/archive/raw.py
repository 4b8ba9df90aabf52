"""A recording that was not published anywhere: converted, proven and bagged in one step.

The result lies in the spool until its bag is whole, so that the run after a crash continues there.
"""

import hashlib
import json
import shutil
from collections.abc import Callable

from msgspec.structs import replace

from pipeline.archive.bagit import bag, places
from pipeline.archive.bagit.staging import Archive
from pipeline.archive.ingest import Ingested, ingest
from pipeline.archive.order import METADATA, Bagging
from pipeline.archive.present import another, made_from, size_of
from pipeline.errors import NotFoundError
from pipeline.jobs import one
from pipeline.jobs.limits.locks import locked
from pipeline.jobs.many import Task
from pipeline.jobs.options import Options
from pipeline.jobs.output.destinations import Destination, Target
from pipeline.model import Report
from pipeline.receipts.inputs import inputs_of
from pipeline.receipts.read import read
from pipeline.stages.publish import RECEIPT, receipt_key
from pipeline.storage.locations import folder as opened
from pipeline.storage.oserrors import os_errors

Clock = Callable[[], float]


def take(work: Task, bagging: Bagging, options: Options, now: Clock) -> Ingested | Report:
    """Convert a recording and make its bag; the report if there is no MP4.  Safe to repeat.

    Raises what ``ingest`` and ``process`` raise; ``ExistsError`` for a bag of another source.
    """
    target = _target(work, bagging, options)
    with locked(bagging.order.spool, f"archive of {target.url}"):
        there = _present(work, target, bagging, options)
        if there is not None:
            return there
        report = one.process(work.recording, work.source, target, bagging.ffmpeg, options)
        if report.output is None:
            return report
        made = read(target.storage, receipt_key(target.key))
        here = replace(bagging, order=replace(bagging.order, source=None))
        bagged = ingest(made, target.storage, lambda _: work.source, here, now=now())
        _forget(target)
    return replace(bagged, receipt="", report=report)


def bag_name(work: Task, options: Options) -> str:
    """The name of a recording's bag: that of its receipt, without the ending."""
    target = Destination(work.source, options.format).target(work.recording.id)
    return receipt_key(target.key).removesuffix(RECEIPT)


def _target(work: Task, bagging: Bagging, options: Options) -> Target:
    """A folder of its own in the spool, the same one in every run."""
    told = f"{bagging.archive.storage.url()}\0{work.recording.source}"
    identity = hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    folder = bagging.order.spool / "archive" / identity
    with os_errors(f"make {folder}"):
        folder.mkdir(parents=True, exist_ok=True)
    return Destination(opened(folder), options.format).target(work.recording.id)


def _forget(target: Target) -> None:
    folder = target.storage.path("")
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)


def _present(work: Task, target: Target, bagging: Bagging, options: Options) -> Ingested | None:
    """The bag that was made of this very source; ExistsError if it is of another one."""
    archive, name = bagging.archive, bag_name(work, options)
    place = places.named(archive.storage, name)
    if place is None:
        return None
    told = _told(archive, place, name)
    inputs = one.inputs(work.recording, work.source)
    wanted = made_from(inputs, options.settings), bagging.order.originals.value
    if told != wanted:
        raise another(archive, place)
    _forget(target)
    files, size = size_of(archive, place)
    url = archive.storage.url(place.key.removesuffix("/"))
    return Ingested(work.recording.id, "", url, "present", files, size)


def _told(archive: Archive, place: places.BagLocation, name: str) -> tuple[str | None, str | None]:
    """What a bag was made from, and how it holds the originals."""
    noted = places.recall_tar(archive.storage, name) if place.form is places.Form.TAR else None
    if noted is not None:
        return noted.get("origin"), noted.get("originals")
    try:
        receipt = json.loads(places.read(archive.storage, place, f"{METADATA}{name}{RECEIPT}"))
        inputs = inputs_of(receipt)
        info = bag.parse_info(places.read(archive.storage, place, bag.INFO))
        return made_from(inputs, receipt["settings"]), info.get("Originals")
    except (NotFoundError, ValueError, KeyError, TypeError, RecursionError):
        return None, None
