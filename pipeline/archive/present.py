"""Bags that are there already, and whether they are the ones that were to be made."""

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
    """That the bag which is there is not the one that was to be made."""
    where = archive.storage.url(place.key)
    return ExistsError(
        f"{where}: another version of this recording is archived; name another store"
    )


def size_of(archive: Archive, place: places.BagLocation) -> tuple[int, int]:
    """Number and bytes of the payload of a bag, as it says itself."""
    noted = places.recall_tar(archive.storage, place.name) if place.form is places.Form.TAR else {}
    if place.form is places.Form.OBJECTS:
        info = bag.parse_info(places.read(archive.storage, place, bag.INFO))
        noted = {"oxum": info.get("Payload-Oxum", "0.0")}
    size, _, count = str((noted or {}).get("oxum", "0.0")).partition(".")
    return int(count), int(size)


def what_is_there(
    published: Published, archive: Archive, place: places.BagLocation
) -> Mapping[str, str]:
    """What a bag that is there was made of; ExistsError if it cannot tell."""
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
    """The same of a bag that is made now."""
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
