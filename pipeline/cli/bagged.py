"""How far recordings are on their way into bags; loaded by ``recpipe archive`` when it is used."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from msgspec.structs import replace

from pipeline.archive import bulk
from pipeline.archive.bagit.fixity import Counting, Watched
from pipeline.archive.bagit.places import BagLocation
from pipeline.archive.bulk import Found
from pipeline.archive.ingest import Ingested
from pipeline.archive.order import Bagging, Originals
from pipeline.cli.chosen import settings
from pipeline.cli.progress import Meter, NoMeter, counting, media_size
from pipeline.jobs.many import Task
from pipeline.jobs.outcomes import Failure
from pipeline.model import Report
from pipeline.storage import Storage


def bags(
    found: Iterable[Found | Failure],
    bagging: Bagging,
    open_root: Callable[[str], Storage],
    chosen: dict[str, Any],
) -> Iterator[Ingested | Report | Failure]:
    """What becomes of each, while it is shown how far it is."""
    with counting(None, "bags", chosen) as meter:
        bagging = replace(bagging, progress=meter.report)
        how = replace(settings(chosen), progress=meter.report)
        begun = _begun(found, bagging, meter)
        for outcome in bulk.ingest_all(begun, open_root, bagging, now=time.time, options=how):
            yield outcome
            meter.counted()


def watched_in_turn(
    due: Sequence[BagLocation], chosen: dict[str, Any]
) -> Iterator[tuple[BagLocation, Watched]]:
    """Each bag that is to be checked, and whom to tell how far that is."""
    with counting(len(due), "bags", chosen) as meter:
        for one in due:
            yield one, partial(_watched, meter, one)
            meter.counted()


def _watched(meter: Meter | NoMeter, bag: BagLocation, path: str, size: int) -> Counting:
    meter.begin(" ".join(filter(None, (bag.name, path))) or "bag", size, 1)
    return partial(meter.report, "verify")


def _begun(
    found: Iterable[Found | Failure], bagging: Bagging, meter: Meter | NoMeter
) -> Iterator[Found | Failure]:
    """The same; the meter hears of each as soon as its turn comes."""
    passes = 1 + (bagging.archive.bags.path("") is None)  # read, and sent to a store
    for one in found:
        if isinstance(one, Task):  # read, written, proven; then slices and MP4 go into the bag
            meter.begin(one.recording.id, media_size(one), 3 + 2 * passes)
        elif not isinstance(one, Failure):
            published = one[1]
            inputs = () if bagging.order.originals is Originals.NONE else published.inputs
            made = sum(file.size for file in (*published.files, *published.besides))
            meter.begin(published.id, made + sum(file.size for file in inputs), passes)
        yield one
