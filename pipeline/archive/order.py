"""How bags are made, and the paths in them."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from msgspec import Struct, field

from pipeline.archive.bagit.staging import Archive, Staging
from pipeline.jobs.limits.parallel import Progress
from pipeline.jobs.options import unwatched
from pipeline.muxing.locate import Ffmpeg
from pipeline.receipts.read import Published
from pipeline.storage import Storage
from pipeline.storage.names import common_folder

ORIGINALS = "data/original/"
ACCESS = "data/access/"
METADATA = "data/metadata/"


class Originals(StrEnum):
    """What becomes of the slices."""

    KEEP = "keep"  # copied into the bag
    FETCH = "fetch"  # stay where they are; fetch.txt names them (RFC 8493 section 2.2.3)
    NONE = "none"  # left out


class Order(Struct, frozen=True):
    """How bags are made."""

    originals: Originals = Originals.KEEP
    organization: str = ""  # Source-Organization in bag-info.txt
    extra: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)  # fields, by id
    source: str | None = None  # where the originals are; None: where the receipt says
    spool: Path = Path(".recpipe-spool")


class Bagging(Struct, frozen=True):
    """What all bags of a run have in common."""

    archive: Archive
    order: Order
    ffmpeg: Ffmpeg
    progress: Progress = unwatched


class Making(Struct, frozen=True):
    """One bag while it is made of a published recording."""

    published: Published
    results: Storage  # where its receipt and its files are
    staging: Staging
    bagging: Bagging


def original_path(published: Published, key: str) -> str:
    """The path of an input in the bag: its key below the folder that all inputs share."""
    return ORIGINALS + key.removeprefix(common_folder(one.key for one in published.inputs))


def receipt_path(published: Published) -> str:
    """The path of the receipt in the bag."""
    return METADATA + published.receipt_key.rpartition("/")[2]
