"""Bags as values: the files that RFC 8493 (BagIt 1.0) defines, written and parsed."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from pipeline.errors import UsageError
from pipeline.storage.names import printable

ALGORITHMS = ("sha256", "sha512")
DECLARATION = "bagit.txt"
INFO = "bag-info.txt"
FETCH = "fetch.txt"
PROFILE_FILE = "bagit-profile.json"
DECLARED = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
PROFILE = "urn:x-recpipe:bagit-profile:recording:1"

OURS = (  # labels of bag-info.txt that a user may not set
    *("Bagging-Date", "Bag-Software-Agent", "BagIt-Profile-Identifier", "Payload-Oxum"),
    *("External-Identifier", "Recording", "Recording-Verdict", "Originals"),
)

_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 _.-]*[A-Za-z0-9_.-])?")
_LINE = re.compile(r"([0-9A-Fa-f]+)[ \t]+\*?(\S.*)")
_ESCAPE = re.compile(r"%(0[AaDd]|25)")


class Digests(Struct, frozen=True):
    """Both digests of one file, in hex, made in one read."""

    size: int  # bytes
    sha256: str
    sha512: str

    def of(self, algorithm: str) -> str:
        """The digest of this algorithm."""
        return self.sha256 if algorithm == "sha256" else self.sha512


class Fetch(Struct, frozen=True):
    """A payload file that stays elsewhere (RFC 8493 section 2.2.3)."""

    url: str
    size: int  # bytes
    path: str  # in the bag


def manifest_name(algorithm: str, *, tags: bool = False) -> str:
    """The name of a payload manifest, or of a tag manifest (RFC 8493 sections 2.1.3, 2.2.1)."""
    return f"{'tag' * tags}manifest-{algorithm}.txt"


def is_payload(path: str) -> bool:
    """Whether a file of a bag is payload (RFC 8493 section 2.1.2), not a tag file."""
    return path.startswith("data/")


def is_tag_manifest(path: str) -> bool:
    """Whether a file is a tag manifest: the only files that no manifest lists."""
    return path in [manifest_name(algorithm, tags=True) for algorithm in ALGORITHMS]


def manifest(files: Mapping[str, Digests], algorithm: str) -> bytes:
    """A manifest (RFC 8493 section 2.1.3), in the order of the paths."""
    return manifest_of({path: one.of(algorithm) for path, one in files.items()})


def manifest_of(digests: Mapping[str, str]) -> bytes:
    """The same of digests in hex, by path."""
    return "".join(f"{digests[path]}  {escaped(path)}\n" for path in sorted(digests)).encode()


def oxum(files: Iterable[Digests]) -> str:
    """Payload-Oxum: bytes and number of all payload files (RFC 8493 section 2.2.2)."""
    sizes = [one.size for one in files]
    return f"{sum(sizes)}.{len(sizes)}"


def info(fields: Sequence[tuple[str, str]]) -> bytes:
    """``bag-info.txt`` (RFC 8493 section 2.2.2): one line for each field, white space folded."""
    lines = [f"{label}: {printable(' '.join(value.split()))}\n" for label, value in fields]
    return "".join(lines).encode()


def fetch(files: Iterable[Fetch]) -> bytes:
    """``fetch.txt`` (RFC 8493 section 2.2.3); spaces in URLs must be percent-encoded already."""
    return "".join(f"{one.url} {one.size} {escaped(one.path)}\n" for one in files).encode()


def label(text: str) -> str:
    """A label for bag-info.txt that a user chose.  Raises ``UsageError`` if it is ours, or no
    label.
    """
    name = text.strip()
    if not _LABEL.fullmatch(name):
        raise UsageError(f"{printable(name)!r}: no label for bag-info.txt; letters, digits and -")
    if name.lower() in [ours.lower() for ours in OURS]:
        raise UsageError(f"{name}: is set by this tool; leave the column out")
    return name


def escaped(path: str) -> str:
    """A path with line ends and percent signs encoded, as RFC 8493 section 2.1.3 asks for."""
    return path.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def unescaped(path: str) -> str:
    """The inverse of :func:`escaped`."""
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)), path)


def parse_manifest(text: bytes) -> dict[str, str]:
    """Digests (lower-case hex) by path.  Raises ``ValueError`` with the line that is no entry, or
    repeats a path.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(_lines(text), 1):
        match = _LINE.fullmatch(line)
        path = unescaped(match[2]) if match else ""
        if match is None or path in found:
            raise ValueError(f"line {number}: expected a digest and a path not named before")
        found[path] = match[1].lower()
    return found


def parse_info(text: bytes) -> dict[str, str]:
    """The fields of ``bag-info.txt``; of a repeated label the last one.

    Raises ``ValueError`` for a line without a label.
    """
    found: dict[str, str] = {}
    last = ""
    for line in _lines(text):
        if line[:1] in (" ", "\t") and last:  # a folded line
            found[last] += " " + line.strip()
            continue
        last, colon, value = line.partition(":")
        if not colon:
            raise ValueError(f"{printable(line)[:80]!r}: expected a label and a colon")
        found[last] = value.strip()
    return found


def parse_fetch(text: bytes) -> dict[str, Fetch]:
    """The entries of ``fetch.txt`` by path.  Raises ``ValueError`` with the line that is none."""
    found = {}
    for number, line in enumerate(_lines(text), 1):
        url, _, rest = line.partition(" ")
        size, _, path = rest.partition(" ")
        if not (path and size.isdecimal()):
            raise ValueError(f"line {number}: expected URL, length and path")
        one = Fetch(url, int(size), unescaped(path))
        found[one.path] = one
    return found


def _lines(text: bytes) -> Iterator[str]:
    # only line ends: splitlines() would also cut at other separators, which names may hold
    for line in text.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        if line.strip():
            yield line
