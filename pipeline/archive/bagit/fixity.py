"""Whether a bag is complete and valid (RFC 8493 section 3): no file missing, every digest right."""

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from msgspec import Struct, field

from pipeline.archive.bagit import bag, places
from pipeline.archive.bagit.bag import ALGORITHMS, Digests
from pipeline.archive.bagit.places import BagLocation, Form
from pipeline.archive.bagit.staging import digest
from pipeline.errors import NotFoundError, RecpipeError, StorageError
from pipeline.jobs.output.destinations import Opener
from pipeline.storage import Storage
from pipeline.storage.locations import of_uri
from pipeline.storage.names import printable

READERS = 8  # files at once
LARGEST_TAG_FILE = 64 << 20  # bytes
Counting = Callable[[int], None]  # so many bytes more were read
Watched = Callable[[str, int], Counting]  # a path in the bag, or "", and bytes to be read of it
LINKED = "what it leads to may go without the bag; put the file itself in its place"


def unwatched(path: str, size: int) -> Counting:
    """Nobody looks how far it is."""
    return lambda count: None


class Problem(Struct, frozen=True):
    """One thing that is wrong with a bag.

    ``kind``: missing, extra, changed, unreadable, link, or invalid (a tag file of wrong syntax).
    """

    kind: str
    path: str
    detail: str = ""


class CheckedFile(Struct, frozen=True):
    """One file as it was found; the digests are None if only its size was looked at."""

    size: int  # bytes
    digests: Digests | None = None


class Contents(Struct):
    """Everything found in a bag, by path."""

    files: dict[str, CheckedFile] = field(default_factory=dict)
    texts: dict[str, bytes] = field(default_factory=dict)  # of tag files
    problems: list[Problem] = field(default_factory=list)


class Checked(Struct, frozen=True):
    """The result of a check of one bag."""

    bag: str  # URL
    how: str  # "full" or "fast"
    problems: tuple[Problem, ...]
    files: int  # of the payload
    size: int  # bytes of the payload
    repaired: tuple[str, ...] = ()  # paths

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong with the bag."""
        return not self.problems


def check(
    storage: Storage,
    place: BagLocation,
    *,
    fast: bool,
    opened: Opener | None = None,
    watched: Watched = unwatched,
) -> Checked:
    """Read a bag and judge it.  ``fast`` compares sizes and names (Payload-Oxum), not digests.

    With ``opened``, files that fetch.txt names are read where they are.  ``watched`` is told what
    is read, and how far that is.  Damage is a problem in the result; raises the errors of a store
    that cannot be listed.
    """
    contents = read(storage, place, fast=fast, watched=watched)
    problems = [*contents.problems, *judge(contents)]
    if opened is not None and not fast and bag.FETCH in contents.texts:
        problems += _fetched(contents, opened, watched)
    payload = [one for path, one in contents.files.items() if bag.is_payload(path)]
    where = storage.url(place.key).removesuffix("/")
    how = "fast" if fast else "full"
    return Checked(where, how, tuple(problems), len(payload), sum(one.size for one in payload))


def read(
    storage: Storage, place: BagLocation, *, fast: bool, watched: Watched = unwatched
) -> Contents:
    """All files of a bag; a file that cannot be read is a problem, not an exception."""
    linked = places.links(storage, place)
    if linked:  # none of it is read: it could be anything on this machine
        return Contents(problems=[Problem("link", path, LINKED) for path in linked])
    if place.form is Form.TAR:
        return _fast_tar(storage, place) if fast else _tar(storage, place, watched)
    contents = Contents()
    listed = {found.key[len(place.key) :]: found for found in storage.list(place.key)}
    contents.files = {path: CheckedFile(found.size) for path, found in listed.items()}

    wanted = [path for path in listed if not (fast and bag.is_payload(path))]
    count = watched("", sum(listed[path].size for path in wanted))

    def look(path: str) -> tuple[str, CheckedFile | None, bytes, str]:
        text: list[bytes] = []
        keep = text.append if _is_text(path, listed[path].size) else None
        try:
            digests = digest(_counted(storage.open(place.key + path), count), keep)
        except (NotFoundError, StorageError) as error:
            return path, None, b"", printable(error)
        return path, CheckedFile(digests.size, digests), b"".join(text), ""

    with ThreadPoolExecutor(READERS) as pool:
        for path, seen, text, wrong in pool.map(look, wanted):
            if seen is None:
                contents.problems.append(Problem("unreadable", path, wrong))
                continue
            contents.files[path] = seen
            if not bag.is_payload(path):
                contents.texts[path] = text
    return contents


def _is_text(path: str, size: int) -> bool:
    return not bag.is_payload(path) and size <= LARGEST_TAG_FILE


def _counted(chunks: Iterable[bytes], count: Counting) -> Iterator[bytes]:
    for chunk in chunks:
        yield chunk
        count(len(chunk))


def _tar(storage: Storage, place: BagLocation, watched: Watched) -> Contents:
    contents = Contents()
    try:
        count = watched("", storage.head(place.key).size)
        for path, size, chunks in places.members(storage, place):
            text: list[bytes] = []
            keep = text.append if _is_text(path, size) else None
            if path in contents.files:
                contents.problems.append(Problem("extra", path, "in the tar for the second time"))
            contents.files[path] = CheckedFile(size, digest(_counted(chunks, count), keep))
            if not bag.is_payload(path):
                contents.texts[path] = b"".join(text)
    except (NotFoundError, StorageError) as error:
        contents.problems.append(Problem("unreadable", "", printable(error)))
    return contents


def _fast_tar(storage: Storage, place: BagLocation) -> Contents:
    """A tar cannot be looked into without reading all of it: its size is compared."""
    noted, found = places.recall_tar(storage, place.name), storage.head(place.key)
    contents = Contents()
    if noted is None or type(noted.get("size")) is not int:
        detail = "no size is remembered of this tar; check it in full"
        contents.problems.append(Problem("unreadable", "", detail))
    elif noted["size"] != found.size:
        detail = f"{found.size} bytes, {noted['size']} were archived"
        contents.problems.append(Problem("changed", "", detail))
    return contents


def judge(contents: Contents) -> Iterator[Problem]:
    """The problems of a bag, judged from its contents alone."""
    if not contents.files:
        return
    yield from _declared(contents)
    stays = yield from _stays(contents)
    payload = {path: seen for path, seen in contents.files.items() if bag.is_payload(path)}
    tags = {
        path: seen
        for path, seen in contents.files.items()
        if not bag.is_payload(path) and not bag.is_tag_manifest(path)
    }
    for algorithm in ALGORITHMS:
        yield from _compared(contents, payload, algorithm, stays, tags=False)
        yield from _compared(contents, tags, algorithm, {}, tags=True)
    yield from _oxum(contents, payload, stays)


def _declared(contents: Contents) -> Iterator[Problem]:
    text = contents.texts.get(bag.DECLARATION)
    if text is None:
        yield Problem("missing", bag.DECLARATION, "not a bag, or never finished: ingest again")
    elif text != bag.DECLARED:
        yield Problem("changed", bag.DECLARATION, "expected BagIt-Version 1.0 in UTF-8")


def _stays(contents: Contents) -> Generator[Problem, None, Mapping[str, bag.Fetch]]:
    text = contents.texts.get(bag.FETCH)
    if text is None:
        return {}
    try:
        return bag.parse_fetch(text)
    except ValueError as error:
        yield Problem("invalid", bag.FETCH, printable(error))
        return {}


def _compared(
    contents: Contents,
    files: Mapping[str, CheckedFile],
    algorithm: str,
    stays: Mapping[str, bag.Fetch],
    *,
    tags: bool,
) -> Iterator[Problem]:
    """One manifest against the files it has to list."""
    name = bag.manifest_name(algorithm, tags=tags)
    if name not in contents.texts:
        yield Problem("missing", name)
        return
    try:
        listed = bag.parse_manifest(contents.texts[name])
    except ValueError as error:
        yield Problem("invalid", name, printable(error))
        return
    for path in sorted(listed.keys() - files.keys() - stays.keys()):
        yield Problem("missing", path, f"listed in {name}")
    for path in sorted(files.keys() - listed.keys()):
        yield Problem("extra", path, f"not listed in {name}")
    for path in sorted(files.keys() & listed.keys()):
        digests = files[path].digests
        if digests is not None and digests.of(algorithm) != listed[path]:
            yield Problem("changed", path, f"{algorithm} is not that of {name}")


def _oxum(
    contents: Contents, payload: Mapping[str, CheckedFile], stays: Mapping[str, bag.Fetch]
) -> Iterator[Problem]:
    try:
        told = bag.parse_info(contents.texts.get(bag.INFO, b"")).get("Payload-Oxum")
    except ValueError as error:
        yield Problem("invalid", bag.INFO, printable(error))
        return
    sizes = {path: seen.size for path, seen in payload.items()}
    sizes |= {path: one.size for path, one in stays.items() if path not in sizes}
    found = f"{sum(sizes.values())}.{len(sizes)}"
    if told != found:
        yield Problem("changed", "data/", f"Payload-Oxum {found}, {bag.INFO} says {told}")


def _fetched(contents: Contents, opened: Opener, watched: Watched) -> Iterator[Problem]:
    """The files that stay elsewhere, read where they are."""
    try:
        stays = bag.parse_fetch(contents.texts[bag.FETCH])
        listed = bag.parse_manifest(contents.texts[bag.manifest_name("sha512")])
    except (ValueError, KeyError):
        return  # said already
    for path, one in stays.items():
        if path in contents.files:
            continue
        try:
            storage, key = opened(of_uri(one.url))
            found = digest(_counted(storage.open(key), watched(path, one.size)))
        except RecpipeError as error:
            yield Problem("missing", path, printable(error))
            continue
        if found.sha512 != listed.get(path):
            yield Problem("changed", path, f"{printable(one.url)}: sha512 differs")


def summary(problems: Sequence[Problem]) -> str:
    """Problems in one line for people: how many of each kind."""
    counts = Counter(problem.kind for problem in problems)
    return ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
