"""Damaged files of a bag, repaired from a second copy.  Nothing of the copy is trusted: only files
with the digests in the bag's own manifests are used.
"""

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from pipeline.archive.bagit import bag, fixity, places
from pipeline.archive.bagit.bag import ALGORITHMS, Digests
from pipeline.archive.bagit.fixity import Checked, CheckedFile, Contents, judge
from pipeline.archive.bagit.places import BagLocation, Form
from pipeline.archive.bagit.staging import digest
from pipeline.errors import NotFoundError, UnsafePathError
from pipeline.storage import Storage
from pipeline.storage.oserrors import os_errors
from pipeline.storage.temporaries import temporary as new

DAMAGED = ("missing", "changed", "unreadable", "invalid")


class _Repair(Struct, frozen=True):
    """A damaged bag, a second copy of it, and the folder for temporary files."""

    storage: Storage
    place: BagLocation
    copy: Storage
    spool: Path


def repair(storage: Storage, place: BagLocation, copy: Storage, spool: Path) -> list[str]:
    """Replace damaged and missing files; returns their paths.  Extra files are left alone.

    Nothing is done to a bag that holds a link.  Raises the errors of either store.
    """
    with os_errors(f"make {spool}"):
        spool.mkdir(parents=True, exist_ok=True)
    if places.links(storage, place) or places.links(copy, place):
        return []  # a repair would write to where the link leads
    if place.form is Form.TAR:
        return _tar(_Repair(storage, place, copy, spool))
    return _files(_Repair(storage, place, copy, spool))


def _files(of: _Repair) -> list[str]:
    contents = fixity.read(of.storage, of.place, fast=False)
    done: list[str] = []
    for _ in range(3):  # tag files first: they say what payload is right; then their manifests
        damaged = _damaged(contents)
        fixed = [path for path in damaged if _one(of, path, contents)]
        done += fixed
        if not fixed:
            break
    return done


def _damaged(contents: Contents) -> list[str]:
    found = {p.path for p in (*contents.problems, *judge(contents)) if p.kind in DAMAGED}
    paths = [path for path in found if path and not path.endswith("/")]
    return sorted(paths, key=lambda path: (bag.is_payload(path), bag.is_tag_manifest(path), path))


def _one(of: _Repair, path: str, contents: Contents) -> bool:
    """Put the file of the copy in place, and into the contents, if it is the right one."""
    temporary = new(of.spool)
    try:
        with os_errors(f"write {temporary}"), temporary.open("wb") as file:
            digests = digest(of.copy.open(of.place.key + path), file.write)
        if not _is_right(path, digests, temporary, contents):
            return False
        content = "application/octet-stream"
        key = of.place.key + path
        of.storage.put(temporary, key, sha256=digests.sha256, content_type=content)
        contents.files[path] = CheckedFile(digests.size, digests)
        if not bag.is_payload(path):
            contents.texts[path] = temporary.read_bytes()
        contents.problems = [p for p in contents.problems if p.path != path]
        return True
    except (NotFoundError, UnsafePathError):  # a manifest may name anything
        return False
    finally:
        temporary.unlink(missing_ok=True)


def _is_right(path: str, digests: Digests, file: Path, contents: Contents) -> bool:
    if bag.is_tag_manifest(path):
        return _tells_the_truth(path, file.read_bytes(), contents)
    tags = not bag.is_payload(path)
    wanted = []
    for algorithm in ALGORITHMS:
        name = bag.manifest_name(algorithm, tags=tags)
        if tags or _trusted(name, contents):
            listed = _listed(contents.texts.get(name)).get(path)
            wanted += [(algorithm, listed)] if listed else []
    held = [digests.of(algorithm) == listed for algorithm, listed in wanted]
    # one tag manifest may itself be what is damaged
    return any(held) if tags else bool(held) and all(held)


def _trusted(name: str, contents: Contents) -> bool:
    """A payload manifest that some tag manifest vouches for."""
    seen = contents.files.get(name)
    if seen is None or seen.digests is None:
        return False
    for algorithm in ALGORITHMS:
        text = contents.texts.get(bag.manifest_name(algorithm, tags=True))
        if _listed(text).get(name) == seen.digests.of(algorithm):
            return True
    return False


def _tells_the_truth(path: str, text: bytes, contents: Contents) -> bool:
    """A tag manifest is right if it lists the tag files that are there as they are."""
    algorithm = path.removeprefix("tagmanifest-").removesuffix(".txt")
    there = {
        name: seen.digests.of(algorithm)
        for name, seen in contents.files.items()
        if seen.digests and not bag.is_payload(name) and not bag.is_tag_manifest(name)
    }
    return bool(there) and _listed(text) == there


def _listed(text: bytes | None) -> Mapping[str, str]:
    try:
        return bag.parse_manifest(text) if text is not None else {}
    except ValueError:
        return {}


def _tar(of: _Repair) -> list[str]:
    """A tar is replaced by the copy's, once that is the very one that was archived."""
    noted = places.recall_tar(of.storage, of.place.name)
    if noted is None:
        return []
    temporary = new(of.spool)
    try:
        with os_errors(f"write {temporary}"), temporary.open("wb") as file:
            digests = digest(of.copy.open(of.place.key), file.write)
        if digests.sha256 != noted.get("sha256"):
            return []
        content = "application/x-tar"
        of.storage.put(temporary, of.place.key, sha256=digests.sha256, content_type=content)
    except NotFoundError:
        return []
    finally:
        temporary.unlink(missing_ok=True)
    return [of.place.key]


def repaired(checked: Checked, paths: list[str]) -> Checked:
    """The result of the check after a repair, with the paths that were repaired."""
    return Checked(
        checked.bag, checked.how, checked.problems, checked.files, checked.size, tuple(paths)
    )
