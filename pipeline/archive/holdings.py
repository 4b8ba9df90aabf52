"""Whether a recording is safe in the archive, with its originals."""

from pipeline.archive.bagit import bag, places
from pipeline.archive.bagit.places import BagLocation, Form
from pipeline.archive.order import ACCESS, original_path, receipt_path
from pipeline.errors import NotFoundError
from pipeline.receipts.read import Published
from pipeline.storage import Storage


def missing_from(archive: Storage, published: Published) -> str | None:
    """Why the archive cannot replace the originals, for people; None if it holds every one of them.

    By manifests and listing: ``archive verify`` is what reads every byte.  Raises the errors of the
    store.
    """
    place = places.named(archive, published.name)
    if place is None:
        return "not archived"
    if places.links(archive, place):
        return "a link is in its bag"
    try:
        if place.form is Form.TAR and not _whole_tar(archive, place):
            return "its tar in the archive is not what was put there"
        listed = bag.parse_manifest(places.read(archive, place, bag.manifest_name("sha256")))
    except (NotFoundError, ValueError):
        return "its bag is damaged"
    wanted = {original_path(published, one.key): one.sha256 for one in published.inputs}
    wanted |= {ACCESS + one.name: one.sha256 for one in published.outputs}
    wanted[receipt_path(published)] = published.receipt_sha256
    if any(listed.get(path) != digest for path, digest in wanted.items()):
        return "its bag holds another version of it, or not its originals"
    if place.form is Form.TAR:
        return None
    sizes = {found.key[len(place.key) :]: found.size for found in archive.list(place.key)}
    originals = {original_path(published, one.key): one.size for one in published.inputs}
    originals |= {ACCESS + one.name: one.size for one in published.outputs}
    if any(sizes.get(path) != size for path, size in originals.items()):
        return "its bag is not complete: the originals are not in it"
    return None


def _whole_tar(archive: Storage, place: BagLocation) -> bool:
    noted = places.recall_tar(archive, place.name)
    return noted is not None and noted.get("size") == archive.head(place.key).size
