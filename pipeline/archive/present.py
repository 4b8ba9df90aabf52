"""Bags that are there already, and whether they are those that were to be made."""

import hashlib
import json
from collections.abc import Iterable, Mapping

from pipeline.archive.bagit import bag, places
from pipeline.archive.bagit.staging import Archive
from pipeline.archive.order import Order, receipt_path
from pipeline.errors import ExistsError, NotFoundError
from pipeline.receipts.inputs import inputs_of
from pipeline.receipts.read import Published


def another(archive: Archive, place: places.BagLocation) -> ExistsError:
    """The error for a bag that is there and is not the one that was to be made."""
    where = archive.storage.url(place.key)
    return ExistsError(
        f"{where}: another version of this recording is archived; name another store"
    )


def size_of(archive: Archive, place: places.BagLocation) -> tuple[int, int]:
    """Number of files and bytes of the payload of a bag, by its Payload-Oxum."""
    noted = places.recall_tar(archive.storage, place.name) if place.form is places.Form.TAR else {}
    if place.form is places.Form.OBJECTS:
        info = bag.parse_info(places.read(archive.storage, place, bag.INFO))
        noted = {"oxum": info.get("Payload-Oxum", "0.0")}
    size, _, count = str((noted or {}).get("oxum", "0.0")).partition(".")
    return int(count), int(size)


def what_is_there(
    published: Published, archive: Archive, place: places.BagLocation
) -> Mapping[str, str]:
    """What a bag that is there was made of, in the form of ``to_remember``.

    Raises ``ExistsError`` for a bag that is damaged.
    """
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


def to_remember(
    published: Published, order: Order, payload: Mapping[str, bag.Digests]
) -> dict[str, str]:
    """What a bag that is made now is made of: digest of the receipt, treatment of the originals,
    Payload-Oxum, and a digest of inputs and settings.
    """
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
    """A digest of inputs and settings: equal where the same was made of the same."""
    told = json.dumps([sorted(map(str, inputs)), dict(settings)], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()
